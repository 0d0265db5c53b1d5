import type { ByteString } from '../../fs/file-system.js'
import { fromBytes } from '../../fs/names.js'
import { WasiError } from './errno.js'

/** The longest path a guest may pass, as Linux's PATH_MAX. */
const PATH_MAX = 4096
/** The most bytes of one call's buffers, as Linux's MAX_RW_COUNT: they may all be the same memory, and a call is not ended in its middle. */
export const CALL_BYTES = 0x7fff_f000
/** The most buffers one call may name, as Linux's. */
const IOV_MAX = 1024

/**
 * A guest's linear memory, read and written at this one place. Every pointer and length comes from the guest: each is taken as
 * unsigned and checked against the memory's present size, and what lies outside is EFAULT, never an exception of JavaScript's.
 */
export class GuestMemory {
  /** Bytes that were handed out, all calls together. */
  handedOut = 0
  #watcher: ((start: number, length: number) => void) | null = null
  readonly #memory: WebAssembly.Memory
  #bytes: Uint8Array
  #view: DataView

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory
    this.#bytes = new Uint8Array(memory.buffer)
    this.#view = new DataView(memory.buffer)
  }

  /** Has somebody told of each range that may be written to; null for nobody. */
  watch(watcher: ((start: number, length: number) => void) | null): void {
    this.#watcher = watcher
  }

  /** Bytes of it now. */
  get size(): number {
    return this.#memory.buffer.byteLength
  }

  /** What a range holds that was told of, as a view that is good until the guest runs again. */
  peek(offset: number, length: number): Uint8Array {
    const start = this.#range(offset, length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Puts bytes there; false where they lie outside. */
  poke(offset: number, contents: Uint8Array): boolean {
    if (offset + contents.length > this.size) return false
    this.peek(offset, contents.length).set(contents)
    return true
  }

  /** Whether other threads see and change it too. */
  get isShared(): boolean {
    return this.#bytes.buffer instanceof SharedArrayBuffer
  }

  /** `length` bytes at `pointer`, as a view that is good until the guest runs again. */
  bytes(pointer: number, length: number): Uint8Array {
    const start = this.#range(pointer, length >>> 0)
    this.handedOut += length >>> 0
    this.#watcher?.(start, length >>> 0)
    return this.#bytes.subarray(start, start + (length >>> 0))
  }

  u32(pointer: number): number {
    const offset = this.#range(pointer, 4)
    return this.#view.getUint32(offset, true)
  }

  u64(pointer: number): bigint {
    const offset = this.#range(pointer, 8)
    return this.#view.getBigUint64(offset, true)
  }

  u8(pointer: number): number {
    const offset = this.#range(pointer, 1)
    return this.#view.getUint8(offset)
  }

  u16(pointer: number): number {
    const offset = this.#range(pointer, 2)
    return this.#view.getUint16(offset, true)
  }

  setU32(pointer: number, value: number): void {
    const offset = this.#range(pointer, 4)
    this.#watcher?.(offset, 4)
    this.#view.setUint32(offset, value, true)
  }

  setU64(pointer: number, value: bigint): void {
    const offset = this.#range(pointer, 8)
    this.#watcher?.(offset, 8)
    this.#view.setBigUint64(offset, value, true)
  }

  /** Copies `source` to `pointer`. */
  write(pointer: number, source: Uint8Array): void {
    this.bytes(pointer, source.length).set(source)
  }

  /** A struct of `length` bytes to be filled in, zeroed first; its offsets are those of the layout. */
  struct(pointer: number, length: number): DataView {
    const start = this.#range(pointer, length)
    this.#watcher?.(start, length)
    this.#bytes.fill(0, start, start + length)
    return new DataView(this.#bytes.buffer, start, length)
  }

  /**
   * A path: bytes, as Linux takes them, so that a name which is not UTF-8 can be opened as it was listed. EINVAL for a NUL, which
   * would end it early; ENAMETOOLONG beyond PATH_MAX.
   */
  path(pointer: number, length: number): ByteString {
    // Memory that others share may be another between two looks.
    const bytes = this.isShared ? this.bytes(pointer, length).slice() : this.bytes(pointer, length)
    if (bytes.length >= PATH_MAX) throw new WasiError('ENAMETOOLONG')
    if (bytes.includes(0)) throw new WasiError('EINVAL')
    return fromBytes(bytes)
  }

  /**
   * The buffers of an iovec or ciovec array, all checked before the first is used; what goes beyond {@link CALL_BYTES} is left for the next
   * call, as by readv(2). EINVAL beyond IOV_MAX.
   */
  buffers(pointer: number, count: number): Uint8Array[] {
    const length = count >>> 0
    if (length > IOV_MAX) throw new WasiError('EINVAL')
    const start = this.#range(pointer, length * 8)
    const buffers: Uint8Array[] = []
    let left = CALL_BYTES
    for (let at = start; at < start + length * 8; at += 8) {
      const pointer = this.#view.getUint32(at, true)
      const bytes = this.#view.getUint32(at + 4, true)
      this.#range(pointer, bytes)
      const buffer = this.bytes(pointer, Math.min(bytes, left))
      left -= buffer.length
      buffers.push(buffer)
    }
    return buffers
  }

  /**
   * Checks a range and gives its start; the views are renewed when the memory has grown since, so it must come before any use of
   * them, also within one expression.
   */
  #range(pointer: number, length: number): number {
    if (this.#bytes.buffer !== this.#memory.buffer) this.#renew()
    const start = pointer >>> 0
    if (start + length > this.#bytes.length && !this.#hasGrownTo(start + length)) throw new WasiError('EFAULT')
    return start
  }

  /** Another thread may have made it larger, of which the buffer at hand does not know. */
  #hasGrownTo(length: number): boolean {
    if (!this.isShared) return false
    this.#memory.grow(0)
    this.#renew()
    return length <= this.#bytes.length
  }

  #renew(): void {
    this.#bytes = new Uint8Array(this.#memory.buffer)
    this.#view = new DataView(this.#memory.buffer)
  }
}
