import type { ByteString } from './file-system.js'
import { type Address, type Heap, offsetWithin } from './heap.js'

const HEADER_BYTES = 32
const HEADER = { entries: 0, capacity: 1, index: 2, indexSize: 3, used: 4, live: 5 } as const
const ENTRY_WORDS = 4
const ENTRY = { name: 0, length: 1, hash: 2, value: 3 } as const
const ENTRY_UNITS = 1
const ENTRY_BYTES = 16
const SMALLEST_CAPACITY = 4
/** Up to here the entries themselves are searched, by their hashes. */
const UNINDEXED_CAPACITY = 8
/** Room for half as many names again, so that names that come and go do not have the table made anew each time. */
const ROOM = 1.5
const NONE = 0
const REMOVED = -1

/** Is told of a name, `length` bytes of `bytes` from `start` on, and its number. */
export type NameVisitor = (bytes: Uint8Array, start: number, length: number, value: number) => void

/**
 * Names and a number for each, in a heap: what a directory holds. Names stand in the order in which they were added; one that is removed
 * leaves a gap until the table is made anew. A table is the address of its header: where the entries are and how many, and the index, which
 * is a hash table of their places.
 */
export class NameTable {
  readonly #heap: Heap
  readonly #seed: number

  /** `seed` must be the same in all threads, and unknown to those who choose names. */
  constructor(heap: Heap, seed: number) {
    this.#heap = heap
    this.#seed = seed
  }

  /** An empty table with room for this many names. */
  create(names = 0): Address {
    const heap = this.#heap
    const table = heap.allocate(HEADER_BYTES)
    for (let word = 0; word < HEADER_BYTES / 4; word++) heap.setWord(table, word, 0)
    if (names > 0) this.#makeRoom(table, capacityFor(names))
    return table
  }

  free(table: Address): void {
    const heap = this.#heap
    for (let place = 0; place < heap.word(table, HEADER.used); place++) this.#freeName(table, place)
    this.#freeArrays(table)
    heap.free(table, HEADER_BYTES)
  }

  /** Another table with the same names and numbers. */
  copy(table: Address): Address {
    const copy = this.create(this.size(table))
    for (const [name, value] of this.entries(table)) this.set(copy, name, value)
    return copy
  }

  size(table: Address): number {
    return this.#heap.word(table, HEADER.live)
  }

  /** Bytes that {@link set} of a new name takes, when the table must be made anew for it. */
  growthBytes(table: Address): number {
    return 2 * ROOM * ENTRY_BYTES * 2 * Math.max(SMALLEST_CAPACITY, this.size(table))
  }

  /** The number of a name, or undefined. */
  get(table: Address, name: ByteString): number | undefined {
    const place = this.#find(table, name, this.#hash(name))
    return place < 0 ? undefined : this.#heap.word(this.#entry(table, place), ENTRY.value)
  }

  set(table: Address, name: ByteString, value: number): void {
    const heap = this.#heap
    const hash = this.#hash(name)
    const known = this.#find(table, name, hash)
    if (known >= 0) {
      heap.setWord(this.#entry(table, known), ENTRY.value, value)
      return
    }
    if (heap.word(table, HEADER.used) === heap.word(table, HEADER.capacity)) this.#makeRoom(table, capacityFor(this.size(table) * ROOM + 1))
    const text = heap.allocateText(name)
    const place = heap.word(table, HEADER.used)
    const entry = this.#entry(table, place)
    heap.setWord(entry, ENTRY.name, text)
    heap.setWord(entry, ENTRY.length, name.length)
    heap.setWord(entry, ENTRY.hash, hash)
    heap.setWord(entry, ENTRY.value, value)
    heap.setWord(table, HEADER.used, place + 1)
    heap.setWord(table, HEADER.live, this.size(table) + 1)
    if (heap.word(table, HEADER.index) !== NONE) this.#indexEntry(table, place, hash)
  }

  delete(table: Address, name: ByteString): void {
    const heap = this.#heap
    const hash = this.#hash(name)
    const place = this.#find(table, name, hash)
    if (place < 0) return
    this.#freeName(table, place)
    heap.setWord(this.#entry(table, place), ENTRY.name, NONE)
    heap.setWord(table, HEADER.live, this.size(table) - 1)
    const index = heap.word(table, HEADER.index)
    if (index !== NONE) {
      const mask = heap.word(table, HEADER.indexSize) - 1
      let slot = hash & mask
      while (heap.word(index, slot) !== place + 1) slot = (slot + 1) & mask
      heap.setWord(index, slot, REMOVED)
    }
    if (this.size(table) === 0) heap.setWord(table, HEADER.used, 0)
    if (this.size(table) === 0 && index !== NONE) this.#clearIndex(table)
  }

  /** Every name with its number, in order. The table must not change meanwhile. */
  *entries(table: Address): Generator<readonly [name: ByteString, value: number], void, undefined> {
    const heap = this.#heap
    for (let place = 0; place < heap.word(table, HEADER.used); place++) {
      const entry = this.#entry(table, place)
      const name = heap.word(entry, ENTRY.name)
      if (name !== NONE) yield [heap.text(name, heap.word(entry, ENTRY.length)), heap.word(entry, ENTRY.value)]
    }
  }

  /** The same as {@link entries}, names as the bytes that they are in the heap. */
  visit(table: Address, visitor: NameVisitor): void {
    const heap = this.#heap
    const used = heap.word(table, HEADER.used)
    for (let place = 0; place < used; place++) {
      const entry = this.#entry(table, place)
      const name = heap.word(entry, ENTRY.name)
      if (name !== NONE) visitor(heap.around(name), offsetWithin(name), heap.word(entry, ENTRY.length), heap.word(entry, ENTRY.value))
    }
  }

  #find(table: Address, name: ByteString, hash: number): number {
    const heap = this.#heap
    const index = heap.word(table, HEADER.index)
    if (index === NONE) {
      for (let place = heap.word(table, HEADER.used) - 1; place >= 0; place--) if (this.#isAt(table, place, name, hash)) return place
      return -1
    }
    const mask = heap.word(table, HEADER.indexSize) - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const held = heap.word(index, slot)
      if (held === NONE) return -1
      if (held !== REMOVED && this.#isAt(table, held - 1, name, hash)) return held - 1
    }
  }

  #isAt(table: Address, place: number, name: ByteString, hash: number): boolean {
    const heap = this.#heap
    const entry = this.#entry(table, place)
    if (heap.word(entry, ENTRY.hash) !== hash || heap.word(entry, ENTRY.length) !== name.length) return false
    const text = heap.word(entry, ENTRY.name)
    return text !== NONE && heap.holdsText(text, name)
  }

  #entry(table: Address, place: number): Address {
    return this.#heap.word(table, HEADER.entries) + place * ENTRY_UNITS
  }

  #freeName(table: Address, place: number): void {
    const heap = this.#heap
    const entry = this.#entry(table, place)
    const name = heap.word(entry, ENTRY.name)
    if (name !== NONE) heap.free(name, heap.word(entry, ENTRY.length))
  }

  #freeArrays(table: Address): void {
    const heap = this.#heap
    const capacity = heap.word(table, HEADER.capacity)
    if (capacity > 0) heap.free(heap.word(table, HEADER.entries), capacity * ENTRY_BYTES)
    const index = heap.word(table, HEADER.index)
    if (index !== NONE) heap.free(index, heap.word(table, HEADER.indexSize) * 4)
  }

  /** Moves the entries, without the gaps between them, to where there is room for `capacity`. */
  #makeRoom(table: Address, capacity: number): void {
    const heap = this.#heap
    const entries = heap.allocate(capacity * ENTRY_BYTES)
    const indexSize = capacity > UNINDEXED_CAPACITY ? 2 * capacity : 0
    const index = indexSize > 0 ? heap.allocate(indexSize * 4) : NONE
    let live = 0
    for (let place = 0; place < heap.word(table, HEADER.used); place++) {
      const from = this.#entry(table, place)
      if (heap.word(from, ENTRY.name) === NONE) continue
      const to = entries + live++ * ENTRY_UNITS
      for (let word = 0; word < ENTRY_WORDS; word++) heap.setWord(to, word, heap.word(from, word))
    }
    this.#freeArrays(table)
    heap.setWord(table, HEADER.entries, entries)
    heap.setWord(table, HEADER.capacity, capacity)
    heap.setWord(table, HEADER.index, index)
    heap.setWord(table, HEADER.indexSize, indexSize)
    heap.setWord(table, HEADER.used, live)
    if (index === NONE) return
    this.#clearIndex(table)
    for (let place = 0; place < live; place++) this.#indexEntry(table, place, heap.word(this.#entry(table, place), ENTRY.hash))
  }

  #clearIndex(table: Address): void {
    const heap = this.#heap
    heap.bytes(heap.word(table, HEADER.index), heap.word(table, HEADER.indexSize) * 4).fill(0)
  }

  #indexEntry(table: Address, place: number, hash: number): void {
    const heap = this.#heap
    const index = heap.word(table, HEADER.index)
    const mask = heap.word(table, HEADER.indexSize) - 1
    let slot = hash & mask
    while (heap.word(index, slot) > 0) slot = (slot + 1) & mask
    heap.setWord(index, slot, place + 1)
  }

  // In the manner of Murmur: the seed takes part in every step.
  #hash(name: ByteString): number {
    let hash = this.#seed ^ name.length
    for (let place = 0; place < name.length; place++) {
      hash = Math.imul(hash ^ name.charCodeAt(place), 0x5bd1e995)
      hash ^= hash >>> 15
    }
    return hash | 0
  }
}

function capacityFor(names: number): number {
  return names <= SMALLEST_CAPACITY ? SMALLEST_CAPACITY : 2 ** (32 - Math.clz32(names - 1))
}
