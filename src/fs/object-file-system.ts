/**
 * An object that looks like `node:fs`, a memfs Volume for one, as a file tree.
 *
 * It has paths where we have inodes, so each inode that was seen keeps its parent and the name it was last seen under, and is looked at
 * once more before anything is done to it: whoever owns the object changes it under our hands. A path is made of names that were checked
 * one by one, so none leads up or through a slash. Open files are the object's own descriptors and live on without a name.
 */
import { ERRNO, ErrnoError, type ErrnoName } from './errno.js'
import {
  type AttributeChange,
  type ByteString,
  type DirectoryEntry,
  type FileSystem,
  type FileType,
  type Ino,
  MAXIMUM_FILE_BYTES,
  MAXIMUM_PATH_BYTES,
  type NewInode,
  type Stat,
} from './file-system.js'
import { fromUtf8, toBytes } from './names.js'
import type { NodeFsLike, NodeFsStats } from './node-fs-like.js'
import { type DiskLimits, Quota } from './quota.js'

/** Options of {@link ObjectFileSystem}. */
export interface ObjectFileSystemOptions {
  /** Directory of the object that is the tree's root: an absolute path, `/` unless said. */
  readonly root?: string
  /** Whom everything belongs to: such an object's owners are those of its process, and say nothing inside. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** What may come to what the object holds: file sizes and symlink targets; names. What is removed is given back. */
  readonly limits?: DiskLimits
  /** Files held open at once; one more is EMFILE. */
  readonly openFiles?: number
}

interface Place {
  readonly parent: Node
  readonly name: string
}

interface Node {
  readonly ino: Ino
  readonly key: string
  /** Names it was seen under, the last one last; of the root none. */
  places: Place[]
  retained: number
  /** Of a file that is retained. */
  descriptor: number | null
  /** What it was when its last name went; it is still open then. */
  gone: Stat | null
  /** The most it has held since its contents were last written anew. */
  peakBytes: number
}

type Found = { readonly node: Node; readonly path: string; readonly stats: NodeFsStats; readonly type: FileType }

const LONGEST_NAME = 255
/** Names that are remembered of a file with many. */
const PLACES = 64
/** `st_mode & S_IFMT` (stat(2)), in units of 0o10000. */
const TYPES: readonly (FileType | undefined)[] = [
  undefined,
  'fifo',
  'character-device',
  undefined,
  'directory',
  undefined,
  'block-device',
  undefined,
  'file',
  undefined,
  'symlink',
  undefined,
  'socket',
]
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A Node-fs-like object as a file tree. Names that are not UTF-8 are EILSEQ; names of the object's that are no bytes of Linux's are not shown. */
export class ObjectFileSystem implements FileSystem {
  readonly root: Ino = 1
  readonly #object: NodeFsLike
  readonly #rootPath: string
  readonly #owner: { readonly uid: number; readonly gid: number }
  readonly #quota: Quota
  readonly #openFiles: number
  readonly #nodes = new Map<Ino, Node>()
  readonly #byKey = new Map<string, Node>()
  #opened = 0
  #nextIno = 1

  /** Throws ENOENT or ENOTDIR when the root is no directory of the object. */
  constructor(object: NodeFsLike, { root = '/', owner = { uid: 0, gid: 0 }, limits = {}, openFiles = 1024 }: ObjectFileSystemOptions = {}) {
    this.#object = object
    this.#rootPath = root.replace(/\/+$/, '')
    this.#owner = owner
    this.#quota = new Quota({ diskBytes: 0, inodes: 0 }, limits)
    this.#openFiles = openFiles
    const stats = asErrno(() => object.lstatSync(this.#rootPath === '' ? '/' : this.#rootPath))
    if (typeOf(stats) !== 'directory') throw new ErrnoError('ENOTDIR', root)
    this.#node(stats)
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    const { node, path } = this.#directory(directory)
    if (node.gone !== null) return undefined
    const text = textOf(name)
    const stats = this.#lookAt(below(path, text))
    return stats === undefined ? undefined : this.#node(stats, { parent: node, name: text }).ino
  }

  stat(ino: Ino): Stat {
    const node = this.#get(ino)
    if (node.gone !== null && node.descriptor === null) return node.gone
    const { path, stats, type } = this.#find(node)
    return this.#statOf(node, path, stats, type)
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    const { node, path } = this.#directory(directory)
    if (node.gone !== null) return []
    return this.#with(path, true, () => this.#object.readdirSync(path)).flatMap((each): DirectoryEntry[] => {
      const text = String(each)
      const name = fromUtf8(text)
      if (!isShown(text, name)) return []
      const stats = this.#lookAt(below(path, text))
      // Gone since it was listed.
      if (stats === undefined) return []
      return [{ name, ino: this.#node(stats, { parent: node, name: text }).ino, type: typeOf(stats) }]
    })
  }

  readlink(ino: Ino): ByteString {
    const { path, type } = this.#find(this.#get(ino))
    if (type !== 'symlink') throw new ErrnoError('EINVAL')
    return this.#target(path)
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    return this.#withFile(ino, 'r', (descriptor) => {
      let total = 0
      while (total < buffer.length) {
        const count = this.#object.readSync(descriptor, buffer, total, buffer.length - total, position + total)
        if (count === 0) break
        total += count
      }
      return total
    })
  }

  xattrs(): ReadonlyMap<ByteString, Uint8Array> {
    return new Map()
  }

  create(directory: Ino, name: ByteString, { type, mode, target }: NewInode): Ino {
    const { node, path: folder } = this.#place(directory, name)
    const text = textOf(name)
    const path = below(folder, text)
    if (type !== 'file' && type !== 'directory' && type !== 'symlink')
      throw new ErrnoError('EPERM', `a ${type} in a file system of the host's`)
    if (type === 'symlink' && !target) throw new ErrnoError('ENOENT')
    if (this.#lookAt(path) !== undefined) throw new ErrnoError('EEXIST')
    const leads = type === 'symlink' ? decoded(target ?? '') : ''
    const bytes = type === 'symlink' ? (target ?? '').length : 0
    this.#quota.takeInode(bytes)
    try {
      this.#with(path, false, () => {
        if (type === 'directory') this.#object.mkdirSync(path, { mode })
        else if (type === 'symlink') this.#object.symlinkSync(leads, path)
        else this.#object.closeSync(this.#object.openSync(path, 'wx', mode))
      })
    } catch (error) {
      this.#giveBack(bytes)
      throw error
    }
    const stats = this.#lookAt(path)
    if (stats === undefined) throw new ErrnoError('EIO', 'what was made is not there')
    return this.#node(stats, { parent: node, name: text }).ino
  }

  setAttributes(ino: Ino, { mode, uid, gid, size, atimeNs, mtimeNs }: AttributeChange): void {
    const node = this.#get(ino)
    const { path, stats, type } = this.#find(node)
    if ((uid !== undefined && uid !== this.#owner.uid) || (gid !== undefined && gid !== this.#owner.gid))
      throw new ErrnoError('EPERM', 'owners are not kept')
    if (size !== undefined && type !== 'file') throw new ErrnoError('EINVAL')
    if (size !== undefined) this.#resize(node, Number(stats.size), size)
    // Without a name there is nothing to say it by; of a symlink these calls would be its target's.
    if (node.gone !== null || type === 'symlink') return
    if (mode !== undefined) this.#with(path, false, () => this.#object.chmodSync(path, mode))
    if (atimeNs === undefined && mtimeNs === undefined) return
    const times = [seconds(atimeNs ?? nanoseconds(stats.atimeMs)), seconds(mtimeNs ?? nanoseconds(stats.mtimeMs))] as const
    this.#with(path, false, () => this.#object.utimesSync(path, ...times))
  }

  setXattr(): void {
    throw new ErrnoError('ENOTSUP')
  }

  removeXattr(): void {
    throw new ErrnoError('ENOTSUP')
  }

  write(ino: Ino, buffer: Uint8Array, position: number): number {
    const node = this.#get(ino)
    const { stats, type } = this.#find(node)
    if (type === 'directory') throw new ErrnoError('EISDIR')
    const end = position + buffer.length
    if (end > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
    const growth = buffer.length === 0 ? 0 : Math.max(0, end - Number(stats.size))
    this.#quota.takeBytes(growth)
    try {
      this.#withFile(ino, 'r+', (descriptor) => {
        let total = 0
        while (total < buffer.length) {
          const count = this.#object.writeSync(descriptor, buffer, total, buffer.length - total, position + total)
          if (!(count > 0)) throw new ErrnoError('EIO')
          total += count
        }
      })
    } catch (error) {
      this.#quota.takeBytes(-growth)
      throw error
    }
    node.peakBytes = Math.max(node.peakBytes, end)
    return buffer.length
  }

  link(ino: Ino, directory: Ino, name: ByteString): void {
    const node = this.#get(ino)
    if (node.gone !== null) throw new ErrnoError('ENOENT')
    const { path: folder } = this.#place(directory, name)
    const { path, type } = this.#find(node)
    const to = below(folder, textOf(name))
    if (this.#lookAt(to) !== undefined) throw new ErrnoError('EEXIST')
    // Of a symlink such an object links the target.
    if (type !== 'file') throw new ErrnoError('EPERM')
    this.#quota.takeInode(0)
    try {
      this.#with(path, false, () => this.#with(to, false, () => this.#object.linkSync(path, to)))
    } catch (error) {
      this.#giveBack(0)
      throw error
    }
  }

  unlink(directory: Ino, name: ByteString): void {
    const { node, path, stats, type } = this.#entry(directory, name)
    if (type === 'directory') throw new ErrnoError('EISDIR')
    const last = this.#whenRemoved(node, path, stats, type)
    this.#with(path, false, () => this.#object.unlinkSync(path))
    last()
  }

  rmdir(directory: Ino, name: ByteString): void {
    const { node, path, stats, type } = this.#entry(directory, name)
    if (type !== 'directory') throw new ErrnoError('ENOTDIR')
    this.#assertEmpty(path)
    const last = this.#whenRemoved(node, path, stats, type)
    this.#with(path, false, () => this.#object.rmdirSync(path))
    last()
  }

  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void {
    const moved = this.#entry(from, fromName)
    const { node: folder, path: folderPath } = this.#place(to, toName)
    const path = below(folderPath, textOf(toName))
    if (moved.type === 'directory') this.#assertMovable(moved, folder, path)
    const stats = this.#lookAt(path)
    if (stats !== undefined) {
      const node = this.#node(stats, { parent: folder, name: textOf(toName) })
      if (node === moved.node) return
      const type = typeOf(stats)
      if (type === 'directory' && moved.type !== 'directory') throw new ErrnoError('EISDIR')
      if (type !== 'directory' && moved.type === 'directory') throw new ErrnoError('ENOTDIR')
      if (type === 'directory') this.#assertEmpty(path)
      const last = this.#whenRemoved(node, path, stats, type)
      // memfs does not count the other names of what a rename replaces.
      if (type !== 'directory' && Number(stats.nlink) > 1) this.#with(path, false, () => this.#object.unlinkSync(path))
      this.#move(moved.path, path)
      last()
    } else this.#move(moved.path, path)
    moved.node.places.pop()
    moved.node.places.push({ parent: folder, name: textOf(toName) })
  }

  retain(ino: Ino): void {
    const node = this.#get(ino)
    if (node.retained === 0) {
      if (this.#opened >= this.#openFiles) throw new ErrnoError('EMFILE')
      const { path, type } = this.#find(node)
      if (type === 'file') node.descriptor = this.#with(path, true, () => this.#object.openSync(path, 'r+'))
      this.#opened++
    }
    node.retained++
  }

  release(ino: Ino): void {
    const node = this.#get(ino)
    if (node.retained === 0) throw new ErrnoError('EBADF', 'released more often than retained')
    if (--node.retained > 0) return
    this.#opened--
    const { descriptor } = node
    if (node.gone !== null) {
      this.#nodes.delete(ino)
      this.#quota.takeBytes(-(descriptor === null ? 0 : Number(asErrno(() => this.#object.fstatSync(descriptor)).size)))
    }
    node.descriptor = null
    if (descriptor !== null) asErrno(() => this.#object.closeSync(descriptor))
  }

  /** Closes what is still held open. */
  close(): void {
    for (const node of this.#nodes.values()) {
      const { descriptor } = node
      node.descriptor = null
      node.retained = 0
      if (descriptor !== null) asErrno(() => this.#object.closeSync(descriptor))
    }
    this.#opened = 0
  }

  #get(ino: Ino): Node {
    const node = this.#nodes.get(ino)
    if (node === undefined) throw new ErrnoError('ENOENT', `no inode ${ino}`)
    return node
  }

  #node(stats: NodeFsStats, place?: Place): Node {
    const key = String(stats.ino)
    const known = this.#byKey.get(key)
    if (known !== undefined && this.#isAlive(known)) {
      if (known.ino !== this.root && place !== undefined) remember(known, place, typeOf(stats))
      return known
    }
    const peakBytes = Number(stats.size)
    const places = place === undefined ? [] : [place]
    const node: Node = { ino: this.#nextIno++, key, places, retained: 0, descriptor: null, gone: null, peakBytes }
    this.#nodes.set(node.ino, node)
    this.#byKey.set(key, node)
    return node
  }

  /** One that the object's owner removed while it was open may have lent its number to another file. */
  #isAlive({ descriptor }: Node): boolean {
    return descriptor === null || Number(asErrno(() => this.#object.fstatSync(descriptor)).nlink) > 0
  }

  #pathOf(node: Node): string {
    const names: string[] = []
    for (let place = node.places.at(-1); place !== undefined; place = place.parent.places.at(-1)) {
      names.push(place.name)
      // Whoever owns the object can move a directory below what was found in it.
      if (names.length > MAXIMUM_PATH_BYTES) throw new ErrnoError('ENOENT')
    }
    if (names.length === 0) return this.#rootPath === '' ? '/' : this.#rootPath
    return `${this.#rootPath}/${names.reverse().join('/')}`
  }

  #find(node: Node): Found {
    const { descriptor } = node
    if (descriptor !== null) {
      const stats = asErrno(() => this.#object.fstatSync(descriptor))
      return { node, path: this.#pathOf(node), stats, type: 'file' }
    }
    for (;;) {
      const path = this.#pathOf(node)
      const stats = this.#lookAt(path)
      if (stats !== undefined && String(stats.ino) === node.key) return { node, path, stats, type: typeOf(stats) }
      if (node.places.length < 2) break
      node.places.pop()
    }
    if (node.ino !== this.root && node.retained === 0) this.#forget(node)
    throw new ErrnoError('ENOENT', 'gone, or replaced by somebody else')
  }

  #directory(ino: Ino): { readonly node: Node; readonly path: string } {
    const node = this.#get(ino)
    if (node.gone?.type === 'directory') return { node, path: '' }
    const { path, type } = this.#find(node)
    if (type !== 'directory') throw new ErrnoError('ENOTDIR')
    return { node, path }
  }

  /** A directory that is to have one more name. */
  #place(directory: Ino, name: ByteString): { readonly node: Node; readonly path: string } {
    const place = this.#directory(directory)
    if (place.node.gone !== null) throw new ErrnoError('ENOENT')
    if (name.length > LONGEST_NAME) throw new ErrnoError('ENAMETOOLONG')
    if (lengthBelow(place.path, this.#rootPath) + 1 + name.length > MAXIMUM_PATH_BYTES) throw new ErrnoError('ENAMETOOLONG')
    return place
  }

  #entry(directory: Ino, name: ByteString): Found {
    const ino = this.lookup(directory, name)
    if (ino === undefined) throw new ErrnoError('ENOENT')
    // By this name: it may have others.
    const node = this.#get(ino)
    const path = this.#pathOf(node)
    const stats = this.#lookAt(path)
    if (stats === undefined) throw new ErrnoError('ENOENT')
    return { node, path, stats, type: typeOf(stats) }
  }

  #lookAt(path: string): NodeFsStats | undefined {
    try {
      return this.#with(path, false, () => this.#object.lstatSync(path))
    } catch (error) {
      if (error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
      throw error
    }
  }

  #statOf(node: Node, path: string, stats: NodeFsStats, type: FileType): Stat {
    return {
      ino: node.ino,
      type,
      mode: Number(stats.mode) & 0o7777,
      ...this.#owner,
      linkCount: node.gone === null ? Number(stats.nlink) : 0,
      size: type === 'symlink' ? this.#target(path).length : type === 'file' ? Number(stats.size) : 0,
      // A device is never more than a name here.
      device: null,
      atimeNs: nanoseconds(stats.atimeMs),
      mtimeNs: nanoseconds(stats.mtimeMs),
      ctimeNs: nanoseconds(stats.ctimeMs),
    }
  }

  #target(path: string): ByteString {
    return fromUtf8(String(this.#with(path, false, () => this.#object.readlinkSync(path))))
  }

  /** What is to be done once the name at this path is gone. */
  #whenRemoved(node: Node, path: string, stats: NodeFsStats, type: FileType): () => void {
    const stat = this.#statOf(node, path, stats, type)
    const isLast = type === 'directory' || stat.linkCount <= 1
    return () => {
      this.#quota.giveInodes(1)
      if (!isLast) return
      this.#byKey.delete(node.key)
      if (node.retained > 0) {
        node.gone = { ...stat, linkCount: 0 }
        return
      }
      this.#nodes.delete(node.ino)
      this.#quota.takeBytes(-stat.size)
    }
  }

  #forget(node: Node): void {
    this.#nodes.delete(node.ino)
    if (this.#byKey.get(node.key) === node) this.#byKey.delete(node.key)
  }

  #assertEmpty(path: string): void {
    if (this.#with(path, true, () => this.#object.readdirSync(path)).length > 0) throw new ErrnoError('ENOTEMPTY')
  }

  /** Not below itself, and nothing in it with too long a path afterwards: whoever owns the object walks down it too. */
  #assertMovable({ node, path }: Found, folder: Node, to: string): void {
    for (let each: Node | undefined = folder; each !== undefined; each = each.places.at(-1)?.parent)
      if (each === node) throw new ErrnoError('EINVAL')
    const growth = byteLength(to) - byteLength(path)
    if (growth > 0 && this.#longestPath(path) + growth > MAXIMUM_PATH_BYTES) throw new ErrnoError('ENAMETOOLONG')
  }

  #longestPath(path: string): number {
    let longest = 0
    const pending = [path]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const at = next
      longest = Math.max(longest, lengthBelow(at, this.#rootPath))
      const stats = this.#lookAt(at)
      if (stats === undefined || typeOf(stats) !== 'directory') continue
      for (const name of this.#with(at, true, () => this.#object.readdirSync(at))) pending.push(below(at, String(name)))
    }
    return longest
  }

  #move(from: string, to: string): void {
    this.#with(from, false, () => this.#with(to, false, () => this.#object.renameSync(from, to)))
  }

  #resize(node: Node, before: number, size: number): void {
    if (size > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
    this.#quota.takeBytes(Math.max(0, size - before))
    try {
      this.#withFile(node.ino, 'r+', (descriptor) => {
        // memfs keeps the memory of what is cut off, which nobody counts: what is left of much is written anew.
        if (size < node.peakBytes / 2) this.#rewrite(descriptor, Math.min(size, before))
        else this.#object.ftruncateSync(descriptor, size)
        if (size > before) this.#object.ftruncateSync(descriptor, size)
      })
    } catch (error) {
      this.#quota.takeBytes(-Math.max(0, size - before))
      throw error
    }
    node.peakBytes = size < node.peakBytes / 2 ? size : Math.max(node.peakBytes, size)
    if (size < before) this.#quota.takeBytes(size - before)
  }

  #rewrite(descriptor: number, size: number): void {
    const rest = new Uint8Array(size)
    for (let at = 0, count = 1; at < size && count > 0; at += count) count = this.#object.readSync(descriptor, rest, at, size - at, at)
    this.#object.ftruncateSync(descriptor, 0)
    for (let at = 0, count = 1; at < size && count > 0; at += count) count = this.#object.writeSync(descriptor, rest, at, size - at, at)
  }

  #withFile<Result>(ino: Ino, flags: 'r' | 'r+', use: (descriptor: number) => Result): Result {
    const { node, path, type } = this.#find(this.#get(ino))
    if (type === 'directory') throw new ErrnoError('EISDIR')
    if (type !== 'file') throw new ErrnoError('EINVAL')
    if (node.descriptor !== null) {
      const { descriptor } = node
      return asErrno(() => use(descriptor))
    }
    const descriptor = this.#with(path, true, () => this.#object.openSync(path, flags))
    try {
      return asErrno(() => use(descriptor))
    } finally {
      asErrno(() => this.#object.closeSync(descriptor))
    }
  }

  #giveBack(bytes: number): void {
    this.#quota.giveInodes(1)
    this.#quota.takeBytes(-bytes)
  }

  /**
   * Permission bits are judged by the caller of a file tree. memfs judges them too, even for whoever owns the file or is root: what stands in
   * the way is set aside for the one call.
   */
  #with<Result>(path: string, itself: boolean, call: () => Result): Result {
    try {
      return call()
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EACCES') throw translated(error)
    }
    const opened: { readonly path: string; readonly mode: number }[] = []
    try {
      return asErrno(() => {
        for (const each of waysTo(path, this.#rootPath, itself)) {
          const mode = Number(this.#object.lstatSync(each).mode) & 0o7777
          if ((mode & 0o700) === 0o700) continue
          this.#object.chmodSync(each, mode | 0o700)
          opened.push({ path: each, mode })
        }
        return call()
      })
    } finally {
      for (const { path, mode } of opened.reverse()) this.#object.chmodSync(path, mode)
    }
  }
}

/** A directory has one name. */
function remember(node: Node, { parent, name }: Place, type: FileType): void {
  const last = node.places.at(-1)
  if (last?.parent === parent && last.name === name) return
  if (type === 'directory') node.places = []
  node.places = node.places.filter((place) => place.parent !== parent || place.name !== name).slice(1 - PLACES)
  node.places.push({ parent, name })
}

function below(path: string, name: string): string {
  return path.endsWith('/') ? path + name : `${path}/${name}`
}

/** The root and each directory on the way, from above, and the end of it if asked for. */
function waysTo(path: string, root: string, itself: boolean): string[] {
  const names = path
    .slice(root.length)
    .split('/')
    .filter((name) => name !== '')
  const ways = [root === '' ? '/' : root]
  for (const name of itself ? names : names.slice(0, -1)) ways.push(below(ways[ways.length - 1] ?? '/', name))
  return ways
}

function lengthBelow(path: string, root: string): number {
  return Math.max(0, byteLength(path) - byteLength(root) - 1)
}

function byteLength(text: string): number {
  return fromUtf8(text).length
}

/** A name as the object has it. */
function textOf(name: ByteString): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) throw new ErrnoError('EINVAL')
  return decoded(name)
}

function decoded(bytes: ByteString): string {
  try {
    return decoder.decode(toBytes(bytes))
  } catch {
    throw new ErrnoError('EILSEQ', 'a file system of the host takes UTF-8')
  }
}

/** Lone surrogates have no bytes, and a name of Linux's has no slash and 255 bytes at most. */
function isShown(text: string, name: ByteString): boolean {
  if (text === '' || text === '.' || text === '..' || /[/\0]/.test(text) || name.length > LONGEST_NAME) return false
  return decoder.decode(toBytes(name)) === text
}

function typeOf({ mode }: NodeFsStats): FileType {
  return TYPES[(Number(mode) >> 12) & 0o17] ?? 'file'
}

function nanoseconds(milliseconds: number | bigint): bigint {
  if (typeof milliseconds === 'bigint') return milliseconds * 1_000_000n
  const whole = Math.floor(milliseconds)
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((milliseconds - whole) * 1e6))
}

/** A little above, since a Date is cut off to milliseconds. */
function seconds(time: bigint): number {
  return (Number(time / 1000n) + 0.4) / 1e6
}

function asErrno<Result>(call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    throw translated(error)
  }
}

/** Whatever the object throws: a guest is told an errno. */
function translated(error: unknown): ErrnoError {
  if (error instanceof ErrnoError) return error
  const code = String((error as { code?: unknown } | null)?.code)
  if (code in ERRNO) return new ErrnoError(code as ErrnoName)
  return new ErrnoError(error instanceof RangeError ? 'ENOSPC' : 'EIO', String(error))
}
