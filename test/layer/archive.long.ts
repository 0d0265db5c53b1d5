/** A fuzzer for tar and index: whatever comes, an error that is meant to be read, or a tree that can be walked and read to its end. */
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { indexTar, parseIndex, serializeIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { layerRecords } from '../../src/rootfs/tree-records.js'
import { UMOCI } from '../support/requirements.js'
import { type Random, SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'
import { ARCHIVE_ATTACKS } from './attacks.js'
import { STRANGE } from './strange-archives.js'
import { layerOf, type RawEntry, rawTar, withFolder } from './tar.js'
import { mutateTar, spliceTars } from './tar-mutations.js'
import { GNU_TAR, gnuTarRoot, umociRoot, type WitnessedPath, witnessedHost, witnessedTree } from './unpackers.js'

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
function attempt<Result>(action: () => Result, refusals = new Map<string, number>()): Result | null {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof EngineError) || error.code === 'INTERNAL') throw error
    const reason = error.message.replace(/"[^"]*"/g, '…').replace(/\d+/g, 'N')
    refusals.set(reason, (refusals.get(reason) ?? 0) + 1)
    return null
  }
}

function walk(layer: PackedLayer): void {
  const union = new UnionFs({ lowers: [layer, layer] })
  const buffer = new Uint8Array(4096)
  for (const tree of [layer, union])
    for (const { ino, type, size } of listTree(tree)) if (type === 'file') attempt(() => tree.read(ino, buffer, random32(size ?? 0)))
}

const random32 = (size: number) => Math.max(0, Math.min(size - 100, 2 ** 40))

/** Reads an archive as far as it goes; what is in it when it loads. */
function judge(tar: Uint8Array, random: Random): PackedLayer | null {
  const source = bytesSource(tar)
  const index = attempt(() => indexTar(source))
  if (index === null) return null
  const layer = new PackedLayer(index, source)
  walk(layer)
  const stored = serializeIndex(index)
  assert.equal(serializeIndex(parseIndex(stored)), stored)
  for (const harmed of [damage(stored, random), changeWords(stored, random)]) {
    const damaged = attempt(() => new PackedLayer(parseIndex(harmed), source))
    if (damaged === null) continue
    walk(damaged)
    for (const _ of layerRecords(damaged));
  }
  return layer
}

const WORDS = [0, 1, 2, 3, 0x2f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff, 0x7ff0_0000, 0xfff8_0000]

/** The index with words set to what numbers turn at, or to what other words are. */
function changeWords(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice()
  const words = new Uint32Array(copy.buffer, 0, copy.length >> 2)
  for (let count = 1 + random.below(3); count > 0; count--)
    words[random.below(words.length)] = random.below(2) === 0 ? random.pick(WORDS) : (words[random.below(words.length)] ?? 0)
  return copy
}

function randomTar(random: Random): Uint8Array {
  return rawTar(
    Array.from({ length: 1 + random.below(12) }, () => randomEntry(random)),
    { end: random.below(3) > 0 },
  )
}

const STRANGE_TARS = Object.values(STRANGE).map(({ tar }) => tar)
const ATTACKS = Object.values(ARCHIVE_ATTACKS)
  .flatMap((attack) => attack.layers('/outside').map((layer) => (layer instanceof Uint8Array ? layer : rawTar(layer))))
  // A bomb a round would leave no time for anything else.
  .filter(({ length }) => length < 100_000)

test('archives of strange entries, and damaged ones', () => soak((random) => judge(damage(randomTar(random), random), random)), SOAK)

test(
  'archives that load, and attacks, with headers, records, maps and order changed',
  () =>
    soak((random) => {
      const tars = random.below(2) === 0 ? STRANGE_TARS : ATTACKS
      judge(mutateTar(spliceTars(random.pick(tars), random.pick(STRANGE_TARS)), random), random)
    }),
  SOAK,
)

/** Entries that say nothing on which readers differ by intent: no links that lead elsewhere, no markers. */
function plainEntry(random: Random): RawEntry {
  const name = random.pick(['a', 'b', 'd/a', 'd/b', 'd/d/c', './a', 'd//b', '\xffx', 'n'.repeat(99)])
  const body = random.bytes(random.pick([0, 1, 511, 512, 513]))
  const mtime = random.below(1 << 30)
  const pax = random.pick<Readonly<Record<string, string>> | null>([
    null,
    null,
    { path: random.pick(['a', 'd/p', 'long'.repeat(40)]) },
    { mtime: random.pick(['1.5', '-1.25', '12.123456789123']) },
    { comment: 'x', uid: '0' },
  ])
  const what = random.below(8)
  const type: Partial<RawEntry> =
    what === 0
      ? { typeflag: '5', mode: 0o755, name: random.pick(['d', 'd/', 'd/d', 'e']), body: '' }
      : what === 1
        ? { typeflag: '2', link: random.pick(['a', 'x']), body: '' }
        : what === 2
          ? { typeflag: '1', link: random.pick(['a', 'b', 'd/a']), body: '' }
          : what === 3
            ? { typeflag: random.pick(['0', '\0', '7']) }
            : {}
  return { name, mode: random.pick([0o644, 0o755, 0o600]), mtime, body, ...(pax === null ? {} : { pax }), ...type }
}

const sortedLines = (paths: readonly WitnessedPath[]) => paths.filter(({ path }) => path !== '').map(({ line }) => line)

test.needs(GNU_TAR, UMOCI)(
  'what GNU tar and umoci both read in one way is what we read',
  async () => {
    let agreed = 0
    const refused = new Map<string, number>()
    await soak((random) =>
      withFolder((folder) => {
        const plain = rawTar(Array.from({ length: 1 + random.below(8) }, () => plainEntry(random)))
        const begun = random.below(3) === 0 ? random.pick(STRANGE_TARS) : plain
        const tar = random.below(4) === 0 ? begun : mutateTar(begun, random)
        const gnu = witnessed(() => gnuTarRoot(join(folder, 'gnu'), tar))
        const other = gnu === null ? null : witnessed(() => umociRoot(join(folder, 'umoci'), [tar]))
        if (gnu === null || other === null || !isDeepStrictEqual(gnu, other)) return
        const ours = attempt(() => layerOf(tar), refused)
        if (ours === null) return
        agreed++
        assert.equal(sortedLines(witnessedTree(ours)), gnu)
      }),
    )
    console.log(`${agreed} archives of one tree; that we alone refuse:`)
    for (const [reason, count] of refused) console.log(`${count} ${reason}`)
  },
  SOAK,
)

/** What another reader makes of an archive; null when it refuses, or makes what its user cannot look into. */
function witnessed(unpack: () => string | null): string[] | null {
  try {
    const root = unpack()
    return root === null ? null : sortedLines(witnessedHost(root))
  } catch {
    return null
  }
}

test.run()
