import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '../errors.js'
import type { Runtime } from '../runtime/runtime.js'
import type { Container, ContainerSummary, RemoveOptions } from './container.js'
import type { ContainerState, DeadRecord } from './state.js'

const POLL_MS = 5
/** How long a guest that was sent SIGKILL may take to be gone. */
const KILL_TIMEOUT_MS = 10_000

/** What a {@link DeadContainer} stands on. */
export interface DeadContainerParts {
  readonly state: ContainerState
  readonly record: DeadRecord
  /** All walls: which of them holds it, if one does, stands in the record. */
  readonly runtimes: readonly Runtime[]
}

/** A container whose record cannot be read, so that nothing is known of it but where it lies: it can be removed, and nothing else. */
export class DeadContainer implements Container {
  readonly status = 'dead'
  readonly runtime = ''
  readonly stdin = null
  readonly stdout = null
  readonly stderr = null
  readonly id: string
  readonly name: string
  readonly #state: ContainerState
  readonly #runtimes: readonly Runtime[]
  readonly #changedAt: Date

  constructor({ state, record, runtimes }: DeadContainerParts) {
    this.id = record.id
    this.name = record.name
    this.#state = state
    this.#runtimes = runtimes
    this.#changedAt = record.changedAt
  }

  get spec(): never {
    throw this.#dead()
  }

  get settings(): never {
    throw this.#dead()
  }

  get image(): never {
    throw this.#dead()
  }

  summary(): ContainerSummary {
    return deadSummary({ id: this.id, name: this.name, changedAt: this.#changedAt })
  }

  start(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  wait(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  kill(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  stop(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  attach(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  detach(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  exec(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  pause(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  unpause(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  restart(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  rename(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  update(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  resize(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  get logPath(): never {
    throw this.#dead()
  }

  health(): never {
    throw this.#dead()
  }

  logs(): never {
    throw this.#dead()
  }

  processes(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  usage(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  written(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  size(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  statPath(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  copyOut(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  copyIn(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  layer(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  committedConfig(): never {
    throw this.#dead()
  }

  fs(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  exportRoot(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  receipt(): Promise<never> {
    return Promise.reject(this.#dead())
  }

  /** A guest may still run: of a wolffia of another version, whose record is none to this one. Its volumes are not known, and stay. */
  async remove({ force = false }: RemoveOptions = {}): Promise<void> {
    const directory = this.#state.directoryOf(this.id)
    for (const runtime of this.#runtimes) {
      const task = await runtime.open(this.id, directory)
      if (task !== null && !force)
        throw new EngineError('CONFLICT', `container ${this.#label} is running, for another version of wolffia`, {
          hint: `Let that version remove it, or kill it: wolffia rm -f ${this.#label}`,
        })
      await task?.kill('SIGKILL')
      if (task !== null) await this.#untilGone(runtime, directory)
    }
    for (const runtime of this.#runtimes) await runtime.discard(this.id, directory)
    await this.#state.remove(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #untilGone(runtime: Runtime, directory: string): Promise<void> {
    for (const deadline = Date.now() + KILL_TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS))
      if ((await runtime.open(this.id, directory)) === null) return
    throw new EngineError('CONFLICT', `container ${this.#label} was killed but does not end`, { data: { id: this.id } })
  }

  get #label(): string {
    return this.name === '' ? this.id.slice(0, 12) : this.name
  }

  #dead(): EngineError {
    return new EngineError('CONFLICT', `container ${this.#label} is dead: its record cannot be read`, {
      hint: `It is damaged, or of another version of wolffia. Remove it: wolffia rm ${this.#label}`,
      data: { id: this.id },
    })
  }
}

/** What `ps` shows of a dead container. */
export function deadSummary({ id, name, changedAt }: DeadRecord): ContainerSummary {
  return {
    id,
    name,
    image: null,
    runtime: '',
    command: [],
    status: 'dead',
    createdAt: changedAt,
    startedAt: null,
    finishedAt: null,
    exit: null,
    labels: {},
    pid: null,
    autoRemove: false,
    restartCount: 0,
    health: null,
  }
}
