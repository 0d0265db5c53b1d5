/** A fuzzer for tar and index: whatever comes, an error that is meant to be read, or a tree that can be walked and read to its end. */
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { indexTar, parseIndex, serializeIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { type Random, SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'
import { type RawEntry, rawTar } from './tar.js'

const test = suite('layer/archive fuzzer')
const NAMES = [
  'a',
  'b',
  'a/b',
  'a/b/c',
  './a',
  '/a',
  '../a',
  'a/../b',
  '.wh.a',
  'a/.wh..wh..opq',
  '.wh.',
  'x'.repeat(300),
  '\xff',
  'a/',
  '.',
  '',
]
const TYPES = '01234567SxXgLKVAD\0z'
const PAX_KEYS = [
  'path',
  'linkpath',
  'size',
  'uid',
  'mtime',
  'SCHILY.xattr.user.a',
  'GNU.sparse.major',
  'GNU.sparse.map',
  'GNU.sparse.name',
  'GNU.sparse.realsize',
]
const PAX_VALUES = [
  '',
  '0',
  '-1',
  '1.5',
  '99999999999999999999',
  'a/b',
  '../x',
  '0,512',
  '0,512,512,99999999999',
  '1',
  '\0',
  'x'.repeat(2000),
]

function randomEntry(random: Random): RawEntry {
  const pax =
    random.below(3) === 0
      ? { [random.pick(PAX_KEYS)]: random.pick(PAX_VALUES), [random.pick(PAX_KEYS)]: random.pick(PAX_VALUES) }
      : undefined
  const size = random.below(10) === 0 ? random.pick([0, 1, 511, 512, 2 ** 33, 8 ** 11 - 1]) : undefined
  return {
    name: random.pick(NAMES),
    typeflag: random.pick([...TYPES]),
    mode: random.below(0o10000),
    link: random.pick(NAMES),
    body: random.bytes(random.pick([0, 0, 1, 511, 512, 513, 1500])),
    ...(size === undefined ? {} : { size }),
    ...(pax === undefined ? {} : { pax }),
  }
}

function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes)
  for (let count = random.below(6); count > 0 && copy.length > 0; count--) copy[random.below(copy.length)] = random.below(256)
  return random.below(4) === 0 ? copy.subarray(0, random.below(copy.length + 1)) : copy
}

/** Only errors that a user is meant to read may come out. */
function attempt<Result>(action: () => Result): Result | null {
  try {
    return action()
  } catch (error) {
    if (error instanceof EngineError && error.code !== 'INTERNAL') return null
    throw error
  }
}

function walk(layer: PackedLayer): void {
  const union = new UnionFs({ lowers: [layer, layer] })
  const buffer = new Uint8Array(4096)
  for (const tree of [layer, union])
    for (const { ino, type, size } of listTree(tree)) if (type === 'file') attempt(() => tree.read(ino, buffer, random32(size ?? 0)))
}

const random32 = (size: number) => Math.max(0, Math.min(size - 100, 2 ** 40))

test(
  'archives of strange entries, and damaged ones',
  () =>
    soak((random) => {
      const tar = damage(
        rawTar(
          Array.from({ length: 1 + random.below(12) }, () => randomEntry(random)),
          { end: random.below(3) > 0 },
        ),
        random,
      )
      const source = bytesSource(tar)
      const index = attempt(() => indexTar(source))
      if (index === null) return
      walk(new PackedLayer(index, source))
      const stored = serializeIndex(index)
      assert.equal(serializeIndex(parseIndex(stored)), stored)
      const damaged = attempt(() => new PackedLayer(parseIndex(damage(stored, random)), source))
      if (damaged !== null) walk(damaged)
    }),
  SOAK,
)

test.run()
