import { ErrnoError } from './errno.js'

/** What the writable part of a file tree may hold; what is absent is unbounded. */
export interface DiskLimits {
  /** Memory of pages, xattrs and symlink targets. */
  readonly diskBytes?: number
  /** Files made and names added to them. */
  readonly inodes?: number
}

/** What is taken of a quota, wherever that is kept. */
export interface QuotaCounts {
  diskBytes: number
  inodes: number
}

/** Counts what a tree holds against its limits, in memory that several threads may share. */
export class Quota {
  readonly diskBytesLimit: number
  readonly inodesLimit: number
  readonly #counts: QuotaCounts

  /** `counts`: what is taken. */
  constructor(counts: QuotaCounts, { diskBytes = Number.POSITIVE_INFINITY, inodes = Number.POSITIVE_INFINITY }: DiskLimits = {}) {
    this.#counts = counts
    this.diskBytesLimit = diskBytes
    this.inodesLimit = inodes
  }

  get diskBytes(): number {
    return this.#counts.diskBytes
  }

  get inodes(): number {
    return this.#counts.inodes
  }

  /** Takes bytes, or gives them back when negative. Throws ENOSPC and takes nothing. */
  takeBytes(count: number): void {
    if (count > 0 && this.diskBytes + count > this.diskBytesLimit) throw new ErrnoError('ENOSPC', 'the disk limit is reached')
    this.#counts.diskBytes += count
  }

  /** Takes one inode and the bytes that come with it. Throws ENOSPC and takes nothing. */
  takeInode(bytes: number): void {
    if (this.inodes + 1 > this.inodesLimit) throw new ErrnoError('ENOSPC', 'the inode limit is reached')
    this.takeBytes(bytes)
    this.#counts.inodes++
  }

  giveInodes(count: number): void {
    this.#counts.inodes -= count
  }
}
