import * as assert from 'uvu/assert'
import type { EntryKind, TreeRecord } from '../../src/launcher/tree-stream.js'
import { ENTRY_KINDS, encodeTreeRecord, TreeStreamDecoder, treeStreamStart } from '../../src/launcher/tree-stream.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/tree-stream')

const name = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCharCode(byte)), maxLength: 40 })
const natural = fc.nat({ max: 0xffffffff })
const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const timeNs = fc.bigInt({ min: -4_000_000_000_123_456_789n, max: 4_000_000_000_123_456_789n })
const bytes = fc.uint8Array({ maxLength: 200 })
const entry: fc.Arbitrary<TreeRecord> = fc
  .record({
    kind: fc.constantFrom(...(Object.keys(ENTRY_KINDS) as EntryKind[])),
    path: name,
    target: name,
    mode: fc.nat({ max: 0o7777 }),
    uid: natural,
    gid: natural,
    size: offset,
    mtimeNs: timeNs,
    atimeNs: timeNs,
    device: fc.record({ major: natural, minor: natural }),
  })
  .map((value) => ({ record: 'entry', entry: { ...value, device: { ...value.device } } }))
const record: fc.Arbitrary<TreeRecord> = fc.oneof(
  entry,
  fc.record({ record: fc.constant('xattr' as const), name, value: bytes }),
  fc.record({ record: fc.constant('data' as const), offset, bytes }),
  fc.record({ record: fc.constant('copy' as const), offset, sourceOffset: offset, length: offset }),
  fc.record({ record: fc.constant('broken' as const), errno: natural, call: name, argument: name }),
)

function plain(records: readonly TreeRecord[]): unknown {
  return records.map((value) => {
    if (value.record === 'data') return { ...value, bytes: [...value.bytes] }
    return value.record === 'xattr' ? { ...value, value: [...value.value] } : { ...value }
  })
}

test('whatever is encoded is decoded again, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), fc.array(fc.nat({ max: 300 }), { maxLength: 20 }), (records, cuts) => {
      const all: TreeRecord[] = [...records, { record: 'end' }]
      const stream = Buffer.concat([treeStreamStart(), ...all.map(encodeTreeRecord)])
      const decoder = new TreeStreamDecoder()
      const decoded: TreeRecord[] = []
      let at = 0
      for (const cut of [...cuts, stream.length]) {
        decoded.push(...decoder.push(stream.subarray(at, at + cut)))
        at += cut
      }
      decoder.finish()
      assert.equal(plain(decoded), plain(all))
    }),
    { numRuns: 200 },
  )
})

test('streams that are none are refused, and no bytes make it crash', () => {
  const malformed = [
    Buffer.from('NOTATREE'),
    Buffer.concat([treeStreamStart(), Buffer.from([0x45, 0, 0, 0, 0])]),
    Buffer.concat([treeStreamStart(), Buffer.from([0x5a, 0, 0, 0, 0])]),
    Buffer.concat([treeStreamStart(), Buffer.from([0x42, 5, 0, 0, 0, 1, 0, 0, 0, 65])]),
    Buffer.concat([treeStreamStart(), Buffer.from([0x42, 1, 0, 0, 0, 1])]),
    Buffer.concat([treeStreamStart(), Buffer.from([0x44, 0xff, 0xff, 0xff, 0xff])]),
    Buffer.concat([treeStreamStart(), encodeTreeRecord({ record: 'end' }), encodeTreeRecord({ record: 'end' })]),
  ]
  for (const stream of malformed) assert.throws(() => new TreeStreamDecoder().push(stream), /tree stream/)
  const incomplete = new TreeStreamDecoder()
  incomplete.push(treeStreamStart())
  assert.throws(() => incomplete.finish(), /too early/)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      try {
        new TreeStreamDecoder().push(Buffer.concat([treeStreamStart(), noise]))
      } catch (error) {
        assert.match(String(error), /tree stream/)
      }
    }),
    { numRuns: 300 },
  )
})

test.run()
