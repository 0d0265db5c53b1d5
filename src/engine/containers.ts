import { abortable, detachable } from '../container/abortable.js'
import type { Container, ContainerStatus, ContainerSummary, CreatedContainer } from '../container/container.js'
import { type LoadVolumes, removeWithVolumes } from '../container/container-volumes.js'
import { createContainer, defineContainer, type ImageForContainer, prewarmContainer, type Workshop } from '../container/create.js'
import { DeadContainer, deadSummary } from '../container/dead-container.js'
import { FoundContainer } from '../container/found-container.js'
import type { Journal } from '../container/journal.js'
import type { CreateOptions } from '../container/options.js'
import { PrewarmedPool } from '../container/prewarmed-pool.js'
import { type OpenedProgram, openProgram, type ProgramOptions } from '../container/program.js'
import { type ContainerRecord, isAbandoned, isGone, isOrphan } from '../container/record.js'
import type { ContainerState } from '../container/state.js'
import { afterCleanUp, EngineError, messageOf } from '../errors.js'
import { hostPlatform } from '../image/platform-select.js'
import { WASI_PLATFORM } from '../oci/platform.js'
import { didYouMean } from '../reference/nearest.js'
import type { PullEvent } from '../registry/pull-event.js'
import { MissingContents } from '../store/layer-store.js'
import type { Store } from '../store/store.js'
import type { HostCopied, HostCopyOptions } from './host-copy.js'
import type { OpenedLazyImage, PullPolicy } from './image-pulls.js'
import type { Images } from './images.js'
import { PrewarmedContainers, type PrewarmOptions } from './prewarmed.js'
import type { Walls } from './walls.js'

/** What {@link Containers} stands on. */
export interface ContainersParts {
  readonly state: ContainerState
  readonly store: Store
  readonly journal: Journal
  readonly walls: Walls
  readonly volumes: LoadVolumes
  readonly images: () => Pick<Images, 'forContainer' | 'forLazyContainer'>
}

/** What a container is made of, and whether its image may be pulled for it. */
export interface ContainerOptions extends CreateOptions {
  /** `never` unless said: a program that makes containers does not reach into the network unasked. */
  readonly pull?: PullPolicy
  /** Told what happens while the image is pulled. */
  readonly pullProgress?: (event: PullEvent) => void
  /**
   * Starts before the image is here: its files come when they are read, and nothing of it is kept. For {@link Containers.create} with `autoRemove`,
   * images with eStargz layers, and the Wasm wall; anything else fails by name. Told what keeps a file away, whose readers get EIO.
   */
  readonly lazy?: (failure: unknown) => void
}

/** What {@link Containers.prune} removed: ids, and the bytes that those containers had written. */
export interface PrunedContainers {
  readonly ids: readonly string[]
  readonly bytes: number
}

/** The engine's containers. */
export class Containers implements AsyncDisposable {
  readonly #parts: ContainersParts
  /** Those of this process that have not ended. */
  readonly #owned = new Map<string, Container>()
  readonly #creating = new Set<Promise<CreatedContainer>>()
  /** What containers of this process read while it comes. */
  readonly #lazy = new Map<string, OpenedLazyImage>()
  readonly #prewarmed = new Set<PrewarmedPool>()
  readonly #closing = new Set<Promise<void>>()
  readonly #disposal = new AbortController()
  #swept: Promise<void> | null = null

  /** @internal */
  constructor(parts: ContainersParts) {
    this.#parts = parts
  }

  /** Builds everything up to the guest's first instruction. On failure nothing is left. Rejects with ABORTED when the engine is disposed of. */
  async create(options: ContainerOptions): Promise<CreatedContainer> {
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

  /**
   * Makes a container that is nobody's: any process may start it, and what runs in it goes on when that process ends. Nothing is started
   * here, so that a requirement (`require`) is judged at its start.
   */
  async define(options: ContainerOptions): Promise<Container> {
    if (options.lazy !== undefined) throw lazyIsForOnce('a container that is started later, or goes on by itself, needs its image')
    const { workshop, found } = await this.#workshop(options)
    return defineContainer(workshop, found, options)
  }

  /**
   * Keeps sandboxes of a WASI image ready, each for one container: {@link create} uses one where the container asks for the same, and starts cold
   * where it does not, or none waits. Resolves when all wait. They are nobody's and on no disk, and end with this process. Rejects as `create` does,
   * with NOT_BUILT for a native program, and with UNSUPPORTED_BY_HOST where the native wall cannot stand around them.
   */
  async prewarm({ count = 1, ...options }: PrewarmOptions): Promise<PrewarmedContainers> {
    const { signal: _signal, ...wanted } = { ...options, runtime: 'wasm' as const }
    const { workshop, found } = await this.#workshop({ ...options, runtime: 'wasm' })
    const pool: PrewarmedPool = new PrewarmedPool({
      count,
      manifest: found.image.descriptor.digest,
      make: () => prewarmContainer(workshop, found, wanted),
      closed: () => this.#prewarmed.delete(pool),
    })
    this.#prewarmed.add(pool)
    const { signal, detach } = detachable([options.signal, this.#disposal.signal])
    try {
      await abortable(pool.fill(), signal)
      return new PrewarmedContainers(pool)
    } catch (error) {
      throw await afterCleanUp(error, () => pool.close())
    } finally {
      detach()
    }
  }

  async #create(options: ContainerOptions): Promise<CreatedContainer> {
    if (options.lazy !== undefined) return this.#createLazily({ ...options, lazy: options.lazy })
    const { workshop, found } = await this.#workshop(options)
    const container = await createContainer(workshop, found, options)
    this.#owned.set(container.id, container)
    return container
  }

  async #createLazily(options: ContainerOptions & Required<Pick<ContainerOptions, 'lazy'>>): Promise<CreatedContainer> {
    if (options.autoRemove !== true) throw lazyIsForOnce('a container that is kept needs its image')
    await this.#sweep()
    const { images, walls } = this.#parts
    // Of a choice, what the one wall runs that can do it.
    const chooses = options.platform === undefined && (options.runtime ?? 'auto') === 'auto'
    const wish = chooses ? { preferred: [WASI_PLATFORM, hostPlatform()] } : await walls.wish(options)
    const { found, opened } = await images().forLazyContainer(options.image, { wish, signal: options.signal, failed: options.lazy })
    try {
      const container = await createWithContents(await this.workshop(), found, options)
      this.#owned.set(container.id, container)
      if (opened !== null) this.#lazy.set(container.id, opened)
      return container
    } catch (error) {
      await opened?.[Symbol.asyncDispose]()
      throw error
    }
  }

  async #workshop(options: ContainerOptions): Promise<{ readonly workshop: Workshop; readonly found: ImageForContainer }> {
    const { images, walls } = this.#parts
    const { image, pull = 'never', pullProgress: progress, signal } = options
    await this.#sweep()
    const workshop = await this.workshop()
    return { workshop, found: await images().forContainer(image, pull, { wish: await walls.wish(options), progress, signal }) }
  }

  /** What an image runs by itself, with nothing made of it. A module is preferred to a native program. @internal */
  async openProgram(options: ProgramOptions): Promise<OpenedProgram> {
    const { store, walls, images } = this.#parts
    const found = await images().forContainer(options.image, 'never', { wish: await walls.wish({ runtime: 'wasm' }) })
    return openProgram(store.layers, found, options)
  }

  /** What containers are made with, those of a build too. @internal */
  async workshop(): Promise<Workshop> {
    const { state, store, journal, walls, volumes } = this.#parts
    const released = (id: string) => {
      this.#owned.delete(id)
      const lazy = this.#lazy.get(id)
      this.#lazy.delete(id)
      if (lazy === undefined) return
      const closing = (async () => lazy[Symbol.asyncDispose]())().catch(() => {})
      this.#closing.add(closing)
      closing.then(() => this.#closing.delete(closing))
    }
    return { state, layers: store.layers, journal, volumes, runtimes: await walls.all(), prewarmed: this.#prewarmed, released }
  }

  /** Running containers; with `all` those that have not started or have ended too. Newest first, dead ones last. */
  async list({ all = false }: { readonly all?: boolean } = {}): Promise<readonly ContainerSummary[]> {
    await this.#sweep()
    const { state } = this.#parts
    const summaries: ContainerSummary[] = []
    for (const record of await state.list())
      summaries.push(isGone(record) ? (await this.#settled(record)).summary() : state.summary(record))
    return all ? [...summaries, ...(await state.listDead()).map(deadSummary)] : summaries.filter(({ status }) => RUNNING.has(status))
  }

  /** One whose end nobody waited for, with what its wall says of it. */
  async #settled(record: ContainerRecord): Promise<FoundContainer> {
    const container = await this.#found(record)
    await container.wait({ signal: AbortSignal.timeout(SETTLE_TIMEOUT_MS) }).catch(() => {})
    return container
  }

  async #found(record: ContainerRecord): Promise<FoundContainer> {
    const { state, store, journal, walls, volumes } = this.#parts
    return new FoundContainer({ state, layers: store.layers, journal, volumes, record, runtime: await walls.named(record.runtime) })
  }

  /** What becomes of a container after an end that nobody waited for. @internal */
  async afterEnd(id: string): Promise<void> {
    const record = this.#parts.state.read(id)
    if (record !== null) await (await this.#found(record)).afterEnd()
  }

  /** Checks a container's health once, if it has a check and runs. @internal */
  async checkHealth(id: string): Promise<void> {
    const record = this.#parts.state.read(id)
    if (record !== null) await (await this.#found(record)).checkHealth()
  }

  /** Removes the containers that do not run, of those for which `matches` holds. */
  async prune({ matches = () => true }: { readonly matches?: (container: ContainerSummary) => boolean } = {}): Promise<PrunedContainers> {
    const ids: string[] = []
    let bytes = 0
    for (const summary of await this.list({ all: true })) {
      if ((summary.status !== 'created' && summary.status !== 'exited') || !matches(summary)) continue
      // Somebody may have started it meanwhile, or removed it.
      const container = await this.get(summary.id).catch(() => null)
      const size = await container?.size().catch(() => null)
      const isRemoved = await container?.remove().then(
        () => true,
        () => false,
      )
      if (isRemoved !== true) continue
      ids.push(summary.id)
      bytes += size?.writtenBytes ?? 0
    }
    return { ids, bytes }
  }

  /** Copies out of a container to the host, as `docker cp` does. Rejects with FILE_NOT_FOUND, INVALID_ARGUMENT. */
  async copyToHost(container: Container, source: string, destination: string, options: HostCopyOptions = {}): Promise<HostCopied> {
    const { copyToHost } = await import('./host-copy.js')
    const ingest = await this.#parts.store.ingest()
    try {
      return await copyToHost(container, source, destination, { ...options, temporaryPath: ingest.temporaryPath() })
    } finally {
      await ingest.discard()
    }
  }

  /** Copies from the host into a container, as `docker cp` does. Rejects with FILE_NOT_FOUND, INVALID_ARGUMENT, CONFLICT. */
  async copyFromHost(container: Container, source: string, destination: string, options: HostCopyOptions = {}): Promise<HostCopied> {
    const { copyFromHost } = await import('./host-copy.js')
    return copyFromHost(container, source, destination, options)
  }

  /** Unpacks a tar into a directory of a container, or where a symlink at the end of its path leads. Rejects likewise. */
  async copyTarTo(container: Container, destination: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
    const { copyTarTo } = await import('./host-copy.js')
    await copyTarTo(container, destination, tar)
  }

  /** Looks a container up by name or id prefix. Rejects with CONTAINER_NOT_FOUND naming what is near. */
  async get(nameOrIdPrefix: string): Promise<Container> {
    await this.#sweep()
    const { state, walls } = this.#parts
    const [id, ...others] = await state.find(nameOrIdPrefix)
    if (others.length > 0)
      throw new EngineError('INVALID_ARGUMENT', `multiple IDs found with provided prefix: ${nameOrIdPrefix}`, {
        hint: 'Give more digits, or the name.',
      })
    const owned = this.#owned.get(id ?? '')
    if (owned !== undefined) return owned
    const record = id === undefined ? null : state.read(id)
    if (record !== null) return isGone(record) ? this.#settled(record) : this.#found(record)
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
    await Promise.allSettled([...this.#prewarmed].map((pool) => pool.close()))
    const ends = await Promise.allSettled([...this.#owned.values()].map((container) => container[Symbol.asyncDispose]()))
    await Promise.allSettled(this.#closing)
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

  /** The same, whatever was removed before. @internal */
  sweepAgain(): Promise<void> {
    this.#swept = null
    return this.#sweep()
  }

  async #sweepOnce(): Promise<void> {
    const { state, walls } = this.#parts
    await state.removeRubbish(async (id, directory) => {
      for (const runtime of await walls.all()) await runtime.discard(id, directory)
    })
    const records = await state.list()
    // A look at it is what lets one that was paused go on, to its end.
    const look = async ({ id, runtime }: ContainerRecord) => (await walls.named(runtime)).open(id, state.directoryOf(id))
    for (const record of records.filter(isAbandoned)) await look(record).catch(() => {})
    for (const record of records.filter(isOrphan)) await this.#removeOrphan(record).catch(() => {})
  }

  async #removeOrphan(record: ContainerRecord): Promise<void> {
    const { state, walls, volumes } = this.#parts
    const runtime = await walls.named(record.runtime)
    await state.exclusively(record.id, async () => {
      // Somebody may have seen to it, or started it, meanwhile.
      const now = state.read(record.id)
      if (now === null || !isOrphan(now)) return
      await runtime.discard(now.id, state.directoryOf(now.id))
      await removeWithVolumes(volumes, now.spec, () => state.remove(now))
    })
  }
}

const RUNNING: ReadonlySet<ContainerStatus> = new Set(['running', 'paused', 'restarting'])
/** How long the process that holds a container's lock may keep a list from being shown. */
const SETTLE_TIMEOUT_MS = 2000

/** Makes a container of an image that may still have to come: what is looked at before the guest's start comes first, and then it is tried again. */
async function createWithContents(workshop: Workshop, found: ImageForContainer, options: CreateOptions): Promise<CreatedContainer> {
  for (;;) {
    try {
      return await createContainer(workshop, found, options)
    } catch (error) {
      if (!(error instanceof MissingContents)) throw error
      await error.bring()
    }
  }
}

function lazyIsForOnce(reason: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${reason}: it cannot be read while it comes`, {
    hint: 'Use --lazy with --rm and in the foreground, or leave it out.',
  })
}
