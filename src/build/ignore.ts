/** Patterns of a .dockerignore, as docker reads them (moby/patternmatcher): the last that matches decides, `!` takes back. */
import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'
import { type Pattern, parsePattern } from './pattern.js'

/** What a .dockerignore leaves out. */
export interface Ignore {
  /** Whether a path of the context, or a directory above it, is left out. */
  ignores(path: ByteString): boolean
  /** Whether anything below an ignored directory might be taken back. */
  readonly hasExceptions: boolean
  /** Its name, for messages; null when nothing is left out. */
  readonly file: string | null
}

interface Rule {
  readonly pattern: Pattern
  readonly isException: boolean
}

/** Longest .dockerignore and most patterns: each path is held against each. */
const MAXIMUM_PATTERNS = 10_000

/** Reads a .dockerignore given as bytes. Throws INVALID_ARGUMENT with the line. */
export function parseIgnore(text: ByteString, file: string): Ignore {
  const rules = text
    .replace(/^\xef\xbb\xbf/, '')
    .split('\n')
    .flatMap((line, place) => {
      if (line.startsWith('#')) return []
      const trimmed = line.trim()
      const isException = trimmed.startsWith('!')
      const pattern = cleaned(isException ? trimmed.slice(1).trim() : trimmed)
      if (isException && pattern === '') throw new EngineError('INVALID_ARGUMENT', `${file}:${place + 1}: a "!" takes nothing back`)
      if (pattern === '' || pattern === '.') return []
      return [{ pattern: parsePattern(pattern, `${file}:${place + 1}`), isException }]
    })
  if (rules.length > MAXIMUM_PATTERNS) throw new EngineError('LIMIT_EXCEEDED', `${file} has more than ${MAXIMUM_PATTERNS} patterns`)
  return { ignores: (path) => decide(rules, path), hasExceptions: rules.some(({ isException }) => isException), file }
}

/** Leaves nothing out. */
export const IGNORES_NOTHING: Ignore = { ignores: () => false, hasExceptions: false, file: null }

function decide(rules: readonly Rule[], path: ByteString): boolean {
  let ignored = false
  for (const { pattern, isException } of rules) if (ignored === isException && pattern.matchesPart(path)) ignored = !isException
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

/** One component of a path against a pattern of Go's filepath.Match, which COPY's sources are. Throws INVALID_ARGUMENT. */
export function componentMatcher(pattern: ByteString): (name: ByteString) => boolean {
  const single = pattern.replace(/(\\.)|\*+/gs, (_, escaped) => escaped ?? '*')
  const parsed = parsePattern(single, 'COPY')
  return (name) => parsed.matches(name)
}

/** Whether a source of COPY is a pattern. */
export function isPattern(path: ByteString): boolean {
  return /[*?[\\]/.test(path)
}
