import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Writes, and waits until there is room for more. Who reads no more, or an aborted `signal`, is not waited for, and is no error. */
export async function writeWaiting(out: Writable, text: string, signal?: AbortSignal): Promise<void> {
  if (out.write(text) || out.destroyed) return
  await once(out, 'drain', signal === undefined ? {} : { signal }).catch(() => {})
}
