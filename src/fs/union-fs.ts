import { ErrnoError } from './errno.js'
import {
  type AttributeChange,
  type ByteString,
  type Change,
  type DirectoryEntry,
  type FileSegment,
  type FileSystem,
  type Ino,
  MAXIMUM_FILE_BYTES,
  MAXIMUM_PATH_BYTES,
  type NewInode,
  type Stat,
} from './file-system.js'
import type { Attributes, Inode } from './inode.js'
import { InodeTable } from './inode-table.js'
import type { LayerFileSystem } from './layer-file-system.js'
import { type DiskLimits, Quota } from './quota.js'

/** What a union is made of. */
export interface UnionOptions {
  /** Layers, base first; none makes a tmpfs. */
  readonly lowers: readonly LayerFileSystem[]
  readonly limits?: DiskLimits
  /** Nanoseconds since the epoch, for the times of what is changed. */
  readonly now?: () => bigint
}

/** How full a union is; a limit that is not set is Infinity. */
export interface DiskUsage {
  readonly diskBytes: number
  readonly diskBytesLimit: number
  readonly inodes: number
  readonly inodesLimit: number
}

const MAXIMUM_NAME_BYTES = 255
const MAXIMUM_TARGET_BYTES = 4095
const MAXIMUM_XATTR_BYTES = 65_536
const MAXIMUM_LINKS = 0xffff_ffff

/**
 * Layers under one writable tree, all in memory. A directory is merged once, when first read, so a lookup costs the same above one layer
 * and above a hundred; a written file copies the pages that were written. Reads set no atime.
 */
export class UnionFs implements FileSystem {
  readonly lowers: readonly LayerFileSystem[]
  readonly root: Ino
  readonly #quota: Quota
  readonly #now: () => bigint
  readonly #table: InodeTable

  constructor({ lowers, limits, now = () => BigInt(Date.now()) * 1_000_000n }: UnionOptions) {
    this.lowers = lowers
    this.#quota = new Quota(limits)
    this.#now = now
    this.#table = new InodeTable(lowers, this.#newAttributes({ mode: 0o755, uid: 0, gid: 0 }))
    this.root = this.#table.root.ino
  }

  get usage(): DiskUsage {
    const { diskBytes, diskBytesLimit, inodes, inodesLimit } = this.#quota
    return { diskBytes, diskBytesLimit, inodes, inodesLimit }
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    return this.#table.entries(this.#table.get(directory)).get(name)?.ino
  }

  stat(ino: Ino): Stat {
    const inode = this.#table.get(ino)
    // A directory's link count is that of its subdirectories, so they must be known.
    if (inode.type === 'directory') this.#table.entries(inode)
    return inode.stat()
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return Array.from(this.#table.entries(this.#table.get(directory)), ([name, { ino, type }]) => ({ name, ino, type }))
  }

  readlink(ino: Ino): ByteString {
    const inode = this.#table.get(ino)
    if (inode.type !== 'symlink') throw new ErrnoError('EINVAL', 'not a symlink')
    return inode.readlink()
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    return this.#file(ino).read(buffer, position)
  }

  segments(ino: Ino): Iterable<FileSegment> {
    return this.#file(ino).segments()
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    return this.#table.get(ino).xattrs()
  }

  create(directory: Ino, name: ByteString, { type, mode, uid, gid, target = '', device }: NewInode): Ino {
    const parent = this.#livingDirectory(directory)
    this.#checkNewName(parent, name)
    if (this.#table.entries(parent).has(name)) throw new ErrnoError('EEXIST', name)
    if (type === 'symlink') {
      if (target === '') throw new ErrnoError('ENOENT', 'an empty symlink target')
      if (target.length > MAXIMUM_TARGET_BYTES) throw new ErrnoError('ENAMETOOLONG')
    }
    this.#quota.takeInode(target.length)
    const attributes = this.#newAttributes({ mode: type === 'symlink' ? 0o777 : mode & 0o7777, uid, gid })
    const inode = this.#table.make(type, attributes, { target, device: device ?? null }, parent)
    inode.chargedInodes = 1
    inode.chargedBytes = target.length
    this.#setEntry(parent, name, inode)
    return inode.ino
  }

  setAttributes(ino: Ino, { mode, uid, gid, size, atimeNs, mtimeNs }: AttributeChange): void {
    const inode = this.#table.get(ino)
    if (size !== undefined) this.#resize(ino, size)
    const attributes = inode.ownAttributes()
    const now = this.#now()
    if (mode !== undefined && inode.type !== 'symlink') attributes.mode = mode & 0o7777
    if (uid !== undefined) attributes.uid = uid
    if (gid !== undefined) attributes.gid = gid
    if (atimeNs !== undefined) attributes.atimeNs = atimeNs
    if (mtimeNs !== undefined) attributes.mtimeNs = mtimeNs
    else if (size !== undefined) attributes.mtimeNs = now
    attributes.ctimeNs = now
  }

  setXattr(ino: Ino, name: ByteString, value: Uint8Array): void {
    const inode = this.#table.get(ino)
    if (name === '' || name.includes('\0')) throw new ErrnoError('EINVAL', 'the name of an xattr')
    if (name.length > MAXIMUM_NAME_BYTES) throw new ErrnoError('ENAMETOOLONG')
    if (value.length > MAXIMUM_XATTR_BYTES) throw new ErrnoError('ENOSPC', 'the value of an xattr')
    const held = inode.xattrs().get(name)
    const growth = value.length + name.length - (held === undefined ? 0 : held.length + name.length)
    this.#chargeXattrs(inode, growth)
    inode.ownXattrs().set(name, value.slice())
    inode.ownAttributes().ctimeNs = this.#now()
  }

  removeXattr(ino: Ino, name: ByteString): void {
    const inode = this.#table.get(ino)
    const held = inode.xattrs().get(name)
    if (held === undefined) throw new ErrnoError('ENODATA', name)
    this.#chargeXattrs(inode, -(held.length + name.length))
    inode.ownXattrs().delete(name)
    inode.ownAttributes().ctimeNs = this.#now()
  }

  write(ino: Ino, buffer: Uint8Array, position: number): number {
    const inode = this.#file(ino)
    if (position + buffer.length > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
    if (buffer.length === 0) return 0
    this.#quota.takeBytes(inode.pageGrowth(position, buffer.length))
    inode.ownPages().write(buffer, position)
    const attributes = inode.ownAttributes()
    attributes.mtimeNs = attributes.ctimeNs = this.#now()
    return buffer.length
  }

  link(ino: Ino, directory: Ino, name: ByteString): void {
    const inode = this.#table.get(ino)
    const parent = this.#livingDirectory(directory)
    this.#checkNewName(parent, name)
    if (this.#table.entries(parent).has(name)) throw new ErrnoError('EEXIST', name)
    if (inode.type === 'directory') throw new ErrnoError('EPERM', 'a hard link to a directory')
    if (inode.linkCount === 0) throw new ErrnoError('ENOENT', 'the file has no name any more')
    if (inode.linkCount >= MAXIMUM_LINKS) throw new ErrnoError('EMLINK')
    this.#quota.takeInode(0)
    inode.chargedInodes++
    inode.linkCount++
    inode.ownAttributes().ctimeNs = this.#now()
    this.#setEntry(parent, name, inode)
  }

  unlink(directory: Ino, name: ByteString): void {
    const parent = this.#table.get(directory)
    const inode = this.#entry(parent, name)
    if (inode.type === 'directory') throw new ErrnoError('EISDIR', name)
    this.#setEntry(parent, name, undefined)
    this.#dropName(inode)
  }

  rmdir(directory: Ino, name: ByteString): void {
    const parent = this.#table.get(directory)
    const inode = this.#entry(parent, name)
    if (this.#table.entries(inode).size > 0) throw new ErrnoError('ENOTEMPTY', name)
    this.#setEntry(parent, name, undefined)
    this.#dropName(inode)
  }

  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void {
    const source = this.#table.get(from)
    const destination = this.#livingDirectory(to)
    const inode = this.#entry(source, fromName)
    this.#checkNewName(destination, toName)
    const replaced = this.#table.entries(destination).get(toName)
    if (replaced === inode) return
    if (inode.type === 'directory' && this.#table.isWithin(destination, inode))
      throw new ErrnoError('EINVAL', 'a directory would go below itself')
    if (replaced?.type === 'directory' && this.#table.isWithin(source, replaced))
      throw new ErrnoError('ENOTEMPTY', 'what is renamed lies below what it would replace')
    if (replaced !== undefined) this.#checkReplaceable(inode, replaced)
    if (inode.directory !== null)
      this.#checkDepth(inode, this.#table.pathBytes(source, fromName), this.#table.pathBytes(destination, toName))
    this.#setEntry(source, fromName, undefined)
    if (replaced !== undefined) {
      this.#setEntry(destination, toName, undefined)
      this.#dropName(replaced)
    }
    this.#setEntry(destination, toName, inode)
    inode.ownAttributes().ctimeNs = this.#now()
  }

  retain(ino: Ino): void {
    this.#table.get(ino).retained++
  }

  release(ino: Ino): void {
    const inode = this.#table.get(ino)
    if (inode.retained === 0) throw new ErrnoError('EBADF', 'released more often than retained')
    inode.retained--
    this.#freeUnused(inode)
  }

  /**
   * What differs from the layers, each directory before what is in it, names in byte order. The root's path is empty. A directory that was
   * removed is one deletion; a renamed one is a deletion and additions.
   */
  changes(): Iterable<Change> {
    return this.#table.changes()
  }

  #file(ino: Ino): Inode {
    const inode = this.#table.get(ino)
    if (inode.type === 'directory') throw new ErrnoError('EISDIR')
    if (inode.type !== 'file') throw new ErrnoError('EINVAL', `contents of a ${inode.type}`)
    return inode
  }

  #livingDirectory(ino: Ino): Inode {
    const inode = this.#table.get(ino)
    inode.asDirectory()
    if (inode.linkCount === 0) throw new ErrnoError('ENOENT', 'the directory was removed')
    return inode
  }

  #entry(parent: Inode, name: ByteString): Inode {
    const inode = this.#table.entries(parent).get(name)
    if (inode === undefined) throw new ErrnoError('ENOENT', name)
    return inode
  }

  #setEntry(parent: Inode, name: ByteString, inode: Inode | undefined): void {
    this.#table.setEntry(parent, name, inode)
    const attributes = parent.ownAttributes()
    attributes.mtimeNs = attributes.ctimeNs = this.#now()
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
    if (inode.type !== 'directory') {
      if (replaced.type === 'directory') throw new ErrnoError('EISDIR')
      return
    }
    if (replaced.type !== 'directory') throw new ErrnoError('ENOTDIR')
    if (this.#table.entries(replaced).size > 0) throw new ErrnoError('ENOTEMPTY')
  }

  #resize(ino: Ino, size: number): void {
    const inode = this.#file(ino)
    if (!(size >= 0)) throw new ErrnoError('EINVAL')
    if (size > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
    const pages = inode.ownPages()
    const before = pages.allocatedBytes
    pages.resize(size)
    this.#quota.takeBytes(pages.allocatedBytes - before)
  }

  #chargeXattrs(inode: Inode, growth: number): void {
    // What a layer's xattrs cost was never taken, so no more is given back than was.
    const charge = Math.max(growth, -inode.chargedBytes)
    this.#quota.takeBytes(charge)
    inode.chargedBytes += charge
  }

  #dropName(inode: Inode): void {
    inode.linkCount = inode.type === 'directory' ? 0 : inode.linkCount - 1
    inode.ownAttributes().ctimeNs = this.#now()
    if (inode.linkCount > 0 && inode.chargedInodes > 0) {
      inode.chargedInodes--
      this.#quota.giveInodes(1)
    }
    this.#freeUnused(inode)
  }

  #freeUnused(inode: Inode): void {
    if (inode.linkCount > 0 || inode.retained > 0) return
    this.#table.forget(inode)
    this.#quota.takeBytes(-inode.pageBytes - inode.chargedBytes)
    this.#quota.giveInodes(inode.chargedInodes)
  }

  #newAttributes({ mode, uid, gid }: Pick<Attributes, 'mode' | 'uid' | 'gid'>): Attributes {
    const now = this.#now()
    return { mode, uid, gid, atimeNs: now, mtimeNs: now, ctimeNs: now }
  }
}

function checkNewName(name: ByteString): void {
  if (name === '') throw new ErrnoError('ENOENT', 'an empty name')
  if (name.length > MAXIMUM_NAME_BYTES) throw new ErrnoError('ENAMETOOLONG')
  if (name === '.' || name === '..') throw new ErrnoError('EEXIST', name)
  if (name.includes('/') || name.includes('\0')) throw new ErrnoError('EINVAL', 'a name with a slash or NUL')
}
