import type { DirectoryListing } from './directory-listing.js'
import { WasiError } from './errno.js'
import type { Filestat } from './layouts.js'

/** What `fd_readdir` lists. */
export interface ListedEntry {
  readonly name: string
  readonly ino: number
  readonly filetype: number
}

/** Times to set; undefined stays. */
export interface TimeChange {
  readonly atimeNs?: bigint
  readonly mtimeNs?: bigint
}

/** 64 bits with a sign, which file systems count in: the year 2262. */
const LATEST_NS = 2n ** 63n - 1n

/** A guest's time, in nanoseconds since the epoch: what is later than can be counted is the latest that can, as Linux has it. */
export function boundedTime(timeNs: bigint): bigint {
  return timeNs > LATEST_NS ? LATEST_NS : timeNs
}

/**
 * An open descriptor: what it is, what may be done with it, and what each call does. Rights are checked by `fd.ts` and `path.ts`
 * before a method is called; a method that makes no sense for a kind of descriptor fails as Linux would.
 */
export abstract class Descriptor {
  abstract readonly filetype: number
  flags = 0
  rightsBase: number
  rightsInheriting: number
  /** Name under which the host gave it, byte string; null for what the guest opened. */
  readonly preopenName: string | null = null

  constructor(rightsBase: number, rightsInheriting: number) {
    this.rightsBase = rightsBase
    this.rightsInheriting = rightsInheriting
  }

  abstract filestat(): Filestat

  read(_buffers: readonly Uint8Array[]): number {
    throw new WasiError('EBADF')
  }

  write(_buffers: readonly Uint8Array[]): number {
    throw new WasiError('EBADF')
  }

  readAt(_buffers: readonly Uint8Array[], _position: number): number {
    throw new WasiError('ESPIPE')
  }

  writeAt(_buffers: readonly Uint8Array[], _position: number): number {
    throw new WasiError('ESPIPE')
  }

  seek(_offset: number, _whence: number): number {
    throw new WasiError('ESPIPE')
  }

  allocate(_offset: number, _length: number): void {
    throw new WasiError('EINVAL')
  }

  setSize(_size: number): void {
    throw new WasiError('EINVAL')
  }

  setTimes(_change: TimeChange): void {
    throw new WasiError('EINVAL')
  }

  /** What `cookie` goes on in, for directories: `.` and `..` first. */
  listing(_cookie: number): DirectoryListing {
    throw new WasiError('ENOTDIR')
  }

  /** Bytes a read would give at once, for `poll_oneoff`; null while it would block. */
  readable(): { readonly bytes: number; readonly ended: boolean } | null {
    return { bytes: 0, ended: false }
  }

  /** Called once, when the last number for it is gone. */
  close(): void {}
}
