import { ErrnoError } from './errno.js'
import {
  type AttributeChange,
  type ByteString,
  type Change,
  type DirectoryEntry,
  type EntryVisitor,
  type FileSegment,
  type FileSystem,
  type Ino,
  MAXIMUM_FILE_BYTES,
  MAXIMUM_PATH_BYTES,
  type NewInode,
  type Stat,
} from './file-system.js'
import type { Inode, Inodes } from './inode.js'
import type { InodeTable } from './inode-table.js'
import { PAGE_BYTES } from './pages.js'
import type { Quota } from './quota.js'

const MAXIMUM_NAME_BYTES = 255
const MAXIMUM_TARGET_BYTES = 4095
const MAXIMUM_XATTR_BYTES = 65_536
/** What an xattr takes beside its name and value. */
const XATTR_BYTES = 8
const MAXIMUM_LINKS = 0xffff_ffff

/**
 * What may be done to a union, and what it costs: {@link FileSystem} over a table of inodes. Whoever calls it holds the tree's lock where there
 * is one. A call that fails has changed nothing: whether there is memory for it is asked before.
 */
export class UnionTree implements FileSystem {
  readonly root: Ino
  readonly #table: InodeTable
  readonly #inodes: Inodes
  readonly #quota: Quota
  readonly #now: () => bigint

  /** `now` gives nanoseconds since the epoch. */
  constructor(table: InodeTable, quota: Quota, now: () => bigint) {
    this.#table = table
    this.#inodes = table.inodes
    this.#quota = quota
    this.#now = now
    this.root = this.#inodes.inoOf(table.root)
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    const inode = this.#table.entry(this.#inodes.withIno(directory), name)
    return inode === undefined ? undefined : this.#inodes.inoOf(inode)
  }

  lookupEntry(directory: Ino, name: ByteString): DirectoryEntry | undefined {
    const inode = this.#table.entry(this.#inodes.withIno(directory), name)
    return inode === undefined ? undefined : { name, ino: this.#inodes.inoOf(inode), type: this.#inodes.typeOf(inode) }
  }

  stat(ino: Ino): Stat {
    const inode = this.#inodes.withIno(ino)
    // A directory's link count is that of its subdirectories, so they must be known.
    if (this.#inodes.isDirectory(inode)) this.#table.see(inode)
    return this.#inodes.stat(inode)
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return Array.from(this.#table.entries(this.#inodes.withIno(directory)), ([name, inode]) => ({
      name,
      ino: this.#inodes.inoOf(inode),
      type: this.#inodes.typeOf(inode),
    }))
  }

  visitEntries(directory: Ino, visit: EntryVisitor): void {
    const inodes = this.#inodes
    this.#table.visitEntries(inodes.withIno(directory), (bytes, start, length, inode) =>
      visit(bytes, start, length, inodes.inoOf(inode), inodes.typeOf(inode)),
    )
  }

  readlink(ino: Ino): ByteString {
    const inode = this.#inodes.withIno(ino)
    if (this.#inodes.typeOf(inode) !== 'symlink') throw new ErrnoError('EINVAL', 'not a symlink')
    return this.#inodes.readlink(inode)
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    return this.#inodes.read(this.#file(ino), buffer, position)
  }

  segments(ino: Ino): Iterable<FileSegment> {
    return this.#inodes.segments(this.#file(ino))
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    return this.#inodes.xattrs(this.#inodes.withIno(ino))
  }

  create(directory: Ino, name: ByteString, { type, mode, uid, gid, target = '', device }: NewInode): Ino {
    const parent = this.#livingDirectory(directory)
    this.#checkNewName(parent, name)
    if (this.#table.entry(parent, name) !== undefined) throw new ErrnoError('EEXIST', name)
    if (type === 'symlink') {
      if (target === '') throw new ErrnoError('ENOENT', 'an empty symlink target')
      if (target.length > MAXIMUM_TARGET_BYTES) throw new ErrnoError('ENAMETOOLONG')
    }
    this.#table.assertRoom({ names: [parent] })
    this.#quota.takeInode(target.length)
    const now = this.#now()
    const attributes = { mode: type === 'symlink' ? 0o777 : mode & 0o7777, uid, gid, atimeNs: now, mtimeNs: now, ctimeNs: now }
    const inode = this.#table.make(type, attributes, { target, device: device ?? null }, parent)
    this.#inodes.setChargedInodes(inode, 1)
    this.#inodes.setChargedBytes(inode, target.length)
    this.#setEntry(parent, name, inode)
    return this.#inodes.inoOf(inode)
  }

  setAttributes(ino: Ino, { mode, uid, gid, size, atimeNs, mtimeNs }: AttributeChange): void {
    const inode = this.#inodes.withIno(ino)
    this.#table.assertRoom({ inodes: [inode] })
    if (size !== undefined) this.#resize(ino, size)
    const before = this.#inodes.attributes(inode)
    const now = this.#now()
    this.#inodes.setAttributes(inode, {
      mode: mode === undefined || this.#inodes.typeOf(inode) === 'symlink' ? before.mode : mode & 0o7777,
      uid: uid ?? before.uid,
      gid: gid ?? before.gid,
      atimeNs: atimeNs ?? before.atimeNs,
      mtimeNs: mtimeNs ?? (size === undefined ? before.mtimeNs : now),
      ctimeNs: now,
    })
  }

  setXattr(ino: Ino, name: ByteString, value: Uint8Array): void {
    const inode = this.#inodes.withIno(ino)
    if (name === '' || name.includes('\0')) throw new ErrnoError('EINVAL', 'the name of an xattr')
    if (name.length > MAXIMUM_NAME_BYTES) throw new ErrnoError('ENAMETOOLONG')
    if (value.length > MAXIMUM_XATTR_BYTES) throw new ErrnoError('ENOSPC', 'the value of an xattr')
    const xattrs = this.#inodes.xattrs(inode)
    const held = xattrs.get(name)
    const growth = value.length + name.length - (held === undefined ? 0 : held.length + name.length)
    xattrs.set(name, value)
    this.#setXattrs(inode, xattrs, growth)
  }

  removeXattr(ino: Ino, name: ByteString): void {
    const inode = this.#inodes.withIno(ino)
    const xattrs = this.#inodes.xattrs(inode)
    const held = xattrs.get(name)
    if (held === undefined) throw new ErrnoError('ENODATA', name)
    xattrs.delete(name)
    this.#setXattrs(inode, xattrs, -(held.length + name.length))
  }

  write(ino: Ino, buffer: Uint8Array, position: number): number {
    const inode = this.#file(ino)
    if (position + buffer.length > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
    if (buffer.length === 0) return 0
    const growth = this.#inodes.pageGrowth(inode, position, buffer.length)
    // A page that is shared with another tree is written anew.
    const copied = this.#inodes.isForked ? buffer.length + 2 * PAGE_BYTES : 0
    this.#table.assertRoom({ inodes: [inode], bytes: growth + copied })
    this.#quota.takeBytes(growth)
    this.#inodes.write(inode, buffer, position)
    this.#inodes.touch(inode, this.#now(), 'contents')
    return buffer.length
  }

  link(ino: Ino, directory: Ino, name: ByteString): void {
    const inode = this.#inodes.withIno(ino)
    const parent = this.#livingDirectory(directory)
    this.#checkNewName(parent, name)
    if (this.#table.entry(parent, name) !== undefined) throw new ErrnoError('EEXIST', name)
    if (this.#inodes.isDirectory(inode)) throw new ErrnoError('EPERM', 'a hard link to a directory')
    const links = this.#inodes.linkCount(inode)
    if (links === 0) throw new ErrnoError('ENOENT', 'the file has no name any more')
    if (links >= MAXIMUM_LINKS) throw new ErrnoError('EMLINK')
    this.#table.assertRoom({ names: [parent], inodes: [inode] })
    this.#quota.takeInode(0)
    this.#inodes.setChargedInodes(inode, this.#inodes.chargedInodes(inode) + 1)
    this.#inodes.setLinkCount(inode, links + 1)
    this.#inodes.touch(inode, this.#now(), 'inode')
    this.#setEntry(parent, name, inode)
  }

  unlink(directory: Ino, name: ByteString): void {
    const parent = this.#inodes.withIno(directory)
    const inode = this.#entry(parent, name)
    if (this.#inodes.isDirectory(inode)) throw new ErrnoError('EISDIR', name)
    this.#table.assertRoom({ names: [parent], inodes: [inode] })
    this.#setEntry(parent, name, undefined)
    this.#dropName(inode)
  }

  rmdir(directory: Ino, name: ByteString): void {
    const parent = this.#inodes.withIno(directory)
    const inode = this.#entry(parent, name)
    if (this.#table.countEntries(inode) > 0) throw new ErrnoError('ENOTEMPTY', name)
    this.#table.assertRoom({ names: [parent], inodes: [inode] })
    this.#setEntry(parent, name, undefined)
    this.#dropName(inode)
  }

  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void {
    const source = this.#inodes.withIno(from)
    const destination = this.#livingDirectory(to)
    const inode = this.#entry(source, fromName)
    this.#checkNewName(destination, toName)
    const replaced = this.#table.entry(destination, toName)
    if (replaced === inode) return
    const isDirectory = this.#inodes.isDirectory(inode)
    if (isDirectory && this.#table.isWithin(destination, inode)) throw new ErrnoError('EINVAL', 'a directory would go below itself')
    if (replaced !== undefined && this.#inodes.isDirectory(replaced) && this.#table.isWithin(source, replaced))
      throw new ErrnoError('ENOTEMPTY', 'what is renamed lies below what it would replace')
    if (replaced !== undefined) this.#checkReplaceable(inode, replaced)
    if (isDirectory) this.#checkDepth(inode, this.#table.pathBytes(source, fromName), this.#table.pathBytes(destination, toName))
    this.#table.assertRoom({ names: [source, destination], inodes: replaced === undefined ? [inode] : [inode, replaced] })
    this.#setEntry(source, fromName, undefined)
    if (replaced !== undefined) {
      this.#setEntry(destination, toName, undefined)
      this.#dropName(replaced)
    }
    this.#setEntry(destination, toName, inode)
    this.#inodes.touch(inode, this.#now(), 'inode')
  }

  retain(ino: Ino): void {
    const inode = this.#inodes.withIno(ino)
    this.#table.assertRoom({ inodes: [inode] })
    this.#inodes.setRetained(inode, this.#inodes.retained(inode) + 1)
  }

  release(ino: Ino): void {
    this.releaseInode(this.#inodes.withIno(ino))
  }

  /** As {@link release}, by the inode itself. */
  releaseInode(inode: Inode): void {
    const retained = this.#inodes.retained(inode)
    if (retained === 0) throw new ErrnoError('EBADF', 'released more often than retained')
    this.#inodes.setRetained(inode, retained - 1)
    this.#freeUnused(inode)
  }

  changes(): Iterable<Change> {
    return this.#table.changes()
  }

  #file(ino: Ino): Inode {
    const inode = this.#inodes.withIno(ino)
    const type = this.#inodes.typeOf(inode)
    if (type === 'directory') throw new ErrnoError('EISDIR')
    if (type !== 'file') throw new ErrnoError('EINVAL', `contents of a ${type}`)
    return inode
  }

  #livingDirectory(ino: Ino): Inode {
    const inode = this.#inodes.withIno(ino)
    if (!this.#inodes.isDirectory(inode)) throw new ErrnoError('ENOTDIR')
    if (this.#inodes.linkCount(inode) === 0) throw new ErrnoError('ENOENT', 'the directory was removed')
    return inode
  }

  #entry(parent: Inode, name: ByteString): Inode {
    const inode = this.#table.entry(parent, name)
    if (inode === undefined) throw new ErrnoError('ENOENT', name)
    return inode
  }

  #setEntry(parent: Inode, name: ByteString, inode: Inode | undefined): void {
    this.#table.setEntry(parent, name, inode)
    this.#inodes.touch(parent, this.#now(), 'contents')
  }

  // Linux lets a program walk down and go on deeper; here a path must fit into a layer, and quadratic sums of long ones must not grow there.
  #checkNewName(parent: Inode, name: ByteString): void {
    checkNewName(name)
    if (this.#table.pathBytes(parent, name) > MAXIMUM_PATH_BYTES) throw new ErrnoError('ENAMETOOLONG', 'the path from the root')
  }

  #checkDepth(directory: Inode, before: number, after: number): void {
    if (after > before && this.#table.isDeeperThan(directory, MAXIMUM_PATH_BYTES - after - 1))
      throw new ErrnoError('ENAMETOOLONG', 'paths below the directory')
  }

  #checkReplaceable(inode: Inode, replaced: Inode): void {
    const replacedIsDirectory = this.#inodes.isDirectory(replaced)
    if (!this.#inodes.isDirectory(inode)) {
      if (replacedIsDirectory) throw new ErrnoError('EISDIR')
      return
    }
    if (!replacedIsDirectory) throw new ErrnoError('ENOTDIR')
    if (this.#table.countEntries(replaced) > 0) throw new ErrnoError('ENOTEMPTY')
  }

  #resize(ino: Ino, size: number): void {
    const inode = this.#file(ino)
    if (!(size >= 0)) throw new ErrnoError('EINVAL')
    if (size > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
    const before = this.#inodes.pageBytes(inode)
    this.#inodes.resize(inode, size)
    this.#quota.takeBytes(this.#inodes.pageBytes(inode) - before)
  }

  #setXattrs(inode: Inode, xattrs: ReadonlyMap<ByteString, Uint8Array>, growth: number): void {
    let bytes = 0
    for (const [name, value] of xattrs) bytes += XATTR_BYTES + name.length + value.length
    this.#table.assertRoom({ inodes: [inode], bytes })
    // What a layer's xattrs cost was never taken, so no more is given back than was.
    const charged = this.#inodes.chargedBytes(inode)
    const charge = Math.max(growth, -charged)
    this.#quota.takeBytes(charge)
    this.#inodes.setChargedBytes(inode, charged + charge)
    this.#inodes.setXattrs(inode, xattrs)
    this.#inodes.touch(inode, this.#now(), 'inode')
  }

  #dropName(inode: Inode): void {
    const links = this.#inodes.isDirectory(inode) ? 0 : this.#inodes.linkCount(inode) - 1
    this.#inodes.setLinkCount(inode, links)
    this.#inodes.touch(inode, this.#now(), 'inode')
    const charged = this.#inodes.chargedInodes(inode)
    if (links > 0 && charged > 0) {
      this.#inodes.setChargedInodes(inode, charged - 1)
      this.#quota.giveInodes(1)
    }
    this.#freeUnused(inode)
  }

  #freeUnused(inode: Inode): void {
    if (this.#inodes.linkCount(inode) > 0 || this.#inodes.retained(inode) > 0) return
    this.#quota.takeBytes(-this.#inodes.pageBytes(inode) - this.#inodes.chargedBytes(inode))
    this.#quota.giveInodes(this.#inodes.chargedInodes(inode))
    this.#inodes.forget(inode)
  }
}

function checkNewName(name: ByteString): void {
  if (name === '') throw new ErrnoError('ENOENT', 'an empty name')
  if (name.length > MAXIMUM_NAME_BYTES) throw new ErrnoError('ENAMETOOLONG')
  if (name === '.' || name === '..') throw new ErrnoError('EEXIST', name)
  if (name.includes('/') || name.includes('\0')) throw new ErrnoError('EINVAL', 'a name with a slash or NUL')
}
