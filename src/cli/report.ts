import { type Command, CommanderError } from 'commander'
import { didYouMean, nearest } from '../engine/words.js'
import { EngineError, messageOf, RUN_EXIT_CODES } from '../errors.js'
import type { FoundCommand } from './find-command.js'
import { notBuiltGlobalFlag, wayOutOf, wayOutOfForeign } from './not-built.js'
import { printable } from './output.js'

/** A mistake in the words of the command line itself: it ends with this exit code and points to the command's help. */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly options: { readonly exitCode: 1 | 125; readonly hint?: string | undefined },
  ) {
    super(message)
  }
}

type UnknownCommand = Pick<Extract<FoundCommand, { kind: 'unknown' }>, 'name' | 'group' | 'near'>

/** What {@link report} is told about where an error came from. */
export interface ErrorContext {
  /** The parser of the command, null before there is one. */
  readonly parser: Command | null
  readonly command: string
  /** Whether to show causes and stack traces. */
  readonly debug: boolean
}

/** Says on stderr what went wrong and what to do, and returns the exit code docker has for it. */
export function report(error: unknown, { parser, command, debug }: ErrorContext): number {
  const usage = error instanceof CommanderError ? usageErrorOf(error, parser) : error
  if (usage instanceof UsageError) {
    say(usage.message, usage.options.hint)
    pointToHelp(command)
    return usage.options.exitCode
  }
  if (usage instanceof EngineError) say(usage.message, usage.hint)
  else if (hasCode(usage, FULL)) say(messageOf(usage), 'Make room on that disk, or set WOLFFIA_HOME to a folder on another.')
  else if (hasCode(usage, LOCKED))
    say(messageOf(usage), 'Have that folder given back to you, or set WOLFFIA_HOME to one that you may write.')
  else say(`${messageOf(error)} (this is a fault of wolffia's own)`, debug ? undefined : `\`wolffia --debug ${command} …\` shows where.`)
  if (debug) showCauses(error)
  // As docker's classic builder: a build ends with what its RUN ended with.
  if (usage instanceof EngineError && usage.code === 'BUILD_FAILED') return Number(usage.data.exitCode)
  const code = usage instanceof EngineError ? RUN_EXIT_CODES[usage.code] : 125
  if (isLast(command, 'run') || isLast(command, 'learn') || isLast(command, 'replay')) return code
  // As docker: only what became of the program itself is told so.
  return isLast(command, 'exec') && code !== 125 ? code : 1
}

/** Whether a command is this one, by itself or in a group. */
function isLast(command: string, word: string): boolean {
  return command === word || command.endsWith(` ${word}`)
}

/** Says that there is no such command: that it is docker's and not built, or which one is near. Returns the exit code. */
export function unknownCommand({ name, group, near }: UnknownCommand): number {
  if (group !== null) return unknownSubcommand({ name, group, near })
  const isFlag = name.startsWith('-')
  const wayOut = wayOutOf(name)
  const globalFlag = isFlag ? notBuiltGlobalFlag(name) : undefined
  if (wayOut !== undefined) say(`\`${name}\` is not built yet`, wayOut)
  else if (globalFlag !== undefined) say(`${globalFlag.flag} is not built`, globalFlag.wayOut)
  else if (isFlag) say(`unknown flag: ${withoutValue(name)}`, flagNear(name, ['--debug', '--help', '--version']))
  else say(`unknown command: ${name}`, wayOutOfForeign(name) ?? didYouMean(name, near))
  if (wayOut === undefined && globalFlag === undefined) process.stderr.write("\nRun 'wolffia help' for more information\n")
  return isFlag ? 125 : 1
}

function unknownSubcommand({ name, group, near }: UnknownCommand & { readonly group: string }): number {
  const wayOut = wayOutOf(name)
  if (wayOut !== undefined) say(`\`${name}\` is not built yet`, wayOut)
  else {
    say(`unknown command: ${name}`, wayOutOfForeign(name) ?? didYouMean(name.slice(group.length + 1), near))
    pointToHelp(group)
  }
  return 1
}

/** Says that a group of commands has no such flag, which docker says of a word that is no command there too. Returns the exit code. */
export function unknownGroupFlag(group: string, flag: string): number {
  say(`unknown flag: ${withoutValue(flag)}`, undefined)
  pointToHelp(group)
  return 125
}

function pointToHelp(command: string): void {
  process.stderr.write(`\nRun 'wolffia ${command} --help' for more information\n`)
}

/** What the system says of a disk without room, and of a place that may not be written. */
const FULL: readonly unknown[] = ['ENOSPC', 'EDQUOT']
const LOCKED: readonly unknown[] = ['EACCES', 'EPERM', 'EROFS']

function hasCode(error: unknown, codes: readonly unknown[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code)
}

function say(message: string, hint: string | undefined): void {
  process.stderr.write(`wolffia: ${shown(message)}\n${hint === undefined ? '' : `${shown(hint)}\n`}`)
}

/** Without control characters, and of a word that fills the screen its beginning and its end. */
function shown(text: string): string {
  return printable(text).replace(/\S{400,}/g, (word) => `${word.slice(0, 200)}…${word.slice(-50)}`)
}

function withoutValue(flag: string): string {
  return flag.replace(/=.*/s, '')
}

/** As {@link didYouMean}; the dashes say nothing. */
function flagNear(typed: string, flags: readonly string[]): string | undefined {
  const bare = (flag: string) => withoutValue(flag).replace(/^-+/, '')
  const near = nearest(bare(typed), flags.map(bare))
  return near.length === 0 ? undefined : `Did you mean ${near.map((name) => `"--${name}"`).join(' or ')}?`
}

/** Commander's complaint in docker's words, with docker's exit code. */
function usageErrorOf(error: CommanderError, parser: Command | null): UsageError {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? ''
  if (error.code === 'commander.unknownOption') {
    const flags = (parser?.options ?? []).filter((option) => !option.hidden).flatMap((option) => option.long ?? [])
    // As docker: of letters in a row the first is named.
    const letter = /^-([^-])/.exec(quoted)?.[1]
    const what =
      letter === undefined ? `unknown flag: ${withoutValue(quoted)}` : `unknown shorthand flag: '${letter}' in ${withoutValue(quoted)}`
    return new UsageError(what, { exitCode: 125, hint: letter === undefined ? flagNear(quoted, flags) : undefined })
  }
  if (error.code === 'commander.optionMissingArgument') {
    const flag = quoted.split(/[ ,]+/).find((word) => word.startsWith('--')) ?? quoted
    return new UsageError(`flag needs an argument: ${flag}`, { exitCode: 125 })
  }
  return new UsageError(error.message.replace(/^error: /, ''), { exitCode: 125 })
}

function showCauses(error: unknown): void {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 10; cause = cause.cause, depth++) {
    process.stderr.write(`${depth === 0 ? '' : 'caused by: '}${cause.stack ?? cause.message}\n`)
    if (cause instanceof EngineError) process.stderr.write(`  code ${cause.code}, data ${JSON.stringify(cause.data)}\n`)
  }
}
