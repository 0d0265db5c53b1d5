/** A call that answers at once, as Node's other two forms of it: it is done when it is made, and told of later. */
import { promisify } from 'node:util'
import { argumentTypeError, isArgumentError } from './node-fs-error.js'

/** A call as the modules beside this one have it. */
// biome-ignore lint/suspicious/noExplicitAny: arguments are checked by the call itself, as a JavaScript caller's have to be.
export type Call<T = unknown> = (...args: any[]) => T
type Callback = (...answer: unknown[]) => void

/** With a promise. Whoever may abort it can do so in the same turn. */
export function promised<T>(call: Call<T | Promise<T>>): Call<Promise<T>> {
  return async (...args) => {
    if (args.some(hasSignal)) await undefined
    return await call(...args)
  }
}

/**
 * With a callback as its last argument, which gets an error or null, and what `answer` makes of the result. Mistakes in the call itself are
 * thrown at once, as Node throws them.
 */
export function withCallback<T>(call: Call<T>, answer: (value: T) => readonly unknown[] = alone): Call<void> {
  return (...args) => {
    const { callback, rest } = split(args)
    if (rest.some(hasSignal)) {
      setImmediate(() => attempt(call, rest, { answer, callback, isMadeLate: true }))
      return
    }
    attempt(call, rest, { answer, callback, isMadeLate: false })
  }
}

/** With a callback, of a call that has a promise itself. */
export function promiseWithCallback<T>(call: Call<Promise<T>>): Call<void> {
  return (...args) => {
    const { callback, rest } = split(args)
    call(...rest).then(
      (value) => setImmediate(callback, null, ...alone(value)),
      (error: Error) => setImmediate(callback, error),
    )
  }
}

/** The callback's form with several results, which `promisify` makes one object of. */
export function withResults<T>(call: Call<T>, answer: (value: T) => readonly unknown[]): Call<void> {
  const form = withCallback(call, answer)
  Object.defineProperty(form, promisify.custom, { value: promised(call) })
  return form
}

function split(args: readonly unknown[]): { readonly callback: Callback; readonly rest: readonly unknown[] } {
  const place = args.findLastIndex((each) => typeof each === 'function')
  if (place === -1) throw argumentTypeError('cb', 'of type function', undefined)
  return { callback: args[place] as Callback, rest: args.slice(0, place) }
}

function attempt<T>(
  call: Call<T>,
  args: readonly unknown[],
  {
    answer,
    callback,
    isMadeLate,
  }: { readonly answer: (value: T) => readonly unknown[]; readonly callback: Callback; readonly isMadeLate: boolean },
): void {
  try {
    setImmediate(callback, null, ...answer(call(...args)))
  } catch (error) {
    if (isArgumentError(error) && !isMadeLate) throw error
    setImmediate(callback, error)
  }
}

function alone(value: unknown): readonly unknown[] {
  return value === undefined ? [] : [value]
}

function hasSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'signal' in value && value.signal !== undefined
}
