import { type LoadVolumes, volumesOf } from '../container/container-volumes.js'
import type { Journal } from '../container/journal.js'
import { type ContainerState, RECORD_FILE } from '../container/state.js'
import type { NewVolume, Volume } from '../volume/volume.js'
import type { PrunedVolumes, VolumeStore } from '../volume/volumes.js'
import { storeHolder } from './store-id-map.js'

/** A volume, and who has it. */
export interface VolumeSummary extends Volume {
  /** Ids of the containers that were made with it. */
  readonly containers: readonly string[]
}

/** Which volumes {@link Volumes.prune} removes, of those that no container has. */
export interface PruneVolumesOptions {
  /** Those with a name too; else the anonymous ones. */
  readonly all?: boolean
  /** Only those for which this holds. */
  readonly matches?: (volume: Volume) => boolean
}

/** The engine's volumes: data that outlives containers, and that several can have at once. */
export class Volumes {
  readonly #load: LoadVolumes
  readonly #sweep: () => Promise<unknown>

  /** @internal `sweep` removes the containers that should have removed themselves: they have no volume any more. */
  constructor(load: LoadVolumes, sweep: () => Promise<unknown>) {
    this.#load = load
    this.#sweep = sweep
  }

  /** Makes a volume, an anonymous one unless it is given a name. One that is there already is given back as it is. */
  async create(volume: NewVolume = {}): Promise<Volume> {
    const store = await this.#load()
    return volume.name === undefined ? store.createAnonymous(volume) : store.create(volume)
  }

  /** All volumes, by name. */
  async list(): Promise<readonly VolumeSummary[]> {
    const store = await this.#swept()
    const users = await store.users()
    return store.list().map((volume) => ({ ...volume, containers: users.get(volume.name) ?? [] }))
  }

  /** A volume by its name. Rejects with VOLUME_NOT_FOUND naming what is near. */
  async get(name: string): Promise<VolumeSummary> {
    const store = await this.#load()
    const volume = store.get(name)
    return { ...volume, containers: (await store.users()).get(name) ?? [] }
  }

  /** Removes a volume with its data. Rejects with VOLUME_NOT_FOUND, and with CONFLICT while a container has it. */
  async remove(name: string): Promise<void> {
    await (await this.#swept()).remove(name)
  }

  /** Removes the volumes that no container has: the anonymous ones, or all. */
  async prune(options: PruneVolumesOptions = {}): Promise<PrunedVolumes> {
    return (await this.#swept()).prune(options)
  }

  /** The store without what killed commands have left. */
  async #swept(): Promise<VolumeStore> {
    await this.#sweep()
    const store = await this.#load()
    // What cannot be removed keeps nobody from anything else.
    await store.removeAbandoned().catch(() => {})
    return store
  }
}

/** The store of volumes, loaded when it is first needed: most commands need none. */
export function volumeLoader(home: string, state: ContainerState, journal: Journal): LoadVolumes {
  let store: Promise<VolumeStore> | null = null
  const load = async () => {
    const [{ VolumeStore }, { chooseIdMap }, holder] = await Promise.all([
      import('../volume/volumes.js'),
      import('../launcher/id-map.js'),
      storeHolder(home),
    ])
    return new VolumeStore({
      home,
      idMap: () => chooseIdMap(holder).map,
      users: async () => [
        ...(await state.list()).map(({ id, spec }) => ({ container: id, volumes: volumesOf(spec) })),
        ...(await state.listDead()).map(({ id }) => ({ container: id, volumes: namesIn(state.readFile(id, RECORD_FILE) ?? '') })),
      ],
      holdContainers: (action) => state.hold(action),
      changed: (action, name) => journal.add(action, { type: 'volume', id: name, attributes: { driver: 'local' } }),
    })
  }
  return () => (store ??= load())
}

/**
 * Whatever a record that cannot be read may call a volume: it is damaged, or of another version of wolffia's whose guest runs, and nobody's data
 * is to go for that.
 */
function namesIn(record: string): readonly string[] {
  return [...record.matchAll(/"name":\s*"([^"]*)"/g)].map(([, name = '']) => name)
}
