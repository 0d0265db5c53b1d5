/**
 * Containers on disk: one folder each, `containers/<id>/`, and one symlink for each name, `containers/names/<name>` to its id.
 *
 * Invariants: a record is replaced by rename, so it is read whole or not at all; a folder and its name come into being, and a
 * name is taken over, only under the lock; a folder without a record is rubbish of a killed process, to be removed under the lock.
 */
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterCleanUp, EngineError } from '../errors.js'
import { Lock } from '../store/lock.js'
import { readPlainFile } from '../store/plain-file.js'
import { ownIdentity, type ProcessIdentity } from '../store/process-identity.js'
import { removeFolder } from '../store/remove-folder.js'
import type { ContainerSummary } from './container.js'
import { HEALTH_FILE, parseHealth } from './health.js'
import { assertContainerName, randomName } from './name.js'
import { type ContainerRecord, RECORD_VERSION, summaryOf } from './record.js'

const ID = /^[0-9a-f]{64}$/
/** File of a container's folder that holds its record. */
export const RECORD_FILE = 'container.json'

/** Of a file in a container's folder; a record has some kilobytes. */
const MAXIMUM_FILE_BYTES = 64 * 2 ** 20
/** Stands for what cannot be read: not JSON, and not nothing, which would be rubbish. */
const UNREADABLE = 'unreadable'

/** What {@link ContainerState.create} is told before there is a name and a folder. */
export interface NewRecord {
  /** As the user wants it; a free one is made up when absent. */
  readonly name: string | undefined
  readonly record: (id: string, name: string) => ContainerRecord
}

/** What is known of a container whose record cannot be read. */
export interface DeadRecord {
  readonly id: string
  /** Empty when no name leads to it. */
  readonly name: string
  readonly changedAt: Date
}

/** Which container {@link ContainerState.remove} is to remove: of one that cannot be read no more than that is known. */
export type RemovedRecord = Pick<ContainerRecord, 'id' | 'name'> & Partial<Pick<ContainerRecord, 'autoRemove' | 'owner'>>

/** All containers of one home. */
export class ContainerState {
  readonly #containers: string
  readonly #names: string
  readonly #lock: Lock

  constructor(
    /** Folder everything is kept in. */
    readonly home: string,
  ) {
    this.#containers = join(home, 'containers')
    this.#names = join(this.#containers, 'names')
    this.#lock = new Lock(join(home, 'locks', 'containers'))
  }

  /** Who this process is, as records name it. */
  get identity(): ProcessIdentity {
    return ownIdentity()
  }

  /** A fresh id: 64 hex digits. */
  static newId(): string {
    return randomBytes(32).toString('hex')
  }

  /** Folder of a container. */
  directoryOf(id: string): string {
    return join(this.#containers, id)
  }

  /** Makes the folder of a container with its first record, under a name nobody else has. Throws CONFLICT when it is taken. */
  async create(id: string, wanted: NewRecord, signal?: AbortSignal): Promise<ContainerRecord> {
    if (wanted.name !== undefined) assertContainerName(wanted.name)
    return this.#lock.hold(
      async () => {
        mkdirSync(this.#names, { recursive: true, mode: 0o700 })
        mkdirSync(this.directoryOf(id), { recursive: true, mode: 0o700 })
        try {
          const name = await this.#takeName(wanted.name, id)
          const record = wanted.record(id, name)
          await this.write(record)
          return record
        } catch (error) {
          throw await afterCleanUp(error, () => rmSync(this.directoryOf(id), { recursive: true, force: true }))
        }
      },
      signal === undefined ? {} : { signal },
    )
  }

  /** Runs `action` while no container comes into being and none goes. */
  hold<T>(action: () => Promise<T>): Promise<T> {
    return this.#lock.hold(action)
  }

  /** Runs `action` while nobody else starts, stops, changes or removes this container. Not reentrant. */
  async exclusively<T>(id: string, action: () => Promise<T>): Promise<T> {
    const directory = this.#lockOf(id)
    for (;;) {
      let begun = false
      try {
        return await new Lock(directory).hold(() => {
          begun = true
          return action()
        })
      } catch (error) {
        // Its folder was removed, with the container, by who held it just before.
        if (begun || codeOf(error) !== 'ENOENT') throw error
      } finally {
        if (!this.#hasRecord(id)) removeIfEmpty(directory)
      }
    }
  }

  /** Gives a container another name, which is nobody's. The caller writes the record. Throws CONFLICT when it is taken. */
  async rename({ id, name }: ContainerRecord, wanted: string): Promise<void> {
    assertContainerName(wanted)
    await this.#lock.hold(async () => {
      if (wanted === name) throw new EngineError('INVALID_ARGUMENT', 'renaming a container with the same name as its current name')
      await this.#takeName(wanted, id)
      this.#unlink(name, id)
    })
  }

  #lockOf(id: string): string {
    return join(this.home, 'locks', `container-${id}`)
  }

  /** Replaces the record. One that is kept is on the disk when this resolves; does nothing when the container was removed meanwhile. */
  async write(record: ContainerRecord): Promise<void> {
    await this.writeFile(record.id, RECORD_FILE, JSON.stringify(record), { durable: !record.autoRemove })
  }

  /** Writes a file of a container's folder, whole or not at all; does nothing when the container was removed meanwhile. */
  async writeFile(id: string, name: string, text: string, { durable }: { readonly durable: boolean }): Promise<void> {
    const path = join(this.directoryOf(id), name)
    const temporary = `${path}.${process.pid}.new`
    try {
      if (durable) await writeThrough(temporary, text)
      else writeFileSync(temporary, text, { mode: 0o600 })
      // At once: a trip through the thread pool costs more than what is done there, and a start or an end waits for several.
      renameSync(temporary, path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  /** The record of a container, or null when there is none. Synchronous: a container's status is asked for like a property. */
  read(id: string): ContainerRecord | null {
    const text = this.readFile(id, RECORD_FILE)
    if (text === null) return null
    const record: unknown = parse(text)
    return isRecord(record, id) ? record : null
  }

  /** What `ps` shows of a container. */
  summary(record: ContainerRecord): ContainerSummary {
    const summary = summaryOf(record)
    if (record.settings.health === null || summary.pid === null) return summary
    return { ...summary, health: parseHealth(this.readFile(record.id, HEALTH_FILE)).status }
  }

  /** A file of a container's folder, or null when there is none. What is no plain file, or too large, reads as {@link UNREADABLE}. */
  readFile(id: string, name: string): string | null {
    try {
      return readPlainFile(join(this.directoryOf(id), name), MAXIMUM_FILE_BYTES).toString()
    } catch (error) {
      // Said by whoever finds it broken: one container's must keep nobody from the others.
      if (error instanceof EngineError) return UNREADABLE
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return null
      throw error
    }
  }

  /** All containers, newest first. */
  async list(): Promise<readonly ContainerRecord[]> {
    const records = (await this.#ids()).map((id) => this.read(id)).filter((record) => record !== null)
    return records.sort((one, other) => other.createdAt.localeCompare(one.createdAt) || one.id.localeCompare(other.id))
  }

  /** Containers whose record is there and cannot be read: cut off, or of another version of wolffia's. */
  async listDead(): Promise<readonly DeadRecord[]> {
    const ids = (await this.#ids()).filter((id) => this.#hasRecord(id) && this.read(id) === null)
    if (ids.length === 0) return []
    const names = readdirSync(this.#names).map((name) => ({ name, id: readLink(join(this.#names, name)) }))
    return ids.flatMap((id) => {
      const folder = statSync(this.directoryOf(id), { throwIfNoEntry: false })
      if (folder === undefined) return []
      return [{ id, name: names.find((named) => named.id === id)?.name ?? '', changedAt: folder.mtime }]
    })
  }

  /**
   * Ids of the containers meant by a name, an id, or the start of an id, dead ones too: none, one, or too many. A whole name or id wins over
   * a start. As docker, a name may begin with the slash that `inspect` shows it with.
   */
  async find(word: string): Promise<readonly string[]> {
    const nameOrIdPrefix = word.replace(/^\//, '')
    const named = await this.#idOfName(nameOrIdPrefix)
    const exact = named ?? (ID.test(nameOrIdPrefix) ? nameOrIdPrefix : null)
    if (exact !== null) return [exact].filter((id) => this.#hasRecord(id))
    if (!/^[0-9a-f]+$/.test(nameOrIdPrefix)) return []
    return (await this.#ids()).filter((id) => id.startsWith(nameOrIdPrefix) && this.#hasRecord(id))
  }

  /** Names in use, for telling which is near. */
  async names(): Promise<readonly string[]> {
    return (await this.list()).map((record) => record.name)
  }

  /** Removes a container's folder and name. Idempotent. What its wall keeps there must be gone already. */
  async remove(container: RemovedRecord): Promise<void> {
    const { id, name } = container
    if (isOwnToRemove(container)) {
      // While there is a record nobody takes its name over, so no lock is needed. Killed in between, it is an orphan, which the next look removes.
      this.#unlink(name, id)
      removeFolder(this.directoryOf(id))
    } else
      await this.#lock.hold(async () => {
        removeFolder(this.directoryOf(id))
        this.#unlink(name, id)
      })
    // Of one that its maker removes, who holds no lock of its own.
    removeIfEmpty(this.#lockOf(id))
  }

  /**
   * Removes folders without a record, left by processes killed in `create` or `remove`; `discard` empties them before. One that cannot be
   * removed is left for another time.
   */
  async removeRubbish(discard: (id: string, directory: string) => Promise<void>): Promise<void> {
    const isRubbish = (id: string) => !this.readFile(id, RECORD_FILE)
    if (!(await this.#ids()).some(isRubbish)) return
    await this.#lock.hold(async () => {
      for (const id of (await this.#ids()).filter(isRubbish)) {
        try {
          await discard(id, this.directoryOf(id))
          rmSync(this.directoryOf(id), { recursive: true, force: true })
          for (const name of readdirSync(this.#names)) this.#unlink(name, id)
        } catch {
          // It can't be asked for, and a name it has taken is free: nobody is to be kept from what he wants by it.
        }
      }
    })
  }

  async #takeName(wanted: string | undefined, id: string): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      const name = wanted ?? randomName(attempt)
      const holder = await this.#idOfName(name)
      if (holder === null) {
        this.#link(name, id)
        return name
      }
      if (wanted !== undefined)
        throw new EngineError('CONFLICT', `the container name "${name}" is already in use by container ${holder.slice(0, 12)}`, {
          data: { name, id: holder },
          hint: `Remove that container (wolffia rm ${name}) or choose another name.`,
        })
    }
  }

  /** Makes the name lead there; one of a container that is gone makes way. */
  #link(name: string, id: string): void {
    const path = join(this.#names, name)
    try {
      symlinkSync(id, path)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      rmSync(path, { force: true })
      symlinkSync(id, path)
    }
  }

  #unlink(name: string, id: string): void {
    const path = join(this.#names, name)
    if (readLink(path) === id) unlinkSync(path)
  }

  /** The container with this name, or null: a name whose container is gone is free. */
  async #idOfName(name: string): Promise<string | null> {
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) return null
    const id = readLink(join(this.#names, name))
    return id !== null && ID.test(id) && this.#hasRecord(id) ? id : null
  }

  #hasRecord(id: string): boolean {
    return this.readFile(id, RECORD_FILE) !== null
  }

  async #ids(): Promise<readonly string[]> {
    try {
      return readdirSync(this.#containers).filter((name) => ID.test(name))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }
}

/** Made by this process, and by it alone to be removed at its end. */
function isOwnToRemove({ autoRemove = false, owner = null }: RemovedRecord): boolean {
  return autoRemove && owner === ownIdentity()
}

function removeIfEmpty(folder: string): void {
  if (!existsSync(folder)) return
  try {
    rmdirSync(folder)
  } catch {
    // Somebody waits in it, or it is gone.
  }
}

async function writeThrough(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (['ENOENT', 'EINVAL', 'ENAMETOOLONG'].includes(codeOf(error))) return null
    throw error
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Whether all that everybody relies on is there: a record is written whole, but a disk may give back something else. */
function isRecord(value: unknown, id: string): value is ContainerRecord {
  if (typeof value !== 'object' || value === null) return false
  const { version, id: ownId, name, owner, image, spec, settings, createdAt } = value as Partial<ContainerRecord>
  if (version !== RECORD_VERSION || ownId !== id || typeof settings?.restart?.name !== 'string') return false
  if (![name, createdAt].every((text) => typeof text === 'string') || (owner !== null && typeof owner !== 'string')) return false
  return Array.isArray(image?.diffIds) && Array.isArray(spec?.process?.args)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
