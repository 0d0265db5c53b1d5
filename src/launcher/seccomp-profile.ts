/**
 * Seccomp profiles as docker and podman take them (moby, `profiles/seccomp`; the rules' words are those of libseccomp): read, checked and
 * kept as data. What they come to for one container is `profile-program`.
 *
 * Nothing in a profile is passed over in silence, but for names of calls that wolffia's table lacks, which docker ignores too: they are
 * counted. A misspelt member would be a filter that lets more through than its author meant.
 */
import { EngineError, messageOf } from '../errors.js'
import type { Comparison } from './bpf.js'

/** What is to happen to a call. */
export type ProfileAction =
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_TRAP'

/** A condition on an argument. Numbers of 64 bits are decimal text, which JSON keeps whole. */
export interface ProfileArgument {
  readonly index: number
  readonly comparison: Comparison
  readonly value: string
  /** Of `masked-equal`: what the bits of `value` come to. */
  readonly valueTwo: string
}

/** When a rule is one of a container's. */
export interface ProfileScope {
  /** Names without `CAP_`. */
  readonly caps: readonly string[]
  /** By Go's names: `amd64`, `arm64`. */
  readonly arches: readonly string[]
  /** Two numbers; null when it does not matter. */
  readonly minKernel: readonly [major: number, minor: number] | null
}

/** One entry of `syscalls`. */
export interface ProfileRule {
  readonly names: readonly string[]
  readonly action: ProfileAction
  readonly errnoRet: number | null
  readonly args: readonly ProfileArgument[]
  readonly includes: ProfileScope
  readonly excludes: ProfileScope
}

/** A profile that has been checked. Safe to be kept as JSON. */
export interface SeccompProfile {
  readonly defaultAction: ProfileAction
  readonly defaultErrnoRet: number | null
  readonly syscalls: readonly ProfileRule[]
}

const ACTIONS: readonly string[] = [
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_LOG',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_TRAP',
] satisfies readonly ProfileAction[]

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  SCMP_CMP_NE: 'not-equal',
  SCMP_CMP_LT: 'less',
  SCMP_CMP_LE: 'less-or-equal',
  SCMP_CMP_EQ: 'equal',
  SCMP_CMP_GE: 'greater-or-equal',
  SCMP_CMP_GT: 'greater',
  SCMP_CMP_MASKED_EQ: 'masked-equal',
}

/** MAX_ERRNO of the kernel: more is cut off there. */
const MAXIMUM_ERRNO = 4095
const MAXIMUM_VALUE = 2n ** 64n - 1n
/** A profile of docker's has some 30 KB. */
const MAXIMUM_BYTES = 1024 * 1024
/** Marks an integer that a number of JavaScript's could not hold. */
const WHOLE = '\u0000'

/**
 * A profile from its JSON. `source` is what it is called in messages, mostly its path. Throws INVALID_ARGUMENT with the place in the file
 * and what stands there, NOT_BUILT for what is known and not built.
 */
export function parseSeccompProfile(text: string, source: string): SeccompProfile {
  return new Reader(source).profile(parse(text, source))
}

function parse(text: string, source: string): unknown {
  if (text.length > MAXIMUM_BYTES)
    throw new EngineError('INVALID_ARGUMENT', `seccomp profile ${source} is longer than ${MAXIMUM_BYTES} bytes`)
  try {
    // For its complaint alone, which has the place in the text as it is.
    JSON.parse(text)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `seccomp profile ${source} is no JSON: ${messageOf(cause)}`, { cause, data: { source } })
  }
  const whole = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) => (/^\d{16,}$/.test(token) ? `"\\u0000${token}"` : token))
  return JSON.parse(whole)
}

type Members = Readonly<Record<string, unknown>>

/** Reads a profile's parts, each with its place in the file. */
class Reader {
  readonly #source: string

  constructor(source: string) {
    this.#source = source
  }

  profile(value: unknown): SeccompProfile {
    const members = this.#members(value, 'the profile', [
      'defaultAction',
      'defaultErrnoRet',
      'architectures',
      'archMap',
      'syscalls',
      'flags',
      'listenerPath',
      'listenerMetadata',
    ])
    if (isGiven(members.architectures) && isGiven(members.archMap)) throw this.#wrong('archMap', 'stands beside architectures: use either')
    // What they name is checked and of no effect: only calls of the processor's own convention are let through.
    this.#strings(members.architectures, 'architectures')
    this.#list(members.archMap, 'archMap').forEach((entry, at) => {
      const place = `archMap[${at}]`
      const { architecture, subArchitectures } = this.#members(entry, place, ['architecture', 'subArchitectures'])
      this.#string(architecture, `${place}.architecture`)
      this.#strings(subArchitectures, `${place}.subArchitectures`)
    })
    for (const name of ['flags', 'listenerPath', 'listenerMetadata'])
      if (isGiven(members[name]) && JSON.stringify(members[name]) !== '[]')
        throw new EngineError('NOT_BUILT', `seccomp profile ${this.#source}: ${name} is not built`, {
          hint: `Take ${name} out of the profile.`,
          data: { source: this.#source, place: name },
        })
    return {
      defaultAction: this.#action(members.defaultAction, 'defaultAction'),
      defaultErrnoRet: this.#errno(members.defaultErrnoRet, 'defaultErrnoRet'),
      syscalls: this.#list(members.syscalls, 'syscalls').map((entry, at) => this.#rule(entry, `syscalls[${at}]`)),
    }
  }

  #rule(value: unknown, place: string): ProfileRule {
    const members = this.#members(value, place, ['name', 'names', 'action', 'errnoRet', 'args', 'includes', 'excludes'])
    const names = this.#strings(members.names, `${place}.names`)
    if (isGiven(members.name) && names.length > 0) throw this.#wrong(`${place}.name`, 'stands beside names: use either')
    const all = isGiven(members.name) ? [this.#string(members.name, `${place}.name`)] : names
    if (all.length === 0) throw this.#wrong(place, 'names no call')
    return {
      names: all,
      action: this.#action(members.action, `${place}.action`),
      errnoRet: this.#errno(members.errnoRet, `${place}.errnoRet`),
      args: this.#list(members.args, `${place}.args`).map((entry, at) => this.#argument(entry, `${place}.args[${at}]`)),
      includes: this.#scope(members.includes, `${place}.includes`),
      excludes: this.#scope(members.excludes, `${place}.excludes`),
    }
  }

  #argument(value: unknown, place: string): ProfileArgument {
    const { index, op, ...members } = this.#members(value, place, ['index', 'value', 'valueTwo', 'op'])
    if (typeof index !== 'number' || ![0, 1, 2, 3, 4, 5].includes(index))
      throw this.#wrong(`${place}.index`, `must be 0 to 5, not ${shown(index)}`)
    const comparison = typeof op === 'string' && Object.hasOwn(COMPARISONS, op) ? COMPARISONS[op] : undefined
    if (comparison === undefined)
      throw this.#wrong(`${place}.op`, `must be one of ${Object.keys(COMPARISONS).join(', ')}, not ${shown(op)}`)
    return {
      index,
      comparison,
      value: this.#number(members.value, `${place}.value`),
      valueTwo: this.#number(members.valueTwo, `${place}.valueTwo`),
    }
  }

  #scope(value: unknown, place: string): ProfileScope {
    const { caps, arches, minKernel } = this.#members(value ?? {}, place, ['caps', 'arches', 'minKernel'])
    return {
      caps: this.#strings(caps, `${place}.caps`).map((name) => name.toUpperCase().replace(/^CAP_/, '')),
      arches: this.#strings(arches, `${place}.arches`),
      minKernel: isGiven(minKernel) ? this.#kernel(minKernel, `${place}.minKernel`) : null,
    }
  }

  #kernel(value: unknown, place: string): readonly [number, number] {
    const [, major, minor] = /^(\d{1,4})\.(\d{1,4})$/.exec(typeof value === 'string' ? value : '') ?? []
    if (major === undefined || minor === undefined) throw this.#wrong(place, `must be two numbers like "4.8", not ${shown(value)}`)
    return [Number(major), Number(minor)]
  }

  #action(value: unknown, place: string): ProfileAction {
    if (value === 'SCMP_ACT_NOTIFY')
      throw new EngineError('NOT_BUILT', `seccomp profile ${this.#source}: ${place}: SCMP_ACT_NOTIFY is not built`, {
        hint: 'Nobody listens for such calls here: allow them, or refuse them with SCMP_ACT_ERRNO.',
        data: { source: this.#source, place },
      })
    if (typeof value === 'string' && ACTIONS.includes(value)) return value as ProfileAction
    throw this.#wrong(place, `must be one of ${ACTIONS.join(', ')}, not ${shown(value)}`)
  }

  #errno(value: unknown, place: string): number | null {
    if (!isGiven(value)) return null
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAXIMUM_ERRNO) return value
    throw this.#wrong(place, `must be a whole number up to ${MAXIMUM_ERRNO}, not ${shown(value)}`)
  }

  #number(value: unknown, place: string): string {
    if (!isGiven(value)) return '0'
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value)
    if (typeof value === 'string' && value.startsWith(WHOLE) && BigInt(value.slice(1)) <= MAXIMUM_VALUE)
      return BigInt(value.slice(1)).toString()
    throw this.#wrong(place, `must be a whole number of 64 bits without a sign, not ${shown(value)}`)
  }

  #strings(value: unknown, place: string): readonly string[] {
    return this.#list(value, place).map((entry, at) => this.#string(entry, `${place}[${at}]`))
  }

  #string(value: unknown, place: string): string {
    if (typeof value === 'string' && value !== '' && !value.startsWith(WHOLE)) return value
    throw this.#wrong(place, `must be a word, not ${shown(value)}`)
  }

  #list(value: unknown, place: string): readonly unknown[] {
    if (!isGiven(value)) return []
    if (Array.isArray(value)) return value
    throw this.#wrong(place, `must be a list, not ${shown(value)}`)
  }

  #members(value: unknown, place: string, known: readonly string[]): Members {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.#wrong(place, `must be an object, not ${shown(value)}`)
    // Comments have no effect, and profiles have them.
    const unknown = Object.keys(value).find((name) => !known.includes(name) && name !== 'comment' && !name.startsWith('$'))
    if (unknown !== undefined)
      throw this.#wrong(place, `has a member ${JSON.stringify(unknown)}, which no profile has; it takes ${known.join(', ')}`)
    return value as Members
  }

  #wrong(place: string, why: string): EngineError {
    return new EngineError('INVALID_ARGUMENT', `seccomp profile ${this.#source}: ${place} ${why}`, {
      data: { source: this.#source, place },
    })
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function shown(value: unknown): string {
  const text = typeof value === 'string' && value.startsWith(WHOLE) ? value.slice(1) : (JSON.stringify(value) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
