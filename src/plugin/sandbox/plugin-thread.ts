import type { Worker } from 'node:worker_threads'
import { type Deferred, deferred } from '../../launcher/deferred.js'
import { errorOf } from '../../wasm/sandbox/messages.js'
import type { Snapshot } from '../../wasm/sandbox/snapshot.js'
import { guestThread, type SharedTrees } from '../../wasm/sandbox/worker-threads.js'
import type { SnapshotMessage, TakeMessage, ThreadMessage } from './thread-messages.js'

/** A thread for instances, from outside: it comes up, takes a channel, and is ended with it. */
export class PluginThread {
  /** Resolves when it has come up. */
  readonly warm: Promise<void>
  readonly #worker: Worker
  readonly #attached: Deferred<readonly number[]> = deferred()
  readonly #snapshot: Deferred<Snapshot> = deferred()

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
      else for (const waiting of [this.#attached, this.#snapshot]) waiting.reject(errorOf(message.error))
    })
  }

  /** Gives it a channel. Resolves when its files are open. */
  async take(message: TakeMessage): Promise<void> {
    this.#worker.postMessage(message)
    await this.#attached.promise
  }

  /** Has it take the snapshot. Rejects with whatever kept the module from initialising itself. */
  async takeSnapshot(message: SnapshotMessage): Promise<Snapshot> {
    this.#worker.postMessage(message)
    await this.#attached.promise
    return this.#snapshot.promise
  }

  /** Ends it, whatever it runs. Its owner has seen to it that it does not wait for an answer. Resolves when it is gone. */
  async end(trees: SharedTrees): Promise<void> {
    await trees.end(this.#worker, await this.#attached.promise, [])
  }
}
