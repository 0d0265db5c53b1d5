import { ErrnoError } from '../../fs/errno.js'
import type { ByteSource } from '../../layer/source.js'
import type { InputStream } from '../preview1/host.js'

const PIECE_BYTES = 65_536
/** More than a reader of tars goes back: it looks for a header in a window that may hold the file behind it too. */
const KEPT_BYTES = 2 * PIECE_BYTES

/** A source over a stream that is read once, from its beginning to its end: what was just read can be read again, and nothing before. */
export class InputSource implements ByteSource {
  readonly size: number
  readonly #input: InputStream
  /** The last bytes that came. */
  #kept: Buffer = Buffer.alloc(0)
  #end = 0

  constructor(input: InputStream, size: number) {
    this.#input = input
    this.size = size
  }

  /** Throws EIO when the stream ends before its size, or has gone on. */
  read(buffer: Uint8Array, position: number): number {
    const wanted = Math.min(buffer.length, Math.max(0, this.size - position))
    let filled = 0
    for (;;) {
      filled += this.#copy(buffer.subarray(filled, wanted), position + filled)
      if (filled === wanted) return filled
      this.#pull()
    }
  }

  close(): void {}

  #copy(target: Uint8Array, position: number): number {
    const start = this.#end - this.#kept.length
    if (target.length === 0 || position >= this.#end) return 0
    if (position < start) throw new ErrnoError('EIO', 'the archive is read out of its order')
    const piece = this.#kept.subarray(position - start, position - start + target.length)
    target.set(piece)
    return piece.length
  }

  #pull(): void {
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    const count = this.#input.read(piece)
    if (count === 0) throw new ErrnoError('EIO', 'the archive ends before its size')
    this.#end += count
    this.#kept = Buffer.concat([this.#kept.subarray(Math.max(0, this.#kept.length + count - KEPT_BYTES)), piece.subarray(0, count)])
  }
}
