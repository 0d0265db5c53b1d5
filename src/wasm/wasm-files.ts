import { readFileSync } from 'node:fs'
import { EngineError } from '../errors.js'
import { ErrnoError } from '../fs/errno.js'
import type { ByteString, FileSystem } from '../fs/file-system.js'
import { MountTable } from '../fs/mounts.js'
import { fromUtf8 } from '../fs/names.js'
import { type DirectoryHandle, resolve, rootHandle } from '../fs/resolve.js'
import { UnionFs } from '../fs/union-fs.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import { CopiedTree } from '../layer/copied-tree.js'
import { openFileSource } from '../layer/file-source.js'
import { parseIndex } from '../layer/index.js'
import { packTar } from '../layer/pack.js'
import { changedEntries } from '../layer/pack-tree.js'
import { PackedLayer } from '../layer/packed-layer.js'
import { type MountedTree, placeAt, placeEntries, readOnlyPlace, statPlace, unpackInto, writeFile } from '../layer/tree-copy.js'
import { applyRecords } from '../rootfs/apply-records.js'
import type { ContainerFiles, FilesRequest, PathStat, PathTar, TarFileSource } from '../runtime/container-files.js'
import { openRunningTask } from '../runtime/running-task.js'
import { hostPathOf, isHostMount, withRealSources } from '../runtime/sources.js'
import { KeptTree } from './kept-tree.js'
import { HostDirectory } from './sandbox/host-directory.js'
import { addLayer, keptLayers } from './uppers.js'
import { openKept } from './written.js'

/**
 * The files of a Wasm container that does not run: its image's layers and those that its runs have left, with the folders of the host that it
 * has mounted, all walked by handles. What is copied in becomes one more layer.
 */
export class WasmFiles implements ContainerFiles {
  readonly #request: FilesRequest
  /** The wall's part of the container's folder. */
  readonly #own: string

  constructor(request: FilesRequest, own: string) {
    this.#request = request
    this.#own = own
  }

  async stat(path: ByteString): Promise<PathStat | null> {
    const opened = this.#open()
    try {
      const place = placeAt(opened.tree, path)
      return place === null ? null : statPlace(place)
    } finally {
      opened.close()
    }
  }

  async read(path: ByteString, name: ByteString): Promise<PathTar | null> {
    const stat = await this.stat(path)
    return stat === null ? null : { stat, tar: this.#tar(path, name) }
  }

  async write(path: ByteString, tar: TarFileSource): Promise<void> {
    this.#assertKept()
    const opened = this.#open()
    try {
      const copied = new CopiedTree(opened.union)
      unpackInto(opened.tree, path, tar, (place, contents) =>
        place.fs === opened.union ? copied.fill(place.ino, contents) : writeFile(place, contents),
      )
      if ([...copied.changes()].length > 0) addLayer(this.#own, packTar(changedEntries(copied)))
    } finally {
      opened.close()
    }
  }

  async *readRoot(): AsyncIterable<Uint8Array> {
    const opened = this.#open({ mounts: 'none' })
    try {
      yield* packTar(placeEntries(opened.tree, { fs: opened.union, ino: opened.union.root }, ''))
    } finally {
      opened.close()
    }
  }

  async *readLayer(): AsyncIterable<Uint8Array> {
    this.#assertStopped()
    const kept = openKept(this.#request.rootfs.layers, keptLayers(this.#own))
    try {
      yield* packTar(changedEntries(new KeptTree(kept)))
    } finally {
      kept.close()
    }
  }

  /** Whole or not at all: it becomes one more layer. */
  async change(records: Iterable<TreeRecord>): Promise<void> {
    this.#assertKept()
    const opened = this.#open({ mounts: 'none' })
    try {
      if (opened.tree.isReadonly(opened.union)) throw readOnlyPlace('/')
      applyRecords(opened.union, records)
      if (opened.union.changes()[Symbol.iterator]().next().done !== true) addLayer(this.#own, packTar(changedEntries(opened.union)))
    } finally {
      opened.close()
    }
  }

  async *#tar(path: ByteString, name: ByteString): AsyncIterable<Uint8Array> {
    const opened = this.#open()
    try {
      const place = placeAt(opened.tree, path)
      yield* packTar(place === null ? [] : placeEntries(opened.tree, place, name))
    } finally {
      opened.close()
    }
  }

  #assertKept(): void {
    if (!this.#request.spec.ephemeral) return
    throw new EngineError('CONFLICT', 'nothing can be copied into a container that was made with --rm before it runs', {
      hint: 'Its files are in its own memory, from its start to its end: start it first, or make it without --rm.',
    })
  }

  #assertStopped(): void {
    if (openRunningTask(this.#own) === null) return
    throw new EngineError('CONFLICT', 'the container has been started meanwhile', {
      hint: 'Try again.',
    })
  }

  #open({ mounts = 'all' }: { readonly mounts?: 'all' | 'none' } = {}): OpenedTree {
    this.#assertStopped()
    const layers: PackedLayer[] = []
    const folders: HostDirectory[] = []
    const close = () => {
      for (const open of [...layers, ...folders]) open.close()
    }
    try {
      for (const { tarPath, indexPath } of [...this.#request.rootfs.layers, ...keptLayers(this.#own)])
        layers.push(new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(tarPath)))
      const union = new UnionFs({ lowers: layers })
      const root = rootHandle<FileSystem>(union)
      const table = new MountTable<FileSystem>()
      const readonly = new Set<FileSystem>(this.#request.spec.readonlyRootfs ? [union] : [])
      for (const mount of mounts === 'none' ? [] : withRealSources(this.#request.spec).mounts.filter(isHostMount)) {
        const folder = new HostDirectory(hostPathOf(mount))
        folders.push(folder)
        const over = madeDirectory(root, table, fromUtf8(mount.destination))
        table.mount(over.fs, over.ino, folder)
        if (mount.readonly) readonly.add(folder)
      }
      return { union, tree: { root, mounts: table, isReadonly: (fs) => readonly.has(fs) }, close }
    } catch (error) {
      close()
      throw error
    }
  }
}

interface OpenedTree {
  readonly union: UnionFs
  readonly tree: MountedTree
  close(): void
}

/** The place of a mount, made where it is missing, as a start of the container does. */
function madeDirectory(root: DirectoryHandle, mounts: MountTable<FileSystem>, path: ByteString): DirectoryHandle {
  let handle = root
  for (const name of path.split('/').filter((part) => part !== '')) {
    const found = resolve(handle, name, { followLast: true, mounts })
    if (found.directory !== null) handle = found.directory
    else if (found.ino === undefined && found.name !== null)
      handle = {
        fs: found.parent.fs,
        ino: found.parent.fs.create(found.parent.ino, found.name, { type: 'directory', mode: 0o755, uid: 0, gid: 0 }),
        parent: found.parent,
      }
    else throw new ErrnoError('ENOTDIR', path)
  }
  return handle
}
