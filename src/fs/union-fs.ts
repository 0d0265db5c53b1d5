import { changesOf } from './changes.js'
import { ErrnoError } from './errno.js'
import type { AttributeChange, ByteString, Change, DirectoryEntry, FileSystem, Ino, NewInode, Stat } from './file-system.js'
import { Inode } from './inode.js'
import type { LayerFileSystem } from './layer-file-system.js'
import { type MergedEntry, mergeRoots } from './merge.js'
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
  readonly #inodes = new Map<Ino, Inode>()
  /** The union's inode of each file of a layer: hard links must meet again. */
  readonly #ofLayer = new Map<LayerFileSystem, Map<Ino, Inode>>()
  #nextIno: Ino = 1

  constructor({ lowers, limits, now = () => BigInt(Date.now()) * 1_000_000n }: UnionOptions) {
    this.lowers = lowers
    this.#quota = new Quota(limits)
    this.#now = now
    const sources = mergeRoots(lowers)
    const root =
      sources.length > 0
        ? Inode.ofLayers(this.#nextIno++, { type: 'directory', sources }, null)
        : Inode.make(this.#nextIno++, 'directory', this.#newAttributes({ mode: 0o755, uid: 0, gid: 0 }), {}, null)
    this.#inodes.set(root.ino, root)
    this.root = root.ino
  }

  get usage(): DiskUsage {
    const { diskBytes, diskBytesLimit, inodes, inodesLimit } = this.#quota
    return { diskBytes, diskBytesLimit, inodes, inodesLimit }
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    return this.#entries(this.#inode(directory)).get(name)?.ino
  }

  stat(ino: Ino): Stat {
    const inode = this.#inode(ino)
    // A directory's link count is that of its subdirectories, so they must be known.
    if (inode.type === 'directory') this.#entries(inode)
    return inode.stat()
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return Array.from(this.#entries(this.#inode(directory)), ([name, { ino, type }]) => ({ name, ino, type }))
  }

  readlink(ino: Ino): ByteString {
    const inode = this.#inode(ino)
    if (inode.type !== 'symlink') throw new ErrnoError('EINVAL', 'not a symlink')
    return inode.readlink()
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    return this.#file(ino).read(buffer, position)
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    return this.#inode(ino).xattrs()
  }

  create(directory: Ino, name: ByteString, { type, mode, uid, gid, target = '', device }: NewInode): Ino {
    const parent = this.#livingDirectory(directory)
    checkNewName(name)
    if (this.#entries(parent).has(name)) throw new ErrnoError('EEXIST', name)
    if (type === 'symlink') {
      if (target === '') throw new ErrnoError('ENOENT', 'an empty symlink target')
      if (target.length > MAXIMUM_TARGET_BYTES) throw new ErrnoError('ENAMETOOLONG')
    }
    this.#quota.takeInode()
    const attributes = this.#newAttributes({ mode: type === 'symlink' ? 0o777 : mode & 0o7777, uid, gid })
    const inode = Inode.make(this.#nextIno++, type, attributes, { target, device: device ?? null }, parent)
    inode.charged = 1
    this.#inodes.set(inode.ino, inode)
    this.#setEntry(parent, name, inode)
    return inode.ino
  }

  setAttributes(ino: Ino, { mode, uid, gid, size, atimeNs, mtimeNs }: AttributeChange): void {
    const inode = this.#inode(ino)
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
    const inode = this.#inode(ino)
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
    const inode = this.#inode(ino)
    const held = inode.xattrs().get(name)
    if (held === undefined) throw new ErrnoError('ENODATA', name)
    this.#chargeXattrs(inode, -(held.length + name.length))
    inode.ownXattrs().delete(name)
    inode.ownAttributes().ctimeNs = this.#now()
  }

  write(ino: Ino, buffer: Uint8Array, position: number): number {
    const inode = this.#file(ino)
    if (!Number.isSafeInteger(position + buffer.length)) throw new ErrnoError('EFBIG')
    if (buffer.length === 0) return 0
    this.#quota.takeBytes(inode.pageGrowth(position, buffer.length))
    inode.ownPages().write(buffer, position)
    const attributes = inode.ownAttributes()
    attributes.mtimeNs = attributes.ctimeNs = this.#now()
    return buffer.length
  }

  link(ino: Ino, directory: Ino, name: ByteString): void {
    const inode = this.#inode(ino)
    const parent = this.#livingDirectory(directory)
    checkNewName(name)
    if (this.#entries(parent).has(name)) throw new ErrnoError('EEXIST', name)
    if (inode.type === 'directory') throw new ErrnoError('EPERM', 'a hard link to a directory')
    if (inode.linkCount === 0) throw new ErrnoError('ENOENT', 'the file has no name any more')
    if (inode.linkCount >= MAXIMUM_LINKS) throw new ErrnoError('EMLINK')
    this.#quota.takeInode()
    inode.charged++
    inode.linkCount++
    inode.ownAttributes().ctimeNs = this.#now()
    this.#setEntry(parent, name, inode)
  }

  unlink(directory: Ino, name: ByteString): void {
    const parent = this.#inode(directory)
    const inode = this.#entry(parent, name)
    if (inode.type === 'directory') throw new ErrnoError('EISDIR', name)
    this.#setEntry(parent, name, undefined)
    this.#dropName(inode)
  }

  rmdir(directory: Ino, name: ByteString): void {
    const parent = this.#inode(directory)
    const inode = this.#entry(parent, name)
    if (this.#entries(inode).size > 0) throw new ErrnoError('ENOTEMPTY', name)
    this.#setEntry(parent, name, undefined)
    this.#dropName(inode)
  }

  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void {
    const source = this.#inode(from)
    const destination = this.#livingDirectory(to)
    const inode = this.#entry(source, fromName)
    checkNewName(toName)
    const replaced = this.#entries(destination).get(toName)
    if (replaced === inode) return
    if (inode.type === 'directory' && this.#isWithin(destination, inode))
      throw new ErrnoError('EINVAL', 'a directory would go below itself')
    if (replaced !== undefined) this.#checkReplaceable(inode, replaced)
    this.#setEntry(source, fromName, undefined)
    if (replaced !== undefined) {
      this.#setEntry(destination, toName, undefined)
      this.#dropName(replaced)
    }
    this.#setEntry(destination, toName, inode)
    if (inode.directory !== null) inode.directory.parent = destination
    inode.ownAttributes().ctimeNs = this.#now()
  }

  retain(ino: Ino): void {
    this.#inode(ino).retained++
  }

  release(ino: Ino): void {
    const inode = this.#inode(ino)
    if (inode.retained === 0) throw new ErrnoError('EBADF', 'released more often than retained')
    inode.retained--
    this.#freeUnused(inode)
  }

  /**
   * What differs from the layers, each directory before what is in it, names in byte order. The root's path is empty. A directory that was
   * removed is one deletion; a renamed one is a deletion and additions.
   */
  changes(): Iterable<Change> {
    return changesOf(this.#inode(this.root), {
      current: (directory) => this.#entries(directory),
      original: (directory) => this.#originalEntries(directory),
      searchUnread: this.#hasChangedHardLink(),
    })
  }

  #hasChangedHardLink(): boolean {
    for (const [layer, inodes] of this.#ofLayer)
      for (const [ino, inode] of inodes) if (inode.changed && layer.stat(ino).linkCount > 1) return true
    return false
  }

  #inode(ino: Ino): Inode {
    const inode = this.#inodes.get(ino)
    if (inode === undefined) throw new ErrnoError('ENOENT', `no inode ${ino}`)
    return inode
  }

  #file(ino: Ino): Inode {
    const inode = this.#inode(ino)
    if (inode.type === 'directory') throw new ErrnoError('EISDIR')
    if (inode.type !== 'file') throw new ErrnoError('EINVAL', `contents of a ${inode.type}`)
    return inode
  }

  #livingDirectory(ino: Ino): Inode {
    const inode = this.#inode(ino)
    inode.asDirectory()
    if (inode.linkCount === 0) throw new ErrnoError('ENOENT', 'the directory was removed')
    return inode
  }

  #entry(parent: Inode, name: ByteString): Inode {
    const inode = this.#entries(parent).get(name)
    if (inode === undefined) throw new ErrnoError('ENOENT', name)
    return inode
  }

  #entries(inode: Inode): Map<ByteString, Inode> {
    const directory = inode.asDirectory()
    if (directory.entries !== null) return directory.entries
    const entries = new Map<ByteString, Inode>()
    for (const [name, merged] of inode.mergedEntries()) {
      entries.set(name, this.#ofLayers(merged, inode))
      if (merged.type === 'directory') directory.subdirectories++
    }
    directory.entries = entries
    return entries
  }

  #ofLayers(merged: MergedEntry, parent: Inode): Inode {
    const [top] = merged.sources
    if (merged.type === 'directory' || top === undefined) return this.#remember(Inode.ofLayers(this.#nextIno++, merged, parent))
    let known = this.#ofLayer.get(top.layer)
    if (known === undefined) this.#ofLayer.set(top.layer, (known = new Map()))
    let inode = known.get(top.ino)
    if (inode === undefined) known.set(top.ino, (inode = this.#remember(Inode.ofLayers(this.#nextIno++, merged, null))))
    return inode
  }

  #remember(inode: Inode): Inode {
    this.#inodes.set(inode.ino, inode)
    return inode
  }

  #originalEntries(inode: Inode): ReadonlyMap<ByteString, Inode> {
    const entries = new Map(this.#entries(inode))
    for (const [name, original] of inode.directory?.originals ?? []) {
      if (original === undefined) entries.delete(name)
      else entries.set(name, original)
    }
    return entries
  }

  #setEntry(parent: Inode, name: ByteString, inode: Inode | undefined): void {
    const directory = parent.asDirectory()
    const entries = this.#entries(parent)
    const held = entries.get(name)
    // A directory made here has nothing below it, so it keeps no originals.
    if (parent.sources.length > 0) {
      directory.originals ??= new Map()
      if (!directory.originals.has(name)) directory.originals.set(name, held)
    }
    directory.subdirectories += Number(inode?.type === 'directory') - Number(held?.type === 'directory')
    if (inode === undefined) entries.delete(name)
    else entries.set(name, inode)
    const attributes = parent.ownAttributes()
    attributes.mtimeNs = attributes.ctimeNs = this.#now()
  }

  #checkReplaceable(inode: Inode, replaced: Inode): void {
    if (inode.type !== 'directory') {
      if (replaced.type === 'directory') throw new ErrnoError('EISDIR')
      return
    }
    if (replaced.type !== 'directory') throw new ErrnoError('ENOTDIR')
    if (this.#entries(replaced).size > 0) throw new ErrnoError('ENOTEMPTY')
  }

  #isWithin(directory: Inode, ancestor: Inode): boolean {
    for (let place = directory; ; ) {
      if (place === ancestor) return true
      const { parent } = place.asDirectory()
      if (parent === place) return false
      place = parent
    }
  }

  #resize(ino: Ino, size: number): void {
    const inode = this.#file(ino)
    if (!Number.isSafeInteger(size) || size < 0) throw new ErrnoError(size > 0 ? 'EFBIG' : 'EINVAL')
    const pages = inode.ownPages()
    const before = pages.allocatedBytes
    pages.resize(size)
    this.#quota.takeBytes(pages.allocatedBytes - before)
  }

  #chargeXattrs(inode: Inode, growth: number): void {
    // What a layer's xattrs cost was never taken, so no more is given back than was.
    const charge = Math.max(growth, -inode.xattrBytes)
    this.#quota.takeBytes(charge)
    inode.xattrBytes += charge
  }

  #dropName(inode: Inode): void {
    inode.linkCount = inode.type === 'directory' ? 0 : inode.linkCount - 1
    inode.ownAttributes().ctimeNs = this.#now()
    if (inode.linkCount > 0 && inode.charged > 0) {
      inode.charged--
      this.#quota.giveInodes(1)
    }
    this.#freeUnused(inode)
  }

  #freeUnused(inode: Inode): void {
    if (inode.linkCount > 0 || inode.retained > 0) return
    this.#inodes.delete(inode.ino)
    this.#quota.takeBytes(-inode.pageBytes - inode.xattrBytes)
    this.#quota.giveInodes(inode.charged)
  }

  #newAttributes(owner: { mode: number; uid: number; gid: number }) {
    const now = this.#now()
    return { ...owner, atimeNs: now, mtimeNs: now, ctimeNs: now }
  }
}

function checkNewName(name: ByteString): void {
  if (name === '') throw new ErrnoError('ENOENT', 'an empty name')
  if (name.length > MAXIMUM_NAME_BYTES) throw new ErrnoError('ENAMETOOLONG')
  if (name === '.' || name === '..') throw new ErrnoError('EEXIST', name)
  if (name.includes('/') || name.includes('\0')) throw new ErrnoError('EINVAL', 'a name with a slash or NUL')
}
