import { ErrnoError } from './errno.js'
import type { ByteString } from './file-system.js'
import { fromBytes } from './names.js'
import { ThreadLock } from './thread-lock.js'

/**
 * A heap in shared memory: blocks that all threads of a process see at the same address. It knows nothing of what is in them.
 *
 * Memory comes in banks, which grow, and is dealt out in chunks of 64 KiB. A chunk holds blocks of one size, a power of two, or is one block,
 * or a part of a larger one; a chunk whose blocks are all free again may become anything. Only chunks of records never become anything else,
 * so an address that once was a record's can be asked whether it still is. What a block holds when it is handed out is undefined.
 *
 * Whoever calls anything here has taken the heap ({@link Heap.take}).
 */

/** Where a block begins, in units of 16 bytes; 0 is nowhere. */
export type Address = number

/** Copies all of `source` to the beginning of `target`, which is not shorter; they do not overlap. */
export type CopyBytes = (target: Uint8Array, source: Uint8Array) => void

/** What another thread needs to see the same heap. */
export interface SharedHeap {
  readonly control: SharedArrayBuffer
  readonly banks: readonly SharedArrayBuffer[]
  readonly maximumBytes: number
}

export const CHUNK_BYTES = 65_536
/** Bytes of a record; its address is a multiple of four units. */
export const RECORD_BYTES = 64
/** Words of the control block that are the heap's user's: the first ones, as 32-bit words. */
export const USER_WORDS = 64

const UNIT_BYTES = 16
const CHUNK_UNITS = CHUNK_BYTES / UNIT_BYTES
const BANK_BYTES = 2 ** 30
const BANK_SHIFT = 26
const BANK_MASK = 2 ** BANK_SHIFT - 1
const CHUNKS_PER_BANK = BANK_BYTES / CHUNK_BYTES
const CONTROL_BYTES = 4096
const SMALLEST_ORDER = 4
const CHUNK_ORDER = 16
const BANK_ORDER = 30
/** Chunks that stay free for what a change needs besides what it has asked for: one of every size, and some. */
const SPARE_CHUNKS = 24

/** What a chunk is, in the upper half of its word in the bank's table; the lower half counts its blocks in use. Below these: the order of its blocks. */
const UNUSED = 0
const RECORDS = 32
const WHOLE = 33

const WORD = {
  growth: USER_WORDS,
  /** Chunks that were ever dealt out, the banks' tables among them. */
  dealtChunks: USER_WORDS + 1,
  freeChunk: USER_WORDS + 2,
  freeChunks: USER_WORDS + 3,
  freeRecord: USER_WORDS + 4,
  recordCursor: USER_WORDS + 5,
  recordEnd: USER_WORDS + 6,
  lock: USER_WORDS + 7,
  /** By order, from here on: the first free block, the block that was never used, the end of its chunk. */
  freeBlock: USER_WORDS + 16,
  cursor: USER_WORDS + 48,
  cursorEnd: USER_WORDS + 80,
} as const

interface Bank {
  readonly words: Int32Array
  readonly bytes: Uint8Array
  readonly doubles: Float64Array
  readonly integers: BigInt64Array
}

export class Heap {
  /** Words that are the user's: the first {@link USER_WORDS}. */
  readonly control: Int32Array
  /** Copies between blocks and other memory. */
  readonly copy: CopyBytes
  #maximumBytes: number
  readonly #controlBuffer: SharedArrayBuffer
  readonly #buffers: SharedArrayBuffer[]
  readonly #banks: Bank[] = []
  #growth = -1
  /** Null while no other thread knows of it. */
  #lock: ThreadLock | null = null

  /** A heap of its own of `maximumBytes` at most, or one that another thread has made. */
  constructor(of: number | SharedHeap, copy: CopyBytes = (target, source) => target.set(source)) {
    this.copy = copy
    if (typeof of === 'number') {
      this.#maximumBytes = of
      this.#controlBuffer = new SharedArrayBuffer(CONTROL_BYTES)
      this.#buffers = []
    } else {
      this.#maximumBytes = of.maximumBytes
      this.#controlBuffer = of.control
      this.#buffers = [...of.banks]
    }
    this.control = new Int32Array(this.#controlBuffer)
    if (typeof of !== 'number') this.#lock = new ThreadLock(this.control, WORD.lock)
    this.take()
    this.give()
  }

  /** Bytes that it may have in all. */
  get maximumBytes(): number {
    return this.#maximumBytes
  }

  /** Lets it become larger. One that is shared does not: its memory is reserved. */
  raiseMaximum(maximumBytes: number): void {
    if (this.#lock === null) this.#maximumBytes = Math.max(this.#maximumBytes, maximumBytes)
  }

  /** For another thread. All memory that it may ever have is reserved by now, since a thread cannot be handed more while it is busy. */
  share(): SharedHeap {
    this.#lock ??= new ThreadLock(this.control, WORD.lock)
    while (this.#buffers.length < Math.ceil(this.maximumBytes / BANK_BYTES)) this.#addBank()
    return { control: this.#controlBuffer, banks: this.#buffers, maximumBytes: this.maximumBytes }
  }

  /** Keeps other threads out until {@link give}. May be done again by who has done it. */
  take(): void {
    if (this.#lock === null) return
    this.#lock.take()
    this.#catchUp()
  }

  give(): void {
    this.#lock?.give()
  }

  giveAfterAnEnd(): void {
    this.#lock?.giveAfterAnEnd()
  }

  /** Sees the memory that other threads have added. */
  #catchUp(): void {
    if (this.control[WORD.growth] === this.#growth) return
    this.#growth = this.control[WORD.growth] ?? 0
    for (const [place, buffer] of this.#buffers.entries())
      if (this.#banks[place]?.bytes.length !== buffer.byteLength) this.#banks[place] = viewsOf(buffer)
  }

  /** Bytes of memory that are dealt out. */
  get usedBytes(): number {
    return (this.#controlWord(WORD.dealtChunks) - this.#controlWord(WORD.freeChunks)) * CHUNK_BYTES
  }

  /** Throws ENOSPC when a change that needs `bytes` could run out of memory half-way. */
  assertRoom(bytes: number): void {
    // A block of more than half a chunk takes whole ones, rounded up to a power of two.
    if (this.usedBytes + 2 * bytes + SPARE_CHUNKS * CHUNK_BYTES > this.maximumBytes)
      throw new ErrnoError('ENOSPC', 'the memory for the tree is used up')
  }

  /** A block of at least `bytes`. Throws ENOSPC. */
  allocate(bytes: number): Address {
    const order = orderOf(bytes)
    return order < CHUNK_ORDER ? this.#allocateSmall(order) : this.#allocateChunks(order)
  }

  /** Gives back a block that was asked for with `bytes`. */
  free(address: Address, bytes: number): void {
    const order = orderOf(bytes)
    if (order < CHUNK_ORDER) this.#freeSmall(address, order)
    else this.#freeChunks(address, order)
  }

  /** A record: 16 words, the first of which is never changed by the heap once it was handed out. Throws ENOSPC. */
  allocateRecord(): Address {
    const free = this.#controlWord(WORD.freeRecord)
    if (free !== 0) {
      this.control[WORD.freeRecord] = this.word(free, 1)
      return free
    }
    if (this.control[WORD.recordCursor] === this.control[WORD.recordEnd]) {
      const isFresh = this.#controlWord(WORD.freeChunks) === 0
      const chunk = this.#takeChunk()
      this.#setChunkWord(chunk, RECORDS << 16)
      // All generations begin at zero, whatever the chunk held before; one that was never used is not touched.
      if (!isFresh) this.bytes(chunk, CHUNK_BYTES).fill(0)
      this.control[WORD.recordCursor] = chunk
      this.control[WORD.recordEnd] = chunk + CHUNK_UNITS
    }
    const record = this.#controlWord(WORD.recordCursor)
    this.control[WORD.recordCursor] = record + RECORD_BYTES / UNIT_BYTES
    return record
  }

  /** Gives back a record, to be handed out again with its first word as it is. */
  freeRecord(address: Address): void {
    this.setWord(address, 1, this.#controlWord(WORD.freeRecord))
    this.control[WORD.freeRecord] = address
  }

  /** Whether a number is the address of a record, in use or not. */
  isRecord(address: number): boolean {
    if (!(address > 0) || address % (RECORD_BYTES / UNIT_BYTES) !== 0) return false
    const bank = this.#banks[address >>> BANK_SHIFT]
    const chunk = (address & BANK_MASK) >>> 12
    return bank !== undefined && (bank.words[chunk] ?? 0) >>> 16 === RECORDS && chunk * CHUNK_BYTES < bank.bytes.length
  }

  word(address: Address, place: number): number {
    return this.#bank(address).words[((address & BANK_MASK) << 2) + place] ?? 0
  }

  setWord(address: Address, place: number, value: number): void {
    this.#bank(address).words[((address & BANK_MASK) << 2) + place] = value
  }

  double(address: Address, place: number): number {
    return this.#bank(address).doubles[((address & BANK_MASK) << 1) + place] ?? 0
  }

  setDouble(address: Address, place: number, value: number): void {
    this.#bank(address).doubles[((address & BANK_MASK) << 1) + place] = value
  }

  integer(address: Address, place: number): bigint {
    return this.#bank(address).integers[((address & BANK_MASK) << 1) + place] ?? 0n
  }

  setInteger(address: Address, place: number, value: bigint): void {
    this.#bank(address).integers[((address & BANK_MASK) << 1) + place] = value
  }

  /** A view of a block's bytes, to be used while the lock is held. */
  bytes(address: Address, length: number, from = 0): Uint8Array {
    const start = (address & BANK_MASK) * UNIT_BYTES + from
    return this.#bank(address).bytes.subarray(start, start + length)
  }

  /** The memory that a block lies in, where it begins at {@link offsetWithin} of its address; to be used while the lock is held. */
  around(address: Address): Uint8Array {
    return this.#bank(address).bytes
  }

  /** Bytes of a block as a byte string. */
  text(address: Address, length: number): ByteString {
    return length === 0 ? '' : fromBytes(this.bytes(address, length))
  }

  /** A block with the bytes of `text`, which is not empty. */
  allocateText(text: ByteString): Address {
    const address = this.allocate(text.length)
    const { bytes } = this.#bank(address)
    const start = (address & BANK_MASK) * UNIT_BYTES
    for (let place = 0; place < text.length; place++) bytes[start + place] = text.charCodeAt(place)
    return address
  }

  /** Whether a block begins with the bytes of `text`. */
  holdsText(address: Address, text: ByteString): boolean {
    const { bytes } = this.#bank(address)
    const start = (address & BANK_MASK) * UNIT_BYTES
    for (let place = 0; place < text.length; place++) if (bytes[start + place] !== text.charCodeAt(place)) return false
    return true
  }

  #bank(address: Address): Bank {
    // Addresses are the tree's own, so there is a bank; the assertion is for the type checker.
    return this.#banks[address >>> BANK_SHIFT] as Bank
  }

  #controlWord(word: number): number {
    return this.control[word] ?? 0
  }

  #allocateSmall(order: number): Address {
    const free = this.#controlWord(WORD.freeBlock + order)
    if (free !== 0) {
      this.#unlink(free, order)
      this.#countBlocks(free, 1)
      return free
    }
    if (this.control[WORD.cursor + order] === this.control[WORD.cursorEnd + order]) {
      const chunk = this.#takeChunk()
      this.#setChunkWord(chunk, order << 16)
      this.control[WORD.cursor + order] = chunk
      this.control[WORD.cursorEnd + order] = chunk + CHUNK_UNITS
    }
    const block = this.#controlWord(WORD.cursor + order)
    this.control[WORD.cursor + order] = block + 2 ** (order - SMALLEST_ORDER)
    this.#countBlocks(block, 1)
    return block
  }

  #freeSmall(block: Address, order: number): void {
    this.#link(block, order)
    const inUse = this.#countBlocks(block, -1)
    const chunk = block - (block % CHUNK_UNITS)
    // One that blocks are still cut from stays.
    if (inUse > 0 || this.control[WORD.cursorEnd + order] === chunk + CHUNK_UNITS) return
    for (let each = chunk; each < chunk + CHUNK_UNITS; each += 2 ** (order - SMALLEST_ORDER)) this.#unlink(each, order)
    this.#giveChunk(chunk)
  }

  /** Puts a free block into the list of its order. */
  #link(block: Address, order: number): void {
    const next = this.#controlWord(WORD.freeBlock + order)
    this.setWord(block, 0, next)
    this.setWord(block, 1, 0)
    if (next !== 0) this.setWord(next, 1, block)
    this.control[WORD.freeBlock + order] = block
  }

  /** Takes a free block out of the list of its order. */
  #unlink(block: Address, order: number): void {
    const next = this.word(block, 0)
    const previous = this.word(block, 1)
    if (previous === 0) this.control[WORD.freeBlock + order] = next
    else this.setWord(previous, 0, next)
    if (next !== 0) this.setWord(next, 1, previous)
  }

  #allocateChunks(order: number): Address {
    if (order === CHUNK_ORDER) {
      const chunk = this.#takeChunk()
      this.#setChunkWord(chunk, WHOLE << 16)
      return chunk
    }
    if (order >= BANK_ORDER) throw new ErrnoError('ENOSPC', 'one piece of the tree is too large')
    const free = this.#smallestRun(order)
    if (free === null) return this.#dealChunks(2 ** (order - CHUNK_ORDER))
    this.#takeRun(free.run, free.order)
    // Halves that are not needed stay runs.
    for (let half = free.order - 1; half >= order; half--) this.#giveRun(free.run + 2 ** (half - SMALLEST_ORDER), half)
    return free.run
  }

  #freeChunks(block: Address, order: number): void {
    if (order === CHUNK_ORDER) this.#giveChunk(block)
    else this.#giveRun(block, order)
  }

  /** The smallest free run of chunks of at least this order. */
  #smallestRun(least: number): { readonly run: Address; readonly order: number } | null {
    for (let order = least; order < BANK_ORDER; order++) {
      const run = this.#controlWord(WORD.freeBlock + order)
      if (run !== 0) return { run, order }
    }
    return null
  }

  #takeRun(run: Address, order: number): void {
    this.#unlink(run, order)
    this.#countFreeChunks(-(2 ** (order - CHUNK_ORDER)))
  }

  #giveRun(run: Address, order: number): void {
    if (order === CHUNK_ORDER) this.#giveChunk(run)
    else {
      this.#link(run, order)
      this.#countFreeChunks(2 ** (order - CHUNK_ORDER))
    }
  }

  #takeChunk(): Address {
    if (this.#controlWord(WORD.freeChunk) === 0) {
      const free = this.#smallestRun(CHUNK_ORDER + 1)
      if (free === null) return this.#dealChunks(1)
      this.#takeRun(free.run, free.order)
      for (let place = 0; place < 2 ** (free.order - CHUNK_ORDER); place++) this.#giveChunk(free.run + place * CHUNK_UNITS)
    }
    const chunk = this.#controlWord(WORD.freeChunk)
    this.control[WORD.freeChunk] = this.word(chunk, 0)
    this.#countFreeChunks(-1)
    return chunk
  }

  #giveChunk(chunk: Address): void {
    this.#setChunkWord(chunk, UNUSED)
    this.setWord(chunk, 0, this.#controlWord(WORD.freeChunk))
    this.control[WORD.freeChunk] = chunk
    this.#countFreeChunks(1)
  }

  #countFreeChunks(change: number): void {
    this.control[WORD.freeChunks] = this.#controlWord(WORD.freeChunks) + change
  }

  /** Chunks in a row that were never used. What is left of a bank that has no room for them is free. */
  #dealChunks(count: number): Address {
    let first = this.#controlWord(WORD.dealtChunks)
    const within = first % CHUNKS_PER_BANK
    if (within > 0 && within + count > CHUNKS_PER_BANK) {
      while (this.#controlWord(WORD.dealtChunks) % CHUNKS_PER_BANK !== 0) this.#giveChunk(this.#dealChunks(1))
      first = this.#controlWord(WORD.dealtChunks)
    }
    // A bank begins with the table of its chunks.
    if (first % CHUNKS_PER_BANK === 0) first++
    if ((first + count) * CHUNK_BYTES > this.maximumBytes) throw new ErrnoError('ENOSPC', 'the memory for the tree is used up')
    this.#growTo(first + count)
    this.control[WORD.dealtChunks] = first + count
    return first * CHUNK_UNITS
  }

  #growTo(chunks: number): void {
    const place = Math.ceil(chunks / CHUNKS_PER_BANK) - 1
    while (this.#buffers.length <= place) this.#addBank()
    const buffer = this.#buffers[place] as GrowableBuffer
    const needed = (chunks - place * CHUNKS_PER_BANK) * CHUNK_BYTES
    if (buffer.byteLength >= needed) return
    // By half as much again, so that a growing tree is not stopped at every chunk; what is not touched takes no memory.
    buffer.grow(Math.min(Math.max(needed, Math.ceil((buffer.byteLength * 1.5) / CHUNK_BYTES) * CHUNK_BYTES), buffer.maxByteLength))
    this.#seeGrowth()
  }

  #addBank(): void {
    const buffer = new (SharedArrayBuffer as unknown as GrowableConstructor)(FIRST_BYTES, { maxByteLength: BANK_BYTES })
    this.#buffers.push(buffer)
    this.#seeGrowth()
  }

  #seeGrowth(): void {
    this.control[WORD.growth] = (this.#controlWord(WORD.growth) + 1) | 0
    this.#catchUp()
  }

  #setChunkWord(chunk: Address, value: number): void {
    this.#bank(chunk).words[(chunk & BANK_MASK) >>> 12] = value
  }

  /** Counts blocks of a chunk that are in use, and says how many there are. */
  #countBlocks(block: Address, change: number): number {
    const { words } = this.#bank(block)
    const place = (block & BANK_MASK) >>> 12
    const word = (words[place] ?? 0) + change
    words[place] = word
    return word & 0xffff
  }
}

const FIRST_BYTES = 4 * CHUNK_BYTES

// ES2024, which Node 20 has and TypeScript's ES2023 library does not know.
interface GrowableBuffer extends SharedArrayBuffer {
  readonly maxByteLength: number
  grow(byteLength: number): void
}
type GrowableConstructor = new (byteLength: number, options: { readonly maxByteLength: number }) => GrowableBuffer

// Views of a fixed length: V8 is ten times slower with those that follow the buffer's.
function viewsOf(buffer: SharedArrayBuffer): Bank {
  const { byteLength } = buffer
  return {
    words: new Int32Array(buffer, 0, byteLength / 4),
    bytes: new Uint8Array(buffer, 0, byteLength),
    doubles: new Float64Array(buffer, 0, byteLength / 8),
    integers: new BigInt64Array(buffer, 0, byteLength / 8),
  }
}

/** Where a block begins in the memory {@link Heap.around} it, in bytes. */
export function offsetWithin(address: Address): number {
  return (address & BANK_MASK) * UNIT_BYTES
}

/** The power of two that a block of `bytes` takes. */
function orderOf(bytes: number): number {
  return bytes <= UNIT_BYTES ? SMALLEST_ORDER : 32 - Math.clz32(bytes - 1)
}
