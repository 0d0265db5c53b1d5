import { detachable } from '../container/abortable.js'
import type { Container, ContainerSummary, CreatedContainer } from '../container/container.js'
import { type LoadVolumes, removeWithVolumes } from '../container/container-volumes.js'
import { createContainer } from '../container/create.js'
import { DeadContainer, deadSummary } from '../container/dead-container.js'
import { FoundContainer } from '../container/found-container.js'
import type { CreateOptions } from '../container/options.js'
import { type ContainerRecord, isOwned, isTaskAlive, summaryOf } from '../container/record.js'
import type { ContainerState } from '../container/state.js'
import { EngineError, messageOf } from '../errors.js'
import { didYouMean } from '../reference/nearest.js'
import type { Store } from '../store/store.js'
import { imageForContainer } from './images.js'
import type { Walls } from './walls.js'

/** What {@link Containers} stands on. */
export interface ContainersParts {
  readonly state: ContainerState
  readonly store: Store
  readonly walls: Walls
  readonly volumes: LoadVolumes
}

/** The engine's containers. */
export class Containers implements AsyncDisposable {
  readonly #parts: ContainersParts
  /** Those of this process that have not ended. */
  readonly #owned = new Map<string, Container>()
  readonly #creating = new Set<Promise<CreatedContainer>>()
  readonly #disposal = new AbortController()
  #swept: Promise<void> | null = null

  /** @internal */
  constructor(parts: ContainersParts) {
    this.#parts = parts
  }

  /** Builds everything up to the guest's first instruction. On failure nothing is left. Rejects with ABORTED when the engine is disposed of. */
  async create(options: CreateOptions): Promise<CreatedContainer> {
    // A wall listens to its signal for as long as the guest lives, but the caller's is for creating alone.
    const { signal, detach } = detachable([options.signal, this.#disposal.signal])
    const creating = this.#create({ ...options, signal })
    this.#creating.add(creating)
    try {
      return await creating
    } finally {
      detach()
      this.#creating.delete(creating)
    }
  }

  async #create(options: CreateOptions): Promise<CreatedContainer> {
    const { state, store, walls, volumes } = this.#parts
    await this.#sweep()
    const runtimes = await walls.all()
    const found = await imageForContainer(store, options.image, await walls.wish(options))
    const released = (id: string) => this.#owned.delete(id)
    const container = await createContainer({ state, layers: store.layers, volumes, runtimes, released }, found, options)
    this.#owned.set(container.id, container)
    return container
  }

  /** Running containers; with `all` those that have not started or have ended too. Newest first, dead ones last. */
  async list({ all = false }: { readonly all?: boolean } = {}): Promise<readonly ContainerSummary[]> {
    await this.#sweep()
    const { state } = this.#parts
    const summaries = (await state.list()).map(summaryOf)
    return all ? [...summaries, ...(await state.listDead()).map(deadSummary)] : summaries.filter(({ status }) => status === 'running')
  }

  /** Looks a container up by name or id prefix. Rejects with CONTAINER_NOT_FOUND naming what is near. */
  async get(nameOrIdPrefix: string): Promise<Container> {
    await this.#sweep()
    const { state, walls, volumes } = this.#parts
    const [id, ...others] = await state.find(nameOrIdPrefix)
    if (others.length > 0)
      throw new EngineError('INVALID_ARGUMENT', `${others.length + 1} containers have ids that start with ${nameOrIdPrefix}`, {
        hint: 'Give more digits, or the name.',
      })
    const owned = this.#owned.get(id ?? '')
    if (owned !== undefined) return owned
    const record = id === undefined ? null : state.read(id)
    if (record !== null) return new FoundContainer({ state, record, volumes, runtime: await walls.named(record.runtime) })
    const dead = (await state.listDead()).find((candidate) => candidate.id === id)
    if (dead === undefined) {
      const hint = didYouMean(nameOrIdPrefix, await state.names()) ?? '`wolffia ps -a` lists all containers.'
      throw new EngineError('CONTAINER_NOT_FOUND', `no such container: ${nameOrIdPrefix}`, { hint, data: { container: nameOrIdPrefix } })
    }
    return new DeadContainer({ state, record: dead, runtimes: await walls.all() })
  }

  /**
   * Kills what this process made and still runs, and removes what was made to be removed; what is being created is given up. Each has its
   * turn, whatever happens to the others; then rejects with what failed.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort()
    await Promise.allSettled(this.#creating)
    const ends = await Promise.allSettled([...this.#owned.values()].map((container) => container[Symbol.asyncDispose]()))
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
    if (failures.length > 1) throw new AggregateError(failures, failures.map(messageOf).join('; '))
    if (failures.length > 0) throw failures[0]
  }

  /**
   * Removes, once, what killed commands left: half-made folders, and containers that should have removed themselves. What cannot be
   * removed keeps nobody from anything else: `ps -a` shows it as ended, and `rm` of it says why.
   */
  #sweep(): Promise<void> {
    this.#swept ??= this.#sweepOnce().catch(() => {})
    return this.#swept
  }

  async #sweepOnce(): Promise<void> {
    const { state, walls } = this.#parts
    await state.removeRubbish(async (id, directory) => {
      for (const runtime of await walls.all()) await runtime.discard(id, directory)
    })
    for (const record of (await state.list()).filter(isOrphan)) await this.#removeOrphan(record).catch(() => {})
  }

  async #removeOrphan(record: ContainerRecord): Promise<void> {
    const { state, walls, volumes } = this.#parts
    const runtime = await walls.named(record.runtime)
    await runtime.discard(record.id, state.directoryOf(record.id))
    await removeWithVolumes(volumes, record.spec, () => state.remove(record))
  }
}

/** Made to be removed when it ends, and nobody is left to do so. */
function isOrphan(record: ContainerRecord): boolean {
  return record.autoRemove && !isOwned(record) && !isTaskAlive(record)
}
