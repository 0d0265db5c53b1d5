import type { Session } from 'node:inspector'
import { createRequire } from 'node:module'
import { type Deferred, deferred } from '../../launcher/deferred.js'

/** The message by which V8 ends what a thread runs. */
const TERMINATE = JSON.stringify({ id: 1, method: 'Runtime.terminateExecution' })

/**
 * Ends what another thread of this process runs, and not the thread. Node offers that through V8's inspector alone: this process is connected to itself,
 * and listens on nothing.
 */
export class Interrupter {
  #session: Session | null = null
  /** Session of each thread, by the thread's number. */
  readonly #threads = new Map<number, Deferred<string>>()
  readonly #ended = new Map<string, Deferred<void>>()

  /** Resolves when what the thread runs, or else the next that it would, has ended. */
  async interrupt(threadId: number): Promise<void> {
    const session = (this.#session ??= this.#connect())
    const sessionId = await this.#thread(threadId).promise
    const ended = deferred<void>()
    this.#ended.set(sessionId, ended)
    session.post('NodeWorker.sendMessageToWorker', { sessionId, message: TERMINATE })
    await ended.promise
  }

  #thread(threadId: number): Deferred<string> {
    const known = this.#threads.get(threadId) ?? deferred<string>()
    this.#threads.set(threadId, known)
    return known
  }

  #connect(): Session {
    // Loaded when first asked for: most plugins are never late.
    const { Session } = createRequire(import.meta.url)('node:inspector') as typeof import('node:inspector')
    const session = new Session()
    session.connect()
    session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) =>
      this.#thread(Number(workerInfo.workerId)).resolve(sessionId),
    )
    session.on('NodeWorker.receivedMessageFromWorker', ({ params: { sessionId } }) => this.#ended.get(sessionId)?.resolve())
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
    return session
  }
}
