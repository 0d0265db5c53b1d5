import { EngineError } from '../errors.js'

/** `promise`, or a rejection with ABORTED as soon as `signal` aborts. What the promise stands for goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/**
 * A signal that aborts with any of `signals`, until it is detached from them: for what they govern only while it is made. Detach it in
 * any case, or they hold it.
 */
export function detachable(signals: readonly (AbortSignal | undefined)[]): { readonly signal: AbortSignal; detach(): void } {
  const controller = new AbortController()
  const given = signals.filter((signal) => signal !== undefined)
  const abort = () => controller.abort(given.find((signal) => signal.aborted)?.reason)
  for (const signal of given) signal.addEventListener('abort', abort)
  if (given.some((signal) => signal.aborted)) abort()
  return {
    signal: controller.signal,
    detach: () => {
      for (const signal of given) signal.removeEventListener('abort', abort)
    },
  }
}

/** Throws ABORTED when `signal` has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal)
}

function aborted(signal: AbortSignal): EngineError {
  return new EngineError('ABORTED', 'stopped before it was finished', { cause: signal.reason })
}
