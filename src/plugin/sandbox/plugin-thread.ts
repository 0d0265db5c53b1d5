import type { Worker } from 'node:worker_threads'
import { type Deferred, deferred } from '../../launcher/deferred.js'
import { errorOf } from '../../wasm/sandbox/messages.js'
import type { Snapshot } from '../../wasm/sandbox/snapshot.js'
import { guestThread, type SharedTrees } from '../../wasm/sandbox/worker-threads.js'
import { Guard } from './guard.js'
import type { Interrupter } from './interrupter.js'
import type { IdleMessage, ResumeMessage, SnapshotMessage, TakeMessage, ThreadMessage } from './thread-messages.js'

/** How long a host function may go on that the guest was found in, and V8 take to end the guest. */
const STOP_MS = 1500
/** How often is looked whether the guest is back from it. */
const LOOK_MS = 1

/** A thread for instances, from outside: it comes up, takes a channel, is interrupted when a call of it is over, and ended with it. */
export class PluginThread {
  /** Resolves when it has come up. */
  readonly warm: Promise<void>
  readonly #worker: Worker
  readonly #guard = new Guard()
  readonly #attached: Deferred<readonly number[]> = deferred()
  readonly #snapshot: Deferred<Snapshot> = deferred()
  #turn = 0
  #stopped: Deferred<void> = deferred()

  /** `fell` is called when the thread breaks by itself. */
  constructor(fell: (error: Error) => void) {
    const warm = deferred<void>()
    this.warm = warm.promise
    this.#worker = guestThread('plugin-worker.cjs', null)
    this.#worker.on('error', fell)
    this.#worker.on('message', (message: ThreadMessage) => {
      if (message.type === 'warm') warm.resolve()
      else if (message.type === 'attached') this.#attached.resolve(message.attachments)
      else if (message.type === 'snapshot') this.#snapshot.resolve(message.snapshot)
      // One of a turn before is late: its thread was interrupted as it said so.
      else if (message.type === 'stopped') message.turn === this.#turn && this.#stopped.resolve()
      else for (const waiting of [this.#attached, this.#snapshot]) waiting.reject(errorOf(message.error))
    })
  }

  /** Gives it a channel. Resolves when its files are open. */
  async take(message: Omit<TakeMessage, 'guard'>): Promise<void> {
    this.#worker.postMessage({ ...message, guard: this.#guard.shared } satisfies TakeMessage)
    await this.#attached.promise
  }

  /** Has it take the snapshot. Rejects with whatever kept the module from initialising itself. */
  async takeSnapshot(message: Omit<SnapshotMessage, 'guard'>): Promise<Snapshot> {
    this.#worker.postMessage({ ...message, guard: this.#guard.shared } satisfies SnapshotMessage)
    await this.#attached.promise
    return this.#snapshot.promise
  }

  /**
   * Ends the call that it has, whatever the guest does, and nothing else of it. Its owner has seen to it that it does not wait for an answer. False when
   * it does not come back from the host within a while: then it can only be ended.
   */
  async interrupt(interrupter: Interrupter): Promise<boolean> {
    this.#guard.stop()
    const late = performance.now() + STOP_MS
    const stopped = this.#stopped.promise.then(() => true)
    while (performance.now() < late) {
      if (this.#guard.isInGuest) return Promise.race([this.#interruptGuest(interrupter), after(late - performance.now(), false)])
      if (await Promise.race([stopped, after(LOOK_MS, false)])) return true
    }
    return false
  }

  /** Has one that was interrupted go on with the next call, after this nonce. */
  resume(nonce: string): void {
    this.#stopped = deferred()
    this.#guard.clear()
    this.#worker.postMessage({ resume: nonce, turn: ++this.#turn } satisfies ResumeMessage)
  }

  /** Ends it, whatever it runs, with all instances that it keeps. Resolves when it is gone. */
  async end(trees: SharedTrees): Promise<void> {
    await trees.end(this.#worker, await this.#attached.promise, [])
  }

  async #interruptGuest(interrupter: Interrupter): Promise<true> {
    const interrupted = interrupter.interrupt(this.#worker.threadId)
    // Should the guest have returned meanwhile: what is interrupted is the next thing that the thread does.
    this.#worker.postMessage({ idle: true } satisfies IdleMessage)
    await interrupted
    return true
  }
}

function after<Value>(ms: number, value: Value): Promise<Value> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0), value))
}
