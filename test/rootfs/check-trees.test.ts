/** Trees on disk that are not what their layers say: each is told of and taken away, and the next start has it again. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { IdMap } from '../../src/launcher/id-map.js'
import { chooseIdMap, keptIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import type { PackEntry } from '../../src/layer/pack.js'
import { hexOf } from '../../src/oci/digest.js'
import { TreesCheck } from '../../src/rootfs/check-trees.js'
import { removeTrees } from '../../src/rootfs/remove-tree.js'
import type { StoredLayer } from '../../src/store/layer-store.js'
import { deadIdentity } from '../support/dead-identity.js'
import { withFolder } from '../support/image-fixtures.js'
import { NATIVE } from '../support/requirements.js'
import { packEntry, packFile, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'
import { ensureLayerTrees } from './same-tree.js'

const test = suite('rootfs/check-trees')

/** All that a layer can have: whiteouts, an opaque directory, links, holes, xattrs, a device, owners. */
function entries(): readonly (readonly PackEntry[])[] {
  return [
    [
      packEntry('', { type: 'directory', mode: 0o750 }),
      packEntry('d', { type: 'directory', mode: 0o2755 }),
      packFile('d/goes', 'goes'),
      packFile('d/stays', 'stays', { mode: 0o4711, uid: 33, gid: 33, xattrs: new Map([['user.note', Uint8Array.of(1, 0, 2)]]) }),
      packEntry('d/hard', { type: 'hardlink', target: 'd/stays' }),
      packEntry('d/sym', { type: 'symlink', target: '../nowhere', mode: 0o777 }),
      packEntry('d/null', { type: 'character-device', device: { major: 1, minor: 3 }, mode: 0o666 }),
      packEntry('d/pipe', { type: 'fifo' }),
      packFile('big', Buffer.alloc(700_000, 'big ')),
    ],
    [
      packEntry('d', { type: 'directory' }),
      packFile('d/.wh.goes', ''),
      packEntry('o', { type: 'directory' }),
      packFile('o/.wh..wh..opq', ''),
    ],
  ]
}

interface Bench {
  readonly root: string
  readonly trees: string
  readonly first: StoredLayer
  readonly stack: string
  flaws(options?: { readonly running?: readonly string[] }): Promise<readonly string[]>
  repair(): Promise<void>
  write(): Promise<void>
}

async function withTrees(idMap: IdMap, body: (bench: Bench) => Promise<void>): Promise<void> {
  await withFolder(async (root) => {
    const layers = entries().map((each) => storeLayer(root, each))
    const [first = null] = layers
    if (first === null) return
    const write = async () => void (await ensureLayerTrees(root, idMap, layers))
    await write()
    const trees = join(root, 'trees', idMap.key)
    const check = new TreesCheck()
    const look = (running: readonly string[] = []) =>
      check.flaws({
        root,
        idMap: idMap.usual ?? idMap,
        soundLayer: (diffId) => layers.find((layer) => layer.diffId === diffId) ?? null,
        imagesOf: () => ['some:1'],
        runningOn: () => running,
      })
    try {
      await body({
        root,
        trees,
        first,
        stack: readdirSync(trees).find((name) => name.startsWith('stack-')) ?? '',
        flaws: async ({ running } = {}) =>
          (await look(running)).map(({ path, problem, remedy }) => `${path.split('/').slice(2).join('/')} ${problem} ${remedy}`),
        repair: async () => {
          for (const { repair } of await look()) await repair?.()
        },
        write,
      })
    } finally {
      await removeTrees(idMap, [join(root, 'trees')])
    }
  })
}

for (const [kind, idMap] of [
  ['range', () => chooseIdMap().map],
  ['single', singleIdMap],
  ['keep-id', () => keptIdMap(chooseIdMap().map, { uid: 33, gid: 7 })],
  ['single keep-id', () => keptIdMap(singleIdMap(), { uid: 33, gid: 7 })],
] as const)
  test.needs(NATIVE)(`trees of layers with all that layers can have are what their layers say (${kind} id map)`, () =>
    withTrees(idMap(), async ({ flaws }) => {
      assert.equal(await flaws(), [])
    }),
  )

const CHANGES: Readonly<Record<string, readonly [change: (tree: string) => unknown, says: RegExp]>> = {
  'a file that is gone': [(tree) => rmSync(join(tree, 'big')), /it lacks "big"/],
  'a file too many': [(tree) => writeFileSync(join(tree, 'more'), ''), /it has too "more", has changed "\/"/],
  'other contents of the same length': [
    (tree) => {
      const bytes = readFileSync(join(tree, 'big'))
      bytes[500_000] = 0
      writeFileSync(join(tree, 'big'), bytes)
      utimesSync(join(tree, 'big'), 1_700_000_000, 1_700_000_000)
    },
    /has changed "big"/,
  ],
  'a longer file': [(tree) => appendFileSync(join(tree, 'big'), 'x'), /has changed "big"/],
  'another mode': [(tree) => chmodSync(join(tree, 'big'), 0o777), /has changed "big"/],
  'a symlink to the host': [
    (tree) => {
      rmSync(join(tree, 'd/sym'))
      symlinkSync('/etc/shadow', join(tree, 'd/sym'))
    },
    /has changed "d" and 1 more/,
  ],
}

test.needs(NATIVE)('a damaged tree of a container that keeps ids is found and taken away, too', () =>
  withTrees(keptIdMap(singleIdMap(), { uid: 33, gid: 7 }), async ({ trees, first, flaws, repair }) => {
    const tree = join(trees, hexOf(first.diffId), 'tree')
    rmSync(join(tree, 'big'))
    assert.match((await flaws())[0] ?? '', /it lacks "big"/)
    await repair()
    assert.not.ok(existsSync(tree))
  }),
)

for (const [what, [change, says]] of Object.entries(CHANGES))
  test.needs(NATIVE)(`a tree with ${what} is found, taken away, and written again`, () =>
    withTrees(singleIdMap(), async ({ trees, first, flaws, repair, write }) => {
      const name = hexOf(first.diffId)
      change(join(trees, name, 'tree'))
      assert.match((await flaws())[0] ?? '', says)
      await repair()
      assert.not.ok(existsSync(join(trees, name, 'complete')))
      // The stack is told of now: what it stands on is gone.
      assert.match((await flaws())[0] ?? '', /^stack-[0-9a-f]{64} stands on a tree that is gone null$/)
      await write()
      assert.equal(await flaws(), [])
    }),
  )

test.needs(NATIVE)('a tree from which a container runs is not taken from under it', () =>
  withTrees(singleIdMap(), async ({ trees, first, flaws }) => {
    rmSync(join(trees, hexOf(first.diffId), 'tree/big'))
    assert.match(
      (await flaws({ running: ['web', 'db'] }))[0] ?? '',
      /lacks "big".* Stop what runs from it, and check again: wolffia stop web db$/,
    )
  }),
)

test.needs(NATIVE)('trees without a mark, with one that says nothing, and half-written ones of the dead are taken away', () =>
  withTrees(singleIdMap(), async ({ trees, first, stack, flaws, repair, write }) => {
    const tree = join(trees, hexOf(first.diffId))
    rmSync(join(tree, 'complete'))
    assert.ok((await flaws()).some((line) => line.includes('has no mark that it is whole')))
    await repair()
    await write()
    for (const text of ['', 'null', '{}', '{"boot":1}']) {
      writeFileSync(join(tree, 'complete'), text)
      assert.ok(
        (await flaws()).some((line) => line.includes('has a mark that cannot be read')),
        text,
      )
    }
    await repair()
    await write()
    rmSync(join(trees, stack, 'tree'), { recursive: true })
    assert.match((await flaws())[0] ?? '', /is marked as whole, and is not there/)
    await repair()
    await write()
    const dead = await deadIdentity()
    mkdirSync(join(tree, `tree.partial-${dead}`))
    writeFileSync(join(tree, `complete.tree.partial-${dead}`), '')
    mkdirSync(join(trees, 'ab'.repeat(32)))
    mkdirSync(join(trees, '../publish.lock'), { recursive: true })
    writeFileSync(join(trees, '../publish.lock', `1-${dead}-0123456789ab`), '')
    assert.is((await flaws()).length, 4)
    await repair()
    assert.equal(await flaws(), [])
  }),
)

test.needs(NATIVE)('a tree of an earlier boot that was not known to be on the disk is no damage: whoever wants it writes it anew', () =>
  withTrees(singleIdMap(), async ({ trees, first, flaws, write }) => {
    const tree = join(trees, hexOf(first.diffId))
    writeFileSync(join(tree, 'complete'), JSON.stringify({ boot: '0'.repeat(32) }))
    rmSync(join(tree, 'tree/big'))
    assert.equal(await flaws(), [])
    rmSync(join(trees, readdirSync(trees).find((name) => name.startsWith('stack-')) ?? '', 'complete'))
    await write()
    assert.ok(existsSync(join(tree, 'tree/big')))
    assert.equal(await flaws(), [])
  }),
)

test.run()
