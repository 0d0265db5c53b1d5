import type { Address, Heap } from './heap.js'

const HEADER_BYTES = 16
const HEADER = { slots: 0, size: 1, used: 2 } as const
const SLOT_UNITS = 1
const SLOT_BYTES = 16
const SLOT = { first: 0, second: 1, value: 2 } as const
const SMALLEST_SIZE = 16

/**
 * A number for each pair of numbers, in a heap: a hash table, whose address is that of its header. A value of zero is none; `first` is never
 * zero.
 */
export class PairTable {
  readonly #heap: Heap

  constructor(heap: Heap) {
    this.#heap = heap
  }

  /** An empty table. */
  create(): Address {
    const table = this.#heap.allocate(HEADER_BYTES)
    for (let word = 0; word < HEADER_BYTES / 4; word++) this.#heap.setWord(table, word, 0)
    return table
  }

  free(table: Address): void {
    const size = this.#size(table)
    if (size > 0) this.#heap.free(this.#heap.word(table, HEADER.slots), size * SLOT_BYTES)
    this.#heap.free(table, HEADER_BYTES)
  }

  get(table: Address, first: number, second: number): number {
    return this.#size(table) === 0 ? 0 : this.#heap.word(this.#find(table, first, second), SLOT.value)
  }

  set(table: Address, first: number, second: number, value: number): void {
    const heap = this.#heap
    const known = this.#size(table) === 0 ? 0 : this.#find(table, first, second)
    if (known !== 0 && heap.word(known, SLOT.first) !== 0) {
      heap.setWord(known, SLOT.value, value)
      return
    }
    // Pairs whose value is zero again stay until the table is made anew.
    if (2 * (heap.word(table, HEADER.used) + 1) > this.#size(table)) this.#makeRoom(table)
    const slot = this.#find(table, first, second)
    heap.setWord(slot, SLOT.first, first)
    heap.setWord(slot, SLOT.second, second)
    heap.setWord(slot, SLOT.value, value)
    heap.setWord(table, HEADER.used, heap.word(table, HEADER.used) + 1)
  }

  /** Bytes that {@link set} of a new pair takes, when the table must be made anew for it. */
  growthBytes(table: Address): number {
    return 4 * SLOT_BYTES * Math.max(SMALLEST_SIZE, this.#size(table))
  }

  /** Whether no pair was ever given a value since the table was made, or made anew. */
  isEmpty(table: Address): boolean {
    return this.#heap.word(table, HEADER.used) === 0
  }

  /** Every pair that has a value. The table must not change meanwhile. */
  *entries(table: Address): Generator<readonly [first: number, second: number, value: number], void, undefined> {
    const heap = this.#heap
    const size = this.#size(table)
    for (let place = 0; place < size; place++) {
      const slot = heap.word(table, HEADER.slots) + place * SLOT_UNITS
      const value = heap.word(slot, SLOT.value)
      if (value !== 0) yield [heap.word(slot, SLOT.first), heap.word(slot, SLOT.second), value]
    }
  }

  #size(table: Address): number {
    return this.#heap.word(table, HEADER.size)
  }

  #find(table: Address, first: number, second: number): Address {
    const heap = this.#heap
    const slots = heap.word(table, HEADER.slots)
    const mask = this.#size(table) - 1
    for (let place = hashOf(first, second) & mask; ; place = (place + 1) & mask) {
      const slot = slots + place * SLOT_UNITS
      const held = heap.word(slot, SLOT.first)
      if (held === 0 || (held === first && heap.word(slot, SLOT.second) === second)) return slot
    }
  }

  #makeRoom(table: Address): void {
    const heap = this.#heap
    const held = [...this.entries(table)]
    const before = { slots: heap.word(table, HEADER.slots), size: this.#size(table) }
    let size = SMALLEST_SIZE
    while (size < 4 * (held.length + 1)) size *= 2
    const slots = heap.allocate(size * SLOT_BYTES)
    heap.bytes(slots, size * SLOT_BYTES).fill(0)
    if (before.size > 0) heap.free(before.slots, before.size * SLOT_BYTES)
    heap.setWord(table, HEADER.slots, slots)
    heap.setWord(table, HEADER.size, size)
    heap.setWord(table, HEADER.used, 0)
    for (const [first, second, value] of held) this.set(table, first, second, value)
  }
}

function hashOf(first: number, second: number): number {
  const mixed = Math.imul(first ^ Math.imul(second, 0x9e3779b1), 0x85ebca6b)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
