/** What a container has written over its image's layers, as docker tells it. */
import type { ByteString, Change, ReadonlyFileSystem } from '../fs/file-system.js'
import { find } from '../fs/find.js'

/** What a container has written. */
export interface WritableLayer {
  /** In the order of their paths. A directory counts as modified when anything below it is; what is in one that was removed is not told. */
  readonly changes: readonly Change[]
  /** Of the files that it has written or changed. */
  readonly bytes: number
}

/** What stands at a path now. */
export interface TouchedPath {
  readonly isDirectory: boolean
  /** Nothing of the layers' shows through it. */
  readonly isOpaque: boolean
  readonly mode: number
  /** Null where a wall cannot tell. */
  readonly owner: { readonly uid: number; readonly gid: number } | null
  readonly bytes: number
}

/** Paths that a container's layer has, byte strings, each with what stands there now; null for what is gone. */
export type TouchedPaths = ReadonlyMap<ByteString, TouchedPath | null>

/** The differences between the layers' tree and what there is now, by what a container's own layer has in it. */
export function writableLayer(before: ReadonlyFileSystem, touched: TouchedPaths): WritableLayer {
  const kinds = new Map<ByteString, Change['kind']>()
  let bytes = 0
  for (const [path, now] of touched) {
    bytes += now?.bytes ?? 0
    if (path === '') continue
    const ino = find(before, path)
    if (now === null) {
      // Named once, where it was removed: not with all that was in it.
      if (ino !== undefined && touched.get(parentOf(path)) !== null) kinds.set(path, 'deleted')
    } else if (ino === undefined) kinds.set(path, 'added')
    else {
      const stat = before.stat(ino)
      const wasDirectory = stat.type === 'directory'
      const isSame = wasDirectory && now.isDirectory && now.mode === stat.mode && isOwnedAs(now, stat)
      if (!isSame) kinds.set(path, 'modified')
      if (wasDirectory && (!now.isDirectory || isHiding(touched, path)))
        for (const { name } of before.readdir(ino)) if (!touched.has(`${path}/${name}`)) kinds.set(`${path}/${name}`, 'deleted')
    }
  }
  for (const path of [...kinds.keys()])
    for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) if (!kinds.has(parent)) kinds.set(parent, 'modified')
  const changes = [...kinds].map(([path, kind]): Change => ({ path, kind }))
  return { changes: changes.sort((left, right) => (left.path < right.path ? -1 : 1)), bytes }
}

/** The paths without places that a wall made to mount on, where they are empty, and without directories made for those alone. */
export function withoutPlaces(before: ReadonlyFileSystem, touched: TouchedPaths, places: readonly string[]): TouchedPaths {
  const left = new Map(touched)
  const isEmpty = (path: ByteString) => ![...left.keys()].some((other) => other.startsWith(`${path}/`)) && left.get(path)?.bytes === 0
  for (const place of places.map((path) => path.replace(/^\/+|\/+$/g, '')))
    for (let path = place; path !== '' && left.has(path) && find(before, path) === undefined && isEmpty(path); path = parentOf(path))
      left.delete(path)
  return left
}

function isOwnedAs({ owner }: TouchedPath, { uid, gid }: { readonly uid: number; readonly gid: number }): boolean {
  return owner === null || (owner.uid === uid && owner.gid === gid)
}

/** Whether nothing of the layers shows through a directory: because of it, or of one above it. */
function isHiding(touched: TouchedPaths, path: ByteString): boolean {
  for (let at = path; at !== ''; at = parentOf(at)) if (touched.get(at)?.isOpaque === true) return true
  return false
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
