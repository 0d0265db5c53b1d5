/**
 * A file tree as a process has it whose root it is: calls on paths and descriptors, answered as Linux answers them, in the same order of
 * checks. One {@link Credentials} object decides who may; a tree that is only read is EROFS to whoever writes, as a read-only mount is.
 */
import { type Credentials, EXECUTE, mayAccess, mayRemove, modeOfNewDirectory, ownerOfNew, READ, WRITE } from './access.js'
import { ErrnoError } from './errno.js'
import type { AttributeChange, ByteString, DirectoryEntry, FileSystem, FileType, Ino, ReadonlyFileSystem, Stat } from './file-system.js'
import { OpenFiles, type OpenFlags } from './open-files.js'
import { type DirectoryHandle, type Resolved, resolve, rootHandle } from './resolve.js'

/** How a process sees a tree. */
export interface SystemCallOptions {
  /** Who asks; the tree's root unless said. */
  readonly credentials?: Credentials
  /** Refuses with EROFS whatever would change the tree. */
  readonly readonly?: boolean
  /** Permission bits that new files do not get; `0o022` unless said. */
  readonly umask?: number
  /** Files open at once; one more is EMFILE. */
  readonly openFiles?: number
}

/** How full a tree is, in bytes and files; a limit that is not set is Infinity. */
export interface Usage {
  readonly diskBytes: number
  readonly diskBytesLimit: number
  readonly inodes: number
  readonly inodesLimit: number
}

type Tree = ReadonlyFileSystem
/** A name in a directory, with what bears it. */
type Entry = { readonly parent: Ino; readonly name: ByteString; readonly stat: Stat }

const ROOT: Credentials = { uid: 0, gid: 0, additionalGids: [] }
const UNLIMITED: Usage = { diskBytes: 0, diskBytesLimit: Infinity, inodes: 0, inodesLimit: Infinity }
const OPEN_FILES = 16_384
/** Symlinks followed in one walk (Linux: path_resolution(7)). */
const MAXIMUM_SYMLINKS = 40
const SETUID = 0o4000
const SETGID = 0o2000

/** The calls. Paths are byte strings; relative ones begin at the root. */
export class SystemCalls {
  readonly files: OpenFiles
  readonly #fs: Tree
  readonly #writable: FileSystem | null
  readonly #credentials: Credentials
  readonly #umask: number
  readonly #root: DirectoryHandle<Tree>
  #isClosed = false

  constructor(fs: ReadonlyFileSystem | FileSystem, options: SystemCallOptions = {}) {
    const { credentials = ROOT, readonly = false, umask = 0o022, openFiles = OPEN_FILES } = options
    this.#fs = fs
    const changing = isWritable(fs) ? fs : null
    this.#writable = readonly ? null : changing
    this.#credentials = credentials
    this.#umask = umask
    this.#root = rootHandle<Tree>(fs)
    this.files = new OpenFiles({ fs, writable: this.#writable, changing, credentials, limit: openFiles })
  }

  stat(path: ByteString): Stat {
    return this.#fs.stat(this.#existing(path, { followLast: true }))
  }

  lstat(path: ByteString): Stat {
    return this.#fs.stat(this.#existing(path, { followLast: false }))
  }

  fstat(descriptor: number): Stat {
    return this.#fs.stat(this.files.get(descriptor).ino)
  }

  /** Throws EACCES unless all of `wanted` ({@link READ}, {@link WRITE}, {@link EXECUTE}) may be done; 0 asks whether it is there. */
  access(path: ByteString, wanted: number): void {
    this.#assertAccess(this.stat(path), wanted)
  }

  readdir(path: ByteString): readonly DirectoryEntry[] {
    const stat = this.stat(path)
    if (stat.type !== 'directory') throw new ErrnoError('ENOTDIR')
    this.#assertAccess(stat, READ)
    return this.#fs.readdir(stat.ino)
  }

  readlink(path: ByteString): ByteString {
    return this.#fs.readlink(this.#existing(path, { followLast: false }))
  }

  /** The path without symlinks, `.` and `..`, from the root. Throws ENOENT when something of it is missing. */
  realpath(path: ByteString): ByteString {
    const pending = path.split('/').reverse()
    const names: ByteString[] = []
    const handles = [this.#root]
    let symlinks = 0
    // For what a path as a whole may be refused for.
    this.#existing(path, { followLast: true })
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        names.pop()
        if (handles.length > 1) handles.pop()
        continue
      }
      const found = this.#walk(name, false, handles.at(-1))
      if (found.ino === undefined) throw new ErrnoError('ENOENT', name)
      if (found.type === 'symlink') {
        if (++symlinks > MAXIMUM_SYMLINKS) throw new ErrnoError('ELOOP')
        const target = found.fs.readlink(found.ino)
        if (target.startsWith('/')) {
          names.length = 0
          handles.length = 1
        }
        pending.push(...target.split('/').reverse())
        continue
      }
      names.push(name)
      // A file is the last component, or the walk before had refused the path.
      if (found.directory !== null) handles.push(found.directory)
    }
    return `/${names.join('/')}`
  }

  open(path: ByteString, flags: OpenFlags, mode: number): number {
    this.files.assertRoom()
    if (flags.create && endsInSlash(path)) {
      this.#walk(withoutSlash(path), false)
      throw new ErrnoError('EISDIR')
    }
    const found = this.#walk(path, !flags.noFollow && !(flags.create && flags.exclusive))
    const ino = found.ino === undefined ? this.#createFile(found, flags, mode) : this.#openable(found, found.ino, flags)
    return this.files.add(ino, flags)
  }

  mkdir(path: ByteString, mode: number): void {
    const { writable, parent, name } = this.#newPlace(this.#place(path))
    const given = modeOfNewDirectory(parent, mode & ~this.#umask)
    writable.create(parent.ino, name, { type: 'directory', mode: given, ...ownerOfNew(parent, this.#credentials) })
  }

  symlink(target: ByteString, path: ByteString): void {
    if (target === '') throw new ErrnoError('ENOENT', 'an empty target')
    const { writable, parent, name } = this.#newPlace(this.#place(path), { isDirectory: false })
    writable.create(parent.ino, name, { type: 'symlink', mode: 0o777, target, ...ownerOfNew(parent, this.#credentials) })
  }

  /** Of a symlink another name of its own. */
  link(existing: ByteString, path: ByteString): void {
    const ino = this.#existing(existing, { followLast: false })
    const { writable, parent, name } = this.#newPlace(this.#place(path), { isDirectory: false })
    writable.link(ino, parent.ino, name)
  }

  unlink(path: ByteString): void {
    const found = this.#place(path)
    if (found.name === null) throw new ErrnoError('EISDIR')
    const writable = this.#mustWrite()
    if (found.mustBeDirectory && found.type !== 'directory') throw new ErrnoError(found.ino === undefined ? 'ENOENT' : 'ENOTDIR')
    const { parent, name, stat } = this.#removable(found)
    if (stat.type === 'directory') throw new ErrnoError('EISDIR')
    writable.unlink(parent, name)
  }

  rmdir(path: ByteString): void {
    const found = this.#place(path)
    if (found.name === null) throw new ErrnoError(nameless(path), 'no name to remove')
    const writable = this.#mustWrite()
    const { parent, name, stat } = this.#removable(found)
    if (stat.type !== 'directory') throw new ErrnoError('ENOTDIR')
    writable.rmdir(parent, name)
  }

  rename(from: ByteString, to: ByteString): void {
    const source = this.#place(from)
    const destination = this.#place(to)
    if (source.name === null || destination.name === null) throw new ErrnoError('EBUSY', 'no name to rename')
    const writable = this.#mustWrite()
    const { parent, name, stat } = this.#removable(source)
    if (destination.ino === undefined) this.#assertAccess(destination.parent.fs.stat(destination.parent.ino), WRITE | EXECUTE)
    else this.#removable(destination)
    if (stat.type !== 'directory' && (source.mustBeDirectory || destination.mustBeDirectory)) throw new ErrnoError('ENOTDIR')
    // Its `..` is rewritten.
    if (stat.type === 'directory' && parent !== destination.parent.ino) this.#assertAccess(stat, WRITE)
    writable.rename(parent, name, destination.parent.ino, destination.name)
  }

  chmod(path: ByteString, mode: number): void {
    this.#chmod(this.#existing(path, { followLast: true }), mode)
  }

  fchmod(descriptor: number, mode: number): void {
    this.#chmod(this.files.get(descriptor).ino, mode)
  }

  /** Null leaves an owner as it is. */
  chown(path: ByteString, owner: Owner, { followLast }: { readonly followLast: boolean }): void {
    this.#chown(this.#existing(path, { followLast }), owner)
  }

  fchown(descriptor: number, owner: Owner): void {
    this.#chown(this.files.get(descriptor).ino, owner)
  }

  utimes(path: ByteString, times: Times, { followLast }: { readonly followLast: boolean }): void {
    this.#change(this.#existing(path, { followLast }), times)
  }

  futimes(descriptor: number, times: Times): void {
    this.#change(this.files.get(descriptor).ino, times)
  }

  /** How full the tree is. Throws ENOENT when there is nothing at the path. */
  usage(path: ByteString): Usage {
    this.#existing(path, { followLast: true })
    return hasUsage(this.#fs) ? this.#fs.usage : UNLIMITED
  }

  /** Closes what is open, and answers each later call with EBADF. False when that was done before. */
  close(): boolean {
    if (this.#isClosed) return false
    this.#isClosed = true
    this.files.closeAll()
    return true
  }

  #walk(path: ByteString, followLast: boolean, start = this.#root): Resolved<Tree> {
    if (this.#isClosed) throw new ErrnoError('EBADF', 'closed')
    return resolve(start, path, { followLast, credentials: this.#credentials })
  }

  /** Where a name is made, removed or renamed: a slash behind it asks for a directory and follows no symlink of that name. */
  #place(path: ByteString): Resolved<Tree> {
    return { ...this.#walk(withoutSlash(path), false), mustBeDirectory: endsInSlash(path) }
  }

  #existing(path: ByteString, { followLast }: { readonly followLast: boolean }): Ino {
    const { ino } = this.#walk(path, followLast)
    if (ino === undefined) throw new ErrnoError('ENOENT')
    return ino
  }

  #mustWrite(): FileSystem {
    if (this.#writable === null) throw new ErrnoError('EROFS')
    return this.#writable
  }

  #assertAccess(stat: Stat, wanted: number): void {
    if ((wanted & WRITE) !== 0 && this.#writable === null && WRITTEN.has(stat.type)) throw new ErrnoError('EROFS')
    if (!mayAccess(stat, this.#credentials, wanted)) throw new ErrnoError('EACCES')
  }

  #createFile({ parent, name, mustBeDirectory }: Resolved<Tree>, flags: OpenFlags, mode: number): Ino {
    if (!flags.create) throw new ErrnoError('ENOENT')
    if (name === null || mustBeDirectory) throw new ErrnoError('EISDIR')
    const directory = parent.fs.stat(parent.ino)
    this.#assertAccess(directory, WRITE | EXECUTE)
    return this.#mustWrite().create(parent.ino, name, {
      type: 'file',
      mode: mode & 0o7777 & ~this.#umask,
      ...ownerOfNew(directory, this.#credentials),
    })
  }

  #openable({ mustBeDirectory }: Resolved<Tree>, ino: Ino, flags: OpenFlags): Ino {
    const stat = this.#fs.stat(ino)
    if (flags.create && flags.exclusive) throw new ErrnoError('EEXIST')
    if (stat.type === 'symlink') throw new ErrnoError('ELOOP')
    if ((flags.directory || mustBeDirectory) && stat.type !== 'directory') throw new ErrnoError('ENOTDIR')
    const writes = flags.write || flags.truncate
    if (stat.type === 'directory' && (writes || flags.create)) throw new ErrnoError('EISDIR')
    this.#assertAccess(stat, (flags.read ? READ : 0) | (writes ? WRITE : 0))
    if (stat.type !== 'file' && stat.type !== 'directory') throw new ErrnoError('ENOTSUP', `a ${stat.type} leads to no other end here`)
    if (flags.truncate && stat.size > 0) this.#mustWrite().setAttributes(ino, { size: 0 })
    return ino
  }

  /** Where a name can be made that is not there yet. */
  #newPlace(
    { parent, name, ino, mustBeDirectory }: Resolved<Tree>,
    { isDirectory = true } = {},
  ): { readonly writable: FileSystem; readonly parent: Stat; readonly name: ByteString } {
    if (ino !== undefined || name === null) throw new ErrnoError('EEXIST')
    if (mustBeDirectory && !isDirectory) throw new ErrnoError('ENOENT')
    const writable = this.#mustWrite()
    const directory = parent.fs.stat(parent.ino)
    this.#assertAccess(directory, WRITE | EXECUTE)
    return { writable, parent: directory, name }
  }

  #removable({ parent, name, ino }: Resolved<Tree>): Entry {
    if (ino === undefined || name === null) throw new ErrnoError('ENOENT')
    const directory = parent.fs.stat(parent.ino)
    const stat = this.#fs.stat(ino)
    this.#assertAccess(directory, WRITE | EXECUTE)
    if (!mayRemove(directory, stat, this.#credentials)) throw new ErrnoError('EPERM', 'a sticky directory')
    return { parent: parent.ino, name, stat }
  }

  #chmod(ino: Ino, mode: number): void {
    const { gid } = this.#fs.stat(ino)
    const mayKeepSetgid = this.#credentials.uid === 0 || this.#isMember(gid)
    this.#change(ino, { mode: mode & (mayKeepSetgid ? 0o7777 : 0o7777 & ~SETGID) })
  }

  #chown(ino: Ino, { uid, gid }: Owner): void {
    const writable = this.#mustWrite()
    const stat = this.#fs.stat(ino)
    const mayGive =
      this.#credentials.uid === 0 ||
      (stat.uid === this.#credentials.uid &&
        (uid === null || uid === stat.uid) &&
        (gid === null || gid === stat.gid || this.#isMember(gid)))
    if (!mayGive) throw new ErrnoError('EPERM')
    const dropped = stat.type !== 'file' ? 0 : SETUID | ((stat.mode & 0o010) === 0 ? 0 : SETGID)
    writable.setAttributes(ino, {
      ...(uid === null ? {} : { uid }),
      ...(gid === null ? {} : { gid }),
      ...((stat.mode & dropped) === 0 ? {} : { mode: stat.mode & ~dropped }),
    })
  }

  #isMember(gid: number): boolean {
    return this.#credentials.gid === gid || this.#credentials.additionalGids.includes(gid)
  }

  #change(ino: Ino, change: AttributeChange): void {
    const writable = this.#mustWrite()
    if (this.#credentials.uid !== 0 && this.#credentials.uid !== this.#fs.stat(ino).uid) throw new ErrnoError('EPERM')
    writable.setAttributes(ino, change)
  }
}

/** New owners; null for one that stays. */
export interface Owner {
  readonly uid: number | null
  readonly gid: number | null
}

/** New times. */
export type Times = Required<Pick<AttributeChange, 'atimeNs' | 'mtimeNs'>>

/** What is in the tree itself when it is written to: a device or a FIFO leads elsewhere, also out of a tree that is only read. */
const WRITTEN: ReadonlySet<FileType> = new Set(['file', 'directory', 'symlink'])

function endsInSlash(path: ByteString): boolean {
  return path.length > 1 && path.endsWith('/')
}

/** What rmdir(2) says of a path that ends in no name. */
function nameless(path: ByteString): 'EBUSY' | 'ENOTEMPTY' | 'EINVAL' {
  const last = withoutSlash(path)
  if (last === '/') return 'EBUSY'
  return /(^|\/)\.\.$/.test(last) ? 'ENOTEMPTY' : 'EINVAL'
}

/** The root is left as it is. */
function withoutSlash(path: ByteString): ByteString {
  return path.replace(/(?<=.)\/+$/, '')
}

function isWritable(fs: ReadonlyFileSystem): fs is FileSystem {
  return 'create' in fs && 'setAttributes' in fs
}

function hasUsage(fs: ReadonlyFileSystem): fs is ReadonlyFileSystem & { readonly usage: Usage } {
  return 'usage' in fs
}
