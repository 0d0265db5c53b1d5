import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError, messageOf } from '../errors.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt } from '../runtime/receipt.js'
import { throwIfAborted } from './abortable.js'
import type { Container, ContainerStatus, ContainerSummary, RemoveOptions } from './container.js'
import { RECEIPT_FILE } from './owned-container.js'
import { type ContainerRecord, isOwned, isTaskAlive, summaryOf } from './record.js'
import { RecordedContainer, STOP_TIMEOUT_MS } from './recorded-container.js'

const POLL_MS = 50
/** How long a guest that was sent SIGKILL may take to be gone, and its owner to write that down. */
const KILL_TIMEOUT_MS = 10_000
/** How long its owner may take to write that down. */
const OWNER_TIMEOUT_MS = 2_000

/** A container that another process made, running, ended or left behind: known by its record and its processes alone. */
export class FoundContainer extends RecordedContainer implements Container {
  readonly stdin = null
  readonly stdout = null
  readonly stderr = null

  get status(): ContainerStatus {
    return this.summary().status
  }

  summary(): ContainerSummary {
    return summaryOf(this.#refresh() ?? this.record)
  }

  start(): Promise<void> {
    return Promise.reject(
      new EngineError('NOT_BUILT', `starting container ${this.name} again, or from another process, is not built yet`, {
        hint: 'Create another one: `wolffia run` creates and starts.',
      }),
    )
  }

  async wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ExitStatus> {
    for (;;) {
      throwIfAborted(signal)
      const record = this.#refresh()
      if (record === null) throw new EngineError('CONTAINER_NOT_FOUND', `container ${this.name} was removed before its end could be read`)
      const { exit } = summaryOf(record)
      if (exit !== null) return exit
      await sleep(POLL_MS)
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.status !== 'running') throw new EngineError('CONFLICT', `container ${this.name} is not running`)
    await (await this.#task())?.kill(signal)
  }

  async stop({ timeoutMs = STOP_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<ExitStatus> {
    await this.kill('SIGTERM')
    try {
      return await this.wait({ signal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      if (!(error instanceof EngineError && error.code === 'ABORTED')) throw error
      await (await this.#task())?.kill('SIGKILL')
      return this.wait()
    }
  }

  resize(): Promise<void> {
    return Promise.reject(
      new EngineError('NOT_BUILT', `resizing the terminal of container ${this.name} from another process is not built yet`),
    )
  }

  async receipt(): Promise<Receipt> {
    const text = this.state.readFile(this.id, RECEIPT_FILE)
    if (text === null) throw new EngineError('CONTAINER_NOT_FOUND', `container ${this.name} has no receipt: it was never made ready to run`)
    return JSON.parse(text)
  }

  async remove({ force = false, volumes = false }: RemoveOptions = {}): Promise<void> {
    const record = this.#refresh()
    if (record !== null && (isOwned(record) || isTaskAlive(record))) {
      if (!force)
        throw new EngineError('CONFLICT', `container ${this.name} is ${record.status === 'running' ? 'running' : 'about to run'}`, {
          hint: `Stop it first, or remove it with force, which kills it: wolffia rm -f ${this.name}`,
        })
      await (await this.#task())?.kill('SIGKILL')
      await this.#untilGone()
    }
    const directory = this.state.directoryOf(this.id)
    try {
      await this.wall.discard(this.id, directory)
      await this.removeRecord({ volumes: volumes || this.record.autoRemove })
    } catch (cause) {
      if (cause instanceof EngineError) throw cause
      throw new EngineError('CONFLICT', `container ${this.name} cannot be removed: ${messageOf(cause)}`, {
        cause,
        hint: `See what stands in the way in ${directory}, and remove the container again.`,
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #task() {
    return this.wall.open(this.id, this.state.directoryOf(this.id))
  }

  /**
   * Waits until the owner has written the end, removed the container, or is gone together with the guest. An owner that does nothing of
   * this is stopped (^Z) or waits for whoever reads its output: once the guest is dead it is not waited for long.
   */
  async #untilGone(): Promise<void> {
    const start = Date.now()
    for (; Date.now() < start + KILL_TIMEOUT_MS; await sleep(POLL_MS / 10)) {
      const record = this.#refresh()
      if (record === null || !(isOwned(record) || isTaskAlive(record))) return
      const isDead = record.status === 'running' && !isTaskAlive(record)
      if (isDead && Date.now() > start + OWNER_TIMEOUT_MS) return
    }
    throw new EngineError('CONFLICT', `container ${this.name} was killed but does not end`, { data: { id: this.id } })
  }

  #refresh(): ContainerRecord | null {
    const record = this.state.read(this.id)
    if (record !== null) this.record = record
    return record
  }
}
