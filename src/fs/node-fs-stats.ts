/** What `stat`, `readdir` and `statfs` of `node:fs` give. Node's own classes can't be made by others, so these are like them. */
import { constants } from 'node:fs'
import type { FileType, Stat } from './file-system.js'
import type { Usage } from './system-calls.js'

const TYPE_BITS: Readonly<Record<FileType, number>> = {
  file: constants.S_IFREG,
  directory: constants.S_IFDIR,
  symlink: constants.S_IFLNK,
  fifo: constants.S_IFIFO,
  socket: constants.S_IFSOCK,
  'character-device': constants.S_IFCHR,
  'block-device': constants.S_IFBLK,
}
const BLOCK_BYTES = 4096
/** What `st_blocks` counts in. */
const SECTOR_BYTES = 512
/** `f_type` of an overlay (linux/magic.h). */
const OVERLAY_MAGIC = 0x794c7630

/** What asks for a kind of file. */
abstract class Kinds {
  protected abstract is(type: FileType): boolean

  isFile(): boolean {
    return this.is('file')
  }

  isDirectory(): boolean {
    return this.is('directory')
  }

  isSymbolicLink(): boolean {
    return this.is('symlink')
  }

  isFIFO(): boolean {
    return this.is('fifo')
  }

  isSocket(): boolean {
    return this.is('socket')
  }

  isCharacterDevice(): boolean {
    return this.is('character-device')
  }

  isBlockDevice(): boolean {
    return this.is('block-device')
  }
}

abstract class StatsOf<N extends number | bigint> extends Kinds {
  declare readonly dev: N
  declare readonly mode: N
  declare readonly nlink: N
  declare readonly uid: N
  declare readonly gid: N
  declare readonly rdev: N
  declare readonly blksize: N
  declare readonly ino: N
  declare readonly size: N
  declare readonly blocks: N

  constructor({ type, mode, linkCount, uid, gid, device, ino, size }: Stat, dev: number, as: (value: number) => N) {
    super()
    const fields = {
      dev: as(dev),
      mode: as(TYPE_BITS[type] | mode),
      nlink: as(linkCount),
      uid: as(uid),
      gid: as(gid),
      rdev: as(device === null ? 0 : deviceNumber(device.major, device.minor)),
      blksize: as(BLOCK_BYTES),
      ino: as(ino),
      size: as(size),
      blocks: as(type === 'file' ? Math.ceil(size / SECTOR_BYTES) : 0),
    }
    Object.assign(this, fields)
  }

  protected is(type: FileType): boolean {
    return (Number(this.mode) & constants.S_IFMT) === TYPE_BITS[type]
  }
}

/** Attributes in numbers. Nobody has noted when a file was made: `birthtime` is `ctime`, as where a kernel does not know it. */
export class Stats extends StatsOf<number> {
  readonly atimeMs: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly birthtimeMs: number
  readonly atime: Date
  readonly mtime: Date
  readonly ctime: Date
  readonly birthtime: Date

  constructor(stat: Stat, dev: number) {
    super(stat, dev, Number)
    this.atimeMs = milliseconds(stat.atimeNs)
    this.mtimeMs = milliseconds(stat.mtimeNs)
    this.ctimeMs = milliseconds(stat.ctimeNs)
    this.birthtimeMs = this.ctimeMs
    this.atime = new Date(this.atimeMs)
    this.mtime = new Date(this.mtimeMs)
    this.ctime = new Date(this.ctimeMs)
    this.birthtime = new Date(this.birthtimeMs)
  }
}

/** Attributes in bigints, times to the nanosecond. */
export class BigIntStats extends StatsOf<bigint> {
  readonly atimeMs: bigint
  readonly mtimeMs: bigint
  readonly ctimeMs: bigint
  readonly birthtimeMs: bigint
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly birthtimeNs: bigint
  readonly atime: Date
  readonly mtime: Date
  readonly ctime: Date
  readonly birthtime: Date

  constructor(stat: Stat, dev: number) {
    super(stat, dev, BigInt)
    this.atimeMs = stat.atimeNs / NS_IN_MS
    this.mtimeMs = stat.mtimeNs / NS_IN_MS
    this.ctimeMs = stat.ctimeNs / NS_IN_MS
    this.birthtimeMs = this.ctimeMs
    this.atimeNs = stat.atimeNs
    this.mtimeNs = stat.mtimeNs
    this.ctimeNs = stat.ctimeNs
    this.birthtimeNs = stat.ctimeNs
    this.atime = new Date(milliseconds(stat.atimeNs))
    this.mtime = new Date(milliseconds(stat.mtimeNs))
    this.ctime = new Date(milliseconds(stat.ctimeNs))
    this.birthtime = this.ctime
  }
}

const NS_IN_MS = 1_000_000n

/** One name in a directory, with the kind of what bears it. */
export class Dirent extends Kinds {
  /** Text or bytes, as was asked. */
  readonly name: string | Buffer
  /** The directory, as it was asked for. */
  readonly parentPath: string
  /** The same, by its older name. */
  readonly path: string
  readonly #type: FileType

  constructor(name: string | Buffer, type: FileType, parentPath: string) {
    super()
    this.name = name
    this.parentPath = parentPath
    this.path = parentPath
    this.#type = type
  }

  protected is(type: FileType): boolean {
    return this.#type === type
  }
}

/** How full a tree is. */
export class StatFs {
  readonly type: number | bigint
  readonly bsize: number | bigint
  readonly blocks: number | bigint
  readonly bfree: number | bigint
  readonly bavail: number | bigint
  readonly files: number | bigint
  readonly ffree: number | bigint

  constructor({ diskBytes, diskBytesLimit, inodes, inodesLimit }: Usage, as: (value: number) => number | bigint) {
    const blocks = whole(diskBytesLimit / BLOCK_BYTES)
    const free = Math.max(0, whole((diskBytesLimit - diskBytes) / BLOCK_BYTES))
    this.type = as(OVERLAY_MAGIC)
    this.bsize = as(BLOCK_BYTES)
    this.blocks = as(blocks)
    this.bfree = as(free)
    this.bavail = as(free)
    this.files = as(whole(inodesLimit))
    this.ffree = as(Math.max(0, whole(inodesLimit - inodes)))
  }
}

/** Without a limit: more than anybody asks for, and still to be multiplied by the size of a block. */
const MUCH = 2 ** 40

function whole(count: number): number {
  return Math.min(Math.floor(count), MUCH)
}

function milliseconds(ns: bigint): number {
  return Number(ns / NS_IN_MS) + Number(ns % NS_IN_MS) / 1e6
}

/** makedev(3). */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor >>> 8) * 2 ** 20 + (major >>> 12) * 2 ** 44
}
