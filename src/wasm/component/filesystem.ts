/** `wasi:filesystem`: descriptors and paths, over the same operations as preview1's. */
import { READ } from '../../fs/access.js'
import { fromUtf8, toUtf8 } from '../../fs/names.js'
import type { Resolved } from '../../fs/resolve.js'
import { boundedTime, type ListedEntry, type Descriptor as Open, type TimeChange } from '../preview1/descriptor.js'
import { DirectoryDescriptor } from '../preview1/directory-descriptor.js'
import { WasiError } from '../preview1/errno.js'
import { FileDescriptor } from '../preview1/file-descriptor.js'
import { FDFLAGS, OFLAGS } from '../preview1/flags.js'
import { existing, type LastSymlink } from '../preview1/guest-tree.js'
import type { Filestat } from '../preview1/layouts.js'
import { openAt, preopenedDirectory } from '../preview1/path-open.js'
import { DIRECTORY_RIGHTS, FILE_RIGHTS, PREOPEN_INHERITING, RIGHTS } from '../preview1/rights.js'
import * as operations from '../preview1/tree-operations.js'
import { withErrorCode } from './error-code.js'
import type { Resource } from './resources.js'
import { InputStream, OutputStream, PIECE_BYTES, type Pollable, ReadyPollable, StreamError, writeWhole } from './streams.js'
import { bytesOf, datetime, filesize, lengthOf, nanosecondsOf, path as pathOf, record } from './values.js'
import type { Wasi, WasiFunction } from './wasi.js'

/** `descriptor-type` by preview1's `filetype`. */
const TYPES: readonly string[] = [
  'unknown',
  'block-device',
  'character-device',
  'directory',
  'regular-file',
  'socket',
  'socket',
  'symbolic-link',
]
/** Of the rights that opening asks for: these are what `read` and `write` mean. */
const READING = RIGHTS.fdRead | RIGHTS.fdReaddir
const WRITING = RIGHTS.fdWrite | RIGHTS.fdAllocate | RIGHTS.fdFilestatSetSize

/** Of `descriptor-flags`: all files are in memory, or written through by who holds them, so that these are only kept. */
const SYNCHRONOUS = { fileIntegritySync: FDFLAGS.sync, dataIntegritySync: FDFLAGS.dsync, requestedWriteSync: FDFLAGS.rsync }

/** How many are open, of how many there may be. */
interface OpenCount {
  open: number
  readonly maximum: number
}

/** Something open, as long as anyone uses it: its descriptor, and each stream of it. */
class SharedOpen {
  readonly open: Open
  readonly #count: OpenCount
  #users = 0

  constructor(open: Open, count: OpenCount) {
    this.open = open
    this.#count = count
    count.open++
  }

  use(): this {
    this.#users++
    return this
  }

  readonly release = (): void => {
    if (--this.#users > 0) return
    this.#count.open--
    this.open.close()
  }
}

class Descriptor implements Resource {
  readonly resource = 'Descriptor'
  readonly shared: SharedOpen
  readonly drop: () => void

  constructor(shared: SharedOpen) {
    this.shared = shared.use()
    this.drop = shared.release
  }

  get open(): Open {
    return this.shared.open
  }
}

class FileInput extends InputStream {
  readonly #open: Open
  #position: number
  override readonly drop: () => void

  constructor(shared: SharedOpen, position: number) {
    super()
    this.#open = shared.use().open
    this.#position = position
    this.drop = shared.release
  }

  read(length: number): Uint8Array | null {
    const buffer = new Uint8Array(length)
    const read = readAt(this.#open, buffer, this.#position)
    this.#position += read
    return read === 0 && length > 0 ? null : buffer.subarray(0, read)
  }

  pollable(): Pollable {
    return new ReadyPollable()
  }
}

class FileOutput extends OutputStream {
  readonly #open: Open
  /** Null appends. */
  #position: number | null
  override readonly drop: () => void

  constructor(shared: SharedOpen, position: number | null) {
    super()
    this.#open = shared.use().open
    this.#position = position
    this.drop = shared.release
  }

  write(bytes: Uint8Array): void {
    writeWhole(bytes, (rest) => {
      if (this.#position === null) return this.#open instanceof FileDescriptor ? this.#open.append([rest]) : this.#open.write([rest])
      const written = writeAt(this.#open, rest, this.#position)
      this.#position += written
      return written
    })
  }
}

class DirectoryEntryStream implements Resource {
  readonly resource = 'DirectoryEntryStream'
  readonly #directory: DirectoryDescriptor
  readonly #entries: Iterator<ListedEntry>
  readonly #count: OpenCount

  /** Lists at once, so that names which come or go meanwhile shift nothing. */
  constructor(directory: DirectoryDescriptor, count: OpenCount) {
    this.#directory = directory
    this.#entries = directory.listing(0)[Symbol.iterator]()
    this.#count = count
    count.open++
  }

  next(): ListedEntry | undefined {
    for (;;) {
      const { value, done } = this.#entries.next()
      if (done === true) return undefined
      if (value.name !== '.' && value.name !== '..') return value
    }
  }

  drop(): void {
    this.#count.open--
    this.#directory.close()
  }
}

/** Functions of `wasi:filesystem`. */
export function filesystemInterfaces(wasi: Wasi) {
  const { resources, tree, host } = wasi
  const count: OpenCount = { open: 0, maximum: wasi.openFiles }
  const preopened = wasi.preopens.map(({ name, handle }) => ({
    name,
    shared: new SharedOpen(preopenedDirectory(tree, handle, fromUtf8(name)), count).use(),
  }))

  const opened = (self: unknown) => resources.get(self, Descriptor).open
  const give = (open: Open) => resources.add(new Descriptor(new SharedOpen(open, count)))

  function checkRoom(): void {
    if (count.open >= count.maximum) throw new WasiError('EMFILE')
  }

  function directory(self: unknown): DirectoryDescriptor {
    const open = opened(self)
    if (!(open instanceof DirectoryDescriptor)) throw new WasiError('ENOTDIR')
    return open
  }

  /** Something of which bytes are read or written. */
  function file(self: unknown, right: number): SharedOpen {
    const { shared } = resources.get(self, Descriptor)
    if (shared.open instanceof DirectoryDescriptor) throw new WasiError('EISDIR')
    if ((shared.open.rightsBase & right) !== right) throw new WasiError('EBADF')
    return shared
  }

  function walk(self: unknown, path: unknown, lastSymlink: LastSymlink): Resolved {
    return tree.walk(directory(self), pathOf(path), lastSymlink)
  }

  function timesOf(atime: unknown, mtime: unknown): TimeChange {
    const [atimeNs, mtimeNs] = [timeOf(atime), timeOf(mtime)]
    return { ...(atimeNs === undefined ? {} : { atimeNs }), ...(mtimeNs === undefined ? {} : { mtimeNs }) }
  }

  function timeOf(time: unknown): bigint | undefined {
    const { tag, val } = record(time)
    return tag === 'timestamp' ? boundedTime(nanosecondsOf(val)) : tag === 'now' ? host.clock.realtimeNs() : undefined
  }

  const descriptor = {
    readViaStream: (self: unknown, offset: unknown) => resources.add(new FileInput(file(self, RIGHTS.fdRead), filesize(offset))),
    writeViaStream: (self: unknown, offset: unknown) => resources.add(new FileOutput(file(self, RIGHTS.fdWrite), filesize(offset))),
    appendViaStream: (self: unknown) => resources.add(new FileOutput(file(self, RIGHTS.fdWrite), null)),
    advise: (self: unknown) => void file(self, 0),
    syncData: (self: unknown) => void opened(self),
    sync: (self: unknown) => void opened(self),
    getFlags(self: unknown) {
      const open = opened(self)
      const isDirectory = open instanceof DirectoryDescriptor
      const write = !isDirectory && (open.rightsBase & RIGHTS.fdWrite) !== 0
      const read = (open.rightsBase & READING) !== 0
      const synchronous = Object.fromEntries(Object.entries(SYNCHRONOUS).map(([name, flag]) => [name, (open.flags & flag) !== 0]))
      return { read, write, mutateDirectory: isDirectory && !tree.isReadonly(open.handle.fs), ...synchronous }
    },
    getType: (self: unknown) => typeOf(opened(self).filetype),
    setSize: (self: unknown, size: unknown) => file(self, RIGHTS.fdFilestatSetSize).open.setSize(filesize(size)),
    setTimes(self: unknown, atime: unknown, mtime: unknown): void {
      const open = opened(self)
      if (open instanceof FileDescriptor && (open.rightsBase & RIGHTS.fdFilestatSetTimes) === 0) throw new WasiError('EROFS')
      open.setTimes(timesOf(atime, mtime))
    },
    read(self: unknown, length: unknown, offset: unknown) {
      const buffer = new Uint8Array(lengthOf(length, PIECE_BYTES))
      const read = readAt(file(self, RIGHTS.fdRead).open, buffer, filesize(offset))
      return [buffer.subarray(0, read), read === 0 && buffer.length > 0]
    },
    write(self: unknown, contents: unknown, offset: unknown): bigint {
      return BigInt(writeAt(file(self, RIGHTS.fdWrite).open, bytesOf(contents), filesize(offset)))
    },
    readDirectory(self: unknown) {
      checkRoom()
      const { handle, rightsBase } = directory(self)
      tree.checkAccess(handle, READ)
      // One of its own: the names that a listing keeps are counted by what has listed them.
      const lister = new DirectoryDescriptor({ tree, handle, preopenName: null, rightsBase, rightsInheriting: 0 })
      try {
        return resources.add(new DirectoryEntryStream(lister, count))
      } catch (error) {
        lister.close()
        throw error
      }
    },
    createDirectoryAt: (self: unknown, path: unknown) => operations.makeDirectory(tree, walk(self, path, 'keep')),
    stat: (self: unknown) => statOf(opened(self).filestat()),
    statAt: (self: unknown, flags: unknown, path: unknown) => statOf(tree.filestat(existing(walk(self, path, lastSymlinkOf(flags))))),
    setTimesAt(self: unknown, flags: unknown, path: unknown, atime: unknown, mtime: unknown): void {
      operations.setTimes(tree, existing(walk(self, path, lastSymlinkOf(flags))), timesOf(atime, mtime))
    },
    linkAt(self: unknown, flags: unknown, oldPath: unknown, newDirectory: unknown, newPath: unknown): void {
      const source = existing(walk(self, oldPath, lastSymlinkOf(flags)))
      operations.makeLink(tree, source, walk(newDirectory, newPath, 'keep'))
    },
    openAt(self: unknown, pathFlags: unknown, path: unknown, openFlags: unknown, flags: unknown) {
      checkRoom()
      const { read, write } = record(flags)
      const fdflags = Object.entries(SYNCHRONOUS).reduce((sum, [name, flag]) => sum | (record(flags)[name] === true ? flag : 0), 0)
      const { create, directory: isDirectory, exclusive, truncate } = record(openFlags)
      const oflags =
        (create === true ? OFLAGS.creat : 0) |
        (isDirectory === true ? OFLAGS.directory : 0) |
        (exclusive === true ? OFLAGS.excl : 0) |
        (truncate === true ? OFLAGS.trunc : 0)
      const plain = (FILE_RIGHTS | DIRECTORY_RIGHTS) & ~(READING | WRITING)
      const base = plain | (read === true ? READING : 0) | (write === true ? WRITING : 0)
      const follows = lastSymlinkOf(pathFlags) === 'follow'
      const rights = { base, inheriting: PREOPEN_INHERITING }
      return give(openAt({ tree, host }, directory(self), pathOf(path), { oflags, fdflags, rights, follows }))
    },
    readlinkAt: (self: unknown, path: unknown) => toUtf8(operations.readLink(tree, walk(self, path, 'keep-unless-slash'))),
    removeDirectoryAt(self: unknown, path: unknown): void {
      operations.removeDirectory(tree, walk(self, path, 'keep'), pathOf(path))
    },
    renameAt(self: unknown, oldPath: unknown, newDirectory: unknown, newPath: unknown): void {
      operations.rename(tree, walk(self, oldPath, 'keep'), walk(newDirectory, newPath, 'keep'))
    },
    symlinkAt(self: unknown, oldPath: unknown, newPath: unknown): void {
      operations.makeSymlink(tree, directory(self), walk(self, newPath, 'keep'), pathOf(oldPath))
    },
    unlinkFileAt: (self: unknown, path: unknown) => operations.unlinkFile(tree, walk(self, path, 'keep')),
    isSameObject(self: unknown, other: unknown): boolean {
      const [left, right] = [opened(self).filestat(), opened(other).filestat()]
      return left.ino === right.ino && left.device === right.device
    },
    metadataHash: (self: unknown) => hashOf(opened(self).filestat()),
    metadataHashAt: (self: unknown, flags: unknown, path: unknown) =>
      hashOf(tree.filestat(existing(walk(self, path, lastSymlinkOf(flags))))),
  }

  const entryStream = {
    readDirectoryEntry(self: unknown) {
      const entry = resources.get(self, DirectoryEntryStream).next()
      if (entry === undefined) return undefined
      const name = toUtf8(entry.name)
      // A name of bytes that are no text has none here.
      if (fromUtf8(name) !== entry.name) throw new WasiError('EILSEQ')
      return { type: typeOf(entry.filetype), name }
    },
  }

  return {
    'wasi:filesystem/preopens': {
      getDirectories: () => preopened.map(({ name, shared }) => [resources.add(new Descriptor(shared)), name]),
    },
    'wasi:filesystem/types': {
      Descriptor: withErrorCodes(descriptor),
      DirectoryEntryStream: withErrorCodes(entryStream),
      filesystemErrorCode: (error: unknown) => resources.get(error, StreamError).code,
    },
  }
}

type Functions = Readonly<Record<string, WasiFunction>>

function withErrorCodes(functions: Functions): Functions {
  return Object.fromEntries(
    Object.entries(functions).map(([name, call]) => [name, (...args: unknown[]) => withErrorCode(() => call(...args))]),
  )
}

/** Devices have no positions. */
function readAt(open: Open, buffer: Uint8Array, position: number): number {
  return open instanceof FileDescriptor ? open.readAt([buffer], position) : open.read([buffer])
}

function writeAt(open: Open, bytes: Uint8Array, position: number): number {
  return open instanceof FileDescriptor ? open.writeAt([bytes], position) : open.write([bytes])
}

function lastSymlinkOf(flags: unknown): LastSymlink {
  return record(flags).symlinkFollow === true ? 'follow' : 'keep-unless-slash'
}

function typeOf(filetype: number): string {
  return TYPES[filetype] ?? 'unknown'
}

function statOf(stat: Filestat) {
  return {
    type: typeOf(stat.filetype),
    linkCount: BigInt(stat.linkCount),
    size: BigInt(stat.size),
    dataAccessTimestamp: datetime(stat.atimeNs),
    dataModificationTimestamp: datetime(stat.mtimeNs),
    statusChangeTimestamp: datetime(stat.ctimeNs),
  }
}

/** The same for the same object, another for another. */
function hashOf({ ino, device }: Filestat) {
  return { lower: BigInt.asUintN(64, BigInt(ino)), upper: BigInt(device) }
}
