import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterCleanUp, EngineError, messageOf, RUN_EXIT_CODES } from '../errors.js'
import type { ExitStatus } from '../runtime/exit.js'
import { assertMayOutlive } from '../runtime/object-mounts.js'
import type { Receipt } from '../runtime/receipt.js'
import type { RunningTask, Task, TerminalSize } from '../runtime/runtime.js'
import type { SystemCallReport } from '../runtime/system-calls.js'
import { abortable } from './abortable.js'
import type { ContainerStatus, ContainerSummary, CreatedContainer, RemoveOptions, StopOptions } from './container.js'
import { actorOf } from './hooks.js'
import { type ContainerRecord, RECEIPT_FILE, summaryOf } from './record.js'
import { RecordedContainer, type RecordedContainerParts } from './recorded-container.js'

/** What an {@link OwnedContainer} stands on. */
export interface OwnedContainerParts extends RecordedContainerParts {
  readonly task: Task
  readonly receipt: Receipt
  /** Told when there is nothing left to kill or to remove when the engine is disposed of. */
  readonly released: () => void
}

/** A container that this process made: it holds the task and its streams, and alone writes the record. */
export class OwnedContainer extends RecordedContainer implements CreatedContainer {
  readonly #task: Task
  readonly #receipt: Receipt
  readonly #released: () => void
  #ended: Promise<ExitStatus> | null = null
  #removed = false
  #detached = false

  constructor({ task, receipt, released, ...parts }: OwnedContainerParts) {
    super(parts)
    this.#task = task
    this.#receipt = receipt
    this.#released = released
  }

  get status(): ContainerStatus {
    return this.record.status === 'running' && this.record.paused ? 'paused' : this.record.status
  }

  get stdin(): Writable | null {
    return this.#task.stdin
  }

  get stdout(): Readable {
    return this.#task.stdout
  }

  get stderr(): Readable | null {
    return this.#task.stderr
  }

  summary(): ContainerSummary {
    return summaryOf(this.record)
  }

  async start(): Promise<null> {
    if (this.status !== 'created')
      throw new EngineError('CONFLICT', `container ${this.name} was started before by this process`, {
        hint: 'Once it has ended, start what containers.get gives.',
      })
    const started = this.#letGo()
    this.#ended = this.#untilEnd(started)
    this.#ended.catch(() => {})
    try {
      await started
    } catch (error) {
      await this.#ended.catch(() => {})
      throw error
    }
    return null
  }

  async detach(): Promise<void> {
    if (this.status !== 'running') throw this.notRunning()
    assertMayOutlive(this.spec)
    if (this.record.image.lazy === true)
      throw new EngineError('CONFLICT', `container ${this.name} reads its image through this process, so it cannot outlive it`)
    await this.state.exclusively(this.id, () => this.#write({ outlives: true, owner: this.#task.supervisor }))
    await this.#task.outlive()
    this.#detached = true
    this.#released()
    this.journal.add('detach', actorOf(this.record))
  }

  async restart(): Promise<never> {
    throw new EngineError('CONFLICT', `container ${this.name} ends with this process, so it cannot be started again`, {
      hint: 'Make it with containers.define, and start it.',
    })
  }

  wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ExitStatus> {
    return abortable(this.#untilStarted(), signal)
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.record.status !== 'running') throw this.notRunning()
    this.journal.add('kill', actorOf(this.record), { signal })
    await this.#task.kill(signal)
  }

  async stop({
    signal = this.settings.stopSignal,
    timeoutMs = this.settings.stopTimeoutSeconds * 1000,
  }: StopOptions = {}): Promise<ExitStatus> {
    await this.kill(signal)
    if (this.record.paused) await this.unpause()
    const timer = new AbortController()
    const late = timeoutMs < 0 ? NEVER : sleep(timeoutMs, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const)
    const first = await Promise.race([this.wait(), late]).finally(() => timer.abort())
    if (first !== 'late') return first
    if (this.record.status === 'running') await this.#task.kill('SIGKILL')
    return this.wait()
  }

  async resize(size: TerminalSize): Promise<void> {
    if (!this.spec.process.terminal) throw new EngineError('INVALID_ARGUMENT', `container ${this.name} has no terminal to resize`)
    await this.#task.resize(size)
  }

  async receipt(): Promise<Receipt> {
    return this.#receipt
  }

  async systemCalls(): Promise<SystemCallReport | null> {
    await this.wait()
    return (await this.#task.systemCalls?.()) ?? null
  }

  async remove({ force = false, volumes = false }: RemoveOptions = {}): Promise<void> {
    if (this.#removed) return
    if (this.record.status === 'running') {
      if (!force)
        throw new EngineError('CONFLICT', `container ${this.name} is running`, {
          hint: 'Stop it first, or remove it with force, which kills it.',
        })
      await this.#task.kill('SIGKILL')
    }
    await this.#ended?.catch(() => {})
    await this.#task.delete()
    await this.#discard({ volumes: volumes || this.record.autoRemove })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#detached) return
    if (this.record.status === 'running') await this.#task.kill('SIGKILL')
    await this.#ended?.catch(() => {})
    await this.#task.delete()
    if (this.record.autoRemove) await this.#discard({ volumes: true })
    this.#released()
  }

  protected async running(): Promise<RunningTask | null> {
    return this.record.status === 'running' ? this.#task : null
  }

  /** Resolves with the end once there is a start to end. */
  async #untilStarted(): Promise<ExitStatus> {
    if (this.#ended === null) await this.#task.wait().catch(() => {})
    return this.#ended ?? this.#task.wait()
  }

  async #letGo(): Promise<void> {
    // Written before the guest goes: were this process killed in between, nobody would take a guest that ran for one that never did.
    await this.#write({ status: 'running', startedAt: now() })
    // Before, too, or the end of a guest that only blinks would stand before its start.
    this.journal.add('start', actorOf(this.record))
    await this.#task.start()
    // While it runs.
    await this.state.writeFile(this.id, RECEIPT_FILE, JSON.stringify(this.#receipt), { durable: false })
  }

  /** Rejects with what kept it from starting. */
  async #untilEnd(started: Promise<void>): Promise<ExitStatus> {
    try {
      await started
    } catch (error) {
      const exitCode = error instanceof EngineError ? RUN_EXIT_CODES[error.code] : 125
      throw await afterCleanUp(
        error,
        () => this.#task.delete(),
        () => this.#finish({ exitCode, reason: 'exited', detail: messageOf(error), durationMs: 0 }),
      )
    }
    const exit = await this.#task.wait().catch((error) => this.#lost(error))
    // It is its launcher's business now, and of the command that this one runs.
    if (this.#detached) return exit
    try {
      await this.#task.settled()
    } catch (error) {
      throw await afterCleanUp(
        error,
        () => this.#task.delete(),
        () => this.#finish({ ...exit, detail: messageOf(error) }),
      )
    }
    try {
      await this.#task.delete()
    } catch (error) {
      throw await afterCleanUp(error, () => this.#finish(exit))
    }
    await this.#finish(exit)
    return exit
  }

  /** The end of a guest whose wall was killed: it dies with its wall, and nobody saw how. */
  #lost(error: unknown): ExitStatus {
    const startedMs = Date.parse(this.record.startedAt ?? now())
    return { exitCode: 137, signal: 'SIGKILL', reason: 'signaled', detail: messageOf(error), durationMs: Date.now() - startedMs }
  }

  async #finish(exit: ExitStatus): Promise<void> {
    const end = { status: 'exited', paused: false, finishedAt: now(), owner: null, task: null, exit } as const
    if (!this.record.autoRemove) {
      await this.state.exclusively(this.id, () => this.#write(end))
      this.#released()
      return
    }
    // Never read again: what is removed in the next moment needs no writing, and a rename over a file makes the disk wait.
    this.record = { ...this.record, ...end }
    try {
      await this.#discard({ volumes: true })
    } catch (error) {
      throw await afterCleanUp(error, () => this.state.write(this.record))
    }
  }

  /** Over what others have changed meanwhile. The process that the record names is the guest's only from its start on. */
  async #write(change: Partial<ContainerRecord>): Promise<void> {
    const { task } = this.record
    this.record = { ...this.record, ...this.state.read(this.id), task, ...change }
    await this.state.write(this.record)
  }

  async #discard({ volumes }: { readonly volumes: boolean }): Promise<void> {
    if (this.#removed) return
    await this.wall.discard(this.id, this.state.directoryOf(this.id))
    await this.removeRecord({ volumes })
    this.journal.add('destroy', actorOf(this.record))
    this.#removed = true
    this.#released()
  }
}

const NEVER = new Promise<'late'>(() => {})

function now(): string {
  return new Date().toISOString()
}
