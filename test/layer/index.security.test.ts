/** A stored index that was damaged, or made to harm whoever opens it: each reference is checked once, so that nothing that uses it must. */

import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { indexTar, parseIndex, serializeIndex } from '../../src/layer/index.js'
import { allocateIndex, type LayerIndex, openIndex, TYPES } from '../../src/layer/index-table.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { layerRecords } from '../../src/rootfs/tree-records.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'
import { rawTar } from './tar.js'

const test = suite('layer/indexes that attack')

const TAR = rawTar([
  { name: 'a', typeflag: '5', pax: { 'SCHILY.xattr.user.one': 'value', 'SCHILY.xattr.user.two': '' } },
  { name: 'a/f', body: 'contents' },
  { name: 'a/g', typeflag: '1', link: 'a/f' },
  { name: 'a/in', typeflag: '5' },
  { name: 'a/in/f', body: 'other' },
  { name: 'b', typeflag: '5' },
  { name: 'b/.wh.gone' },
  { name: 'n', typeflag: '3', major: 1, minor: 3 },
  { name: 's', body: 'x'.repeat(20), pax: { 'GNU.sparse.map': '0,10,500,10', 'GNU.sparse.size': '1000' } },
  { name: 't', typeflag: '2', link: 'a/f' },
])
const GOOD = serializeIndex(indexTar(bytesSource(TAR)))

const isInvalid = (error: unknown) => error instanceof EngineError && error.code === 'INVALID_ARCHIVE'

/** Place of the first inode of a type, after the root. */
const placeOf = (index: LayerIndex, type: string) => index.kind.findIndex((kind, place) => place > 0 && TYPES[kind & 0x0f] === type)
const [directory, file, symlink, device] = ['directory', 'file', 'symlink', 'character-device'].map((type) =>
  placeOf(openIndex(GOOD), type),
) as [number, number, number, number]
/** The directory in another, and the file in pieces. */
const below = openIndex(GOOD).kind.findLastIndex((kind) => TYPES[kind & 0x0f] === 'directory')
const inner = openIndex(GOOD).kind.findLastIndex((kind) => TYPES[kind & 0x0f] === 'file')
const sparse = openIndex(GOOD).size.indexOf(1000)

const LIES: Readonly<Record<string, (index: LayerIndex) => void>> = {
  'a root that is a file': (index) => index.kind.fill(0, 0, 1),
  'a type that is none': (index) => index.kind.fill(0x0f, file, file + 1),
  'a flag that is none': (index) => index.kind.fill(0x80, file, file + 1),
  'a mode that is none': (index) => index.mode.fill(0xffff, file, file + 1),
  'an owner that is nobody': (index) => index.uid.fill(0xffff_ffff, file, file + 1),
  'entries beyond the table': (index) => index.count.fill(0xffff_ffff, below, below + 1),
  'two directories with the same entries': (index) => {
    index.first[below] = index.first[0] ?? 0
    index.count[below] = index.count[0] ?? 0
  },
  'an entry of no inode': (index) => index.entryIno.fill(0, 0, 1),
  'an entry of an inode beyond the table': (index) => index.entryIno.fill(0xffff_ffff, 0, 1),
  'the root in itself': (index) => index.entryIno.fill(1, 0, 1),
  'a directory in itself': (index) => index.entryIno.fill(below + 1, index.first[below], (index.first[below] ?? 0) + 1),
  'a directory under two names': (index) => index.entryIno.fill(directory + 1, 1, 2),
  'a name beyond the heap': (index) => index.entryName.fill(0xffff_fff0, 0, 1),
  'a name of nothing': (index) => index.entryNameLength.fill(0, 0, 1),
  'names out of order': (index) => {
    index.entryName[0] = index.entryName[1] ?? 0
    index.entryName[1] = openIndex(GOOD).entryName[0] ?? 0
  },
  'a name with a slash': (index) => index.heap.fill(0x2f, index.entryName[0], (index.entryName[0] ?? 0) + 1),
  'a name with NUL': (index) => index.heap.fill(0, index.entryName[0], (index.entryName[0] ?? 0) + 1),
  'a name that is a dot': (index) => index.heap.fill(0x2e, index.entryName[0], (index.entryName[0] ?? 0) + 1),
  'a link count of none': (index) => index.linkCount.fill(0, file, file + 1),
  'a link count too high': (index) => index.linkCount.fill(9, file, file + 1),
  'a link count too low for hidden names': (index) => index.kind.fill((index.kind[file] ?? 0) | 0x40, file, file + 1),
  'hidden names of a directory': (index) => index.kind.fill((index.kind[directory] ?? 0) | 0x40, directory, directory + 1),
  'a size that is no number': (index) => index.size.fill(Number.NaN, file, file + 1),
  'a size below zero': (index) => index.size.fill(-1, file, file + 1),
  'a size above all files': (index) => index.size.fill(2 ** 41, file, file + 1),
  'contents beyond the tar': (index) => index.segmentOffset.fill(TAR.length, 0, 1),
  'contents before the tar': (index) => index.segmentOffset.fill(-1, 0, 1),
  'contents that are longer than the file': (index) => index.segmentLength.fill(600, 0, 1),
  'contents at half a byte': (index) => index.segmentPosition.fill(0.5, 0, 1),
  'contents at no number': (index) => index.segmentOffset.fill(Number.POSITIVE_INFINITY, 0, 1),
  'pieces that overlap': (index) => index.segmentPosition.fill(5, (index.first[sparse] ?? 0) + 1, (index.first[sparse] ?? 0) + 2),
  'two files with the same pieces': (index) => index.first.fill(0, inner, inner + 1),
  'a target beyond the heap': (index) => index.first.fill(0xffff_ffff, symlink, symlink + 1),
  'a target of nothing': (index) => {
    index.count[symlink] = 0
    index.size[symlink] = 0
  },
  'a target of another length than its size': (index) => index.size.fill(7, symlink, symlink + 1),
  'a target with NUL': (index) => index.heap.fill(0, index.first[symlink], (index.first[symlink] ?? 0) + 1),
  'a device beyond what numbers it': (index) => index.first.fill(0x1000, device, device + 1),
  'xattrs beyond the table': (index) => index.xattrCount.fill(0xffff_ffff, 1, 2),
  'two inodes with the same xattrs': (index) => index.xattrCount.fill(2, below, below + 1),
  'an xattr without a name': (index) => index.xattrNameLength.fill(0, 0, 1),
  'an xattr with NUL in its name': (index) => index.heap.fill(0, index.xattrName[0], (index.xattrName[0] ?? 0) + 1),
  'an xattr beyond the heap': (index) => index.xattrValue.fill(0xffff_ffff, 0, 1),
  'a whiteout in a file': (index) => index.whiteoutDirectory.fill(file + 1, 0, 1),
  'a whiteout in no inode': (index) => index.whiteoutDirectory.fill(0, 0, 1),
  'a whiteout of nothing': (index) => index.whiteoutNameLength.fill(0, 0, 1),
}

for (const [name, lie] of Object.entries(LIES))
  test(`an index with ${name} is refused`, () => {
    const bytes = GOOD.slice()
    lie(openIndex(bytes))
    assert.not.equal(bytes, GOOD)
    assert.throws(() => parseIndex(bytes), isInvalid)
  })

test('an index whose header counts more than it has is refused before anything is allocated', () => {
  for (const word of [0, 1, 2, 3, 4, 5, 6, 8, 9]) {
    const bytes = GOOD.slice()
    new DataView(bytes.buffer).setUint32(word * 4, 0xffff_ffff, true)
    assert.throws(() => new PackedLayer(parseIndex(bytes), bytesSource(TAR)), isInvalid)
  }
})

/** An index of directories, each in the one before it or all in the root, with names of one byte. */
function directories(count: number, { nested }: { readonly nested: boolean }): LayerIndex {
  const index = allocateIndex({ inodes: count, entries: count - 1, segments: 0, whiteouts: 0, xattrs: 0, heapBytes: 3 * count }, 0)
  index.kind.fill(TYPES.indexOf('directory'))
  for (let place = 0; place < count; place++) {
    index.heap.set(Buffer.from([place >> 12, (place >> 6) & 63, place & 63].map((digit) => 0x30 + digit)), place * 3)
    index.first[place] = nested ? place : 0
    index.count[place] = nested ? Number(place < count - 1) : place === 0 ? count - 1 : 0
    if (place === count - 1) continue
    index.entryIno[place] = place + 2
    index.entryName[place] = place * 3
    index.entryNameLength[place] = nested ? 1 : 3
  }
  for (let at = 0; nested && at < index.heap.length; at++) index.heap[at] = 0x61
  return index
}

test('index bomb: directories that share their entries are refused at once, and not walked once each', () => {
  const index = directories(100_000, { nested: false })
  parseIndex(index.bytes)
  index.count.fill(index.counts.entries)
  const start = performance.now()
  assert.throws(() => parseIndex(index.bytes), isInvalid)
  assert.ok(performance.now() - start < 10_000)
})

test('index bomb: directories nested deeper than any path is long are refused', () => {
  const walkable = directories(2048, { nested: true })
  const layer = new PackedLayer(parseIndex(walkable.bytes), bytesSource(new Uint8Array()))
  assert.is([...listTree(new UnionFs({ lowers: [layer] }))].length, 2048)
  assert.throws(() => parseIndex(directories(100_000, { nested: true }).bytes), /deeper than a path/)
})

const WORDS = [0, 1, 2, 3, 7, 0x2f, 0x2e, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff, 0x7ff0_0000, 0xfff8_0000]

test('an index with any words changed or swapped is refused, or can be walked and read to its end', () => {
  const words = GOOD.length >> 2
  const change = fc.oneof(
    fc.record({ at: fc.nat(words - 1), value: fc.constantFrom(...WORDS) }),
    fc.record({ at: fc.nat(words - 1), from: fc.nat(words - 1) }),
  )
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const bytes = GOOD.slice()
      const view = new Uint32Array(bytes.buffer)
      for (const each of changes) view[each.at] = 'from' in each ? (view[each.from] ?? 0) : each.value
      let layer: PackedLayer
      try {
        layer = new PackedLayer(parseIndex(bytes), bytesSource(TAR))
      } catch (error) {
        assert.ok(isInvalid(error), String((error as Error).stack))
        return
      }
      const buffer = new Uint8Array(600)
      for (const tree of [layer, new UnionFs({ lowers: [layer, layer] })])
        for (const { ino, type } of listTree(tree)) if (type === 'file') tree.read(ino, buffer, 0)
      assert.ok([...layerRecords(layer)].length > 0)
    }),
    { numRuns: 10_000 },
  )
})

test.run()
