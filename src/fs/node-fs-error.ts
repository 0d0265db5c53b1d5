/** Errors as `node:fs` throws them, so that whoever looks at `code`, `syscall` or the message finds what he knows. */
import { constants } from 'node:os'
import { getSystemErrorMap, inspect } from 'node:util'
import { ErrnoError } from './errno.js'

/** What a call was asked, as its error tells it. */
export interface CallNames {
  /** `open`, `scandir` …: as Node names it, which is not always as Linux does. */
  readonly syscall: string
  readonly path?: string
  readonly dest?: string
}

/** Node's error for an errno's name. */
export function nodeError(code: string, { syscall, path, dest }: CallNames): NodeJS.ErrnoException & { dest?: string } {
  const errno = -(constants.errno[code as keyof typeof constants.errno] ?? 0)
  const [, description = 'unknown error'] = getSystemErrorMap().get(errno) ?? []
  const from = path === undefined ? '' : ` '${path}'`
  const to = dest === undefined ? '' : ` -> '${dest}'`
  const error: NodeJS.ErrnoException & { dest?: string } = new Error(`${code}: ${description}, ${syscall}${from}${to}`)
  return Object.assign(error, { errno, code, syscall }, path === undefined ? {} : { path }, dest === undefined ? {} : { dest })
}

/** Does `action`; what it throws of a file tree's becomes Node's. */
export function asNode<T>(names: CallNames, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof ErrnoError) throw nodeError(error.code, names)
    throw error
  }
}

/** Why one of Node's own checks refuses: an errno that stands for it, and its words. */
export interface Refusal {
  readonly errno: keyof typeof constants.errno
  readonly reason: string
}

/** An error of Node's own checks: `ERR_FS_EISDIR` and its like. */
export function systemError(code: string, message: string, { syscall, path }: CallNames, { errno: name, reason }: Refusal): Error {
  const error = new Error(`${message}: ${syscall} returned ${name} (${reason}) ${path ?? ''}`)
  const errno = constants.errno[name]
  return Object.assign(error, { name: 'SystemError', code, errno, syscall }, path === undefined ? {} : { path })
}

/** An argument of the wrong type. */
export function argumentTypeError(name: string, expected: string, received: unknown): TypeError {
  const what = name.includes('.') ? 'property' : 'argument'
  return coded(new TypeError(`The "${name}" ${what} must be ${expected}. ${describe(received)}`), 'ERR_INVALID_ARG_TYPE')
}

/** An argument of the right type with a value that is none. */
export function argumentValueError(name: string, received: unknown, reason = 'is invalid'): TypeError {
  const shown = inspect(received)
  const short = shown.length > 128 ? `${shown.slice(0, 128)}...` : shown
  const what = name.includes('.') ? 'property' : 'argument'
  return coded(new TypeError(`The ${what} '${name}' ${reason}. Received ${short}`), 'ERR_INVALID_ARG_VALUE')
}

/** A number that is too small, too large or none of the whole ones. */
export function rangeError(name: string, range: string, received: unknown): RangeError {
  const isLong = typeof received === 'number' && Number.isInteger(received) && Math.abs(received) > 2 ** 32
  const shown = isLong ? String(received).replace(/\B(?=(\d{3})+$)/g, '_') : inspect(received)
  return coded(new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${shown}`), 'ERR_OUT_OF_RANGE')
}

/** The error of a call whose signal was aborted. */
export function abortError(signal: AbortSignal): Error {
  const error = coded(new Error('The operation was aborted', { cause: signal.reason }), 'ABORT_ERR')
  error.name = 'AbortError'
  return error
}

/** Whether it tells of a mistake in the call itself, which Node throws at once also where there is a callback. */
export function isArgumentError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ERR_OUT_OF_RANGE' || (typeof code === 'string' && code.startsWith('ERR_INVALID_'))
}

function coded<E extends Error>(error: E, code: string): E {
  return Object.assign(error, { code })
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return `Received ${value}`
  if (typeof value === 'function') return `Received function ${value.name}`
  if (typeof value === 'object') {
    const name = (value as { constructor?: { name?: string } }).constructor?.name
    return name ? `Received an instance of ${name}` : `Received ${inspect(value, { depth: -1 })}`
  }
  const shown = inspect(value, { colors: false })
  return `Received type ${typeof value} (${shown.length > 28 ? `${shown.slice(0, 25)}...` : shown})`
}
