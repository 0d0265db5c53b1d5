import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'
import { toBytes, toUtf8 } from '../fs/names.js'
import { FIRST_DESCRIPTOR } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'
import type { Operation } from '../launcher/operations.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import { packTar } from '../layer/pack.js'
import { cannotOverwrite, noDirectory, readOnlyPlace } from '../layer/tree-copy.js'
import { archiveRecords } from '../rootfs/archive-records.js'
import { recordsOf } from '../rootfs/capture.js'
import { cannotChange } from '../rootfs/change-records.js'
import { diskUpper, type OverlayRoot, type OverlayUpper } from '../rootfs/overlay.js'
import { recordTar } from '../rootfs/record-tar.js'
import { readUpper } from '../rootfs/upper-layer.js'
import { sendRecords, substituteOperations } from '../rootfs/write-directory.js'
import { ensureTrees } from '../rootfs/write-tree.js'
import type { ContainerFiles, FilesRequest, PathStat, PathTar, TarFileSource } from '../runtime/container-files.js'
import { readGuest } from '../runtime/running-task.js'
import { withRealSources } from '../runtime/sources.js'
import { pidOf, startOf } from '../store/process-identity.js'
import { availability } from './availability.js'
import { keptUpper, MOUNT_POINTS } from './kept-upper.js'
import { joinError } from './native-task.js'
import { type FilesView, type HostBounds, runningFilesOperations, stoppedFilesOperations } from './plan.js'

/** What {@link NativeFiles} stands on. */
export interface NativeFilesParts {
  readonly treesDirectory: string
  readonly idMap: IdMap
  readonly host: HostBounds
  readonly request: FilesRequest
}

/** A writable layer for making mount points in, and nothing else. */
const PLACES: OverlayUpper = { kind: 'memory', bytes: 1 << 20, inodes: 1024 }

/**
 * The files of a native container, through the launcher: of one that runs in its own namespaces, else over its layers and its kept upper
 * directory. Only handles are followed there, below a root that holds nothing of the host's but what is mounted in the container
 * (CVE-2018-15664), and no program or library of the container's is ever loaded (CVE-2019-14271).
 */
export class NativeFiles implements ContainerFiles {
  readonly #parts: NativeFilesParts

  constructor(parts: NativeFilesParts) {
    this.#parts = parts
  }

  async stat(path: ByteString): Promise<PathStat | null> {
    let found: PathStat | null = null
    for await (const record of this.#records('path-stat', path, 'mounts')) if (record.record === 'entry') found = statOf(record.entry)
    return found
  }

  async read(path: ByteString, name: ByteString): Promise<PathTar | null> {
    const stat = await this.stat(path)
    return stat === null ? null : { stat, tar: recordTar(this.#records('path-read', path, 'mounts'), name) }
  }

  readRoot(): AsyncIterable<Uint8Array> {
    return recordTar(this.#records('path-read', '/', 'root'), '')
  }

  async write(path: ByteString, tar: TarFileSource): Promise<void> {
    this.#assertKept()
    const operations: Operation[] = [
      ...(await this.#view('mounts', 'write')),
      ...substituteOperations(this.#parts.idMap),
      ['tree-source', FIRST_DESCRIPTOR],
      ['path-write', toBytes(path), FIRST_DESCRIPTOR + 1],
    ]
    try {
      await sendRecords(operations, archiveRecords(tar), { descriptors: [tar.descriptor, 'pipe'] })
    } catch (error) {
      throw writeError(this.#translated(error), path)
    }
  }

  async change(records: Iterable<TreeRecord>): Promise<void> {
    this.#assertKept()
    const operations: Operation[] = [
      ...(await this.#view('root', 'write')),
      ...substituteOperations(this.#parts.idMap),
      ['path-write', '/', FIRST_DESCRIPTOR],
    ]
    try {
      await sendRecords(operations, records, { descriptors: ['pipe'] })
    } catch (error) {
      throw changeError(this.#translated(error))
    }
  }

  async *readLayer(): AsyncIterable<Uint8Array> {
    const { idMap, request } = this.#parts
    const directory = keptUpper(request.directory)
    if (!existsSync(directory)) {
      if (this.#runs() && !request.spec.readonlyRootfs)
        throw new EngineError('CONFLICT', 'what the container has written is in its own memory while it runs', {
          hint: 'Run it without --rm to make an image of it.',
        })
      yield* packTar([])
      return
    }
    const upper = await readUpper({
      idMap,
      directory,
      lower: request.rootfs.tree(),
      spoolPath: request.temporaryPath(),
      mountPoints: MOUNT_POINTS,
    })
    try {
      yield* packTar(upper.hasChanges ? upper.entries() : [])
    } finally {
      upper.close()
    }
  }

  #assertKept(): void {
    if (!this.#parts.request.spec.ephemeral || this.#runs()) return
    throw new EngineError('CONFLICT', 'nothing can be copied into a container that was made with --rm before it runs', {
      hint: 'Its files are in its own memory, from its start to its end: start it first, or make it without --rm.',
    })
  }

  #runs(): boolean {
    return readGuest(this.#own) !== null
  }

  get #own(): string {
    return join(this.#parts.request.directory, 'native')
  }

  async *#records(operation: 'path-stat' | 'path-read', path: ByteString, view: FilesView): AsyncGenerator<TreeRecord> {
    try {
      yield* recordsOf([...(await this.#view(view, 'read')), [operation, toBytes(path), FIRST_DESCRIPTOR]])
    } catch (error) {
      throw this.#translated(error)
    }
  }

  /** What makes the container's files the launcher's root. */
  async #view(view: FilesView, use: 'read' | 'write'): Promise<Operation[]> {
    const { idMap, host, request } = this.#parts
    const running = readGuest(this.#own)
    if (running !== null) {
      const init = { pid: pidOf(running.init), start: startOf(running.init) }
      return runningFilesOperations({ init, view })
    }
    const spec = view === 'root' ? request.spec : withRealSources(request.spec)
    return stoppedFilesOperations({ spec, idMap, root: await this.#stoppedRoot(view, use), host, view })
  }

  async #stoppedRoot(view: FilesView, use: 'read' | 'write'): Promise<OverlayRoot> {
    const { treesDirectory: directory, idMap, request } = this.#parts
    const { layers, tree } = { layers: request.rootfs.layers, tree: () => request.rootfs.tree() }
    const found = await ensureTrees({ directory, idMap, layers, merged: tree })
    const isKept = existsSync(keptUpper(request.directory))
    const onDisk = () => {
      mkdirSync(this.#own, { recursive: true, mode: 0o700 })
      return diskUpper(this.#own, tree().stat(tree().root).mode)
    }
    if (isKept || (use === 'write' && !request.spec.readonlyRootfs)) return { ...found, upper: onDisk() }
    if (view === 'root' || request.spec.mounts.length === 0) return { ...found, upper: null }
    return { ...found, upper: (await availability(directory)).upperInMemory ? PLACES : onDisk() }
  }

  /** Whatever it was, of a container that ended meanwhile it is that. */
  #translated(error: unknown): unknown {
    const operation = error instanceof EngineError ? error.data.operation : undefined
    return operation === 'join' || operation === 'launch' ? joinError(error, this.#own) : error
  }
}

function statOf({ kind, mode, uid, gid, size = 0, mtimeNs, target = '' }: TreeEntry): PathStat {
  if (kind === 'hard-link') throw new TypeError('a hard link is no inode')
  return { type: kind, mode, uid, gid, size: kind === 'symlink' ? target.length : size, mtimeNs, target }
}

/** What of a change is of the container's making, in such words. */
function changeError(error: unknown): unknown {
  if (!(error instanceof EngineError) || error.data.operation !== 'path-write') return error
  const { errno, argument } = error.data
  return errno === 'EROFS' ? readOnlyPlace(`/${argument}`) : cannotChange(String(argument), String(errno), error)
}

/** What of copying in is a mistake of the user's, in such words. */
function writeError(error: unknown, destination: ByteString): unknown {
  if (!(error instanceof EngineError) || error.data.operation !== 'path-write') return error
  const { errno, call, argument } = error.data
  const at = toUtf8(destination).replace(/\/+$/, '')
  const place = call === 'openat2' && argument === toUtf8(destination) ? at : `${at}/${argument}`
  if (errno === 'EISDIR') return cannotOverwrite(place, 'directory')
  if (call === 'openat' && (errno === 'ENOTDIR' || errno === 'ELOOP')) return cannotOverwrite(place, 'non-directory')
  if (call === 'openat2' && (errno === 'ENOENT' || errno === 'ENOTDIR')) return noDirectory(place)
  if (errno === 'EROFS') return readOnlyPlace(place)
  if (errno !== 'EBUSY') return error
  return new EngineError('INVALID_ARGUMENT', `${place} cannot be replaced: something is mounted there`, { cause: error, data: error.data })
}
