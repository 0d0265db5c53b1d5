/**
 * Random stacks of layers, unpacked by our union, by a model of a few lines, and by umoci: three ways to the same tree.
 */
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { formatListing, listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { parseIndex, serializeIndex } from '../../src/layer/index.js'
import { concatenatedSource, mergeIndexes } from '../../src/layer/merged-index.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { fc } from '../support/properties.js'
import { UMOCI } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { layerOf, withFolder } from './tar.js'
import { GETFATTR, unpackWithUmoci } from './unpackers.js'

const test = suite('layer/stacks')

interface LayerPlan {
  readonly entries: readonly PackEntry[]
  /** Names taken away, and directories made opaque. */
  readonly whiteouts: readonly string[]
  readonly opaque: readonly string[]
}

const DIRECTORIES = ['a', 'b', 'a/c', 'a/c/d']
const NAMES = ['a', 'b', 'c', 'd', 'x', 'y']
const path = fc.tuple(fc.constantFrom('', ...DIRECTORIES), fc.constantFrom(...NAMES)).map((parts) => parts.filter(Boolean).join('/'))
const attributes = fc.record({
  mode: fc.constantFrom(0o700, 0o755, 0o4711, 0o600, 0o2755, 0o1777),
  uid: fc.constantFrom(0, 0, 7, 1000),
  gid: fc.constantFrom(0, 0, 8),
  mtimeNs: fc.oneof(
    fc.bigInt(0n, 2_000_000_000n).map((seconds) => seconds * 1_000_000_000n),
    fc.bigInt(0n, 2n ** 60n),
  ),
})
const user = fc.dictionary(fc.constantFrom('user.p', 'user.q'), fc.uint8Array({ minLength: 1, maxLength: 5 }), { maxKeys: 2 })
const kind = fc.constantFrom('file', 'file', 'directory', 'directory', 'symlink', 'fifo', 'hardlink')
const item = fc.record({ path, kind, attributes, user, text: fc.string({ maxLength: 12 }) })
type Item = typeof item extends fc.Arbitrary<infer T> ? T : never

const layerPlan: fc.Arbitrary<LayerPlan> = fc
  .record({
    items: fc.array(item, { maxLength: 10 }),
    root: attributes,
    implied: attributes,
    whiteouts: fc.uniqueArray(path, { maxLength: 3 }),
    opaque: fc.uniqueArray(fc.constantFrom(...DIRECTORIES), { maxLength: 1 }),
  })
  .map(({ items, root, implied, whiteouts, opaque }) => {
    const entries = new Map<string, PackEntry>([['', { path: '', type: 'directory', ...root, mode: root.mode | 0o700 }]])
    const parents = (of: string): boolean => {
      for (let slash = of.indexOf('/'); slash !== -1; slash = of.indexOf('/', slash + 1)) {
        const parent = of.slice(0, slash)
        const existing = entries.get(parent)
        if (existing === undefined) entries.set(parent, { path: parent, type: 'directory', ...implied, mode: implied.mode | 0o700 })
        else if (existing.type !== 'directory') return false
      }
      return true
    }
    for (const each of items) {
      if (entries.has(each.path) || !parents(each.path)) continue
      const entry = entryOf(each, [...entries.values()])
      if (entry !== null) entries.set(each.path, entry)
    }
    // Their directories come with them, for what an absent parent looks like is each engine's own.
    const markers = { whiteouts: whiteouts.filter(parents), opaque: opaque.filter((directory) => parents(`${directory}/x`)) }
    return { ...markers, entries: [...entries.values()] }
  })

function entryOf({ path: name, kind: type, attributes: owner, user: xattrs, text }: Item, before: readonly PackEntry[]): PackEntry | null {
  const body = Buffer.from(text)
  const map = new Map(Object.entries(xattrs))
  // An ordinary user cannot note owners or xattrs on symlinks and fifos, so these have none.
  const plain = { path: name, mode: owner.mode, uid: 0, gid: 0, mtimeNs: owner.mtimeNs }
  if (type === 'symlink') return { ...plain, type, mode: 0o777, target: text || 'x' }
  if (type === 'fifo') return { ...plain, type }
  if (type === 'directory') return { path: name, type, ...owner, mode: owner.mode | 0o700, xattrs: map }
  if (type === 'hardlink') {
    const target = before.find((each) => each.type === 'file')
    return target === undefined ? null : { ...target, path: name, type, target: target.path }
  }
  const contents = { size: body.length, read: (buffer: Uint8Array, position: number) => body.copy(buffer, 0, position) }
  return { path: name, type: 'file', ...owner, xattrs: map, contents }
}

const marker = (name: string): PackEntry => ({ path: name, type: 'file', mode: 0o600, uid: 0, gid: 0, mtimeNs: 0n })

function tarOf({ entries, whiteouts, opaque }: LayerPlan): Buffer {
  const markers = [
    ...whiteouts.map((name) => marker(name.replace(/[^/]*$/, '.wh.$&'))),
    ...opaque.map((directory) => marker(`${directory}/.wh..wh..opq`)),
  ]
  // In the middle: neither first nor last is where the specification puts them.
  const middle = entries.length >> 1
  const parents = entries.filter(({ type }) => type === 'directory')
  const others = entries.filter(({ type }) => type !== 'directory')
  // Directories once more at the end: umoci leaves them the time at which it removed something from them.
  return Buffer.concat([...packTar([...parents, ...others.slice(0, middle), ...markers, ...others.slice(middle), ...parents])])
}

const unionOf = (plans: readonly LayerPlan[]) => new UnionFs({ lowers: plans.map((plan) => layerOf(tarOf(plan))) })

function contentsOf(union: UnionFs): string[] {
  return [...listTree(union)]
    .filter(({ type }) => type === 'file')
    .map(({ ino, path: name, size }) => {
      const bytes = Buffer.alloc(size ?? 0)
      union.read(ino, bytes, 0)
      return `${name} ${bytes.toString('latin1')}`
    })
}

/** Layers applied one after another to a map of paths: the image specification, read aloud. */
function model(plans: readonly LayerPlan[]): Map<string, string> {
  let tree = new Map<string, string>()
  const removeBelow = (of: string) => {
    for (const each of tree.keys()) if (each.startsWith(`${of}/`)) tree.delete(each)
  }
  for (const { entries, whiteouts, opaque } of plans) {
    for (const name of whiteouts) {
      tree.delete(name)
      removeBelow(name)
    }
    for (const directory of opaque) removeBelow(directory)
    for (const { path: name, type } of entries) {
      if (type !== 'directory') removeBelow(name)
      tree.set(name, type === 'hardlink' ? 'file' : type)
    }
    tree = new Map([...tree].sort(([left], [right]) => (left < right ? -1 : 1)))
  }
  return tree
}

test('a stack of layers is the tree that the image specification describes', () => {
  fc.assert(
    fc.property(fc.array(layerPlan, { minLength: 1, maxLength: 5 }), (plans) => {
      const listed = new Map([...listTree(unionOf(plans))].map(({ path: name, type }) => [name, type as string]))
      assert.equal([...listed].sort(), [...model(plans)].sort())
    }),
    { numRuns: 300 },
  )
})

function linkCountsOf(fs: UnionFs): readonly string[] {
  return [...listTree(fs)].map(({ path: name, ino }) => `${name} ${fs.stat(ino).linkCount}`)
}

test('one index of the whole stack shows what its layers show, contents and hard links too', () => {
  fc.assert(
    fc.property(fc.array(layerPlan, { minLength: 1, maxLength: 5 }), (plans) => {
      const tars = plans.map(tarOf)
      const index = parseIndex(serializeIndex(mergeIndexes(tars.map(layerOf))))
      const parts = tars.map((tar) => ({ bytes: tar.length, open: () => bytesSource(tar) }))
      const whole = new PackedLayer(
        index,
        concatenatedSource(parts, () => new Error('not reached')),
      )
      const [one, many] = [new UnionFs({ lowers: [whole] }), unionOf(plans)]
      assert.is(formatListing(listTree(one)), formatListing(listTree(many)))
      assert.equal(linkCountsOf(one), linkCountsOf(many))
      assert.equal(contentsOf(one), contentsOf(many))
    }),
    { numRuns: 300 },
  )
})

test.needs(UMOCI, GETFATTR)(
  'a stack of layers is the tree that umoci unpacks, with every attribute',
  () => {
    const runs = fc.sample(fc.array(layerPlan, { minLength: 1, maxLength: 4 }), {
      numRuns: 12,
    })
    return withFolder((folder) => {
      for (const [run, plans] of runs.entries()) {
        const unpacked = unpackWithUmoci(join(folder, String(run)), plans.map(tarOf))
        assert.is(formatListing(listTree(unionOf(plans))), formatListing(unpacked))
      }
    })
  },
  { timeoutMs: 120_000 },
)

test.run()
