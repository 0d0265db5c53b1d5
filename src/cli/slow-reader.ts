import type { Writable } from 'node:stream'

/** Writes, and waits while the reader is slow. Resolves also when the reader has gone away, which is for the caller to notice. */
export function writeAtReadersPace(out: Writable, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of EVENTS) out.off(event, done)
      resolve()
    }
    // Before the write: its error may come at once.
    for (const event of EVENTS) out.on(event, done)
    if (out.write(text) || out.destroyed || out.errored !== null) done()
  })
}

/** What ends the wait: room for more, or nobody to read it. */
const EVENTS = ['drain', 'error', 'close'] as const
