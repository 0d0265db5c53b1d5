/**
 * Volumes on disk: one folder each, `volumes/<name>/`, with the data in `_data` and a description in `volume.json`.
 *
 * An anonymous one also has a `pending` while a process makes or removes its container, so that none is left when that process is killed.
 *
 * Invariants: a volume is made beside and renamed, so it is there whole or not at all; it is made, and goes, only under the lock, and goes by
 * a rename too: what a killed process leaves bears a name that no volume can have, and is removed by the next that removes. Files in it may
 * belong to subordinate ids and lead anywhere, so they are removed by the launcher alone where there is one.
 */
import {
  closeSync,
  fdatasyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import { launcherMissing } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'
import { didYouMean } from '../reference/nearest.js'
import { removeTrees } from '../rootfs/remove-tree.js'
import { Lock } from '../store/lock.js'
import { mayBeAlive, ownIdentity } from '../store/process-identity.js'
import { removeFolder } from '../store/remove-folder.js'
import { folderBytes } from './folder-bytes.js'
import { ANONYMOUS_LABEL, anonymousName, assertDriver, assertVolumeName, type NewVolume, type Volume } from './volume.js'

/** A container and the volumes it was made with. */
export interface VolumeUser {
  /** 64 hex digits. */
  readonly container: string
  readonly volumes: readonly string[]
}

/** What {@link VolumeStore} is told about the rest of the store. */
export interface VolumeStoreParts {
  readonly home: string
  /** Ids that files in volumes have, as containers have them. */
  readonly idMap: () => IdMap
  /** All containers. */
  readonly users: () => Promise<readonly VolumeUser[]>
  /** Runs an action while no container comes into being and none goes. */
  readonly holdContainers: <T>(action: () => Promise<T>) => Promise<T>
  /** Told of each volume that has come and gone. */
  readonly changed?: (action: 'create' | 'destroy', name: string) => void
}

/** Which volumes {@link VolumeStore.prune} removes, of those that no container uses. */
export interface PruneVolumes {
  /** Those with a name too. */
  readonly all?: boolean
  /** Whether it may go; all may unless said. */
  readonly matches?: (volume: Volume) => boolean
}

/** What was removed. */
export interface PrunedVolumes {
  readonly names: readonly string[]
  readonly bytes: number
}

interface MadeFor {
  /** It goes when this process is killed before {@link VolumeStore.confirm}. */
  readonly madeForContainer?: boolean
}

/** What stands in `volume.json`. */
interface Description {
  readonly version: 1
  readonly driver: 'local'
  readonly labels: Readonly<Record<string, string>>
  readonly createdAt: string
}

const DESCRIPTION_FILE = 'volume.json'
const DATA_FOLDER = '_data'
/** Beside the description of an anonymous volume while a process makes or removes the container it is for: which process. */
const PENDING_FILE = 'pending'
const UNFINISHED = /^\.(?:new|removed)-(.*)-\d+$/
/** Unfinished folders of this process: two at once must not share one. */
let begun = 0

/** All volumes of one home. */
export class VolumeStore {
  /** The folder with all of them. */
  readonly folder: string
  /** The store's folder of locks. */
  readonly locks: string
  readonly #parts: VolumeStoreParts
  readonly #lock: Lock
  #idMap: IdMap | null = null

  constructor(parts: VolumeStoreParts) {
    this.#parts = parts
    this.folder = join(parts.home, 'volumes')
    this.locks = join(parts.home, 'locks')
    this.#lock = new Lock(join(this.locks, 'volumes'))
  }

  /** Ids that files in volumes have. */
  get idMap(): IdMap {
    this.#idMap ??= this.#parts.idMap()
    return this.#idMap
  }

  /** Folder of a volume. */
  folderOf(name: string): string {
    return join(this.folder, name)
  }

  /** Makes a volume. One that is there already is given back as it is. Throws INVALID_ARGUMENT, NOT_BUILT. */
  async create({ name = anonymousName(), ...volume }: NewVolume & MadeFor = {}): Promise<Volume> {
    assertVolumeName(name)
    assertDriver(volume)
    const known = this.find(name)
    if (known !== null) return known
    return this.#lock.hold(async () => this.find(name) ?? this.#make(name, volume))
  }

  /** Makes a volume that nobody named. */
  createAnonymous(volume: Omit<NewVolume, 'name'> & MadeFor = {}): Promise<Volume> {
    return this.create({ ...volume, labels: { ...volume.labels, [ANONYMOUS_LABEL]: '' } })
  }

  /** Says of a volume that was made for a container that this one has come to be, or stays. */
  confirm(name: string): void {
    rmSync(join(this.folderOf(name), PENDING_FILE), { force: true })
  }

  /** Removes anonymous volumes as `remove` does the container they were made for, also when this process is killed in between. */
  async removeWith(names: readonly string[], remove: () => Promise<void>): Promise<void> {
    const there = names.filter((name) => this.find(name) !== null)
    for (const name of there) writeFileSync(join(this.folderOf(name), PENDING_FILE), ownIdentity(), { mode: 0o600 })
    try {
      await remove()
      await this.removeUnused(there)
    } finally {
      // Another container's still, or this one's, which could not be removed.
      for (const name of there) this.confirm(name)
    }
  }

  /** Removes volumes of containers that killed processes were making or removing. */
  async removeAbandoned(): Promise<void> {
    await this.removeUnused(this.#names().filter((name) => isAbandoned(this.folderOf(name))))
  }

  /** By name, all of them. */
  list(): readonly Volume[] {
    return this.#names()
      .sort()
      .flatMap((name) => this.find(name) ?? [])
  }

  /** The volume of that name, or null. */
  find(name: string): Volume | null {
    if (!isVolumeName(name)) return null
    const folder = this.folderOf(name)
    const stat = lstatSync(folder, { throwIfNoEntry: false })
    if (stat === undefined) return null
    const description = readDescription(folder)
    const labels = description?.labels ?? {}
    return {
      name,
      driver: 'local',
      mountpoint: join(folder, DATA_FOLDER),
      labels,
      createdAt: description === null ? null : new Date(description.createdAt),
      anonymous: Object.hasOwn(labels, ANONYMOUS_LABEL),
    }
  }

  /** The volume of that name. Throws VOLUME_NOT_FOUND naming what is near. */
  get(name: string): Volume {
    const volume = this.find(name)
    if (volume !== null) return volume
    throw new EngineError('VOLUME_NOT_FOUND', `no such volume: ${name}`, {
      hint: didYouMean(name, this.#names()) ?? '`wolffia volume ls` lists all volumes.',
      data: { volume: name },
    })
  }

  /** Removes a volume with its data. Rejects with VOLUME_NOT_FOUND, and with CONFLICT when a container has it. */
  async remove(name: string): Promise<void> {
    this.get(name)
    const removed = await this.#whileNothingChanges(async () => {
      this.get(name)
      const users = (await this.#usersByVolume()).get(name) ?? []
      if (users.length > 0)
        throw new EngineError('CONFLICT', `remove ${name}: volume is in use - [${users.join(', ')}]`, {
          hint: `Remove what uses it first: wolffia rm ${users.map((id) => id.slice(0, 12)).join(' ')}`,
          data: { volume: name, containers: users },
        })
      return this.#takeAway(name)
    })
    await this.#clear([removed])
  }

  /** Removes the volumes that no container has: the anonymous ones, or all. */
  async prune({ all = false, matches = () => true }: PruneVolumes = {}): Promise<PrunedVolumes> {
    const { names, removed } = await this.#whileNothingChanges(async () => {
      const users = await this.#usersByVolume()
      const wanted = this.list().filter((volume) => (all || volume.anonymous) && !users.has(volume.name) && matches(volume))
      return { names: wanted.map(({ name }) => name), removed: wanted.map(({ name }) => this.#takeAway(name)) }
    })
    const bytes = removed.reduce((sum, folder) => sum + folderBytes(join(folder, DATA_FOLDER)), 0)
    await this.#clear(removed)
    return { names, bytes }
  }

  /** Removes those of these volumes that no container has any more. */
  async removeUnused(names: readonly string[]): Promise<void> {
    if (!names.some((name) => this.find(name) !== null)) return
    const removed = await this.#whileNothingChanges(async () => {
      const users = await this.#usersByVolume()
      return names.filter((name) => this.find(name) !== null && !users.has(name)).map((name) => this.#takeAway(name))
    })
    await this.#clear(removed)
  }

  /** Names of the volumes that containers have, with the ids of those. */
  async users(): Promise<ReadonlyMap<string, readonly string[]>> {
    return this.#usersByVolume()
  }

  async #usersByVolume(): Promise<Map<string, string[]>> {
    const users = new Map<string, string[]>()
    for (const { container, volumes } of await this.#parts.users())
      for (const name of new Set(volumes)) users.set(name, [...(users.get(name) ?? []), container])
    return users
  }

  /** Under both locks, always in this order: no container comes to use what is looked at, and no volume comes or goes. */
  #whileNothingChanges<T>(action: () => Promise<T>): Promise<T> {
    return this.#lock.hold(() => this.#parts.holdContainers(action))
  }

  #make(name: string, { labels = {}, madeForContainer = false }: NewVolume & MadeFor): Volume {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    const unfinished = this.#unfinished('new')
    mkdirSync(unfinished, { mode: 0o700 })
    try {
      mkdirSync(join(unfinished, DATA_FOLDER), { mode: 0o755 })
      const description: Description = { version: 1, driver: 'local', labels, createdAt: new Date().toISOString() }
      writeThrough(join(unfinished, DESCRIPTION_FILE), JSON.stringify(description))
      if (madeForContainer) writeFileSync(join(unfinished, PENDING_FILE), ownIdentity(), { mode: 0o600 })
      renameSync(unfinished, this.folderOf(name))
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true })
      throw error
    }
    this.#parts.changed?.('create', name)
    return this.get(name)
  }

  /** From here on nobody finds it. */
  #takeAway(name: string): string {
    const unfinished = this.#unfinished('removed')
    renameSync(this.folderOf(name), unfinished)
    this.#parts.changed?.('destroy', name)
    return unfinished
  }

  #unfinished(what: 'new' | 'removed'): string {
    return join(this.folder, `.${what}-${ownIdentity()}-${++begun}`)
  }

  /** Removes what was taken away, and what killed processes left so. */
  async #clear(folders: readonly string[]): Promise<void> {
    const abandoned = this.#entries().filter((name) => {
      const owner = UNFINISHED.exec(name)?.[1]
      return owner !== undefined && !mayBeAlive(owner)
    })
    for (const folder of [...folders, ...abandoned.map((name) => join(this.folder, name))]) await this.#removeFolder(folder)
  }

  async #removeFolder(folder: string): Promise<void> {
    // Gone already: another process clears the same.
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return rmSync(folder, { force: true })
    // Without a launcher no guest has been here but those of preview1, which make files of this user's alone.
    if (launcherMissing() === null) {
      const inside = readdirSync(folder).filter((name) => name !== DESCRIPTION_FILE && name !== PENDING_FILE)
      await removeTrees(
        this.idMap,
        inside.map((name) => join(folder, name)),
      )
    }
    removeFolder(folder)
  }

  #names(): string[] {
    return this.#entries().filter(isVolumeName)
  }

  #entries(): string[] {
    try {
      return readdirSync(this.folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }
}

function isVolumeName(name: string): boolean {
  try {
    assertVolumeName(name)
    return true
  } catch {
    return false
  }
}

function writeThrough(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(file, text)
    fdatasyncSync(file)
  } finally {
    closeSync(file)
  }
}

function isAbandoned(folder: string): boolean {
  try {
    return !mayBeAlive(readFileSync(join(folder, PENDING_FILE), 'utf8'))
  } catch {
    return false
  }
}

/** Null when it cannot be read: the volume is there all the same, to be used and removed. */
function readDescription(folder: string): Description | null {
  try {
    const value: Partial<Description> = JSON.parse(readFileSync(join(folder, DESCRIPTION_FILE), 'utf8'))
    const isWhole = typeof value.labels === 'object' && value.labels !== null && !Number.isNaN(Date.parse(value.createdAt ?? ''))
    return isWhole ? (value as Description) : null
  } catch {
    return null
  }
}
