import { ErrnoError } from './errno.js'

/** What the writable part of a file tree may hold; what is absent is unbounded. */
export interface DiskLimits {
  /** Memory of pages, xattrs and symlink targets. */
  readonly diskBytes?: number
  /** Files made and names added to them. */
  readonly inodes?: number
}

/** Counts what a tree holds against its limits, in memory that several threads may share. */
export class Quota {
  readonly diskBytesLimit: number
  readonly inodesLimit: number
  readonly #counts: Float64Array

  /** `counts`: bytes and inodes that are taken. */
  constructor(counts: Float64Array, { diskBytes = Number.POSITIVE_INFINITY, inodes = Number.POSITIVE_INFINITY }: DiskLimits = {}) {
    this.#counts = counts
    this.diskBytesLimit = diskBytes
    this.inodesLimit = inodes
  }

  get diskBytes(): number {
    return this.#counts[DISK_BYTES] ?? 0
  }

  get inodes(): number {
    return this.#counts[INODES] ?? 0
  }

  /** Takes bytes, or gives them back when negative. Throws ENOSPC and takes nothing. */
  takeBytes(count: number): void {
    if (count > 0 && this.diskBytes + count > this.diskBytesLimit) throw new ErrnoError('ENOSPC', 'the disk limit is reached')
    this.#counts[DISK_BYTES] = this.diskBytes + count
  }

  /** Takes one inode and the bytes that come with it. Throws ENOSPC and takes nothing. */
  takeInode(bytes: number): void {
    if (this.inodes + 1 > this.inodesLimit) throw new ErrnoError('ENOSPC', 'the inode limit is reached')
    this.takeBytes(bytes)
    this.#counts[INODES] = this.inodes + 1
  }

  giveInodes(count: number): void {
    this.#counts[INODES] = this.inodes - count
  }
}

const DISK_BYTES = 0
const INODES = 1
