import { Descriptor, type TimeChange } from './descriptor.js'
import { WasiError } from './errno.js'
import { FDFLAGS, FILETYPE, WHENCE } from './flags.js'
import type { GuestTree, Place } from './guest-tree.js'
import type { Filestat } from './layouts.js'

/** An open regular file: an inode kept alive, and a position in it. */
export class FileDescriptor extends Descriptor {
  readonly filetype = FILETYPE.regularFile
  readonly #tree: GuestTree
  readonly #at: Place
  #position = 0

  constructor(tree: GuestTree, at: Place, rights: { readonly base: number; readonly inheriting: number }) {
    super(rights.base, rights.inheriting)
    this.#tree = tree
    this.#at = at
    at.fs.retain(at.ino)
  }

  override close(): void {
    this.#at.fs.release(this.#at.ino)
  }

  override filestat(): Filestat {
    return this.#tree.filestat(this.#at)
  }

  override read(buffers: readonly Uint8Array[]): number {
    const read = this.readAt(buffers, this.#position)
    this.#position += read
    return read
  }

  override readAt(buffers: readonly Uint8Array[], position: number): number {
    let total = 0
    for (const buffer of buffers) {
      const read = buffer.length === 0 ? 0 : this.#at.fs.read(this.#at.ino, buffer, position + total)
      total += read
      if (read < buffer.length) break
    }
    return total
  }

  override write(buffers: readonly Uint8Array[]): number {
    if ((this.flags & FDFLAGS.append) !== 0) return this.append(buffers)
    return this.#writeOn(buffers, this.#position)
  }

  /** Writes at the end, wherever that is by now. */
  append(buffers: readonly Uint8Array[]): number {
    const { fs } = this.#at
    const write = () => this.#writeOn(buffers, this.#size())
    // Between finding the end and writing there nobody else may write.
    return fs.atomically === undefined ? write() : fs.atomically(write)
  }

  #writeOn(buffers: readonly Uint8Array[], position: number): number {
    this.#position = position
    const written = this.#writeFrom(buffers, this.#position)
    this.#position += written
    return written
  }

  override writeAt(buffers: readonly Uint8Array[], position: number): number {
    // With O_APPEND, Linux appends whatever the position (pwrite(2), "BUGS"); POSIX and preview1's tests agree with the position.
    return this.#writeFrom(buffers, position)
  }

  #writeFrom(buffers: readonly Uint8Array[], position: number): number {
    let total = 0
    for (const buffer of buffers) {
      if (buffer.length === 0) continue
      try {
        total += this.#at.fs.write(this.#at.ino, buffer, position + total)
      } catch (error) {
        // What was written counts; the next call meets the same error with nothing in hand.
        if (total > 0) return total
        throw error
      }
    }
    return total
  }

  override seek(offset: number, whence: number): number {
    const base = whence === WHENCE.set ? 0 : whence === WHENCE.cur ? this.#position : whence === WHENCE.end ? this.#size() : undefined
    if (base === undefined || base + offset < 0) throw new WasiError('EINVAL')
    if (base + offset > Number.MAX_SAFE_INTEGER) throw new WasiError('EOVERFLOW')
    this.#position = base + offset
    return this.#position
  }

  override allocate(offset: number, length: number): void {
    if (length === 0) throw new WasiError('EINVAL')
    if (offset + length > Number.MAX_SAFE_INTEGER) throw new WasiError('EFBIG')
    if (offset + length > this.#size()) this.setSize(offset + length)
  }

  override setSize(size: number): void {
    this.#at.fs.setAttributes(this.#at.ino, { size })
  }

  override setTimes(change: TimeChange): void {
    this.#tree.checkOwner(this.#at)
    this.#at.fs.setAttributes(this.#at.ino, change)
  }

  override readable(): { readonly bytes: number; readonly ended: boolean } {
    return { bytes: Math.max(0, this.#size() - this.#position), ended: false }
  }

  #size(): number {
    return this.#at.fs.stat(this.#at.ino).size
  }
}
