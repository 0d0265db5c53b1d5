import { type EngineEvent, Journal } from '../container/journal.js'
import type { LogOptions } from '../container/logs.js'
import { ContainerState } from '../container/state.js'
import type { Runtime } from '../runtime/runtime.js'
import { Store } from '../store/store.js'
import type { CheckOptions, CheckReport } from './check.js'
import { Containers } from './containers.js'
import type { DiskUsageReport } from './disk-usage.js'
import { type Diagnosis, diagnose } from './doctor.js'
import { Images } from './images.js'
import type { InfoReport } from './info.js'
import { storeHolder, storeIdMap } from './store-id-map.js'
import { type VersionReport, versionReport } from './version.js'
import { Volumes, volumeLoader } from './volumes.js'
import { ownRuntimes, Walls } from './walls.js'

/** What {@link Engine.open} takes. */
export interface EngineOptions {
  /** Folder for images and containers; `$WOLFFIA_HOME`, else `$XDG_DATA_HOME/wolffia`, else `~/.local/share/wolffia`. */
  readonly home?: string
  /** The walls to use instead of wolffia's own; first come, first asked by `auto`. */
  readonly runtimes?: readonly Runtime[]
}

/** Which events {@link Engine.events} gives; all that are still known unless said. */
export type EventOptions = Pick<LogOptions, 'follow' | 'since' | 'until' | 'signal'>

/** What an engine is put together of. */
interface EngineParts {
  readonly home: string
  readonly images: Images
  readonly containers: Containers
  readonly volumes: Volumes
  readonly walls: Walls
  readonly journal: Journal
  readonly store: Store
  readonly state: ContainerState
}

/** The engine: images in a store, containers behind walls, volumes that outlive them. Open it, use it, dispose of it (`await using`). */
export class Engine implements AsyncDisposable {
  /** Folder everything is kept in. */
  readonly home: string
  readonly images: Images
  readonly containers: Containers
  readonly volumes: Volumes
  readonly #walls: Walls
  readonly #journal: Journal
  readonly #store: Store
  readonly #state: ContainerState

  private constructor({ home, images, containers, volumes, walls, journal, store, state }: EngineParts) {
    this.home = home
    this.images = images
    this.containers = containers
    this.volumes = volumes
    this.#walls = walls
    this.#journal = journal
    this.#store = store
    this.#state = state
  }

  /** Opens the engine over its folder, making it when it is missing. Throws INVALID_ARGUMENT when the folder is something else. */
  static async open({ home, runtimes }: EngineOptions = {}): Promise<Engine> {
    const store = await Store.open(home === undefined ? {} : { root: home })
    const state = new ContainerState(store.root)
    const walls = new Walls(async () => runtimes ?? ownRuntimes(store.root))
    const journal = new Journal(store.root)
    const volumes = volumeLoader(store.root, state, journal)
    const containers: Containers = new Containers({ state, store, journal, walls, volumes, images: () => images })
    const images: Images = new Images(store, state, { journal, workshop: () => containers.workshop() })
    return new Engine({
      home: store.root,
      images,
      containers,
      volumes: new Volumes(volumes, () => containers.list()),
      walls,
      journal,
      store,
      state,
    })
  }

  /** Tries what the walls need, by doing it. */
  doctor(): Promise<Diagnosis> {
    return diagnose(this.#walls, this.home)
  }

  /** What runs here. */
  version(): VersionReport {
    return versionReport()
  }

  /**
   * What has happened to containers, images and volumes, whichever process did it, oldest first; with `follow` also what is still to happen,
   * which ends with `until` or the signal alone. Some weeks' worth are kept: the last 4 to 8 MiB.
   */
  events(options: EventOptions = {}): AsyncIterable<EngineEvent> {
    return this.#journal.events(options)
  }

  /** What is here: how many of what, where, and behind which walls. */
  async info(): Promise<InfoReport> {
    const { infoReport } = await import('./info.js')
    return infoReport(this, this.#walls)
  }

  /** What takes how much of the disk. */
  async diskUsage(): Promise<DiskUsageReport> {
    const { diskUsage } = await import('./disk-usage.js')
    return diskUsage(this, this.#store)
  }

  /**
   * Whether all that is kept is whole: every blob, layer, tree and record is read. With `repair` what can be made anew is, what is nobody's is
   * removed, and what only a fresh copy of an image can mend is named.
   */
  async check(options: CheckOptions = {}): Promise<CheckReport> {
    const [{ checkHome }, { map: idMap }] = await Promise.all([import('./check.js'), storeIdMap(this.home)])
    const sweep = () => this.containers.sweepAgain()
    return checkHome({ store: this.#store, state: this.#state, idMap, sweep, bringIn: (reference) => this.images.pull(reference) }, options)
  }

  /** Ends the holder of native containers, unless one runs: nothing of this store is in memory then, until the next start makes another. */
  async endHolder(): Promise<void> {
    const containers = await this.containers.list({ all: true })
    if (containers.every(({ pid }) => pid === null)) await (await storeHolder(this.home)).end()
  }

  /** Kills what this process made and still runs, and removes what was made to be removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.containers[Symbol.asyncDispose]()
  }
}
