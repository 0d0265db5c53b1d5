import { ErrnoError } from '../fs/errno.js'
import type { ByteString, Change, Ino, ReadonlyFileSystem } from '../fs/file-system.js'
import { listTree } from '../fs/list.js'
import type { PackEntry } from './pack.js'
import { OPAQUE_WHITEOUT, refuseMarkerName, WHITEOUT_PREFIX } from './whiteout.js'

/** A tree whose differences from its layers are known: a union. */
export interface ChangedTree extends ReadonlyFileSystem {
  changes(): Iterable<Change>
}

/** Entries of a whole tree, for {@link packTar}. */
export function* treeEntries(fs: ReadonlyFileSystem): Generator<PackEntry, void, undefined> {
  for (const { path, ino, linkOf } of listTree(fs)) yield packEntryOf(fs, path, ino, linkOf)
}

/**
 * Entries of a layer that makes of a union's layers what the union is: changed paths with every directory above them, a whiteout for what
 * is gone, an opaque marker in a directory that replaced another (image-spec, layer.md). Throws UNSAFE_PATH for a name that a layer would
 * read as a marker.
 */
export function* changedEntries(union: ChangedTree): Generator<PackEntry, void, undefined> {
  const written = new Set<ByteString>()
  const firstPath = new Map<Ino, ByteString>()
  for (const { path, kind, opaque } of union.changes()) {
    yield* missingParents(union, path, written)
    if (kind === 'deleted') {
      const slash = path.lastIndexOf('/') + 1
      yield marker(`${path.slice(0, slash)}${WHITEOUT_PREFIX}${path.slice(slash)}`)
      continue
    }
    refuseMarkerName(path)
    const ino = find(union, path)
    const isDirectory = union.stat(ino).type === 'directory'
    const linkOf = isDirectory ? null : (firstPath.get(ino) ?? null)
    if (isDirectory) written.add(path)
    else if (linkOf === null) firstPath.set(ino, path)
    yield packEntryOf(union, path, ino, linkOf)
    if (opaque) yield marker(`${path}/${OPAQUE_WHITEOUT}`)
  }
}

// Without them other engines would make the parents anew, with attributes of their own.
function* missingParents(union: ReadonlyFileSystem, path: ByteString, written: Set<ByteString>): Generator<PackEntry> {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const parent = path.slice(0, slash)
    if (written.has(parent)) continue
    written.add(parent)
    yield packEntryOf(union, parent, find(union, parent), null)
  }
}

function find(fs: ReadonlyFileSystem, path: ByteString): Ino {
  let ino = fs.root
  for (const name of path === '' ? [] : path.split('/')) {
    const next = fs.lookup(ino, name)
    if (next === undefined) throw new ErrnoError('ENOENT', path)
    ino = next
  }
  return ino
}

function marker(path: ByteString): PackEntry {
  return { path, type: 'file', mode: 0o600, uid: 0, gid: 0, mtimeNs: 0n }
}

/** The entry of one inode under a path; with `linkOf` another name of the entry that bears that path. */
export function packEntryOf(fs: ReadonlyFileSystem, path: ByteString, ino: Ino, linkOf: ByteString | null): PackEntry {
  const { type, mode, uid, gid, size, device, mtimeNs } = fs.stat(ino)
  const attributes = { path, mode, uid, gid, mtimeNs }
  if (linkOf !== null && type !== 'socket') return { ...attributes, type: 'hardlink', target: linkOf }
  const xattrs = fs.xattrs(ino)
  if (type === 'symlink') return { ...attributes, type, xattrs, target: fs.readlink(ino) }
  if (type === 'file') {
    const segments = () => fs.segments?.(ino) ?? [{ position: 0, length: size }]
    return { ...attributes, type, xattrs, contents: { size, segments, read: (buffer, position) => fs.read(ino, buffer, position) } }
  }
  return { ...attributes, type, xattrs, device }
}
