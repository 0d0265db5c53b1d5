import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import { copyMemory } from '../../src/wasm/sandbox/memory-copy.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/memory-copy')

const ROOM = 12_000
/** About where it changes its way, and anywhere. */
const lengths = fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 2040, max: 2056 }))
const starts = fc.integer({ min: 0, max: 64 })

/** Bytes of which no two neighbours are the same. */
function pattern(bytes: Uint8Array, salt: number): Uint8Array {
  for (let place = 0; place < bytes.length; place++) bytes[place] = place * 7 + (place >>> 8) + salt
  return bytes
}

test('what is copied is the source, and nothing beside it is touched, wherever both lie', () => {
  fc.assert(
    fc.property(lengths, starts, starts, fc.boolean(), fc.nat(9), (length, from, to, isOut, beyond) => {
      const shared = pattern(new Uint8Array(new SharedArrayBuffer(ROOM)), 1)
      const own = pattern(new Uint8Array(ROOM), 3)
      const [source, target] = isOut ? [shared, own] : [own, shared]
      const expected = Uint8Array.from(target)
      expected.set(source.subarray(from, from + length), to)
      copyMemory(target.subarray(to, to + length + beyond), source.subarray(from, from + length))
      assert.equal(Buffer.from(target).equals(expected), true)
    }),
  )
})

test('a tree that copies so holds what was written, over pages and in their forks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 1, max: 80_000 })), { maxLength: 8 }),
      (writes) => {
        const made = new UnionFs({ lowers: [] })
        const fs = UnionFs.attach(made.share(), [], { copy: copyMemory })
        const file = fs.create(fs.root, 'file', { type: 'file', mode: 0o644, uid: 0, gid: 0 })
        const expected = new Uint8Array(280_000)
        let size = 0
        let salt = 0
        for (const [position, length] of writes) {
          const fork = salt % 3 === 2 ? fs.fork() : null
          const contents = pattern(new Uint8Array(length), salt++)
          fs.write(file, contents, position)
          const before = new Uint8Array(size)
          assert.is(fork?.read(file, before, 0) ?? size, size)
          if (fork !== null) assert.equal(Buffer.from(before).equals(expected.subarray(0, size)), true)
          fork?.close()
          expected.set(contents, position)
          size = Math.max(size, position + length)
        }
        const found = new Uint8Array(280_000)
        assert.is(fs.read(file, found, 0), size)
        assert.equal(Buffer.from(found).equals(expected), true)
      },
    ),
  )
})

test.run()
