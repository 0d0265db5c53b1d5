import type { FileSegment } from './file-system.js'
import type { Address, Heap } from './heap.js'

/** Bytes of a page, the unit in which a lower file is copied up. */
export const PAGE_BYTES = 65_536

const SMALLEST_ORDER = 8
const PAGE_ORDER = 16
/** Below the address of a page, which is a multiple of 16 units: the order of its size. */
const ORDER_MASK = 15
/** Above it: the page is other contents', which are not changed while these borrow from them. */
const BORROWED = 1 << 31
const NONE = 0

const HEADER_BYTES = 32
/** Doubles, then words. */
const HEADER = { size: 0, lowerBytes: 1, allocatedBytes: 2, root: 6, height: 7 } as const
const FANOUT_BITS = 6
const FANOUT = 2 ** FANOUT_BITS
const NODE_BYTES = 4 * FANOUT

/** The file below: its bytes, and where it has any. */
export interface LowerFile {
  read(buffer: Uint8Array, position: number): number
  segments(): Iterable<FileSegment>
}

/**
 * Contents of files as pages over an optional lower file, in a heap. A page that was never written is the lower file's, or a hole. A page of
 * our own is as long as it was needed, in powers of two: a small file costs a small page; what lies beyond it is zeros.
 *
 * Contents are the address of their header: how long they are, how much of the lower file still shows, and a tree of 64 branches whose
 * leaves are pages, as high as the last page needs it. Without a second page it is that page.
 */
export class Pages {
  readonly #heap: Heap

  constructor(heap: Heap) {
    this.#heap = heap
  }

  /** Contents that are `size` bytes of a lower file. */
  create(size: number): Address {
    const heap = this.#heap
    const contents = heap.allocate(HEADER_BYTES)
    heap.setDouble(contents, HEADER.size, size)
    heap.setDouble(contents, HEADER.lowerBytes, size)
    heap.setDouble(contents, HEADER.allocatedBytes, 0)
    heap.setWord(contents, HEADER.root, NONE)
    heap.setWord(contents, HEADER.height, 0)
    return contents
  }

  free(contents: Address): void {
    this.#cut(contents, 0)
    this.#heap.free(contents, HEADER_BYTES)
  }

  /** Contents that are the same, and share the pages of these: what is written there is copied. These must not change any more. */
  borrow(contents: Address): Address {
    const heap = this.#heap
    const copy = heap.allocate(HEADER_BYTES)
    heap.bytes(copy, HEADER_BYTES).set(heap.bytes(contents, HEADER_BYTES))
    const root = heap.word(contents, HEADER.root)
    if (root !== NONE) heap.setWord(copy, HEADER.root, this.#borrowBelow(root, heap.word(contents, HEADER.height)))
    return copy
  }

  /** Pages that `contents` have borrowed from `lender`, which is about to be freed, become their own. */
  inherit(contents: Address, lender: Address): void {
    const inherited: number[] = []
    for (const { number, page } of this.#pages(contents))
      if (isBorrowed(page) && this.#page(lender, number) === own(page)) inherited.push(number)
    for (const number of inherited) {
      const page = own(this.#page(contents, number))
      this.#setPage(contents, number, page)
      this.#setPage(lender, number, page | BORROWED)
    }
  }

  /** Bytes of memory that {@link borrow} takes. */
  borrowingBytes(contents: Address): number {
    return 4 * HEADER_BYTES + (this.allocatedBytes(contents) / PAGE_BYTES + 1) * 16 + 4 * NODE_BYTES
  }

  size(contents: Address): number {
    return this.#heap.double(contents, HEADER.size)
  }

  /** Memory held by pages of our own. */
  allocatedBytes(contents: Address): number {
    return this.#heap.double(contents, HEADER.allocatedBytes)
  }

  read(contents: Address, lower: LowerFile | null, buffer: Uint8Array, position: number): number {
    const length = Math.min(buffer.length, this.size(contents) - position)
    if (length <= 0) return 0
    for (let done = 0; done < length; ) {
      const number = Math.floor((position + done) / PAGE_BYTES)
      const within = position + done - number * PAGE_BYTES
      const page = this.#page(contents, number)
      // Nothing of our own: all that is asked for at once.
      const count = this.#isBare(contents) ? length - done : Math.min(PAGE_BYTES - within, length - done)
      const part = buffer.subarray(done, done + count)
      if (page === NONE) this.#readBelow(contents, lower, part, position + done)
      else {
        const held = this.#heap.bytes(addressOf(page), Math.max(0, Math.min(count, sizeOf(page) - within)), within)
        this.#heap.copy(part, held)
        if (held.length < count) part.fill(0, held.length)
      }
      done += count
    }
    return length
  }

  /** Where there is anything but holes, in order. */
  segments(contents: Address, lower: LowerFile | null): FileSegment[] {
    const size = this.size(contents)
    const lowerBytes = this.#lowerBytes(contents)
    const below = clipped(lower?.segments() ?? [], lowerBytes)
    const segments: FileSegment[] = []
    let reached = 0
    for (const { number, page } of this.#pages(contents)) {
      const position = number * PAGE_BYTES
      segments.push(...below.between(reached, position))
      const length = Math.min(sizeOf(page), size - position)
      if (length > 0) segments.push({ position, length })
      reached = position + PAGE_BYTES
    }
    segments.push(...below.between(reached, lowerBytes))
    return segments
  }

  /** Memory that {@link write} of `length` bytes at `position` would add. `contents` may be 0: a lower file of `lowerBytes`, as it is. */
  growth(contents: Address, lowerBytes: number, position: number, length: number): number {
    const below = contents === 0 ? lowerBytes : this.#lowerBytes(contents)
    let growth = 0
    for (let done = 0; done < length; ) {
      const number = Math.floor((position + done) / PAGE_BYTES)
      const within = position + done - number * PAGE_BYTES
      const count = Math.min(PAGE_BYTES - within, length - done)
      const page = contents === 0 ? NONE : this.#page(contents, number)
      growth += Math.max(0, 2 ** orderFor(page, below, number, within + count) - sizeOf(page))
      done += count
    }
    return growth
  }

  /** Writes all of `buffer`; what lies between the old end and `position` reads as zeros. */
  write(contents: Address, lower: LowerFile | null, buffer: Uint8Array, position: number): void {
    for (let done = 0; done < buffer.length; ) {
      const number = Math.floor((position + done) / PAGE_BYTES)
      const within = position + done - number * PAGE_BYTES
      const count = Math.min(PAGE_BYTES - within, buffer.length - done)
      const page = this.#ownPage(contents, lower, { number, within, count })
      this.#heap.copy(
        this.#heap.bytes(addressOf(page), count, within),
        count === buffer.length ? buffer : buffer.subarray(done, done + count),
      )
      done += count
    }
    if (buffer.length > 0) this.#heap.setDouble(contents, HEADER.size, Math.max(this.size(contents), position + buffer.length))
  }

  /** Cuts the contents short or extends them by a hole. */
  resize(contents: Address, size: number): void {
    if (size < this.size(contents)) this.#cut(contents, size)
    this.#heap.setDouble(contents, HEADER.size, size)
  }

  #lowerBytes(contents: Address): number {
    return this.#heap.double(contents, HEADER.lowerBytes)
  }

  #isBare(contents: Address): boolean {
    return this.#heap.word(contents, HEADER.root) === NONE
  }

  /** The page's address and order, or 0. */
  #page(contents: Address, number: number): number {
    const heap = this.#heap
    const height = heap.word(contents, HEADER.height)
    if (number >= FANOUT ** height) return NONE
    let node = heap.word(contents, HEADER.root)
    for (let level = height - 1; level >= 0 && node !== NONE; level--)
      node = heap.word(node, (number >>> (FANOUT_BITS * level)) & (FANOUT - 1))
    return node
  }

  #setPage(contents: Address, number: number, page: number): void {
    const heap = this.#heap
    while (number >= FANOUT ** heap.word(contents, HEADER.height)) {
      const root = heap.word(contents, HEADER.root)
      if (root !== NONE) {
        const above = this.#makeNode()
        heap.setWord(above, 0, root)
        heap.setWord(contents, HEADER.root, above)
      }
      heap.setWord(contents, HEADER.height, heap.word(contents, HEADER.height) + 1)
    }
    const height = heap.word(contents, HEADER.height)
    if (height === 0) {
      heap.setWord(contents, HEADER.root, page)
      return
    }
    if (this.#isBare(contents)) heap.setWord(contents, HEADER.root, this.#makeNode())
    let node = heap.word(contents, HEADER.root)
    for (let level = height - 1; level > 0; level--) {
      const branch = (number >>> (FANOUT_BITS * level)) & (FANOUT - 1)
      if (heap.word(node, branch) === NONE) heap.setWord(node, branch, this.#makeNode())
      node = heap.word(node, branch)
    }
    heap.setWord(node, number & (FANOUT - 1), page)
  }

  #makeNode(): Address {
    const node = this.#heap.allocate(NODE_BYTES)
    this.#heap.bytes(node, NODE_BYTES).fill(0)
    return node
  }

  #borrowBelow(node: number, height: number): number {
    if (height === 0) return node | BORROWED
    const heap = this.#heap
    const copy = this.#makeNode()
    for (let branch = 0; branch < FANOUT; branch++) {
      const below = heap.word(node, branch)
      if (below !== NONE) heap.setWord(copy, branch, this.#borrowBelow(below, height - 1))
    }
    return copy
  }

  *#pages(contents: Address): Generator<{ readonly number: number; readonly page: number }> {
    const root = this.#heap.word(contents, HEADER.root)
    if (root !== NONE) yield* this.#pagesBelow(root, this.#heap.word(contents, HEADER.height), 0)
  }

  *#pagesBelow(node: number, height: number, first: number): Generator<{ readonly number: number; readonly page: number }> {
    if (height === 0) {
      yield { number: first, page: node }
      return
    }
    for (let branch = 0; branch < FANOUT; branch++) {
      const below = this.#heap.word(node, branch)
      if (below !== NONE) yield* this.#pagesBelow(below, height - 1, first + branch * FANOUT ** (height - 1))
    }
  }

  #cut(contents: Address, size: number): void {
    const heap = this.#heap
    heap.setDouble(contents, HEADER.lowerBytes, Math.min(this.#lowerBytes(contents), size))
    const kept = Math.ceil(size / PAGE_BYTES)
    const height = heap.word(contents, HEADER.height)
    const root = heap.word(contents, HEADER.root)
    if (root !== NONE && !this.#prune(contents, root, { height, first: 0, kept })) heap.setWord(contents, HEADER.root, NONE)
    const last = Math.floor(size / PAGE_BYTES)
    const page = this.#page(contents, last)
    const within = size - last * PAGE_BYTES
    if (page === NONE || within >= sizeOf(page)) return
    const owned = this.#ownPage(contents, null, { number: last, within: 0, count: within })
    heap.bytes(addressOf(owned), sizeOf(owned) - within, within).fill(0)
  }

  /** Frees the pages from `kept` on, and nodes that are empty then. Says whether anything is left. */
  #prune(contents: Address, node: number, at: { readonly height: number; readonly first: number; readonly kept: number }): boolean {
    const { height, first, kept } = at
    const heap = this.#heap
    if (height === 0) {
      if (first < kept) return true
      if (!isBorrowed(node)) heap.free(addressOf(node), sizeOf(node))
      heap.setDouble(contents, HEADER.allocatedBytes, this.allocatedBytes(contents) - sizeOf(node))
      return false
    }
    const span = FANOUT ** (height - 1)
    let left = false
    for (let branch = 0; branch < FANOUT; branch++) {
      const below = heap.word(node, branch)
      if (below === NONE) continue
      const from = first + branch * span
      if (from + span <= kept || this.#prune(contents, below, { height: height - 1, first: from, kept })) left = true
      else heap.setWord(node, branch, NONE)
    }
    if (!left) heap.free(node, NODE_BYTES)
    return left
  }

  #readBelow(contents: Address, lower: LowerFile | null, buffer: Uint8Array, position: number): void {
    const wanted = Math.min(buffer.length, this.#lowerBytes(contents) - position)
    const filled = wanted > 0 && lower !== null ? lower.read(buffer.subarray(0, wanted), position) : 0
    if (filled < buffer.length) buffer.fill(0, filled)
  }

  #ownPage(
    contents: Address,
    lower: LowerFile | null,
    { number, within, count }: { readonly number: number; readonly within: number; readonly count: number },
  ): number {
    const heap = this.#heap
    const held = this.#page(contents, number)
    if (held !== NONE && !isBorrowed(held) && sizeOf(held) >= within + count) return held
    const order = orderFor(held, this.#lowerBytes(contents), number, within + count)
    const bytes = 2 ** order
    const address = heap.allocate(bytes)
    const page = address | (order - SMALLEST_ORDER)
    // Not where all of it is about to be written.
    if (count < bytes) {
      const view = heap.bytes(address, bytes)
      if (held === NONE) {
        try {
          this.#readBelow(contents, lower, view, number * PAGE_BYTES)
        } catch (error) {
          heap.free(address, bytes)
          throw error
        }
      } else {
        heap.copy(view, heap.bytes(addressOf(held), sizeOf(held)))
        view.fill(0, sizeOf(held))
      }
    }
    this.#setPage(contents, number, page)
    if (held !== NONE && !isBorrowed(held)) heap.free(addressOf(held), sizeOf(held))
    heap.setDouble(contents, HEADER.allocatedBytes, this.allocatedBytes(contents) + bytes - sizeOf(held))
    return page
  }
}

function addressOf(page: number): Address {
  return own(page) & ~ORDER_MASK
}

function isBorrowed(page: number): boolean {
  return (page & BORROWED) !== 0
}

function own(page: number): number {
  return page & ~BORROWED
}

function sizeOf(page: number): number {
  return page === NONE ? 0 : 2 ** ((page & ORDER_MASK) + SMALLEST_ORDER)
}

/** The order of a page of `needed` bytes: a new one must hold what the lower file has there, else the rest of it would turn to zeros. */
function orderFor(held: number, lowerBytes: number, number: number, needed: number): number {
  const below = held === NONE ? Math.min(PAGE_BYTES, lowerBytes - number * PAGE_BYTES) : sizeOf(held)
  const least = Math.max(needed, below, 2 ** SMALLEST_ORDER)
  return least >= PAGE_BYTES ? PAGE_ORDER : 32 - Math.clz32(least - 1)
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
