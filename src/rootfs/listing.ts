import type { ByteString, FileType, Ino, ReadonlyFileSystem } from '../fs/file-system.js'
import { below, isKeptXattr } from './tree-records.js'

/** One name of a tree with every attribute that an image can give it. */
export interface ListedFile {
  /** From the root, without a leading slash; the root is empty. Byte string. */
  readonly path: ByteString
  readonly type: FileType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeNs: bigint
  /** Bytes of a file, null for everything else. */
  readonly size: number | null
  /** Of a symlink. */
  readonly target: ByteString | null
  /** The first of the names, in this listing's order, that share its inode; null when it is that name. */
  readonly linkTo: ByteString | null
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>
  /** Of a file's contents, as made by the function that was given for it; null without one and for everything else. */
  readonly contents: string | null
}

/** Makes something comparable of a file's contents, a digest mostly, from all its bytes in order. */
export type ContentsDigest = (chunks: Iterable<Uint8Array>) => string

const READ_BYTES = 256 * 1024

/**
 * Every name of a tree, sorted by path, byte by byte: what one wall shows, to be compared with what another does (`capture.ts`). Xattrs that
 * no wall makes on disk are left out.
 */
export function listFileSystem(tree: ReadonlyFileSystem, digest?: ContentsDigest): ListedFile[] {
  const found: { readonly ino: Ino; readonly path: ByteString }[] = []
  const pending: { readonly ino: Ino; readonly path: ByteString }[] = [{ ino: tree.root, path: '' }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    found.push(next)
    if (tree.stat(next.ino).type !== 'directory') continue
    for (const { name, ino } of tree.readdir(next.ino)) pending.push({ ino, path: below(next.path, name) })
  }
  found.sort(byPath)
  const firstNames = new Map<Ino, ByteString>()
  return found.map(({ ino, path }) => {
    const { type, mode, uid, gid, mtimeNs, size } = tree.stat(ino)
    const first = firstNames.get(ino)
    if (first === undefined) firstNames.set(ino, path)
    return {
      path,
      type,
      mode,
      uid,
      gid,
      mtimeNs,
      size: type === 'file' ? size : null,
      target: type === 'symlink' ? tree.readlink(ino) : null,
      linkTo: first ?? null,
      xattrs: new Map([...tree.xattrs(ino)].filter(([name]) => isKeptXattr(name)).sort(([left], [right]) => (left < right ? -1 : 1))),
      contents: type === 'file' && digest !== undefined ? digest(chunksOf(tree, ino)) : null,
    }
  })
}

/** Order of two names of a listing. */
export function byPath(left: { readonly path: ByteString }, right: { readonly path: ByteString }): number {
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0
}

function* chunksOf(tree: ReadonlyFileSystem, ino: Ino): Generator<Uint8Array> {
  const buffer = new Uint8Array(READ_BYTES)
  let position = 0
  for (let count = tree.read(ino, buffer, 0); count > 0; count = tree.read(ino, buffer, position)) {
    position += count
    yield buffer.subarray(0, count)
  }
}
