import type { FileType } from '../fs/file-system.js'
import { mergeEntries, mergeRoots, type Source } from '../fs/merge.js'
import { flatten } from './flatten.js'
import type { LayerIndex } from './index-table.js'
import type { PackedLayer } from './packed-layer.js'
import type { ByteSource } from './source.js'
import type { LayerNode } from './tree-builder.js'

/**
 * One index that shows what a stack of layers shows, base first: its contents are places in their tars, one after the other
 * ({@link concatenatedSource}).
 */
export function mergeIndexes(layers: readonly PackedLayer[]): LayerIndex {
  let tarBytes = 0
  const offsets = new Map<unknown, number>()
  for (const layer of layers) {
    offsets.set(layer, tarBytes)
    tarBytes += layer.tarBytes
  }
  /** What has several names in its layer is one inode, as it is in a union. */
  const linked = new Map<string, LayerNode>()
  const nodeOf = (type: FileType, sources: readonly Source[]): LayerNode => {
    const [top] = sources
    if (top === undefined) throw new TypeError('a name of no layer')
    const giving = sources.find(({ layer, ino }) => type === 'directory' && !layer.isImplied(ino)) ?? top
    const layer = giving.layer as PackedLayer
    const offset = offsets.get(layer) ?? 0
    const key = type !== 'directory' && layer.linkCount(giving.ino) > 1 ? `${offset} ${giving.ino}` : null
    const known = key === null ? undefined : linked.get(key)
    if (known !== undefined) return known
    const node: LayerNode = {
      ...layer.stat(giving.ino),
      segments: [...layer.segments(giving.ino)].map((segment) => ({ ...segment, offset: segment.offset + offset })),
      target: type === 'symlink' ? layer.readlink(giving.ino) : '',
      xattrs: layer.xattrs(giving.ino),
      children: type === 'directory' ? new Map() : null,
      whiteouts: null,
      opaque: false,
      implied: type === 'directory' && layer.isImplied(giving.ino),
      // Also those that are hidden, as the kernel's overlay and a union of the layers count them.
      layerNames: type === 'directory' ? null : layer.linkCount(giving.ino),
    }
    if (key !== null) linked.set(key, node)
    return node
  }
  const rootSources = mergeRoots(layers)
  const root = nodeOf('directory', rootSources)
  const pending = [{ node: root, sources: rootSources }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop())
    for (const [name, { type, sources }] of mergeEntries(next.sources)) {
      const node = nodeOf(type, sources)
      next.node.children?.set(name, node)
      if (type === 'directory') pending.push({ node, sources })
    }
  return flatten(root, tarBytes)
}

/** A part of a {@link concatenatedSource}. */
export interface SourcePart {
  readonly bytes: number
  /** Opens it; called when it is first read. It must have as many bytes. */
  open(): ByteSource
}

/** Several sources one after the other, each opened when it is first read. Reading throws `wrongSize` of a part that has another size. */
export function concatenatedSource(parts: readonly SourcePart[], wrongSize: (part: number) => Error): ByteSource {
  const starts: number[] = []
  let size = 0
  for (const { bytes } of parts) {
    starts.push(size)
    size += bytes
  }
  const opened = new Map<number, ByteSource>()
  const sourceOf = (part: number): ByteSource | undefined => {
    const known = opened.get(part)
    if (known !== undefined) return known
    const source = parts[part]?.open()
    if (source === undefined) return undefined
    opened.set(part, source)
    if (source.size !== parts[part]?.bytes) throw wrongSize(part)
    return source
  }
  return {
    size,
    read(buffer, position) {
      let filled = 0
      while (filled < buffer.length && position + filled < size) {
        const part = lastNotAbove(starts, position + filled)
        const start = starts[part] ?? 0
        const left = start + (parts[part]?.bytes ?? 0) - (position + filled)
        const piece = buffer.subarray(filled, filled + Math.min(left, buffer.length - filled))
        const count = sourceOf(part)?.read(piece, position + filled - start) ?? 0
        filled += count
        if (count < piece.length) break
      }
      return filled
    },
    close() {
      for (const source of opened.values()) source.close()
      opened.clear()
    },
  }
}

/** The last place whose value is at most `value`, of values in ascending order. */
function lastNotAbove(values: readonly number[], value: number): number {
  let low = 0
  let high = values.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if ((values[middle] ?? 0) <= value) low = middle
    else high = middle - 1
  }
  return low
}
