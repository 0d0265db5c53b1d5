import type { Command } from 'commander'
import { EngineError } from '../errors.js'
import { UsageError } from './report.js'

/** Values by the name of their filter, each list in the order it was given. */
export type Filters = ReadonlyMap<string, readonly string[]>

/** Filters of a command by name: null for one that is built, else what to do instead. */
export type KnownFilters = Readonly<Record<string, string | null>>

const FLAG = '-f, --filter'

/** Adds `-f, --filter`, which may be given more than once; `--filter` alone where -f is --force. */
export function addFilterFlag(parser: Command, known: KnownFilters, flag: '-f, --filter' | '--filter' = FLAG): void {
  const names = Object.keys(known).filter((name) => known[name] === null)
  parser.option(
    `${flag} <filter>`,
    `only those with ${names.join(', ')}: ${names[0]}=…`,
    (word: string, before: readonly string[] = []) => [...before, word],
  )
}

/** Reads the words after `--filter`. Throws INVALID_ARGUMENT for one that docker does not have, NOT_BUILT for one it has, UsageError for no filter. */
export function parseFilters(words: unknown, known: KnownFilters): Filters {
  const filters = new Map<string, readonly string[]>()
  for (const word of (words as readonly string[] | undefined) ?? []) {
    if (word === '') continue
    const at = word.indexOf('=')
    if (at < 0)
      throw new UsageError(`invalid argument "${word}" for "${FLAG}" flag: bad format of filter (expected name=value)`, {
        exitCode: 125,
        hint: namesOf(known),
      })
    const name = word.slice(0, at).trim().toLowerCase()
    const wayOut = Object.hasOwn(known, name) ? known[name] : undefined
    if (wayOut === undefined) throw new EngineError('INVALID_ARGUMENT', `invalid filter '${name}'`, { hint: namesOf(known) })
    if (wayOut !== null) throw new EngineError('NOT_BUILT', `--filter ${name}=… is not built yet`, { hint: wayOut, data: { filter: name } })
    filters.set(name, [...(filters.get(name) ?? []), word.slice(at + 1).trim()])
  }
  return filters
}

/** A value of a filter that it cannot have. */
export function invalidFilter(name: string, value: string, hint: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid filter '${name}=${value}'`, { hint, data: { filter: name, value } })
}

/** Whether all of `wanted`, each NAME or NAME=VALUE, are among the labels. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((word) => {
    const at = word.indexOf('=')
    const name = at < 0 ? word : word.slice(0, at)
    return Object.hasOwn(labels, name) && (at < 0 || labels[name] === word.slice(at + 1))
  })
}

function namesOf(known: KnownFilters): string {
  const names = Object.keys(known).filter((name) => known[name] === null)
  return `There are ${names.slice(0, -1).join(', ')} and ${names.at(-1)}.`
}
