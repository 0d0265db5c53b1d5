/** A container's files as `node:fs`: its image's layers, and what it has written as one layer more. */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { EngineError } from '../errors.js'
import { type NodeFsOptions, nodeFsOf, type OpenNodeFs } from '../fs/node-fs.js'
import { UnionFs } from '../fs/union-fs.js'
import { openFileSource } from '../layer/file-source.js'
import { indexTar } from '../layer/index.js'
import { packTar } from '../layer/pack.js'
import { changedEntries } from '../layer/pack-tree.js'
import { PackedLayer } from '../layer/packed-layer.js'
import { openStoredLayer } from '../rootfs/layer-stack.js'
import type { ContainerFiles } from '../runtime/container-files.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { StoredLayer } from '../store/layer-store.js'

/** How {@link Container.fs} shows a container's files. */
export interface ContainerFsOptions extends Pick<NodeFsOptions, 'credentials' | 'umask' | 'openFiles'> {
  /** Keeps what is written when it is disposed. The container cannot be started before that. */
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
  /** Called once, when the files are not needed any more. */
  readonly release: () => void
}

/**
 * Opens the files as they are now, or rejects with `release` not called. What is mounted in the container is not seen. Only read, nothing of it
 * is held: the container may be started again, and what it then does is not seen either.
 */
export async function openContainerFs(parts: ContainerFsParts, options: ContainerFsOptions): Promise<OpenNodeFs> {
  const { files, layers, spec, release } = parts
  const { writable = false, ...others } = options
  if (writable) assertWritable(parts)
  const opened: PackedLayer[] = []
  const closeLayers = () => {
    for (const layer of opened) layer.close()
  }
  try {
    for (const layer of layers) opened.push(openStoredLayer(layer))
    opened.push(await spooledLayer(files.readLayer(), parts.spoolPath))
    const { diskBytes } = spec.limits
    const union = new UnionFs({ lowers: opened, limits: diskBytes === undefined ? {} : { diskBytes } })
    const onClose = (): void => {
      try {
        if (writable && !isUnchanged(union)) files.addLayer?.(packTar(changedEntries(union)))
      } finally {
        closeLayers()
        if (writable) release()
      }
    }
    const fs = nodeFsOf(union, { ...others, readonly: !writable || spec.readonlyRootfs, onClose })
    if (!writable) release()
    return fs
  } catch (error) {
    closeLayers()
    throw error
  }
}

function assertWritable({ name, spec, files }: ContainerFsParts): void {
  if (files.addLayer === null)
    throw new EngineError('NOT_BUILT', `the files of container ${name} cannot be written through its fs: of its wall that is not built`, {
      hint: 'Copy files into it with copyIn, or write them by a program in it with exec.',
    })
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
