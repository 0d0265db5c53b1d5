/** Patterns of a .dockerignore, as docker reads them (moby/patternmatcher): the last that matches decides, `!` takes back. */
import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'

/** What a .dockerignore leaves out. */
export interface Ignore {
  /** Whether a path of the context, or a directory above it, is left out. */
  ignores(path: ByteString): boolean
  /** Whether anything below an ignored directory might be taken back. */
  readonly hasExceptions: boolean
  /** Its name, for messages; null when nothing is left out. */
  readonly file: string | null
}

interface Pattern {
  readonly expression: RegExp
  readonly isException: boolean
}

/** Longest .dockerignore and most patterns: each path is held against each. */
const MAXIMUM_PATTERNS = 10_000

/** Reads a .dockerignore given as bytes. Throws INVALID_ARGUMENT with the line. */
export function parseIgnore(text: ByteString, file: string): Ignore {
  const patterns = text
    .replace(/^\xef\xbb\xbf/, '')
    .split('\n')
    .flatMap((line, place) => {
      if (line.startsWith('#')) return []
      const trimmed = line.trim()
      const isException = trimmed.startsWith('!')
      const pattern = cleaned(isException ? trimmed.slice(1).trim() : trimmed)
      if (isException && pattern === '') throw new EngineError('INVALID_ARGUMENT', `${file}:${place + 1}: a "!" takes nothing back`)
      if (pattern === '' || pattern === '.') return []
      return [{ expression: compile(pattern, `${file}:${place + 1}`), isException }]
    })
  if (patterns.length > MAXIMUM_PATTERNS) throw new EngineError('LIMIT_EXCEEDED', `${file} has more than ${MAXIMUM_PATTERNS} patterns`)
  return { ignores: (path) => decide(patterns, path), hasExceptions: patterns.some(({ isException }) => isException), file }
}

/** Leaves nothing out. */
export const IGNORES_NOTHING: Ignore = { ignores: () => false, hasExceptions: false, file: null }

function decide(patterns: readonly Pattern[], path: ByteString): boolean {
  const parts = path.split('/')
  const paths = parts.map((_, place) => parts.slice(0, place + 1).join('/'))
  let ignored = false
  for (const { expression, isException } of patterns)
    if (ignored === isException && paths.some((candidate) => expression.test(candidate))) ignored = !isException
  return ignored
}

/** As Go's filepath.Clean, without a slash at the beginning. */
function cleaned(pattern: string): string {
  const parts: string[] = []
  for (const part of pattern.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (part === '..' && pattern.startsWith('/')) continue
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}

function compile(pattern: string, place: string): RegExp {
  let expression = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? ''
    if (character === '*' && pattern[at + 1] === '*') {
      at++
      if (pattern[at + 1] === '/') at++
      expression += at + 1 >= pattern.length ? '.*' : '(?:.*/)?'
    } else if (character === '*') expression += '[^/]*'
    else if (character === '?') expression += '[^/]'
    else if (character === '[') {
      const end = classEnd(pattern, at)
      if (end < 0) throw syntaxError(pattern, place)
      expression += characterClass(pattern.slice(at + 1, end))
      at = end
    } else if (character === '\\') {
      at++
      if (at >= pattern.length) throw syntaxError(pattern, place)
      expression += quoted(pattern[at] ?? '')
    } else expression += quoted(character)
  }
  try {
    return new RegExp(`^${expression}$`, 's')
  } catch {
    throw syntaxError(pattern, place)
  }
}

/** The `]` of a class; one at its very beginning is a member, as is one behind a backslash. */
function classEnd(pattern: string, start: number): number {
  let at = start + 1
  if (pattern[at] === '^') at++
  for (let first = true; at < pattern.length; at++, first = false) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === ']' && !first) return at
  }
  return -1
}

function characterClass(members: string): string {
  const negated = members.startsWith('^')
  const list = (negated ? members.slice(1) : members).replace(/\\(.)|([[\]^])/gs, (_, escaped, special) => `\\${escaped ?? special}`)
  // A class never takes a slash.
  return `(?!/)[${negated ? '^' : ''}${list}]`
}

function quoted(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
}

function syntaxError(pattern: string, place: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${place}: syntax error in pattern: ${JSON.stringify(pattern)}`)
}

/** One component of a path against a pattern of Go's filepath.Match, which COPY's sources are. Throws INVALID_ARGUMENT. */
export function componentMatcher(pattern: ByteString): (name: ByteString) => boolean {
  const single = pattern.replace(/(\\.)|\*+/gs, (_, escaped) => escaped ?? '*')
  const expression = compile(single, 'COPY')
  return (name) => expression.test(name)
}

/** Whether a source of COPY is a pattern. */
export function isPattern(path: ByteString): boolean {
  return /[*?[\\]/.test(path)
}
