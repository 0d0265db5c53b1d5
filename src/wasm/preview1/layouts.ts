/** Sizes and offsets of preview1's structures (typenames.witx), and the writers of those that cross in more than one call. */
import type { FileType, Stat } from '../../fs/file-system.js'
import { FILETYPE } from './flags.js'
import type { GuestMemory } from './guest-memory.js'

export const FILESTAT_SIZE = 64
export const FDSTAT_SIZE = 24
export const PRESTAT_SIZE = 8
export const DIRENT_SIZE = 24
export const SUBSCRIPTION_SIZE = 48
export const EVENT_SIZE = 32

/** `filetype` of an inode. A fifo has none of its own. */
export function filetypeOf(type: FileType): number {
  return FILETYPES[type]
}

const FILETYPES: Readonly<Record<FileType, number>> = {
  file: FILETYPE.regularFile,
  directory: FILETYPE.directory,
  symlink: FILETYPE.symbolicLink,
  fifo: FILETYPE.unknown,
  socket: FILETYPE.socketStream,
  'character-device': FILETYPE.characterDevice,
  'block-device': FILETYPE.blockDevice,
}

/** Attributes as preview1 has them: `filestat` without mode, owner or group. */
export interface Filestat {
  readonly device: number
  readonly ino: number
  readonly filetype: number
  readonly linkCount: number
  readonly size: number
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** Attributes of an inode of the file system with number `device`. */
export function filestatOf(device: number, stat: Stat): Filestat {
  return {
    device,
    ino: stat.ino,
    filetype: filetypeOf(stat.type),
    linkCount: stat.linkCount,
    size: stat.size,
    atimeNs: stat.atimeNs,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  }
}

/** Writes a `filestat`. Times before the epoch, which preview1 cannot say, read as the epoch. */
export function writeFilestat(memory: GuestMemory, pointer: number, stat: Filestat): void {
  const view = memory.struct(pointer, FILESTAT_SIZE)
  setNumber64(view, 0, stat.device)
  setNumber64(view, 8, stat.ino)
  view.setUint8(16, stat.filetype)
  setNumber64(view, 24, stat.linkCount)
  setNumber64(view, 32, stat.size)
  view.setBigUint64(40, sinceEpoch(stat.atimeNs), true)
  view.setBigUint64(48, sinceEpoch(stat.mtimeNs), true)
  view.setBigUint64(56, sinceEpoch(stat.ctimeNs), true)
}

/** Without a bigint for each, which is an object to be collected. */
function setNumber64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value, true)
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true)
}

function sinceEpoch(nanoseconds: bigint): bigint {
  return nanoseconds < 0n ? 0n : BigInt.asUintN(64, nanoseconds)
}

/** What `fd_fdstat_get` says of a descriptor. */
export interface Fdstat {
  readonly filetype: number
  readonly flags: number
  readonly rightsBase: number
  readonly rightsInheriting: number
}

/** Writes an `fdstat`. */
export function writeFdstat(memory: GuestMemory, pointer: number, stat: Fdstat): void {
  const view = memory.struct(pointer, FDSTAT_SIZE)
  view.setUint8(0, stat.filetype)
  view.setUint16(2, stat.flags, true)
  view.setBigUint64(8, BigInt(stat.rightsBase), true)
  view.setBigUint64(16, BigInt(stat.rightsInheriting), true)
}

/** What a `dirent` says of a name; `next` is the cookie of the one behind it. */
export interface Dirent {
  readonly next: number
  readonly ino: number
  readonly nameBytes: number
  readonly filetype: number
}

/** Writes a `dirent`, whose name follows it, where there are zeros. */
export function writeDirent(view: DataView, at: number, { next, ino, nameBytes, filetype }: Dirent): void {
  setNumber64(view, at, next)
  setNumber64(view, at + 8, ino)
  view.setUint32(at + 16, nameBytes, true)
  view.setUint8(at + 20, filetype)
}

/** What {@link writeDirent} has written at `at`. */
export function readDirent(view: DataView, at: number): Dirent {
  return {
    next: number64(view, at),
    ino: number64(view, at + 8),
    nameBytes: view.getUint32(at + 16, true),
    filetype: view.getUint8(at + 20),
  }
}

function number64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000
}
