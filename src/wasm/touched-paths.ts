import type { ByteString, Ino, ReadonlyFileSystem } from '../fs/file-system.js'
import { find } from '../fs/find.js'
import type { LayerFileSystem } from '../fs/layer-file-system.js'
import type { UnionFs } from '../fs/union-fs.js'
import { type TouchedPath, type TouchedPaths, withoutPlaces } from '../runtime/writable-layer.js'

/** Where the sandbox mounts something of its own. */
const MOUNT_POINTS = ['/dev']

/**
 * What a container has touched of its image's tree, `before`: paths in the layers that its runs have left, which are the topmost of `after`'s,
 * and those changed over them.
 */
export function touchedPaths(before: ReadonlyFileSystem, kept: readonly LayerFileSystem[], after: UnionFs): TouchedPaths {
  const touched = new Map<ByteString, TouchedPath | null>()
  const touch = (path: ByteString, isOpaque: boolean) => {
    const wasOpaque = touched.get(path)?.isOpaque === true
    touched.set(path, touchedPath(after, path, { isOpaque: isOpaque || wasOpaque }))
  }
  for (const layer of kept) for (const { path, isOpaque } of pathsIn(layer)) touch(path, isOpaque)
  for (const { path, opaque } of after.changes()) touch(path, opaque === true)
  return withoutPlaces(before, touched, MOUNT_POINTS)
}

function touchedPath(after: ReadonlyFileSystem, path: ByteString, { isOpaque }: { readonly isOpaque: boolean }): TouchedPath | null {
  const ino = find(after, path)
  if (ino === undefined) return null
  const { type, mode, uid, gid, size } = after.stat(ino)
  return { isDirectory: type === 'directory', isOpaque, mode, owner: { uid, gid }, bytes: type === 'file' ? size : 0 }
}

/** Every path that a layer has, or takes away. */
function* pathsIn(layer: LayerFileSystem): Generator<{ readonly path: ByteString; readonly isOpaque: boolean }> {
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
