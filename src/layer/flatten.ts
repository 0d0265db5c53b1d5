import type { ByteString } from '../fs/file-system.js'
import { toBytes } from '../fs/names.js'
import { allocateIndex, HIDDEN_NAMES, IMPLIED, type LayerIndex, OPAQUE, TYPES } from './index-table.js'
import type { LayerNode } from './tree-builder.js'

type Child = readonly [name: ByteString, node: LayerNode]

/** The finished tree as an index, breadth first. */
export function flatten(root: LayerNode, tarBytes: number): LayerIndex {
  const { nodes, children, linkCounts } = numberNodes(root)
  const whiteouts = nodes.flatMap((node, place) => [...(node.whiteouts ?? [])].sort().map((name) => ({ directory: place + 1, name })))
  const heap = new Heap()
  const entries = children.flat()
  const entryNames = entries.map(([name]) => heap.addText(name))
  const whiteoutNames = whiteouts.map(({ name }) => heap.addText(name))
  const targets = nodes.map((node) => (node.type === 'symlink' ? heap.addText(node.target) : 0))
  const xattrs = nodes.flatMap((node) => [...node.xattrs])
  const xattrNames = xattrs.map(([name]) => heap.addText(name))
  const xattrValues = xattrs.map(([, value]) => heap.addBytes(value))
  const segments = nodes.reduce((sum, node) => sum + node.segments.length, 0)
  const index = allocateIndex(
    {
      inodes: nodes.length,
      entries: entries.length,
      segments,
      whiteouts: whiteouts.length,
      xattrs: xattrs.length,
      heapBytes: heap.size,
    },
    tarBytes,
  )
  heap.copyTo(index.heap)
  const places = new Map(nodes.map((node, place) => [node, place]))
  for (const [place, [name, node]] of entries.entries()) {
    index.entryName[place] = entryNames[place] ?? 0
    index.entryNameLength[place] = name.length
    index.entryIno[place] = (places.get(node) ?? 0) + 1
  }
  for (const [place, { directory, name }] of whiteouts.entries()) {
    index.whiteoutDirectory[place] = directory
    index.whiteoutName[place] = whiteoutNames[place] ?? 0
    index.whiteoutNameLength[place] = name.length
  }
  for (const [place, [name, value]] of xattrs.entries()) {
    index.xattrName[place] = xattrNames[place] ?? 0
    index.xattrNameLength[place] = name.length
    index.xattrValue[place] = xattrValues[place] ?? 0
    index.xattrLength[place] = value.length
  }
  fillInodes(index, nodes, children, linkCounts, targets)
  return index
}

function numberNodes(root: LayerNode) {
  const nodes: LayerNode[] = [root]
  const children: (readonly Child[])[] = []
  const linkCounts = new Map<LayerNode, number>()
  for (let place = 0; place < nodes.length; place++) {
    const node = nodes[place]
    if (node === undefined) break
    settleWhiteouts(node)
    const sorted = [...(node.children ?? [])].sort(([left], [right]) => (left < right ? -1 : 1))
    children.push(sorted)
    for (const [, child] of sorted) {
      const links = linkCounts.get(child) ?? 0
      linkCounts.set(child, links + 1)
      if (links === 0) nodes.push(child)
    }
  }
  return { nodes, children, linkCounts }
}

// A name that the layer both takes away and has is simply the layer's own: what it hides is hidden by being replaced, so the marker becomes
// "opaque" on a directory and nothing on anything else. Users of the index never meet both.
function settleWhiteouts(directory: LayerNode): void {
  for (const name of directory.whiteouts ?? []) {
    const child = directory.children?.get(name)
    if (child === undefined) continue
    directory.whiteouts?.delete(name)
    if (child.type === 'directory') child.opaque = true
  }
}

function fillInodes(
  index: LayerIndex,
  nodes: readonly LayerNode[],
  children: readonly (readonly Child[])[],
  linkCounts: ReadonlyMap<LayerNode, number>,
  targets: readonly number[],
): void {
  const next = { entry: 0, segment: 0, xattr: 0 }
  for (const [place, node] of nodes.entries()) {
    const names = linkCounts.get(node) ?? 1
    const layerNames = node.layerNames ?? names
    index.kind[place] =
      TYPES.indexOf(node.type) | (node.opaque ? OPAQUE : 0) | (node.implied ? IMPLIED : 0) | (layerNames > names ? HIDDEN_NAMES : 0)
    index.mode[place] = node.mode
    index.uid[place] = node.uid
    index.gid[place] = node.gid
    index.size[place] = node.size
    index.mtimeNs[place] = node.mtimeNs
    index.atimeNs[place] = node.atimeNs
    index.linkCount[place] = layerNames
    index.firstXattr[place] = next.xattr
    index.xattrCount[place] = node.xattrs.size
    next.xattr += node.xattrs.size
    if (node.type === 'directory') {
      index.first[place] = next.entry
      index.count[place] = children[place]?.length ?? 0
      next.entry += children[place]?.length ?? 0
    } else if (node.type === 'symlink') {
      index.first[place] = targets[place] ?? 0
      index.count[place] = node.target.length
    } else if (node.device !== null) {
      index.first[place] = node.device.major
      index.count[place] = node.device.minor
    } else {
      index.first[place] = next.segment
      index.count[place] = node.segments.length
    }
    for (const { position, offset, length } of node.segments) {
      index.segmentPosition[next.segment] = position
      index.segmentOffset[next.segment] = offset
      index.segmentLength[next.segment] = length
      next.segment++
    }
  }
}

/** Names and values one after another; a text that comes again is stored once. */
class Heap {
  readonly #parts: Uint8Array[] = []
  readonly #texts = new Map<ByteString, number>()
  size = 0

  addText(text: ByteString): number {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    const offset = this.addBytes(toBytes(text))
    this.#texts.set(text, offset)
    return offset
  }

  addBytes(bytes: Uint8Array): number {
    const offset = this.size
    this.#parts.push(bytes)
    this.size += bytes.length
    return offset
  }

  copyTo(heap: Uint8Array): void {
    let offset = 0
    for (const part of this.#parts) {
      heap.set(part, offset)
      offset += part.length
    }
  }
}
