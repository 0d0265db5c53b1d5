import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import type { OpenNodeFs } from '../fs/node-fs.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import type { ContainerFiles } from '../runtime/container-files.js'
import type { Usage } from '../runtime/guest-processes.js'
import type { Attachment, RunningTask, Runtime } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { WritableLayer } from '../runtime/writable-layer.js'
import type { LayerStore, StoredLayer } from '../store/layer-store.js'
import { committedConfig } from './commit-config.js'
import type { ContainerImage, ContainerPathStat, ContainerSize, CopiedOut, UpdateOptions } from './container.js'
import type { ContainerFsOptions } from './container-fs.js'
import { type LoadVolumes, removeWithVolumes } from './container-volumes.js'
import { Exec, type ExecOptions, execProcess, readUserFiles } from './exec.js'
import { copyIn, copyOut, spoolTar, statPath } from './files.js'
import { HEALTH_FILE, type HealthState, parseHealth } from './health.js'
import { actorOf, logPath } from './hooks.js'
import type { Journal } from './journal.js'
import { type LogEntry, type LogOptions, readLog } from './logs.js'
import { type ContainerRecord, isGone } from './record.js'
import { ImageRootfs } from './rootfs.js'
import type { ContainerSettings } from './settings.js'
import { layersOf } from './start.js'
import type { ContainerState } from './state.js'
import { updatedSpec } from './update.js'

/** Files of this process that are gone once they are open: two at once must not share one. */
let copies = 0

/** What every container stands on. */
export interface RecordedContainerParts {
  readonly state: ContainerState
  readonly layers: LayerStore
  readonly journal: Journal
  /** The wall that holds it. */
  readonly runtime: Runtime
  readonly record: ContainerRecord
  readonly volumes: LoadVolumes
}

/** A container's files, held until they are closed. */
interface OpenFiles {
  readonly files: ContainerFiles
  /** Of its image. */
  readonly layers: readonly StoredLayer[]
  /** Whether it did not run, and nobody starts it before they are closed. */
  readonly isHeld: boolean
  readonly close: () => void
}

/** What a container is, whoever made it: that stands in its record. And what can be done to one that runs, whoever started it. */
export abstract class RecordedContainer {
  protected readonly state: ContainerState
  protected readonly layers: LayerStore
  protected readonly journal: Journal
  protected readonly wall: Runtime
  protected record: ContainerRecord
  readonly #volumes: LoadVolumes

  constructor({ state, layers, journal, runtime, record, volumes }: RecordedContainerParts) {
    this.state = state
    this.layers = layers
    this.journal = journal
    this.wall = runtime
    this.record = record
    this.#volumes = volumes
  }

  /** Removes the record, and with `volumes` the anonymous volumes made for the container, which the record kept. */
  protected async removeRecord({ volumes }: { readonly volumes: boolean }): Promise<void> {
    const remove = () => this.state.remove(this.state.read(this.id) ?? this.record)
    await (volumes ? removeWithVolumes(this.#volumes, this.record.spec, remove) : remove())
  }

  get id(): string {
    return this.record.id
  }

  get name(): string {
    return this.record.name
  }

  get spec(): ContainerSpec {
    return this.record.spec
  }

  get settings(): ContainerSettings {
    return this.record.settings
  }

  get image(): ContainerImage {
    return this.record.image
  }

  get runtime(): string {
    return this.record.runtime
  }

  get logPath(): string | null {
    return this.settings.log.driver === 'none' ? null : logPath(this.state.directoryOf(this.id), this.id)
  }

  health(): HealthState | null {
    return this.settings.health === null ? null : parseHealth(this.state.readFile(this.id, HEALTH_FILE))
  }

  async attach(): Promise<Attachment> {
    const { paused } = this.current()
    if (paused) throw new EngineError('CONFLICT', 'you cannot attach to a paused container, unpause it first')
    const running = await this.running()
    if (running === null) throw new EngineError('CONFLICT', 'you cannot attach to a stopped container, start it first')
    this.journal.add('attach', actorOf(this.record))
    return running.attach()
  }

  async exec(options: ExecOptions): Promise<Exec> {
    const record = this.current()
    if (record.paused)
      throw new EngineError('CONFLICT', `container ${this.name} is paused, unpause the container before exec`, {
        hint: `wolffia unpause ${this.name}`,
      })
    if ((await this.running()) === null) throw this.notRunning({ hint: `Start it first: wolffia start ${this.name}` })
    const directory = this.state.directoryOf(this.id)
    const process = await execProcess(record, options, () => readUserFiles(this.wall, directory, record.spec))
    return new Exec({ record, directory, runtime: this.wall, process, options })
  }

  async pause(): Promise<void> {
    await this.change(async (record) => {
      if (record.paused) throw new EngineError('CONFLICT', `container ${this.name} is already paused`)
      await (await this.mustRun()).pause()
      this.journal.add('pause', actorOf(record))
      return { paused: true }
    })
  }

  async unpause(): Promise<void> {
    await this.change(async (record) => {
      if (!record.paused) throw new EngineError('CONFLICT', `container ${this.name} is not paused`)
      await (await this.mustRun()).resume()
      this.journal.add('unpause', actorOf(record))
      return { paused: false }
    })
  }

  async rename(name: string): Promise<void> {
    await this.change(async (record) => {
      await this.state.rename(record, name)
      this.journal.add('rename', { ...actorOf(record), attributes: { ...actorOf(record).attributes, name, oldName: `/${record.name}` } })
      return { name }
    })
  }

  async update({ restart, ...update }: UpdateOptions): Promise<void> {
    await this.change(async (record) => {
      if (restart !== undefined && restart.name !== 'no' && record.autoRemove)
        throw new EngineError('CONFLICT', `restart policy cannot be updated because container ${this.name} is removed at its end`)
      const spec = updatedSpec(record.spec, update)
      if (update.limits !== undefined || update.resources !== undefined)
        await this.wall.update({ directory: this.state.directoryOf(this.id), before: record.spec, after: spec })
      this.journal.add('update', actorOf(record))
      return { spec, ...(restart === undefined ? {} : { settings: { ...record.settings, restart } }) }
    })
  }

  logs(options: LogOptions = {}): AsyncIterable<LogEntry> {
    const { logPath: path, settings } = this
    if (path === null)
      throw new EngineError('CONFLICT', `configured logging driver does not support reading: container ${this.name} keeps no log`, {
        hint: 'It was made without one (--log-driver none, or by a program that reads its output itself).',
      })
    const ended = () => {
      const record = this.state.read(this.id)
      return record === null || isGone(record) || !['running', 'restarting'].includes(record.status)
    }
    return readLog({ path, files: settings.log.files }, options, ended)
  }

  async processes(): Promise<readonly number[]> {
    if (this.current().status === 'restarting')
      throw new EngineError('CONFLICT', `container ${this.name} is restarting, wait until the container is running`)
    const { pid } = await this.mustRun()
    const { guestPids } = await import('../runtime/guest-processes.js')
    return guestPids(pid)
  }

  async usage(): Promise<Usage | null> {
    const running = await this.running()
    if (running === null) return null
    const { readUsage } = await import('../runtime/guest-processes.js')
    return readUsage(running.pid, { memoryBytes: this.spec.limits.memoryBytes })
  }

  async written(): Promise<WritableLayer> {
    const { written } = await this.#written()
    if (written !== null) return written
    throw new EngineError('CONFLICT', `what container ${this.name} has written is in its own memory while it runs`, {
      data: { id: this.id },
      hint: this.record.autoRemove ? 'Run it without --rm to look at it.' : 'Stop it first.',
    })
  }

  async size(): Promise<ContainerSize> {
    const { written, layers } = await this.#written()
    const imageBytes = layers.reduce((sum, { tarPath }) => sum + (statSync(tarPath, { throwIfNoEntry: false })?.size ?? 0), 0)
    return { writtenBytes: written?.bytes ?? 0, imageBytes }
  }

  statPath(path: string): Promise<ContainerPathStat> {
    return this.#files((files) => statPath(files, this.name, path))
  }

  copyOut(path: string, { name }: { readonly name?: string } = {}): Promise<CopiedOut> {
    return this.#streamed((files) => copyOut(files, this.name, path, name))
  }

  async copyIn(path: string, tar: AsyncIterable<Uint8Array>, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const spooled = await spoolTar(tar, this.#temporaryPath(), signal)
    try {
      await this.#files((files) => copyIn(files, this.name, path, spooled))
    } finally {
      spooled.close()
    }
    this.journal.add('extract-to-dir', actorOf(this.record))
  }

  async exportRoot(): Promise<Readable> {
    const { tar } = await this.#streamed(async (files) => ({ tar: files.readRoot() }))
    this.journal.add('export', actorOf(this.record))
    return tar
  }

  async fs(options: ContainerFsOptions = {}): Promise<OpenNodeFs> {
    const { openContainerFs } = await import('./container-fs.js')
    const { files, layers, isHeld, close } = await this.#openFiles()
    const change = (records: Iterable<TreeRecord>): Promise<void> =>
      isHeld ? files.change(records) : this.#files((current) => current.change(records))
    const { name, spec } = this
    const parts = { name, spec, files, layers, isHeld, change, spoolPath: this.#temporaryPath(), release: close }
    try {
      return await openContainerFs(parts, options)
    } catch (error) {
      close()
      throw error
    }
  }

  async layer(): Promise<Readable> {
    return (await this.#streamed(async (files) => ({ tar: files.readLayer() }))).tar
  }

  committedConfig(image: ContainerConfig): ContainerConfig {
    return committedConfig(image, this.record)
  }

  async #files<T>(action: (files: ContainerFiles) => Promise<T>): Promise<T> {
    const { files, close } = await this.#openFiles()
    try {
      return await action(files)
    } finally {
      close()
    }
  }

  /** The files stay open until the stream has ended. */
  async #streamed<T extends { readonly tar: AsyncIterable<Uint8Array> }>(
    action: (files: ContainerFiles) => Promise<T>,
  ): Promise<Omit<T, 'tar'> & { readonly tar: Readable }> {
    const { files, close } = await this.#openFiles()
    try {
      const { tar, ...rest } = await action(files)
      return { ...rest, tar: Readable.from(tar, { objectMode: false }).once('close', close) }
    } catch (error) {
      close()
      throw error
    }
  }

  /** One that does not run is not started while its files are open. */
  async #openFiles(): Promise<OpenFiles> {
    const held = (await this.#runs()) ? null : await this.#holdStopped()
    const release = held ?? (() => {})
    try {
      const layers = await layersOf(this.layers, this.current().image.diffIds)
      const rootfs = new ImageRootfs(layers)
      const directory = this.state.directoryOf(this.id)
      const files = this.wall.files({ id: this.id, directory, spec: this.spec, rootfs, temporaryPath: () => this.#temporaryPath() })
      return {
        files,
        layers,
        isHeld: held !== null,
        close: () => {
          rootfs.close()
          release()
        },
      }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Whether its wall has a guest, be it one that has yet to be let go. */
  async #runs(): Promise<boolean> {
    return (await this.wall.open(this.id, this.state.directoryOf(this.id))) !== null
  }

  /** Takes its lock; null when it has been started meanwhile. */
  #holdStopped(): Promise<(() => void) | null> {
    return new Promise((resolve, reject) => {
      this.state
        .exclusively(this.id, async () => {
          if (this.state.read(this.id) === null) throw this.removed()
          if (await this.#runs()) return resolve(null)
          await new Promise<void>((release) => resolve(release))
        })
        .catch(reject)
    })
  }

  #temporaryPath(): string {
    return join(this.state.directoryOf(this.id), `copy-${process.pid}-${++copies}`)
  }

  async #written(): Promise<{ readonly written: WritableLayer | null; readonly layers: readonly StoredLayer[] }> {
    const layers = await layersOf(this.layers, this.record.image.diffIds)
    const rootfs = new ImageRootfs(layers)
    try {
      return { written: await this.wall.written(this.state.directoryOf(this.id), this.spec, rootfs), layers }
    } finally {
      rootfs.close()
    }
  }

  /** The record as it is now. */
  protected current(): ContainerRecord {
    const record = this.state.read(this.id)
    if (record !== null) this.record = record
    return this.record
  }

  /** The guest, when it runs. */
  protected abstract running(): Promise<RunningTask | null>

  protected async mustRun(): Promise<RunningTask> {
    const running = await this.running()
    if (running === null) throw this.notRunning()
    return running
  }

  protected notRunning(way: { readonly hint?: string } = {}): EngineError {
    return new EngineError('CONFLICT', `container ${this.name} is not running`, { ...way, data: { id: this.id } })
  }

  /** Changes the record while nobody else does: `action` is told what it is and says what changes. Rejects with CONTAINER_NOT_FOUND. */
  protected change(action: (record: ContainerRecord) => Promise<Partial<ContainerRecord>>): Promise<void> {
    return this.state.exclusively(this.id, async () => {
      const before = this.state.read(this.id)
      if (before === null) throw this.removed()
      this.record = before
      const changed = await action(before)
      // What the action itself has written stays.
      this.record = { ...(this.state.read(this.id) ?? before), ...changed }
      if (Object.keys(changed).length > 0) await this.state.write(this.record)
    })
  }

  protected removed(): EngineError {
    return new EngineError('CONTAINER_NOT_FOUND', `no such container: ${this.name}`, { data: { id: this.id } })
  }
}
