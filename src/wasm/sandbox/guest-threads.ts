import type { Worker } from 'node:worker_threads'
import type { WorkerMessage, WorkerStart } from './messages.js'
import type { CompiledModule } from './module-compiler.js'
import { createSharedCalls, SharedCalls } from './shared-calls.js'
import type { SharedProgram, ThreadTask } from './thread-messages.js'
import { startWorker } from './worker-threads.js'

/** What a program with threads is made of. */
export interface GuestThreadsParts extends Pick<WorkerStart, 'start' | 'stdin' | 'outputs'> {
  readonly process: ThreadTask['process']
  readonly module: WebAssembly.Module
  readonly threads: NonNullable<CompiledModule['threads']>
  /** Bytes that its outputs may write in all. */
  readonly outputBytes: number | null
  /** What any of its threads says but for itself: that it writes, or how the program has ended. */
  readonly hear: (message: WorkerMessage) => void
  /** A thread broke by itself. */
  readonly fell: (error: Error) => void
}

/**
 * The threads of one program, made by the main thread for all of them: a thread of the guest's that asks for another goes on at once. They have
 * no files and hold no lock of a tree, so each can be ended wherever it is.
 */
export class GuestThreads {
  /** What the thread that answers them has to know. */
  readonly shared: SharedProgram
  readonly #parts: GuestThreadsParts
  readonly #calls: SharedCalls
  readonly #clockStartNs = process.hrtime.bigint()
  readonly #workers = new Set<Worker>()
  #isOver = false

  constructor(parts: GuestThreadsParts) {
    const { maximum, memory } = parts.threads
    this.#parts = parts
    this.shared = {
      memory: new WebAssembly.Memory({ initial: memory.initial, maximum: memory.maximum, shared: true }),
      calls: createSharedCalls(maximum, parts.outputBytes),
    }
    this.#calls = new SharedCalls(this.shared.calls)
  }

  /** Lets the first one go. */
  begin(): void {
    this.#make(this.#calls.take() ?? 0, null)
  }

  /** Ends all of them. */
  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all([...this.#workers].map((worker) => worker.terminate()))
  }

  #make(slot: number, spawned: ThreadTask['spawned']): void {
    const { start, stdin, outputs, process, module, fell } = this.#parts
    if (this.#isOver) return
    const work: ThreadTask = { kind: 'thread', process, module, ...this.shared, slot, spawned, clockStartNs: this.#clockStartNs }
    let worker: Worker
    try {
      worker = startWorker({ start, work, stdin, outputs })
    } catch (error) {
      fell(error as Error)
      return
    }
    this.#workers.add(worker)
    worker.on('message', (message: WorkerMessage) => this.#hear(worker, slot, message))
    worker.on('error', (error) => {
      if (!this.#isOver) fell(error)
    })
  }

  #hear(worker: Worker, slot: number, message: WorkerMessage): void {
    if (this.#isOver) return
    if (message.type === 'spawn') this.#make(message.slot, { thread: message.thread, argument: message.argument })
    else if (message.type === 'thread-ended')
      worker.terminate().then(() => {
        this.#workers.delete(worker)
        this.#calls.giveBack(slot)
      })
    else this.#parts.hear(message)
  }
}
