import { readFileSync } from 'node:fs'
import type { ByteString, Ino, ReadonlyFileSystem } from '../fs/file-system.js'
import { find } from '../fs/find.js'
import { UnionFs } from '../fs/union-fs.js'
import { openFileSource } from '../layer/file-source.js'
import { parseIndex } from '../layer/index.js'
import { PackedLayer } from '../layer/packed-layer.js'
import { type TouchedPath, type WritableLayer, withoutPlaces, writableLayer } from '../runtime/writable-layer.js'
import type { KeptTreeParts } from './kept-tree.js'
import type { KeptLayer } from './uppers.js'

/** Where the sandbox mounts something of its own. */
const MOUNT_POINTS = ['/dev']

/** What the layers that a container's runs have left make of its image's. */
export function keptChanges(image: readonly KeptLayer[], kept: readonly KeptLayer[]): WritableLayer {
  const opened = openKept(image, kept)
  try {
    return writableLayer(opened.before, opened.touched)
  } finally {
    opened.close()
  }
}

/** Layers of an image and those that a container's runs have left, open. */
export interface OpenedKept extends KeptTreeParts {
  close(): void
}

/** Opens them. */
export function openKept(image: readonly KeptLayer[], kept: readonly KeptLayer[]): OpenedKept {
  const layers: PackedLayer[] = []
  const close = () => {
    for (const layer of layers) layer.close()
  }
  try {
    for (const layer of [...image, ...kept]) layers.push(openLayer(layer))
    const before = new UnionFs({ lowers: layers.slice(0, image.length) })
    const after = new UnionFs({ lowers: layers })
    const touched = new Map<ByteString, TouchedPath | null>()
    for (const layer of layers.slice(image.length))
      for (const { path, isOpaque } of pathsIn(layer)) {
        const wasOpaque = touched.get(path)?.isOpaque === true
        touched.set(path, touchedPath(after, path, { isOpaque: isOpaque || wasOpaque }))
      }
    return { before, after, touched: withoutPlaces(before, touched, MOUNT_POINTS), close }
  } catch (error) {
    close()
    throw error
  }
}

function openLayer({ tarPath, indexPath }: KeptLayer): PackedLayer {
  return new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(tarPath))
}

function touchedPath(after: ReadonlyFileSystem, path: ByteString, { isOpaque }: { readonly isOpaque: boolean }): TouchedPath | null {
  const ino = find(after, path)
  if (ino === undefined) return null
  const { type, mode, uid, gid, size } = after.stat(ino)
  return { isDirectory: type === 'directory', isOpaque, mode, owner: { uid, gid }, bytes: type === 'file' ? size : 0 }
}

/** Every path that a layer has, or takes away. */
function* pathsIn(layer: PackedLayer): Generator<{ readonly path: ByteString; readonly isOpaque: boolean }> {
  const pending: { readonly ino: Ino; readonly path: ByteString }[] = [{ ino: layer.root, path: '' }]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const { ino, path } = directory
    const inside = (name: ByteString) => (path === '' ? name : `${path}/${name}`)
    yield { path, isOpaque: layer.isOpaque(ino) }
    for (const name of layer.whiteouts(ino)) yield { path: inside(name), isOpaque: false }
    for (const entry of layer.readdir(ino))
      if (entry.type === 'directory') pending.push({ ino: entry.ino, path: inside(entry.name) })
      else yield { path: inside(entry.name), isOpaque: false }
  }
}
