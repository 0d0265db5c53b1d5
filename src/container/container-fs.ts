/** A container's files as `node:fs`: its image's layers, and what it has written as one layer more. */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { EngineError } from '../errors.js'
import { type NodeFsOptions, nodeFsOf, type OpenNodeFs } from '../fs/node-fs.js'
import { UnionFs } from '../fs/union-fs.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import { openFileSource } from '../layer/file-source.js'
import { indexTar } from '../layer/index.js'
import { PackedLayer } from '../layer/packed-layer.js'
import { changeRecords } from '../rootfs/change-records.js'
import { openStoredLayer } from '../rootfs/layer-stack.js'
import type { ContainerFiles } from '../runtime/container-files.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { StoredLayer } from '../store/layer-store.js'

/** How {@link Container.fs} shows a container's files. */
export interface ContainerFsOptions extends Pick<NodeFsOptions, 'credentials' | 'umask' | 'openFiles'> {
  /**
   * Puts what is written into the container when it is disposed, all of it in one go. One that did not run cannot be started before that; one
   * that runs sees nothing of it before that.
   */
  readonly writable?: boolean
}

/** What {@link openContainerFs} needs. */
export interface ContainerFsParts {
  readonly name: string
  readonly spec: ContainerSpec
  readonly files: ContainerFiles
  readonly layers: readonly StoredLayer[]
  /** Where what was written is gathered: a path for a new file, whose name is gone again at once. */
  readonly spoolPath: string
  /** Whether it did not run when they were opened, and nobody can start it before `release`. */
  readonly isHeld: boolean
  /** {@link ContainerFiles.change} of the container as it is by then. */
  readonly change: (records: Iterable<TreeRecord>) => Promise<void>
  /** Called once, when the files are not needed any more. */
  readonly release: () => void
}

/**
 * Opens the files as they are now, or rejects with `release` not called. What is mounted in the container is not seen. Only read, nothing of it
 * is held: the container may be started again, and what it then does is not seen either.
 *
 * What is written stays here until it is disposed: the difference from the moment of opening is then made in the container, be it one that
 * runs, by name and in the order of names. A batch and not call by call, since a library's hundred calls would be a hundred processes behind
 * the native wall, and since a guest that races them decides what each next call sees. What the guest has done elsewhere meanwhile stays; to
 * the same file it is lost, as with two programs that write one file; where something stands that the change was not made to (a symlink on
 * the way, a directory for a file) it is refused by name. A file with other contents is a new one to programs that have the old one open.
 */
export async function openContainerFs(parts: ContainerFsParts, options: ContainerFsOptions): Promise<OpenNodeFs> {
  const { files, layers, spec, release } = parts
  const { writable = false, ...others } = options
  if (writable && parts.isHeld) assertKept(parts)
  const opened: PackedLayer[] = []
  const closeLayers = () => {
    for (const layer of opened) layer.close()
  }
  try {
    for (const layer of layers) opened.push(openStoredLayer(layer))
    opened.push(await spooledLayer(files.readLayer(), parts.spoolPath))
    const { diskBytes } = spec.limits
    const union = new UnionFs({ lowers: opened, limits: diskBytes === undefined ? {} : { diskBytes } })
    const isHeld = writable && parts.isHeld
    const before = writable ? union.fork() : union
    const onClose = async (): Promise<void> => {
      try {
        if (writable && !isUnchanged(union)) await parts.change(changeRecords(before, union))
      } finally {
        closeLayers()
        if (isHeld) release()
      }
    }
    const fs = nodeFsOf(union, { ...others, readonly: !writable || spec.readonlyRootfs, onClose })
    if (!isHeld) release()
    return fs
  } catch (error) {
    closeLayers()
    throw error
  }
}

function assertKept({ name, spec }: ContainerFsParts): void {
  if (spec.ephemeral)
    throw new EngineError('CONFLICT', `what is written to the files of container ${name} would be lost: it was made to be removed`, {
      hint: 'Make it without autoRemove (--rm).',
    })
}

function isUnchanged(union: UnionFs): boolean {
  const [first] = union.changes()
  return first === undefined
}

/** A layer's tar, kept in a file without a name as long as the layer is open. */
async function spooledLayer(tar: AsyncIterable<Uint8Array>, path: string): Promise<PackedLayer> {
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  try {
    for await (const piece of tar) for (let written = 0; written < piece.length; ) written += writeSync(file, piece, written)
    const source = openFileSource(file)
    return new PackedLayer(indexTar(source), { ...source, close: () => closeSync(file) })
  } catch (error) {
    closeSync(file)
    throw error
  }
}
