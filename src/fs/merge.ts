import type { ByteString, FileType, Ino } from './file-system.js'
import type { LayerFileSystem } from './layer-file-system.js'

/** An inode of a lower layer. */
export interface Source {
  readonly layer: LayerFileSystem
  readonly ino: Ino
}

/** A name as the layers together have it. */
export interface MergedEntry {
  readonly type: FileType
  /** One inode, or the directories that show through one another, topmost first. */
  readonly sources: readonly Source[]
}

/** Roots of a stack of layers, topmost first, down to the first opaque one. */
export function mergeRoots(lowers: readonly LayerFileSystem[]): readonly Source[] {
  const sources: Source[] = []
  for (const layer of [...lowers].reverse()) {
    sources.push({ layer, ino: layer.root })
    if (layer.isOpaque(layer.root)) break
  }
  return sources
}

/**
 * Names of directories that show through one another, topmost first: a name hides the same name below, except that directories merge; a
 * whiteout hides it in all layers below its own; nothing shows through an opaque directory, nor through anything that is not a directory.
 */
export function mergeEntries(directories: readonly Source[]): ReadonlyMap<ByteString, MergedEntry> {
  const merged = new Map<ByteString, MergedEntry & { readonly sources: Source[] }>()
  /** Names of which nothing further below is seen. */
  const closed = new Set<ByteString>()
  const last = directories.length - 1
  for (const [place, { layer, ino: directory }] of directories.entries()) {
    for (const { name, ino, type } of layer.readdir(directory)) {
      if (closed.has(name)) continue
      const above = merged.get(name)
      if (above === undefined) merged.set(name, { type, sources: [{ layer, ino }] })
      else if (type === 'directory') above.sources.push({ layer, ino })
      if (place < last && (type !== 'directory' || layer.isOpaque(ino))) closed.add(name)
    }
    if (place < last) for (const name of layer.whiteouts(directory)) closed.add(name)
  }
  return merged
}
