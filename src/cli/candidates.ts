/**
 * What a shell may offer for the word that is being typed. Everything comes from the commands themselves: their names, the flags they give
 * their parsers, and what their usage lines and flags call an argument (IMAGE, CONTAINER, `<file>`, `<auto|native|wasm>`).
 */
import { Command, type Option } from 'commander'
import type { Engine } from '../engine/engine.js'
import { type CliCommand, COMMANDS, type CommandEntry, type CommandGroup } from './command.js'
import { CONTAINER_FILTERS } from './container-filter.js'
import { EVENT_FILTERS } from './event-filter.js'
import type { KnownFilters } from './filter.js'
import { IMAGE_FILTERS } from './image-filter.js'

/** One word to offer. */
export interface Candidate {
  readonly text: string
  /** A few words about it, beside it where the shell can. */
  readonly about?: string
}

/** What to offer. */
export interface Candidates {
  readonly offered: readonly Candidate[]
  /** Files would do too. */
  readonly files: boolean
}

/** Names of what there is: asked for only when one could be meant. */
export type NamesOf = Readonly<Record<'containers' | 'images' | 'volumes', () => Promise<readonly string[]>>>

const NOTHING: Candidates = { offered: [], files: false }
const FILES: Candidates = { offered: [], files: true }
const GLOBAL_FLAGS: readonly Candidate[] = [
  { text: '--debug', about: 'show the causes of an error' },
  { text: '--help', about: 'list the commands' },
  { text: '--version', about: 'show the version' },
]
const FILTERS: Readonly<Record<string, KnownFilters>> = {
  ps: CONTAINER_FILTERS,
  'container ls': CONTAINER_FILTERS,
  images: IMAGE_FILTERS,
  'image ls': IMAGE_FILTERS,
  events: EVENT_FILTERS,
  'system events': EVENT_FILTERS,
}

/** Names of an engine's containers, images and volumes. */
export function engineNames(open: () => Promise<Engine>): NamesOf {
  return {
    containers: async () => {
      await using engine = await open()
      return (await engine.containers.list({ all: true })).map(({ name }) => name).filter((name) => name !== '')
    },
    images: async () => {
      await using engine = await open()
      return (await engine.images.list()).flatMap(({ references }) => references)
    },
    volumes: async () => {
      await using engine = await open()
      return (await engine.volumes.list()).map(({ name }) => name)
    },
  }
}

/** What to offer for the last of the words after `wolffia`, of which it has the beginning. */
export async function candidatesFor(words: readonly string[], names: NamesOf): Promise<Candidates> {
  const typed = words.at(-1) ?? ''
  const start = words.slice(0, -1).findIndex((word) => word !== '--debug' && word !== '-D')
  const name = start < 0 ? undefined : words[start]
  const { offered, files } = name === undefined || name === 'help' ? firstWord(typed) : await ofCommand(name, words.slice(start + 1), names)
  return { files, offered: offered.filter(({ text }) => text.startsWith(typed)) }
}

function firstWord(typed: string): Candidates {
  if (typed.startsWith('-')) return { offered: GLOBAL_FLAGS, files: false }
  return { offered: [...commandCandidates(COMMANDS), { text: 'help', about: 'Show the help of a command' }], files: false }
}

function commandCandidates(commands: Readonly<Record<string, CommandEntry | CommandGroup>>): readonly Candidate[] {
  const shown = Object.entries(commands).filter(([, entry]) => !('isHidden' in entry && entry.isHidden === true))
  return shown.map(([text, { summary }]) => ({ text, about: summary }))
}

async function ofCommand(name: string, words: readonly string[], names: NamesOf): Promise<Candidates> {
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) return NOTHING
  if ('load' in entry) return ofEntry(name, entry, words, names)
  const [last = '', ...rest] = words
  if (rest.length === 0) return { offered: commandCandidates(entry.commands), files: false }
  const own = entry.aliases?.[last] ?? last
  const inner = Object.hasOwn(entry.commands, own) ? entry.commands[own] : undefined
  return inner === undefined ? NOTHING : ofEntry(`${name} ${own}`, inner, rest, names)
}

async function ofEntry(name: string, entry: CommandEntry, words: readonly string[], names: NamesOf): Promise<Candidates> {
  const { command } = await entry.load()
  const parser = new Command().helpOption(false)
  command.configure(parser)
  const options = [
    ...parser.options,
    parser.createOption('--debug', 'show the causes of an error'),
    parser.createOption('--help', 'print help'),
  ]
  const place = placeOf(words, options, command)
  if (place.kind === 'operand') return operands(command, place.before, names)
  if (place.kind === 'flag') return { offered: options.flatMap(flagCandidate), files: false }
  const { offered, files } = await values(place.option, name, names)
  return { files, offered: offered.map(({ text, ...rest }) => ({ ...rest, text: `${place.prefix}${text}` })) }
}

/** What the last word is. */
type Place =
  | { readonly kind: 'operand'; readonly before: readonly string[] }
  | { readonly kind: 'flag' }
  | { readonly kind: 'value'; readonly option: Option; readonly prefix: string }

function placeOf(words: readonly string[], options: readonly Option[], { usage }: CliCommand): Place {
  const typed = words.at(-1) ?? ''
  const before: string[] = []
  let flagsAreOver = false
  for (let at = 0; at < words.length - 1; at++) {
    const word = words[at] ?? ''
    if (flagsAreOver || word === '-' || !word.startsWith('-')) {
      before.push(word)
      // What stands behind the image is the guest's.
      flagsAreOver ||= usage.includes('COMMAND')
    } else if (word === '--') flagsAreOver = true
    else {
      const option = awaitingValue(word, options)
      if (option !== undefined && ++at === words.length - 1) return { kind: 'value', option, prefix: '' }
    }
  }
  if (flagsAreOver || !typed.startsWith('-')) return { kind: 'operand', before }
  const [, flag] = /^(--[^=]+)=/.exec(typed) ?? []
  const option = options.find(({ long }) => long === flag)
  return option === undefined ? { kind: 'flag' } : { kind: 'value', option, prefix: `${flag}=` }
}

/** The flag whose value is the word after this one. */
function awaitingValue(word: string, options: readonly Option[]): Option | undefined {
  if (word.startsWith('--')) return options.find(({ long, required }) => required && long === word)
  for (const [at, letter] of [...word].entries()) {
    const option = at === 0 ? undefined : options.find(({ short }) => short === `-${letter}`)
    if (option?.required) return at === word.length - 1 ? option : undefined
  }
  return undefined
}

function flagCandidate({ long, description, hidden }: Option): readonly Candidate[] {
  return hidden || !long ? [] : [{ text: long, about: description }]
}

async function values({ flags, long }: Option, command: string, names: NamesOf): Promise<Candidates> {
  const [, argument = ''] = /<([^>]*)>/.exec(flags) ?? []
  if (long === '--filter') {
    const known = FILTERS[command] ?? {}
    return plain(Object.keys(known).flatMap((name) => (known[name] === null ? [`${name}=`] : [])))
  }
  if (long === '--format') return plain(['json', 'table'])
  if (/^[a-z]+(\|[a-z]+)+$/.test(argument)) return plain(argument.split('|'))
  if (/container/.test(argument)) return plain(await names.containers())
  return /file|folder|path|source/.test(argument) ? FILES : NOTHING
}

async function operands({ usage }: CliCommand, before: readonly string[], names: NamesOf): Promise<Candidates> {
  const places = usage.split(' ').map((word) => word.replace(/[[\]]/g, ''))
  const last = places.at(-1) ?? ''
  const place = places[before.length] ?? (last.endsWith('...') ? last : '')
  if (/^[a-z]+(\|[a-z]+)+$/.test(place)) return plain(place.split('|'))
  const found = [
    ...(/CONTAINER|^NAME\|ID/.test(place) ? await names.containers() : []),
    ...(/VOLUME/.test(place) ? await names.volumes() : []),
    ...(/IMAGE|REPOSITORY|^NAME\|ID/.test(place) ? await names.images() : []),
  ]
  return { ...plain(found.filter((name) => !before.includes(name))), files: /file|FILE|PATH|COMMAND|ARG/.test(place) }
}

function plain(texts: readonly string[]): Candidates {
  return { offered: texts.map((text) => ({ text })), files: false }
}
