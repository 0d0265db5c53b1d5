/**
 * A file tree as the records of a tree stream. Parents come before children, a hard link after the name it links to.
 *
 * What a user namespace cannot make is left out here and said once: xattrs but `user.*` and `security.capability` (the kernel refuses them to
 * everyone but the host's root), and `user.overlay.*`, which an image could use to give the kernel's overlay orders.
 */
import type { ByteString, FileType, Ino, ReadonlyFileSystem, Stat } from '../fs/file-system.js'
import type { EntryKind, TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import type { PackedLayer } from '../layer/packed-layer.js'

/** Overlay's own xattr for a directory that hides what is below it (kernel, filesystems/overlayfs.rst, "userxattr"). */
const OPAQUE_XATTR = 'user.overlay.opaque'
const YES = Uint8Array.of(0x79)

/** Whether a name of an image's xattrs is made on disk. */
export function isKeptXattr(name: ByteString): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'))
}

/** The records of one layer, with its whiteouts and opaque directories as overlay reads them. */
export function* layerRecords(layer: PackedLayer): Generator<TreeRecord> {
  const firstNames = new Map<Ino, ByteString>()
  const pending: { readonly ino: Ino; readonly path: ByteString }[] = [{ ino: layer.root, path: '' }]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const { ino, path } = directory
    yield* inodeRecords(layer, ino, path)
    if (layer.isOpaque(ino)) yield { record: 'xattr', name: OPAQUE_XATTR, value: YES }
    for (const name of layer.whiteouts(ino)) yield { record: 'entry', entry: whiteoutEntry(below(path, name)) }
    for (const entry of layer.readdir(ino)) {
      const entryPath = below(path, entry.name)
      const first = firstNames.get(entry.ino)
      if (entry.type === 'directory') pending.push({ ino: entry.ino, path: entryPath })
      else if (first !== undefined)
        yield { record: 'entry', entry: { ...entryOf(layer.stat(entry.ino), entryPath), kind: 'hard-link', target: first } }
      else {
        if (layer.stat(entry.ino).linkCount > 1) firstNames.set(entry.ino, entryPath)
        yield* inodeRecords(layer, entry.ino, entryPath)
        for (const { position, offset, length } of layer.segments(entry.ino))
          yield { record: 'copy', offset: position, sourceOffset: offset, length }
      }
    }
  }
  yield { record: 'end' }
}

/** The records of directories alone, from the root down to each of `paths`, with the attributes that `tree` has for them. */
export function* directoryRecords(tree: ReadonlyFileSystem, paths: Iterable<ByteString>): Generator<TreeRecord> {
  const made = new Set<ByteString>()
  yield* inodeRecords(tree, tree.root, '')
  for (const path of paths) {
    let ino: Ino | undefined = tree.root
    let at: ByteString = ''
    for (const name of path.split('/')) {
      ino = tree.lookup(ino, name)
      if (ino === undefined || tree.stat(ino).type !== 'directory') break
      at = below(at, name)
      if (made.has(at)) continue
      made.add(at)
      yield* inodeRecords(tree, ino, at)
    }
  }
  yield { record: 'end' }
}

/** The records of a directory and of all below it as its tree shows them, contents and all; the directory itself is the root. */
export function* subtreeRecords(tree: ReadonlyFileSystem, directory: Ino): Generator<TreeRecord> {
  const firstNames = new Map<Ino, ByteString>()
  const pending: { readonly ino: Ino; readonly path: ByteString }[] = [{ ino: directory, path: '' }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield* inodeRecords(tree, next.ino, next.path)
    for (const { name, ino, type } of tree.readdir(next.ino)) {
      const path = below(next.path, name)
      const first = firstNames.get(ino)
      if (type === 'directory') pending.push({ ino, path })
      else if (first !== undefined) yield { record: 'entry', entry: { ...entryOf(tree.stat(ino), path), kind: 'hard-link', target: first } }
      else {
        if (tree.stat(ino).linkCount > 1) firstNames.set(ino, path)
        yield* inodeRecords(tree, ino, path)
        if (type === 'file') yield* dataRecords(tree, ino)
      }
    }
  }
  yield { record: 'end' }
}

const DATA_BYTES = 256 * 1024

/** What a file holds, its holes left out. */
export function* dataRecords(tree: ReadonlyFileSystem, ino: Ino): Generator<TreeRecord> {
  const segments = tree.segments?.(ino) ?? [{ position: 0, length: tree.stat(ino).size }]
  for (const { position, length } of segments)
    for (let offset = position; offset < position + length; ) {
      const bytes = new Uint8Array(Math.min(DATA_BYTES, position + length - offset))
      const count = tree.read(ino, bytes, offset)
      if (count === 0) break
      yield { record: 'data', offset, bytes: bytes.subarray(0, count) }
      offset += count
    }
}

/** `name` in the directory `path`; the root is the empty path. */
export function below(path: ByteString, name: ByteString): ByteString {
  return path === '' ? name : `${path}/${name}`
}

/** A file type as a tree stream calls it. They are the same words, but for the hard link, which is no type. */
export function entryKind(type: FileType): EntryKind {
  return type
}

/** An inode as the entry of a path, with the xattrs that are kept. */
export function* inodeRecords(tree: ReadonlyFileSystem, ino: Ino, path: ByteString): Generator<TreeRecord> {
  const stat = tree.stat(ino)
  yield {
    record: 'entry',
    entry: { ...entryOf(stat, path), ...(stat.type === 'symlink' ? { target: tree.readlink(ino) } : {}) },
  }
  // The kernel gives user xattrs to files and directories only (xattr(7)).
  if (stat.type !== 'file' && stat.type !== 'directory') return
  for (const [name, value] of tree.xattrs(ino)) if (isKeptXattr(name)) yield { record: 'xattr', name, value }
}

/** The attributes of an inode as the entry of a path. */
export function entryOf(stat: Stat, path: ByteString): TreeEntry {
  return {
    // 0:0 would be a whiteout to overlay, and no device of an image can be made anyway: an empty file stands for it.
    kind: isDevice(stat.type) ? 'file' : entryKind(stat.type),
    path,
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    size: stat.type === 'file' ? stat.size : 0,
    mtimeNs: stat.mtimeNs,
    atimeNs: stat.atimeNs,
  }
}

function isDevice(type: FileType): boolean {
  return type === 'character-device' || type === 'block-device'
}

function whiteoutEntry(path: ByteString): TreeEntry {
  return { kind: 'character-device', path, mode: 0, uid: 0, gid: 0, mtimeNs: 0n, atimeNs: 0n, device: { major: 0, minor: 0 } }
}
