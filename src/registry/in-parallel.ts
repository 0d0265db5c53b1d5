/**
 * Does `action` for each item, `limit` at a time, in their order. The first that fails stops the others, by the signal they are given; it is
 * thrown when all have ended.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  action: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const waiting = items.values()
  let failure: { readonly error: unknown } | undefined
  const work = async () => {
    for (const item of waiting) {
      if (failure !== undefined) return
      try {
        await action(item, either)
      } catch (error) {
        failure ??= { error }
        stop.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  if (failure !== undefined) throw failure.error
}
