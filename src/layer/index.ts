/**
 * How a layer's tar becomes a tree: `indexTar` reads its headers once, `serializeIndex` and `parseIndex` keep the result beside the tar,
 * and `PackedLayer` (`packed-layer.ts`) presents it as a file system whose contents stay in the tar.
 */
import { readEntries } from './entry.js'
import { flatten } from './flatten.js'
import { checkIndex } from './index-check.js'
import { type LayerIndex, openIndex } from './index-table.js'
import { DEFAULT_INDEX_LIMITS, type IndexLimits, limitExceeded } from './limits.js'
import type { ByteSource } from './source.js'
import { TreeBuilder } from './tree-builder.js'

export type { LayerIndex } from './index-table.js'

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
      throw limitExceeded(`the archive holds more than ${bounds.entries} entries`, 'WOLFFIA_LAYER_ENTRIES', { limit: bounds.entries })
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
