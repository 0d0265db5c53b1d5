import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, lstatSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError } from '../errors.js'
import type { ByteString, Ino } from '../fs/file-system.js'
import { fileSourceWhenRead, openFileSource } from '../layer/file-source.js'
import { type LayerIndex, parseIndex, serializeIndex } from '../layer/index.js'
import { concatenatedSource, mergeIndexes } from '../layer/merged-index.js'
import { PackedLayer } from '../layer/packed-layer.js'
import type { StoredLayer } from '../store/layer-store.js'
import { ownIdentity } from '../store/process-identity.js'
import { below } from './tree-records.js'

/** A layer of the store, open. The caller closes it. */
export function openStoredLayer({ indexPath, tarPath }: StoredLayer): PackedLayer {
  return new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(tarPath))
}

/** How many indexes this process has begun to write: two at once must not share a name. */
let indexesBegun = 0

/** Fewer are opened one by one: that takes no longer than it would to keep an index of all, which is as large as theirs together. */
const MERGED_FROM = 8

/**
 * Layers of the store, base first, as they are best read: one by one, or many as one that shows what they show together. No tar is opened
 * before it is read. The caller closes them.
 */
export function openStack(layers: readonly StoredLayer[]): PackedLayer[] {
  if (layers.length < MERGED_FROM || layers.some(({ lazy }) => lazy !== undefined))
    return layers.map(
      ({ indexPath, tarPath, lazy }) => new PackedLayer(parseIndex(readFileSync(indexPath)), lazy?.source() ?? fileSourceWhenRead(tarPath)),
    )
  return [openMerged(layers)]
}

/**
 * At least one layer, base first, as one, read from an index of the whole. That lies beside the topmost layer and goes with it; when it is
 * missing it is made, which takes as long as reading every directory, and kept if that can be done.
 */
export function openMerged(layers: readonly StoredLayer[]): PackedLayer {
  const { index, tarBytes } = readStackIndex(layers) ?? makeStackIndex(layers)
  const source = concatenatedSource(
    layers.map(({ tarPath }, place) => ({ bytes: tarBytes[place] ?? 0, open: () => openFileSource(tarPath) })),
    (place) => new EngineError('INVALID_ARCHIVE', `the tar of layer ${layers[place]?.diffId} has changed its size`),
  )
  return new PackedLayer(index, source)
}

interface StackIndex {
  readonly index: LayerIndex
  /** Sizes of the layers' tars, base first. */
  readonly tarBytes: Float64Array
}

/** Where the index of a stack is kept: beside its topmost layer. */
export function stackIndexPath(layers: readonly StoredLayer[]): string {
  return join(dirname(layers.at(-1)?.indexPath ?? ''), stackName(layers))
}

/** The index as it was kept: the sizes, and then that of all layers. Null where there is none that can be used. */
function readStackIndex(layers: readonly StoredLayer[]): StackIndex | null {
  try {
    const bytes = readFileSync(stackIndexPath(layers))
    const sizesBytes = layers.length * Float64Array.BYTES_PER_ELEMENT
    const index = parseIndex(bytes.subarray(sizesBytes))
    const tarBytes = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + sizesBytes))
    return tarBytes.reduce((sum, size) => sum + size, 0) === index.tarBytes ? { index, tarBytes } : null
  } catch {
    return null
  }
}

function makeStackIndex(layers: readonly StoredLayer[]): StackIndex {
  const made = mergedIndexOf(layers)
  keepStackIndex(stackIndexPath(layers), made)
  return made
}

function mergedIndexOf(layers: readonly StoredLayer[]): StackIndex {
  const opened: PackedLayer[] = []
  try {
    for (const layer of layers) opened.push(openStoredLayer(layer))
    return { index: mergeIndexes(opened), tarBytes: Float64Array.from(opened, ({ tarBytes }) => tarBytes) }
  } finally {
    for (const layer of opened) layer.close()
  }
}

/** Whether an index of all of these sound layers, if one is kept, is what would be made of them now. */
export function isStackIndexSound(layers: readonly StoredLayer[]): boolean {
  const path = stackIndexPath(layers)
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return true
  const kept = readStackIndex(layers)
  if (kept === null) return false
  const made = mergedIndexOf(layers)
  return bytesOf(kept.tarBytes).equals(bytesOf(made.tarBytes)) && Buffer.from(serializeIndex(kept.index)).equals(serializeIndex(made.index))
}

function bytesOf(numbers: Float64Array): Buffer {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)
}

/** It only saves time, so a full disk, or a layer that is being removed, is nothing to fail for. */
function keepStackIndex(path: string, { index, tarBytes }: StackIndex): void {
  const partial = `${path}.${ownIdentity()}-${++indexesBegun}`
  try {
    const file = openSync(partial, 'wx', 0o600)
    try {
      for (const bytes of [new Uint8Array(tarBytes.buffer), serializeIndex(index)]) writeFully(file, bytes)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(partial, path)
  } catch {
    rmSync(partial, { force: true })
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
}

/** One name for a stack of layers in this order; never the name of a layer. */
export function stackName(layers: readonly StoredLayer[]): string {
  const hash = createHash('sha256')
  for (const { diffId } of layers) hash.update(`${diffId}\n`)
  return `stack-${hash.digest('hex')}`
}

/**
 * Directories of a layer that need an entry above it, so that the kernel's overlay shows what the union shows: those that the layer names
 * only as parents of others, whose attributes are the lower layers' and not the defaults they get on disk; and those with whiteouts in them,
 * which overlay hides only where it merges.
 */
export function* directoriesToRestate(layer: PackedLayer): Generator<ByteString> {
  const pending: { readonly ino: Ino; readonly path: ByteString }[] = [{ ino: layer.root, path: '' }]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const { ino, path } = directory
    if (path !== '' && (layer.isImplied(ino) || layer.whiteouts(ino).size > 0)) yield path
    for (const entry of layer.readdir(ino)) if (entry.type === 'directory') pending.push({ ino: entry.ino, path: below(path, entry.name) })
  }
}
