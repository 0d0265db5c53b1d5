import { Journal } from '../container/journal.js'
import { ContainerState } from '../container/state.js'
import type { Runtime } from '../runtime/runtime.js'
import { Store } from '../store/store.js'
import { Containers } from './containers.js'
import { type Diagnosis, diagnose } from './doctor.js'
import { Images } from './images.js'
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

/** The engine: images in a store, containers behind walls, volumes that outlive them. Open it, use it, dispose of it (`await using`). */
export class Engine implements AsyncDisposable {
  readonly #walls: Walls

  private constructor(
    /** Folder everything is kept in. */
    readonly home: string,
    readonly images: Images,
    readonly containers: Containers,
    readonly volumes: Volumes,
    walls: Walls,
  ) {
    this.#walls = walls
  }

  /** Opens the engine over its folder, making it when it is missing. Throws INVALID_ARGUMENT when the folder is something else. */
  static async open({ home, runtimes }: EngineOptions = {}): Promise<Engine> {
    const store = await Store.open(home === undefined ? {} : { root: home })
    const state = new ContainerState(store.root)
    const walls = new Walls(async () => runtimes ?? ownRuntimes(store.root))
    const journal = new Journal(store.root)
    const volumes = volumeLoader(store.root, state)
    const containers = new Containers({ state, store, journal, walls, volumes })
    const images = new Images(store, state, () => containers.workshop())
    return new Engine(store.root, images, containers, new Volumes(volumes, () => containers.list()), walls)
  }

  /** Tries what the walls need, by doing it. */
  doctor(): Promise<Diagnosis> {
    return diagnose(this.#walls, this.home)
  }

  /** What runs here. */
  version(): VersionReport {
    return versionReport()
  }

  /** Kills what this process made and still runs, and removes what was made to be removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.containers[Symbol.asyncDispose]()
  }
}
