import type { Address, Heap } from './heap.js'

const HEADER_BYTES = 16
const HEADER = { slots: 0, size: 1, used: 2 } as const
const SLOT_UNITS = 1
const SLOT_BYTES = 16
const SLOT = { first: 0, second: 1, value: 2 } as const
const SMALLEST_SIZE = 16

/**
 * A number for each pair of numbers, in a heap: a hash table whose address is that of its header. A value of zero is none; `first` is never
 * zero.
 */
export class PairTable {
  readonly #heap: Heap
  readonly #table: Address

  /** Over a table that {@link PairTable.create} has made. */
  constructor(heap: Heap, table: Address) {
    this.#heap = heap
    this.#table = table
  }

  static create(heap: Heap): Address {
    const table = heap.allocate(HEADER_BYTES)
    for (let word = 0; word < HEADER_BYTES / 4; word++) heap.setWord(table, word, 0)
    return table
  }

  get(first: number, second: number): number {
    return this.#size === 0 ? 0 : this.#heap.word(this.#find(first, second), SLOT.value)
  }

  set(first: number, second: number, value: number): void {
    const heap = this.#heap
    const known = this.#size === 0 ? 0 : this.#find(first, second)
    if (known !== 0 && heap.word(known, SLOT.first) !== 0) {
      heap.setWord(known, SLOT.value, value)
      return
    }
    // Pairs whose value is zero again stay until the table is made anew.
    if (2 * (heap.word(this.#table, HEADER.used) + 1) > this.#size) this.#makeRoom()
    const slot = this.#find(first, second)
    heap.setWord(slot, SLOT.first, first)
    heap.setWord(slot, SLOT.second, second)
    heap.setWord(slot, SLOT.value, value)
    heap.setWord(this.#table, HEADER.used, heap.word(this.#table, HEADER.used) + 1)
  }

  /** Every pair that has a value. The table must not change meanwhile. */
  *entries(): Generator<readonly [first: number, second: number, value: number], void, undefined> {
    const heap = this.#heap
    for (let place = 0; place < this.#size; place++) {
      const slot = this.#slot(place)
      const value = heap.word(slot, SLOT.value)
      if (value !== 0) yield [heap.word(slot, SLOT.first), heap.word(slot, SLOT.second), value]
    }
  }

  get #size(): number {
    return this.#heap.word(this.#table, HEADER.size)
  }

  #slot(place: number): Address {
    return this.#heap.word(this.#table, HEADER.slots) + place * SLOT_UNITS
  }

  #find(first: number, second: number): Address {
    const heap = this.#heap
    const mask = this.#size - 1
    for (let place = hashOf(first, second) & mask; ; place = (place + 1) & mask) {
      const slot = this.#slot(place)
      const held = heap.word(slot, SLOT.first)
      if (held === 0 || (held === first && heap.word(slot, SLOT.second) === second)) return slot
    }
  }

  #makeRoom(): void {
    const heap = this.#heap
    const held = [...this.entries()]
    const before = { slots: heap.word(this.#table, HEADER.slots), size: this.#size }
    let size = SMALLEST_SIZE
    while (size < 4 * (held.length + 1)) size *= 2
    const slots = heap.allocate(size * SLOT_BYTES)
    heap.bytes(slots, size * SLOT_BYTES).fill(0)
    if (before.size > 0) heap.free(before.slots, before.size * SLOT_BYTES)
    heap.setWord(this.#table, HEADER.slots, slots)
    heap.setWord(this.#table, HEADER.size, size)
    heap.setWord(this.#table, HEADER.used, 0)
    for (const [first, second, value] of held) this.set(first, second, value)
  }
}

function hashOf(first: number, second: number): number {
  const mixed = Math.imul(first ^ Math.imul(second, 0x9e3779b1), 0x85ebca6b)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
