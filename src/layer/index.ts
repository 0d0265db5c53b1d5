/**
 * How a layer's tar becomes a tree: `indexTar` reads its headers once, `serializeIndex` and `parseIndex` keep the result beside the tar,
 * and `PackedLayer` (`packed-layer.ts`) presents it as a file system whose contents stay in the tar.
 */
import { EngineError } from '../errors.js'
import { MAXIMUM_FILE_BYTES } from '../fs/file-system.js'
import { readEntries } from './entry.js'
import { flatten } from './flatten.js'
import { checkIndex } from './index-check.js'
import { type LayerIndex, openIndex } from './index-table.js'
import type { ByteSource } from './source.js'
import { TreeBuilder } from './tree-builder.js'

export type { LayerIndex } from './index-table.js'

/** Bounds on what one layer may claim, against archives made to exhaust us. */
export interface IndexLimits {
  /** Entries of the tar. */
  readonly entries: number
  /** Size of one file, holes included. */
  readonly fileBytes: number
  /** Files, whiteouts, and directories without an entry of their own. */
  readonly nodes: number
  /** Runs of bytes in all files: as many as files, but for sparse ones. */
  readonly segments: number
  /** Bytes of all names and targets of symlinks. */
  readonly nameBytes: number
  /** Bytes of all xattrs, names included. */
  readonly xattrBytes: number
}

/** Two million entries (about half a gigabyte while indexing), files of a tebibyte; what else there is to hold, by the same measure. */
export const DEFAULT_INDEX_LIMITS: IndexLimits = {
  entries: 2_000_000,
  fileBytes: MAXIMUM_FILE_BYTES,
  nodes: 2_000_000,
  segments: 4_000_000,
  nameBytes: 128 * 2 ** 20,
  xattrBytes: 64 * 2 ** 20,
}

/**
 * Indexes an uncompressed layer: reads every header, no contents. What an entry may say is judged in `tree-builder.ts`.
 * Throws INVALID_ARCHIVE, UNSAFE_PATH, LIMIT_EXCEEDED.
 */
export function indexTar(tar: ByteSource, limits: Partial<IndexLimits> = {}): LayerIndex {
  const bounds = { ...DEFAULT_INDEX_LIMITS, ...limits }
  const tree = new TreeBuilder(bounds)
  let entries = 0
  for (const entry of readEntries(tar, bounds)) {
    if (++entries > bounds.entries)
      throw new EngineError('LIMIT_EXCEEDED', `the archive holds more than ${bounds.entries} entries`, { data: { limit: bounds.entries } })
    tree.add(entry)
  }
  return flatten(tree.root, tar.size)
}

/** Bytes to keep beside the tar. */
export function serializeIndex(index: LayerIndex): Uint8Array {
  return index.bytes
}

/** The index that {@link serializeIndex} kept, checked in full; it may be a view of `bytes`. Throws INVALID_ARCHIVE. */
export function parseIndex(bytes: Uint8Array): LayerIndex {
  const index = openIndex(bytes)
  checkIndex(index)
  return index
}
