import { Command, CommanderError } from 'commander'
import type { CliCommand } from './command.js'
import { findCommand } from './find-command.js'
import { groupPage, helpPage } from './help.js'
import { addNotBuilt, notBuiltFlags } from './not-built.js'
import { report, UsageError, unknownCommand, unknownGroupFlag } from './report.js'
import { settleFlags } from './settle-flags.js'

const DEBUG_FLAGS = ['--debug', '-D']
const HELP_FLAGS = ['--help', '-h']

/** Does what the words of a command line say and resolves with its exit code. */
async function main(words: readonly string[]): Promise<number> {
  const start = words.findIndex((word) => !DEBUG_FLAGS.includes(word))
  const [name = 'help', ...rest] = start < 0 ? [] : words.slice(start)
  const debug = start !== 0 && words.length > 0
  if (name === '--version' || name === '-v') return runCommand(['version', '--short'], debug)
  if (!['help', '--help', '-h'].includes(name)) return runCommand([name, ...rest], debug)
  const [topic] = rest
  if (topic !== undefined && topic !== 'help' && !topic.startsWith('-')) return runCommand([...rest, '--help'], debug)
  process.stdout.write(helpPage())
  return 0
}

async function runCommand(line: readonly string[], debug: boolean): Promise<number> {
  const found = findCommand(line)
  if (found.kind === 'unknown') return unknownCommand(found)
  if (found.kind === 'group') {
    const [flag] = found.rest
    if (flag !== undefined && !HELP_FLAGS.includes(flag)) return unknownGroupFlag(found.name, flag)
    process.stdout.write(groupPage(found.name, found.group))
    return 0
  }
  const { name, entry, rest: words } = found
  const { command } = await entry.load()
  const freshParser = () => {
    const made = parserFor(name, entry.summary, command)
    return debug ? made.setOptionValue('debug', true) : made
  }
  let parser = freshParser()
  try {
    try {
      parse(parser, command, words)
    } catch (error) {
      if (!(error instanceof CommanderError) || error.code !== 'commander.unknownOption') throw error
      // Only now: docker has more flags that are not built than are, and each takes its time to be told of.
      parser = freshParser()
      addNotBuilt(parser, notBuiltFlags(name))
      parse(parser, command, words)
    }
    assertArity(name, command, parser.args.length)
    const positional = command.rewrite === undefined ? parser.args : words.slice(words.length - parser.args.length)
    return (await command.run(positional, parser.opts())) ?? 0
  } catch (error) {
    if (error instanceof CommanderError && error.code === 'commander.helpDisplayed') return 0
    return report(error, { parser, command: name, debug: parser.opts().debug === true })
  }
}

function parse(parser: Command, command: CliCommand, words: readonly string[]): void {
  parser.parse(settleFlags(command.rewrite?.(words) ?? words, parser.options, { takesProgram: command.takesProgram === true }), {
    from: 'user',
  })
}

function parserFor(name: string, summary: string, command: CliCommand): Command {
  const parser = new Command(`wolffia ${name}`)
    .usage(`[OPTIONS] ${command.usage}`.trimEnd())
    .description(summary)
    .allowExcessArguments()
    .passThroughOptions(command.takesProgram === true)
    .configureHelp({ sortOptions: true })
    // As in docker; run and create have a -h of their own.
    .helpOption(/^(container )?(run|create)$/.test(name) ? '--help' : '-h, --help', 'print this')
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  command.configure(parser)
  return parser.option('--debug', 'show the causes of an error')
}

function assertArity(name: string, { arity: [least, most] }: CliCommand, given: number): void {
  if (given >= least && given <= most) return
  const wanted = least === most ? `${least}` : given < least ? `at least ${least}` : `at most ${most}`
  throw new UsageError(
    `'wolffia ${name}' requires ${least === 0 && most === 0 ? 'no arguments' : `${wanted} argument${wanted.endsWith(' 1') || wanted === '1' ? '' : 's'}`}`,
    {
      exitCode: 1,
    },
  )
}

// A reader that went away (`wolffia images | head -1`) is no error of ours; a full disk is one, and a guest's end goes on all the same.
let outputFailed = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || outputFailed) return
  outputFailed = true
  process.exitCode ||= 1
  process.stderr.write(`wolffia: cannot write the output: ${error.message}\n`)
})
process.stderr.on('error', () => {})
// As Node's own for a program that ends while it still waits: never 0 by chance.
process.exitCode = 13
const words = process.argv.slice(2)
const fail = (error: unknown) => {
  const command = words.find((word) => !DEBUG_FLAGS.includes(word)) ?? 'help'
  process.exitCode = report(error, { parser: null, command, debug: DEBUG_FLAGS.includes(words[0] ?? '') })
}
main(words)
  .then((exitCode) => {
    process.exitCode = exitCode === 0 && outputFailed ? 1 : exitCode
  }, fail)
  .then(() => {
    // At once when all is written, without the taking down of what nobody needs any more.
    if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit()
  })
