import type { ByteString, Ino, ReadonlyFileSystem } from './file-system.js'

/** What stands at a path of a tree, relative and without `.` and `..`; the empty path is the root. No link is followed. */
export function find(tree: ReadonlyFileSystem, path: ByteString): Ino | undefined {
  let ino: Ino | undefined = tree.root
  for (const name of path === '' ? [] : path.split('/')) {
    if (ino === undefined || tree.stat(ino).type !== 'directory') return undefined
    ino = tree.lookup(ino, name)
  }
  return ino
}
