import type { FileSegment } from './file-system.js'

/** Bytes of a page, the unit in which a lower file is copied up. */
export const PAGE_BYTES = 65_536

const SMALLEST_PAGE_BYTES = 256

/** Reads a lower file: fills `buffer` from `position`, returns the bytes read. */
export type ReadLower = (buffer: Uint8Array, position: number) => number

/** The file below: its bytes, and where it has any. */
export interface LowerFile {
  readonly size: number
  readonly read: ReadLower
  readonly segments: () => Iterable<FileSegment>
}

/**
 * Contents of a file as pages over an optional lower file. A page that was never written is the lower file's, or a hole. A page of our own
 * is as long as it was needed, in powers of two: a small file costs a small page; what lies beyond it is zeros.
 */
export class Pages {
  readonly #pages = new Map<number, Uint8Array>()
  readonly #lower: LowerFile | null
  /** Bytes of the lower file that still show: cutting a file short hides the rest for good. */
  #lowerBytes: number
  #size: number
  #allocatedBytes = 0

  /** Empty, or `size` bytes of a lower file. */
  constructor(lower?: LowerFile) {
    this.#lower = lower ?? null
    this.#lowerBytes = lower?.size ?? 0
    this.#size = this.#lowerBytes
  }

  get size(): number {
    return this.#size
  }

  /** Memory held by pages of our own. */
  get allocatedBytes(): number {
    return this.#allocatedBytes
  }

  read(buffer: Uint8Array, position: number): number {
    const length = Math.min(buffer.length, this.#size - position)
    if (length <= 0) return 0
    if (this.#pages.size === 0) {
      this.#readBelow(buffer.subarray(0, length), position)
      return length
    }
    for (let done = 0; done < length; ) {
      const number = Math.floor((position + done) / PAGE_BYTES)
      const within = position + done - number * PAGE_BYTES
      const part = buffer.subarray(done, done + Math.min(PAGE_BYTES - within, length - done))
      const page = this.#pages.get(number)
      if (page === undefined) this.#readBelow(part, position + done)
      else {
        const held = page.subarray(within, within + part.length)
        part.set(held)
        part.fill(0, held.length)
      }
      done += part.length
    }
    return length
  }

  /** Where there is anything but holes, in order. */
  *segments(): Generator<FileSegment, void, undefined> {
    const lower = clipped(this.#lower?.segments() ?? [], this.#lowerBytes)
    let reached = 0
    for (const number of [...this.#pages.keys()].sort((left, right) => left - right)) {
      const position = number * PAGE_BYTES
      yield* lower.between(reached, position)
      const length = Math.min(this.#pages.get(number)?.length ?? 0, this.#size - position)
      if (length > 0) yield { position, length }
      reached = position + PAGE_BYTES
    }
    yield* lower.between(reached, this.#lowerBytes)
  }

  /** Memory that {@link write} of `length` bytes at `position` would add. */
  growth(position: number, length: number): number {
    let growth = 0
    for (let done = 0; done < length; ) {
      const number = Math.floor((position + done) / PAGE_BYTES)
      const within = position + done - number * PAGE_BYTES
      const count = Math.min(PAGE_BYTES - within, length - done)
      const held = this.#pages.get(number)?.length ?? 0
      growth += Math.max(0, this.#capacity(number, within + count) - held)
      done += count
    }
    return growth
  }

  /** Writes all of `buffer`; what lies between the old end and `position` reads as zeros. */
  write(buffer: Uint8Array, position: number): void {
    for (let done = 0; done < buffer.length; ) {
      const number = Math.floor((position + done) / PAGE_BYTES)
      const within = position + done - number * PAGE_BYTES
      const count = Math.min(PAGE_BYTES - within, buffer.length - done)
      this.#ownPage(number, within, count).set(buffer.subarray(done, done + count), within)
      done += count
    }
    if (buffer.length > 0) this.#size = Math.max(this.#size, position + buffer.length)
  }

  /** Cuts the contents short or extends them by a hole. */
  resize(size: number): void {
    if (size < this.#size) this.#cut(size)
    this.#size = size
  }

  #cut(size: number): void {
    this.#lowerBytes = Math.min(this.#lowerBytes, size)
    const last = Math.floor(size / PAGE_BYTES)
    for (const [number, page] of this.#pages) {
      if (number * PAGE_BYTES >= size) {
        this.#pages.delete(number)
        this.#allocatedBytes -= page.length
      } else if (number === last) page.fill(0, Math.min(page.length, size - number * PAGE_BYTES))
    }
  }

  #readBelow(buffer: Uint8Array, position: number): void {
    const wanted = Math.min(buffer.length, this.#lowerBytes - position)
    const filled = wanted > 0 && this.#lower !== null ? this.#lower.read(buffer.subarray(0, wanted), position) : 0
    buffer.fill(0, filled)
  }

  // A new page must hold what the lower file has there, else the rest of it would turn to zeros.
  #capacity(number: number, needed: number): number {
    const below = this.#pages.has(number) ? 0 : Math.min(PAGE_BYTES, this.#lowerBytes - number * PAGE_BYTES)
    const least = Math.max(needed, below, SMALLEST_PAGE_BYTES)
    return least >= PAGE_BYTES ? PAGE_BYTES : 2 ** (32 - Math.clz32(least - 1))
  }

  #ownPage(number: number, within: number, count: number): Uint8Array {
    const held = this.#pages.get(number)
    if (held !== undefined && held.length >= within + count) return held
    const page = new Uint8Array(this.#capacity(number, within + count))
    if (held !== undefined) page.set(held)
    else if (count < PAGE_BYTES) this.#readBelow(page, number * PAGE_BYTES)
    this.#pages.set(number, page)
    this.#allocatedBytes += page.length - (held?.length ?? 0)
    return page
  }
}

/** Parts of `segments` below `end`, to be asked for from left to right. */
function clipped(segments: Iterable<FileSegment>, end: number) {
  const iterator = segments[Symbol.iterator]()
  let next = iterator.next()
  return {
    *between(from: number, to: number): Generator<FileSegment> {
      for (; !next.done; next = iterator.next()) {
        const { position, length } = next.value
        const start = Math.max(position, from)
        const stop = Math.min(position + length, to, end)
        if (start < stop) yield { position: start, length: stop - start }
        // It goes on behind, where it may be asked for again.
        if (position + length > to) return
      }
    },
  }
}
