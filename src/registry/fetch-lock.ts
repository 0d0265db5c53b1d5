/**
 * Two commands that want one blob fetch it once: the second waits for the first, as long as that one gets on. Nobody waits for the dead, and
 * nobody for ever for one that stands still: then the blob is fetched twice, which costs time and harms nothing.
 */
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { hexOf } from '../oci/digest.js'
import { progressOf } from '../store/ingest.js'
import { Lock } from '../store/lock.js'
import { ownIdentity, pidOf } from '../store/process-identity.js'
import type { Store } from '../store/store.js'
import type { PullEvent } from './pull-event.js'

/** What is fetched, and how long others are waited for. */
export interface FetchRequest {
  readonly store: Store
  readonly blob: Descriptor
  readonly signal: AbortSignal
  /** Whoever has the lock and writes nothing for so long is not waited for any longer. */
  readonly stallMs: number
  readonly report: (event: PullEvent) => void
}

/** Runs `fetch` while nobody else does who wants the same blob; in the end in any case. Rejects with ABORTED, and as `fetch` does. */
export async function whileNobodyFetches(
  { store, blob, signal, stallMs, report }: FetchRequest,
  fetch: () => Promise<void>,
): Promise<void> {
  const { digest } = blob
  // One of 256, so that none is left behind for each blob there ever was; two blobs with one lock come one after the other.
  const lock = new Lock(join(store.root, 'locks', `fetch-${hexOf(digest).slice(0, 2)}`))
  let told: string | undefined
  const onWait = (holder: string) => {
    if (holder !== told && holder !== ownIdentity()) report({ event: 'held', digest, pid: pidOf(holder) })
    told = holder
  }
  let before: string | undefined
  for (;;) {
    let isHeld = false
    try {
      await lock.hold(
        async () => {
          isHeld = true
          await fetch()
        },
        { signal, timeoutMs: stallMs, onWait },
      )
      return
    } catch (error) {
      if (isHeld || !(error instanceof EngineError) || error.code !== 'STORE_LOCKED') throw error
      const holder = String(error.data.identity)
      const now = `${holder}\n${await progressOf(store.root, holder)}`
      if (now === before) break
      before = now
    }
  }
  await fetch()
}
