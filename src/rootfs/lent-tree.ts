/**
 * A file tree that the kernel has for a while: the records that make it there, and by what each of its files is known again afterwards.
 *
 * Its owner goes on while the records are taken, so a file is read whole before its first record is given, and what has vanished since it
 * was listed is passed over.
 */
import { createHash } from 'node:crypto'
import { ErrnoError } from '../fs/errno.js'
import type { ByteString, FileType, Ino, ReadonlyFileSystem, Stat } from '../fs/file-system.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import { below } from './tree-records.js'

/** What was given away under one name, or under several. */
export interface LentInode {
  readonly ino: Ino
  readonly type: 'directory' | 'file' | 'symlink'
  readonly mode: number
  readonly mtimeNs: bigint
  readonly atimeNs: bigint
  readonly size: number
  /** Target of a symlink, else empty. */
  readonly target: ByteString
  /** Of a file's contents. */
  readonly sha256: string | null
}

const DATA_BYTES = 256 * 1024
const PAGE_BYTES = 4096

/** One tree, given away once. */
export class LentTree {
  /** What has been given, parents before children; the empty path is the root. */
  readonly names = new Map<ByteString, LentInode>()
  readonly #tree: ReadonlyFileSystem
  #bytes = 0
  #pathBytes = 0

  constructor(tree: ReadonlyFileSystem) {
    this.#tree = tree
  }

  /** Bytes of files and targets that have been given. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes of all paths that have been given. */
  get pathBytes(): number {
    return this.#pathBytes
  }

  /** What a tmpfs needs to hold it, as things stand. */
  size(): { readonly bytes: number; readonly inodes: number } {
    let pages = 0
    let inodes = 1
    const pending: Ino[] = [this.#tree.root]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop())
      for (const { ino, type } of this.#entries(directory)) {
        inodes++
        if (type === 'directory') pending.push(ino)
        else pages += Math.ceil((this.#unlessGone(() => this.#tree.stat(ino).size) ?? 0) / PAGE_BYTES)
      }
    return { bytes: pages * PAGE_BYTES, inodes }
  }

  /** To be taken once. What is no directory, file or symlink stays where it is. */
  *records(): Generator<TreeRecord> {
    const firstNames = new Map<Ino, ByteString>()
    const pending: { readonly ino: Ino; readonly path: ByteString }[] = []
    yield* this.#inode(this.#tree.root, '')
    pending.push({ ino: this.#tree.root, path: '' })
    for (let next = pending.pop(); next !== undefined; next = pending.pop())
      for (const { name, ino, type } of this.#entries(next.ino)) {
        const path = below(next.path, name)
        const first = type === 'directory' ? undefined : firstNames.get(ino)
        const known = first === undefined ? undefined : this.names.get(first)
        if (first !== undefined && known !== undefined) {
          this.#remember(path, known)
          yield { record: 'entry', entry: { ...entryOf(known, path, this.#tree.stat(this.#tree.root)), kind: 'hard-link', target: first } }
          continue
        }
        yield* this.#inode(ino, path)
        if (!this.names.has(path)) continue
        firstNames.set(ino, path)
        if (type === 'directory') pending.push({ ino, path })
      }
    yield { record: 'end' }
  }

  *#inode(ino: Ino, path: ByteString): Generator<TreeRecord> {
    const read = this.#unlessGone(() => this.#read(ino))
    if (read === undefined) return
    const { inode, stat, contents } = read
    this.#remember(path, inode)
    this.#bytes += inode.size
    yield { record: 'entry', entry: entryOf(inode, path, stat) }
    for (let offset = 0; offset < contents.length; offset += DATA_BYTES)
      yield { record: 'data', offset, bytes: contents.subarray(offset, offset + DATA_BYTES) }
  }

  #remember(path: ByteString, inode: LentInode): void {
    this.names.set(path, inode)
    this.#pathBytes += path.length
  }

  #read(ino: Ino): { readonly inode: LentInode; readonly stat: Stat; readonly contents: Uint8Array } | undefined {
    const stat = this.#tree.stat(ino)
    const { type } = stat
    if (!isLent(type)) return undefined
    const contents = type === 'file' ? this.#contents(ino, stat.size) : new Uint8Array()
    const target = type === 'symlink' ? this.#tree.readlink(ino) : ''
    const { mode, mtimeNs, atimeNs } = stat
    const sha256 = type === 'file' ? createHash('sha256').update(contents).digest('hex') : null
    return { inode: { ino, type, mode, mtimeNs, atimeNs, size: contents.length + target.length, target, sha256 }, stat, contents }
  }

  #contents(ino: Ino, size: number): Uint8Array {
    const bytes = new Uint8Array(size)
    let total = 0
    for (let count = -1; count !== 0 && total < size; total += count) count = this.#tree.read(ino, bytes.subarray(total), total)
    return bytes.subarray(0, total)
  }

  #entries(directory: Ino): readonly { readonly name: ByteString; readonly ino: Ino; readonly type: FileType }[] {
    return this.#unlessGone(() => this.#tree.readdir(directory)) ?? []
  }

  #unlessGone<Result>(look: () => Result): Result | undefined {
    try {
      return look()
    } catch (error) {
      if (error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
      throw error
    }
  }
}

function isLent(type: FileType): type is LentInode['type'] {
  return type === 'directory' || type === 'file' || type === 'symlink'
}

function entryOf(
  { type, mode, size, target, mtimeNs, atimeNs }: LentInode,
  path: ByteString,
  { uid, gid }: Pick<Stat, 'uid' | 'gid'>,
): TreeEntry {
  return { kind: type, path, mode, uid, gid, size: type === 'file' ? size : 0, target, mtimeNs, atimeNs }
}
