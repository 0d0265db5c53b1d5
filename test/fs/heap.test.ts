import * as assert from 'uvu/assert'
import { type Address, CHUNK_BYTES, Heap, RECORD_BYTES } from '../../src/fs/heap.js'
import { NameTable } from '../../src/fs/name-table.js'
import { PairTable } from '../../src/fs/pair-table.js'
import { fails } from '../contract/file-system.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('fs/heap')

/** Fills a block with a number that is its own, so that another that overlaps it is noticed. */
function mark(heap: Heap, address: Address, bytes: number, value: number): void {
  heap.bytes(address, bytes).fill(value & 0xff)
}

function isMarked(heap: Heap, address: Address, bytes: number, value: number): boolean {
  return heap.bytes(address, bytes).every((byte) => byte === (value & 0xff))
}

test('blocks of any sizes, given back in any order, never overlap', () => {
  const sizes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 70_000, max: 700_000 }))
  fc.assert(
    fc.property(fc.array(fc.tuple(sizes, fc.nat()), { maxLength: 200 }), (steps) => {
      const heap = new Heap(2 ** 29)
      const blocks: { readonly address: Address; readonly bytes: number; readonly value: number }[] = []
      for (const [value, [bytes, choice]] of steps.entries()) {
        if (choice % 3 === 0 && blocks.length > 0) {
          const [freed] = blocks.splice(choice % blocks.length, 1)
          if (freed === undefined) continue
          assert.ok(isMarked(heap, freed.address, freed.bytes, freed.value))
          heap.free(freed.address, freed.bytes)
        } else {
          const address = heap.allocate(bytes)
          mark(heap, address, bytes, value)
          blocks.push({ address, bytes, value })
        }
      }
      for (const { address, bytes, value } of blocks) assert.ok(isMarked(heap, address, bytes, value))
    }),
  )
})

test('memory that is given back serves blocks of any other size', () => {
  const heap = new Heap(2 ** 24)
  for (const bytes of [16, 256, 4096, CHUNK_BYTES, 20 * CHUNK_BYTES, 64, 512, 3 * CHUNK_BYTES]) {
    const count = Math.floor(2 ** 23 / bytes / 2)
    const blocks = Array.from({ length: count }, () => heap.allocate(bytes))
    for (const block of blocks) heap.free(block, bytes)
  }
  assert.ok(heap.usedBytes <= 2 ** 20, `${heap.usedBytes} bytes are in use`)
})

test('a heap that is full refuses, and goes on when something was given back', () => {
  const heap = new Heap(2 ** 22)
  const blocks: Address[] = []
  fails('ENOSPC', () => {
    for (;;) blocks.push(heap.allocate(CHUNK_BYTES))
  })
  assert.ok(blocks.length >= 60)
  fails('ENOSPC', () => heap.assertRoom(1))
  for (const block of blocks) heap.free(block, CHUNK_BYTES)
  heap.assertRoom(2 ** 20)
  heap.free(heap.allocate(CHUNK_BYTES), CHUNK_BYTES)
})

test('what is no record is not taken for one, and records never become anything else', () => {
  const heap = new Heap(2 ** 24)
  const records = Array.from({ length: 2000 }, () => heap.allocateRecord())
  assert.is(new Set(records).size, records.length)
  assert.ok(records.every((record) => heap.isRecord(record)))
  const block = heap.allocate(RECORD_BYTES)
  const unit = RECORD_BYTES / 16
  for (const none of [0, -unit, 1.5, Number.NaN, 2 ** 40, 2 ** 31, block, (records[0] ?? 0) + 1, 4096 * 100_000])
    assert.not(heap.isRecord(none))
  for (const record of records) heap.freeRecord(record)
  const blocks = Array.from({ length: 5000 }, () => heap.allocate(RECORD_BYTES))
  assert.not(blocks.some((each) => heap.isRecord(each)))
  assert.ok(records.every((record) => heap.isRecord(record)))
})

test('a heap of several banks reaches every block in them', () => {
  const heap = new Heap(3 * 2 ** 30)
  const run = 512 * 2 ** 20
  // A bank begins with a table, so that one of two halves is left.
  const blocks = Array.from({ length: 3 }, () => heap.allocate(run - CHUNK_BYTES))
  for (const [place, block] of blocks.entries()) heap.setWord(block, 5, place + 1)
  assert.equal(
    blocks.map((block) => heap.word(block, 5)),
    [1, 2, 3],
  )
  fails('ENOSPC', () => heap.allocate(run))
})

test('a table of names is what a Map is, in the order of a Map', () => {
  const name = fc.stringMatching(/^[a-e]{1,3}$/)
  const step = fc.tuple(fc.constantFrom('set', 'delete', 'get'), name, fc.integer({ min: 0, max: 2 ** 31 - 1 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer(), (steps, seed) => {
      const heap = new Heap(2 ** 24)
      const names = new NameTable(heap, seed)
      const table = names.create()
      const model = new Map<string, number>()
      for (const [what, key, value] of steps) {
        if (what === 'set') {
          names.set(table, key, value)
          model.set(key, value)
        } else if (what === 'delete') {
          names.delete(table, key)
          model.delete(key)
        }
        assert.is(names.get(table, key), model.get(key))
        assert.is(names.size(table), model.size)
      }
      assert.equal([...names.entries(table)], [...model])
    }),
  )
})

test('names that come and go, and a table that is given back, take no memory with them', () => {
  const heap = new Heap(2 ** 26)
  const names = new NameTable(heap, 7)
  const fill = () => {
    const table = names.create()
    for (let number = 0; number < 20_000; number++) names.set(table, `name-${number}`, number)
    for (let number = 0; number < 20_000; number += 2) names.delete(table, `name-${number}`)
    names.free(table)
  }
  fill()
  const { usedBytes } = heap
  for (let round = 0; round < 5; round++) fill()
  assert.is(heap.usedBytes, usedBytes)
})

test('a table of pairs is what a Map of Maps is', () => {
  const step = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 3 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const heap = new Heap(2 ** 24)
      const pairs = new PairTable(heap)
      const table = pairs.create()
      const model = new Map<string, number>()
      for (const [first, second, value] of steps) {
        pairs.set(table, first, second, value)
        model.set(`${first} ${second}`, value)
        assert.is(pairs.get(table, first, second), value)
      }
      const held = [...pairs.entries(table)].map(([first, second, value]) => [`${first} ${second}`, value] as const).sort()
      assert.equal(held, [...model].filter(([, value]) => value !== 0).sort())
    }),
  )
})

test.run()
