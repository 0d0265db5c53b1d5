import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type SharedUnion, UnionFs } from '../../fs/union-fs.js'
import type { GuestFiles, SharedFiles } from './guest-files.js'
import type { FilesMessage, WorkerStart } from './messages.js'
import type { StartMessage } from './protocol.js'
import { RemoteChannel } from './remote-file-system.js'

/** JavaScript heap for what a guest has open; its linear memory and its files lie outside it. */
const WORKER_HEAP_MB = 1024
const WORKER_STACK_MB = 4

/** Makes a guest's thread. It waits for its files. */
export function startWorker(start: WorkerStart): Worker {
  return guestThread('worker.cjs', start)
}

/** A thread in which guests may run, of a file beside this program's. */
export function guestThread(file: string, workerData: unknown): Worker {
  return new Worker(fileURLToPath(new URL(`./${file}`, import.meta.url)), {
    workerData,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB, stackSizeMb: WORKER_STACK_MB },
  })
}

/** The files that threads of a sandbox share, and how each thread can be ended without harm to the others. */
export class SharedTrees {
  /** The files, as a thread is told of them. */
  readonly shared: SharedFiles
  readonly #unions: readonly UnionFs[]
  readonly #remote: RemoteChannel | null

  constructor({ unions }: GuestFiles, shared: SharedFiles) {
    this.#unions = unions
    this.shared = shared
    this.#remote = shared.remote === null ? null : new RemoteChannel(shared.remote)
  }

  /**
   * Ends a thread, wherever it is, and gives back what it had open. None holds the lock of a tree meanwhile, nor waits for the supervisor's
   * answer: it would take either along. `attachments` are the thread's numbers in the trees, `forks` copies that it
   * has made of them.
   */
  async end(worker: Worker, attachments: readonly number[], forks: readonly SharedUnion[]): Promise<void> {
    const terminate = () => UnionFs.exclusively(this.#unions, () => worker.terminate())
    await (this.#remote === null ? terminate() : this.#remote.exclusively(terminate))
    for (const [place, attachment] of attachments.entries()) this.#unions[place]?.forsake(attachment)
    for (const [place, fork] of forks.entries()) this.#unions[place]?.closeFork(fork)
  }
}

/** The threads of a sandbox that see its files. */
export class WorkerThreads extends SharedTrees {
  /** A thread broke that may have had the lock of a tree: called once, does not return to it. */
  readonly fell: (error: Error) => void
  /** What each is told first. */
  readonly told: StartMessage

  constructor(start: StartMessage, files: GuestFiles, shared: SharedFiles, fell: (error: Error) => void) {
    super(files, shared)
    this.told = start
    this.fell = fell
  }

  /** Makes a thread and shows it the files. */
  start(of: Omit<WorkerStart, 'start'>): Worker {
    const worker = startWorker({ ...of, start: this.told })
    this.showFiles(worker)
    return worker
  }

  showFiles(worker: Worker): void {
    worker.postMessage({ files: this.shared } satisfies FilesMessage)
  }
}
