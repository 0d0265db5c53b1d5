import type { Writable } from 'node:stream'

/**
 * Writes, and waits while the reader is slow. Resolves also when the reader has gone away or `signal` is aborted, which is for the caller to
 * notice.
 */
export function writeAtReadersPace(out: Writable, text: string | Uint8Array, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of EVENTS) out.off(event, done)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    // Before the write: its error may come at once.
    for (const event of EVENTS) out.on(event, done)
    signal?.addEventListener('abort', done)
    if (out.write(text) || out.destroyed || out.errored !== null || signal?.aborted) done()
  })
}

/** What ends the wait: room for more, or nobody to read it. */
const EVENTS = ['drain', 'error', 'close'] as const
