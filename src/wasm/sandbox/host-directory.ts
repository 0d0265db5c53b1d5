/**
 * A directory of the host as a file tree, for bind mounts.
 *
 * The host's tree changes under our hands and may be full of traps, so nothing is ever named by a path: an inode is an O_PATH
 * descriptor, and what lies in it is `/proc/self/fd/N/name`, one name at a time. The kernel follows no symlink for us; those are
 * read and walked by `fs/resolve`, inside the guest's tree. Only regular files are opened for their contents.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { ERRNO, ErrnoError, type ErrnoName } from '../../fs/errno.js'
import {
  type AttributeChange,
  type ByteString,
  type DirectoryEntry,
  type FileSystem,
  type FileType,
  type Ino,
  MAXIMUM_FILE_BYTES,
  type NewInode,
  type Stat,
} from '../../fs/file-system.js'
import { fromBytes } from '../../fs/names.js'

/** O_PATH has no name in Node; the number is the same on x86-64 and aarch64. */
const O_PATH = 0o10000000
/** Descriptors kept open for inodes that nothing holds. */
const IDLE_DESCRIPTORS = 256

/** An inode that has been seen: how to reach it again, and what is open for it. */
interface Node {
  readonly ino: Ino
  readonly key: string
  parent: Ino
  name: ByteString
  /** O_PATH descriptor, -1 when it has been closed to save descriptors. */
  handle: number
  reader: number
  writer: number
  retained: number
}

/** An O_PATH descriptor, found one name at a time. */
function openWithoutLinks(path: string): number {
  let reached = openSync('/', O_PATH)
  for (const name of path.split('/').filter((part) => part !== '')) {
    const from = reached
    try {
      reached = openSync(`/proc/self/fd/${from}/${name}`, O_PATH | constants.O_NOFOLLOW)
    } finally {
      closeSync(from)
    }
  }
  return reached
}

type BigStat = ReturnType<typeof lstat>

/** The tree below a directory, or a single file. Closed with the process, unless sooner. */
export class HostDirectory implements FileSystem {
  readonly root: Ino = 1
  readonly #nodes = new Map<Ino, Node>()
  readonly #inos = new Map<string, Ino>()
  /** Nodes with an open handle that nothing retains, longest unused first. */
  readonly #idle = new Set<Node>()
  /** Nodes whose names are being opened, each in the next. */
  readonly #reached = new Set<Node>()
  #nextIno = 1

  /** `source` is an absolute path of this process's own, given by whoever started it, without a symlink in it: none is followed. */
  constructor(source: string) {
    const handle = asErrno(() => openWithoutLinks(source))
    const root = this.#node(keyOf(fstat(handle)), 0, '')
    root.handle = handle
    root.retained = 1
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    const path = this.#pathOf(directory, name)
    try {
      return this.#node(keyOf(lstat(path)), directory, name).ino
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw translated(error)
    }
  }

  stat(ino: Ino): Stat {
    const stat = asErrno(() => fstat(this.#handle(this.#get(ino))))
    return {
      ino,
      type: typeOf(stat),
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      linkCount: Number(stat.nlink),
      size: Number(stat.size),
      // A device of the host's is never more than a name here.
      device: null,
      atimeNs: stat.atimeNs,
      mtimeNs: stat.mtimeNs,
      ctimeNs: stat.ctimeNs,
    }
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    const names = asErrno(() => readdirSync(this.#self(directory), { encoding: 'buffer' }))
    return names.flatMap((bytes) => {
      const name = fromBytes(bytes)
      try {
        const stat = lstat(this.#pathOf(directory, name))
        return { name, ino: this.#node(keyOf(stat), directory, name).ino, type: typeOf(stat) }
      } catch (error) {
        // Gone since it was listed.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw translated(error)
      }
    })
  }

  readlink(ino: Ino): ByteString {
    const { parent, name } = this.#get(ino)
    return fromBytes(asErrno(() => readlinkSync(this.#pathOf(parent, name), { encoding: 'buffer' })))
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    return this.#withFile(ino, 'reader', constants.O_RDONLY, (descriptor) => {
      let total = 0
      while (total < buffer.length) {
        const count = readSync(descriptor, buffer, total, buffer.length - total, position + total)
        if (count === 0) break
        total += count
      }
      return total
    })
  }

  xattrs(): ReadonlyMap<ByteString, Uint8Array> {
    // Node cannot ask for them, and preview1 cannot show them.
    return new Map()
  }

  create(directory: Ino, name: ByteString, inode: NewInode): Ino {
    const path = this.#pathOf(directory, name)
    asErrno(() => {
      if (inode.type === 'directory') mkdirSync(path, inode.mode)
      else if (inode.type === 'symlink') symlinkSync(Buffer.from(inode.target ?? '', 'latin1'), path)
      else if (inode.type === 'file')
        closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, inode.mode))
      else throw new ErrnoError('EPERM', `a ${inode.type} in a bind mount`)
    })
    const ino = this.lookup(directory, name)
    if (ino === undefined) throw new ErrnoError('ENOENT', 'removed by somebody else')
    return ino
  }

  setAttributes(ino: Ino, change: AttributeChange): void {
    const node = this.#get(ino)
    const { type, atimeNs, mtimeNs } = this.stat(ino)
    if (change.size !== undefined && type !== 'file') throw new ErrnoError('EINVAL')
    asErrno(() => {
      if (change.size !== undefined && change.size > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
      if (change.size !== undefined) truncateSync(this.#self(ino), change.size)
      if (change.mode !== undefined) chmodSync(this.#self(ino), change.mode)
      if (change.atimeNs === undefined && change.mtimeNs === undefined) return
      const times = [seconds(change.atimeNs ?? atimeNs), seconds(change.mtimeNs ?? mtimeNs)] as const
      if (type === 'symlink') lutimesSync(this.#pathOf(node.parent, node.name), ...times)
      else utimesSync(this.#self(ino), ...times)
    })
  }

  setXattr(): void {
    throw new ErrnoError('ENOTSUP')
  }

  removeXattr(): void {
    throw new ErrnoError('ENOTSUP')
  }

  write(ino: Ino, buffer: Uint8Array, position: number): number {
    // Beyond it the kernel would kill this process (RLIMIT_FSIZE).
    if (position + buffer.length > MAXIMUM_FILE_BYTES) throw new ErrnoError('EFBIG')
    return this.#withFile(ino, 'writer', constants.O_WRONLY, (descriptor) => {
      let total = 0
      while (total < buffer.length) total += writeSync(descriptor, buffer, total, buffer.length - total, position + total)
      return total
    })
  }

  link(ino: Ino, directory: Ino, name: ByteString): void {
    const node = this.#get(ino)
    asErrno(() => linkSync(this.#pathOf(node.parent, node.name), this.#pathOf(directory, name)))
  }

  unlink(directory: Ino, name: ByteString): void {
    const ino = this.lookup(directory, name)
    asErrno(() => unlinkSync(this.#pathOf(directory, name)))
    if (ino !== undefined) this.#forgetRemoved(ino)
  }

  rmdir(directory: Ino, name: ByteString): void {
    const ino = this.lookup(directory, name)
    asErrno(() => rmdirSync(this.#pathOf(directory, name)))
    if (ino !== undefined) this.#forgetRemoved(ino)
  }

  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void {
    const moved = this.lookup(from, fromName)
    const replaced = this.lookup(to, toName)
    asErrno(() => renameSync(this.#pathOf(from, fromName), this.#pathOf(to, toName)))
    const node = moved === undefined ? undefined : this.#nodes.get(moved)
    if (node !== undefined && replaced !== moved) {
      node.parent = to
      node.name = toName
    }
    if (replaced !== undefined && replaced !== moved) this.#forgetRemoved(replaced)
  }

  retain(ino: Ino): void {
    const node = this.#get(ino)
    this.#handle(node)
    node.retained++
    this.#idle.delete(node)
  }

  release(ino: Ino): void {
    const node = this.#get(ino)
    if (node.retained === 0) throw new ErrnoError('EBADF', 'released more often than retained')
    if (--node.retained > 0) return
    for (const open of ['reader', 'writer'] as const) {
      if (node[open] >= 0) closeSync(node[open])
      node[open] = -1
    }
    if (fstat(node.handle).nlink === 0n) this.#forget(node)
    else this.#touch(node)
  }

  /** Gives all descriptors back. The tree is not to be used any more. */
  close(): void {
    for (const node of this.#nodes.values())
      for (const descriptor of [node.handle, node.reader, node.writer]) if (descriptor >= 0) closeSync(descriptor)
    this.#nodes.clear()
  }

  #get(ino: Ino): Node {
    const node = this.#nodes.get(ino)
    if (node === undefined) throw new ErrnoError('ENOENT', `no inode ${ino}`)
    return node
  }

  #node(key: string, parent: Ino, name: ByteString): Node {
    const known = this.#nodes.get(this.#inos.get(key) ?? 0)
    if (known !== undefined) {
      // Seen by another of its names, or moved on the host: the name that was seen last is the one to reach it by.
      if (known.ino !== this.root) Object.assign(known, { parent, name })
      return known
    }
    const node: Node = { ino: this.#nextIno++, key, parent, name, handle: -1, reader: -1, writer: -1, retained: 0 }
    this.#nodes.set(node.ino, node)
    this.#inos.set(key, node.ino)
    return node
  }

  /** An O_PATH descriptor of the inode, opened again by its last known name when it has none. */
  #handle(node: Node): number {
    if (node.handle < 0) {
      // Each was seen in the other, since somebody moved them between two looks.
      if (this.#reached.has(node)) throw new ErrnoError('ENOENT', 'moved by somebody else')
      this.#reached.add(node)
      let handle: number
      try {
        handle = asErrno(() => openSync(this.#pathOf(node.parent, node.name), O_PATH | constants.O_NOFOLLOW))
      } finally {
        this.#reached.delete(node)
      }
      if (keyOf(fstat(handle)) !== node.key) {
        closeSync(handle)
        throw new ErrnoError('ENOENT', 'replaced by somebody else')
      }
      node.handle = handle
    }
    if (node.retained === 0) this.#touch(node)
    return node.handle
  }

  #touch(node: Node): void {
    this.#idle.delete(node)
    this.#idle.add(node)
    if (this.#idle.size <= IDLE_DESCRIPTORS) return
    for (const oldest of this.#idle) {
      this.#idle.delete(oldest)
      closeSync(oldest.handle)
      oldest.handle = -1
      return
    }
  }

  #forgetRemoved(ino: Ino): void {
    const node = this.#nodes.get(ino)
    if (node === undefined || node.retained > 0) return
    if (node.handle < 0 || fstat(node.handle).nlink === 0n) this.#forget(node)
  }

  #forget(node: Node): void {
    if (node.handle >= 0) closeSync(node.handle)
    this.#idle.delete(node)
    this.#nodes.delete(node.ino)
    this.#inos.delete(node.key)
  }

  /** The inode itself, as the kernel's link to an open descriptor. */
  #self(ino: Ino): string {
    return `/proc/self/fd/${this.#handle(this.#get(ino))}`
  }

  #pathOf(directory: Ino, name: ByteString): Buffer {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) throw new ErrnoError('EINVAL')
    return Buffer.from(`${this.#self(directory)}/${name}`, 'latin1')
  }

  #withFile(ino: Ino, which: 'reader' | 'writer', flags: number, use: (descriptor: number) => number): number {
    const node = this.#get(ino)
    const type = typeOf(asErrno(() => fstat(this.#handle(node))))
    if (type === 'directory') throw new ErrnoError('EISDIR')
    // Opening a FIFO would block, opening a device would do whatever it does.
    if (type !== 'file') throw new ErrnoError('EINVAL')
    return asErrno(() => {
      const descriptor = node[which] >= 0 ? node[which] : openSync(this.#self(ino), flags)
      if (node.retained > 0) node[which] = descriptor
      try {
        return use(descriptor)
      } finally {
        if (node.retained === 0) closeSync(descriptor)
      }
    })
  }
}

function fstat(descriptor: number) {
  return fstatSync(descriptor, { bigint: true })
}

function lstat(path: Buffer) {
  return lstatSync(path, { bigint: true })
}

function keyOf(stat: BigStat): string {
  return `${stat.dev}:${stat.ino}`
}

function typeOf(stat: BigStat): FileType {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isFIFO()) return 'fifo'
  if (stat.isSocket()) return 'socket'
  return stat.isBlockDevice() ? 'block-device' : 'character-device'
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9
}

function asErrno<Result>(call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    throw translated(error)
  }
}

function translated(error: unknown): unknown {
  if (error instanceof ErrnoError) return error
  const { code } = error as NodeJS.ErrnoException
  return code === undefined ? error : new ErrnoError(code in ERRNO ? (code as ErrnoName) : 'EIO', code)
}
