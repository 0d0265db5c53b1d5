import { readFileSync } from 'node:fs'
import type { ByteString, Ino, ReadonlyFileSystem } from '../fs/file-system.js'
import { find } from '../fs/find.js'
import { UnionFs } from '../fs/union-fs.js'
import { openFileSource } from '../layer/file-source.js'
import { parseIndex } from '../layer/index.js'
import { PackedLayer } from '../layer/packed-layer.js'
import { type TouchedPath, type WritableLayer, writableLayer } from '../runtime/writable-layer.js'
import type { KeptLayer } from './uppers.js'

/** What the layers that a container's runs have left make of its image's. */
export function keptChanges(image: readonly KeptLayer[], kept: readonly KeptLayer[]): WritableLayer {
  const open = ({ tarPath, indexPath }: KeptLayer) => new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(tarPath))
  const layers: PackedLayer[] = []
  try {
    for (const layer of [...image, ...kept]) layers.push(open(layer))
    const before = new UnionFs({ lowers: layers.slice(0, image.length) })
    const after = new UnionFs({ lowers: layers })
    const touched = new Map<ByteString, TouchedPath | null>()
    for (const layer of layers.slice(image.length))
      for (const { path, isOpaque } of pathsIn(layer)) {
        const wasOpaque = touched.get(path)?.isOpaque === true
        touched.set(path, touchedPath(after, path, { isOpaque: isOpaque || wasOpaque }))
      }
    return writableLayer(before, touched)
  } finally {
    for (const layer of layers) layer.close()
  }
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
