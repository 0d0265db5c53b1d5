/**
 * Patterns of a .dockerignore and of COPY's sources (moby/patternmatcher, Go's filepath.Match), which come with a context and may be anyone's.
 * All ways to match are followed at once, one byte of the path after the other: the time is at most the path's length times the pattern's, where an
 * expression that goes back and tries again takes a power of it.
 */
import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'

/** What one pattern takes. */
export interface Pattern {
  matches(path: ByteString): boolean
  /** Whether it takes the path, or a directory above it. */
  matchesPart(path: ByteString): boolean
}

/** Bytes that may stand in a place: 1 for each that may. */
type Accepted = Uint8Array

type Part =
  | { readonly kind: 'byte'; readonly byte: number }
  | { readonly kind: 'one'; readonly accepted: Accepted }
  /** Any number of them. */
  | { readonly kind: 'run'; readonly accepted: Accepted }
  /** Nothing, or whatever ends with a slash. */
  | { readonly kind: 'directories' }

const SLASH = 0x2f
const ANY: Accepted = new Uint8Array(256).fill(1)
const NO_SLASH: Accepted = acceptedBy((byte) => byte !== SLASH)

/** Throws INVALID_ARGUMENT, which begins with `place`. */
export function parsePattern(pattern: ByteString, place: string): Pattern {
  const parts: Part[] = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? ''
    if (character === '*' && pattern[at + 1] === '*') {
      at++
      if (pattern[at + 1] === '/') at++
      if (at + 1 >= pattern.length) parts.push({ kind: 'run', accepted: ANY })
      else if (parts.at(-1)?.kind !== 'directories') parts.push({ kind: 'directories' })
    } else if (character === '*') parts.push({ kind: 'run', accepted: NO_SLASH })
    else if (character === '?') parts.push({ kind: 'one', accepted: NO_SLASH })
    else if (character === '[') {
      const end = classEnd(pattern, at)
      if (end < 0) throw syntaxError(pattern, place)
      parts.push({ kind: 'one', accepted: classOf(pattern, at, end, place) })
      at = end
    } else {
      if (character === '\\') at++
      if (at >= pattern.length) throw syntaxError(pattern, place)
      parts.push({ kind: 'byte', byte: pattern.charCodeAt(at) })
    }
  }
  return new Automaton(parts)
}

function acceptedBy(accepts: (byte: number) => boolean): Accepted {
  return Uint8Array.from({ length: 256 }, (_, byte) => (accepts(byte) ? 1 : 0))
}

/** The `]` of a class; one at its very beginning is a member, as is one behind a backslash. */
function classEnd(pattern: ByteString, start: number): number {
  let at = start + 1
  if (pattern[at] === '^') at++
  for (let first = true; at < pattern.length; at++, first = false) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === ']' && !first) return at
  }
  return -1
}

function classOf(pattern: ByteString, start: number, end: number, place: string): Accepted {
  const members = pattern.slice(start + 1, end)
  const negated = members.startsWith('^')
  const list = (negated ? members.slice(1) : members).replace(/\\(.)|([[\]^])/gs, (_, escaped, special) => `\\${escaped ?? special}`)
  try {
    const expression = new RegExp(`[${negated ? '^' : ''}${list}]`, 's')
    // A class never takes a slash.
    return acceptedBy((byte) => byte !== SLASH && expression.test(String.fromCharCode(byte)))
  } catch {
    throw syntaxError(pattern, place)
  }
}

function syntaxError(pattern: ByteString, place: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${place}: syntax error in pattern: ${JSON.stringify(pattern)}`)
}

/**
 * A state is the place of the part that comes next; behind the last, all is matched. As many states behind that are those within the directories of
 * a part, which only a slash leads out of.
 */
class Automaton implements Pattern {
  readonly #parts: readonly Part[]
  /** In which step a state was last entered. */
  readonly #entered: Float64Array
  #step = 0
  #states: number[] = []

  constructor(parts: readonly Part[]) {
    this.#parts = parts
    this.#entered = new Float64Array(2 * parts.length + 1)
  }

  matches(path: ByteString): boolean {
    this.#begin()
    for (let at = 0; at < path.length && this.#states.length > 0; at++) this.#take(path.charCodeAt(at))
    return this.#isMatched
  }

  matchesPart(path: ByteString): boolean {
    this.#begin()
    for (let at = 0; at < path.length; at++) {
      const byte = path.charCodeAt(at)
      if (byte === SLASH && this.#isMatched) return true
      this.#take(byte)
      if (this.#states.length === 0) return false
    }
    return this.#isMatched
  }

  get #isMatched(): boolean {
    return this.#entered[this.#parts.length] === this.#step
  }

  #begin(): void {
    this.#step++
    this.#states = []
    this.#enter(0)
  }

  #take(byte: number): void {
    const states = this.#states
    const behind = this.#parts.length
    this.#step++
    this.#states = []
    for (const state of states) {
      if (state > behind) {
        this.#enterAlone(state)
        if (byte === SLASH) this.#enter(state - behind)
        continue
      }
      const part = this.#parts[state]
      if (part === undefined || part.kind === 'directories') continue
      if (part.kind === 'byte' ? part.byte === byte : part.accepted[byte] === 1) this.#enter(part.kind === 'run' ? state : state + 1)
    }
  }

  /** Enters a state, and those that need nothing more. */
  #enter(first: number): void {
    for (let state = first; this.#enterAlone(state); state++) {
      const kind = this.#parts[state]?.kind
      if (kind === 'directories') this.#enterAlone(this.#parts.length + 1 + state)
      else if (kind !== 'run') return
    }
  }

  /** False for one that has been entered in this step. */
  #enterAlone(state: number): boolean {
    if (this.#entered[state] === this.#step) return false
    this.#entered[state] = this.#step
    this.#states.push(state)
    return true
  }
}
