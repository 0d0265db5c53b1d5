import { malformed } from './header.js'
import type { ByteSource } from './source.js'

const WINDOW_BYTES = 32 << 10

/** Reads a source a piece at a time: many small reads that stand close together cost one. */
export class TarWindow {
  readonly #source: ByteSource
  readonly #window = new Uint8Array(WINDOW_BYTES)
  #start = 0
  #filled = 0

  constructor(source: ByteSource) {
    this.#source = source
  }

  /** Size of the whole archive. */
  get size(): number {
    return this.#source.size
  }

  /** `length` bytes at `offset`, valid until the next call. Throws INVALID_ARCHIVE when the archive ends before. */
  bytes(offset: number, length: number): Uint8Array {
    if (offset + length > this.#source.size) throw malformed('archive ends inside an entry', offset)
    if (length > WINDOW_BYTES) return this.#fill(new Uint8Array(length), offset, length)
    if (offset < this.#start || offset + length > this.#start + this.#filled) {
      this.#start = offset
      this.#filled = 0
      this.#filled = this.#fill(this.#window, offset, length).length
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length)
  }

  #fill(buffer: Uint8Array, offset: number, least: number): Uint8Array {
    const count = this.#source.read(buffer, offset)
    if (count < least) throw malformed('archive ends inside an entry', offset)
    return buffer.subarray(0, count)
  }
}
