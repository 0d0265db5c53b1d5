import { EngineError } from '../errors.js'

/** The largest window that decoders accept unasked (RFC 8878 asks for 8 MiB at least, zstd's own limit is 128 MiB). */
const MAXIMUM_WINDOW_BYTES = 2 ** 27
const FRAME_MAGIC = 0xfd2f_b528
const RLE_BLOCK = 1

type State = 'magic' | 'skippable-size' | 'descriptor' | 'header' | 'block' | 'skip'

/**
 * Follows the frames of a zstd stream (RFC 8878) without decoding them, and refuses those that ask for an immense window: a header of ten
 * bytes makes a decoder that does not look take 2 GiB.
 */
export class ZstdFrames {
  #state: State = 'magic'
  #wanted = 4
  #value = new Uint8Array(16)
  #have = 0
  /** What comes after the bytes that are skipped. */
  #afterSkip: 'magic' | 'block' = 'magic'
  #skip = 0
  #checksumBytes = 0
  #singleSegment = false
  #dictionaryBytes = 0
  #sizeBytes = 0

  /** Looks at the next bytes of the stream. Throws LIMIT_EXCEEDED, INVALID_ARCHIVE. */
  inspect(chunk: Uint8Array): void {
    for (let position = 0; position < chunk.length; ) {
      const left = chunk.length - position
      if (this.#state === 'skip') {
        const skipped = Math.min(left, this.#skip)
        this.#skip -= skipped
        position += skipped
        if (this.#skip === 0) this.#expect(this.#afterSkip)
        continue
      }
      this.#value[this.#have++] = chunk[position++] ?? 0
      if (this.#have === this.#wanted) this.#complete()
    }
  }

  /** The stream is at its end. Throws INVALID_ARCHIVE when that is inside a frame, or behind bytes that are none. */
  end(): void {
    if (this.#state !== 'magic' || this.#have > 0) throw new EngineError('INVALID_ARCHIVE', 'the zstd layer ends inside a frame')
  }

  #expect(state: State, wanted = state === 'block' ? 3 : 4): void {
    this.#state = state
    this.#wanted = wanted
    this.#have = 0
  }

  #skipThen(count: number, next: 'magic' | 'block'): void {
    this.#skip = count
    this.#afterSkip = next
    if (count === 0) this.#expect(next)
    else this.#state = 'skip'
  }

  #complete(): void {
    if (this.#state === 'magic') this.#completeMagic()
    else if (this.#state === 'skippable-size') this.#skipThen(this.#little(0, 4), 'magic')
    else if (this.#state === 'descriptor') this.#completeDescriptor()
    else if (this.#state === 'header') {
      this.#checkWindow()
      this.#expect('block')
    } else this.#completeBlockHeader()
  }

  #completeMagic(): void {
    const magic = this.#little(0, 4)
    if (magic === FRAME_MAGIC) this.#expect('descriptor', 1)
    else if (magic >= 0x184d_2a50 && magic <= 0x184d_2a5f) this.#expect('skippable-size')
    else throw new EngineError('INVALID_ARCHIVE', 'the layer is not zstd after its first frame')
  }

  #completeDescriptor(): void {
    const descriptor = this.#value[0] ?? 0
    this.#singleSegment = (descriptor & 0x20) !== 0
    this.#checksumBytes = (descriptor & 0x04) !== 0 ? 4 : 0
    this.#dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
    this.#sizeBytes = [Number(this.#singleSegment), 2, 4, 8][descriptor >> 6] ?? 0
    // At least one byte: a frame has a window descriptor or the size of its single segment.
    this.#expect('header', Number(!this.#singleSegment) + this.#dictionaryBytes + this.#sizeBytes)
  }

  #completeBlockHeader(): void {
    const header = this.#little(0, 3)
    const isLast = (header & 1) === 1
    const bytes = ((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3
    this.#skipThen(bytes + (isLast ? this.#checksumBytes : 0), isLast ? 'magic' : 'block')
  }

  // With a single segment the window is the whole content.
  #checkWindow(): void {
    let window: number
    if (this.#singleSegment) window = this.#little(this.#dictionaryBytes, this.#sizeBytes) + (this.#sizeBytes === 2 ? 256 : 0)
    else {
      const descriptor = this.#value[0] ?? 0
      const base = 2 ** (10 + (descriptor >> 3))
      window = base + (base / 8) * (descriptor & 7)
    }
    if (window > MAXIMUM_WINDOW_BYTES)
      throw new EngineError('LIMIT_EXCEEDED', `the zstd layer asks for a window of ${window} bytes, more than ${MAXIMUM_WINDOW_BYTES}`, {
        data: { windowBytes: window, limit: MAXIMUM_WINDOW_BYTES },
      })
  }

  #little(start: number, length: number): number {
    let value = 0
    for (let index = start + length - 1; index >= start; index--) value = value * 256 + (this.#value[index] ?? 0)
    return value
  }
}
