import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { fromUtf8 } from '../../src/fs/names.js'
import type { IdMap } from '../../src/launcher/id-map.js'
import { chooseIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import type { PackEntry } from '../../src/layer/pack.js'
import { listKernelTree } from '../../src/rootfs/capture.js'
import { removeTrees } from '../../src/rootfs/remove-tree.js'
import { ensureTrees } from '../../src/rootfs/write-tree.js'
import { eventually } from '../support/launcher-box.js'
import { ID_RANGE, NATIVE } from '../support/requirements.js'
import { packEntry, packFile, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'
import { randomStack } from './random-stack.js'
import { assertSameTree, ensureLayerTrees } from './same-tree.js'

const test = suite('rootfs/trees')

/** A store's folder that is gone afterwards, whoever owns what is in it. */
async function withStore(idMap: IdMap, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-trees-'))
  try {
    await body(folder)
  } finally {
    await removeTrees(idMap, [join(folder, 'trees')])
    rmSync(folder, { recursive: true, force: true })
  }
}

const ensure = async (...request: Parameters<typeof ensureLayerTrees>) => (await ensureLayerTrees(...request)).lowers

const assertSameStack = (idMap: IdMap, stack: readonly (readonly PackEntry[])[], folder: string) =>
  assertSameTree(
    idMap,
    stack.map((entries) => storeLayer(folder, entries)),
    folder,
  )

const directory = (path: string, entry: Partial<PackEntry> = {}) => packEntry(path, { type: 'directory', ...entry })

test.needs(NATIVE, ID_RANGE)('every kind of entry looks the same to the kernel as in our tree', () =>
  withStore(chooseIdMap().map, (folder) =>
    assertSameStack(
      chooseIdMap().map,
      [
        [
          directory('', { mode: 0o555, mtimeNs: 1_234_567_890_123_456_789n }),
          directory('d', { mode: 0o1777, uid: 7, gid: 8 }),
          packFile('d/file', 'contents', {
            mode: 0o4755,
            uid: 1000,
            gid: 1001,
            xattrs: new Map([['user.note', Uint8Array.of(0, 255, 1)]]),
          }),
          packEntry('d/link', { type: 'hardlink', target: 'd/file' }),
          packEntry('d/symlink', { type: 'symlink', target: fromUtf8('../ä\u{1f331}'), mode: 0o777 }),
          packEntry('d/pipe', { type: 'fifo', mode: 0o640, uid: 3 }),
          packEntry('d/null', { type: 'character-device', device: { major: 1, minor: 3 }, mode: 0o666 }),
          packEntry('d/zero-zero', { type: 'character-device', device: { major: 0, minor: 0 }, mode: 0o600 }),
          packFile(fromUtf8(`d/${'é'.repeat(120)}`), 'long'),
          packFile('d/\xff\xfe', 'not UTF-8'),
          packFile('d/secret', 'x', { mode: 0, uid: 5, mtimeNs: -1_500_000_000n }),
          directory('d/closed', { mode: 0, uid: 9 }),
          packFile('d/closed/in', 'x'.repeat(200_000), { uid: 9, mode: 0o600 }),
          packFile('d/tricky', '', { xattrs: new Map([['user.overlay.opaque', Uint8Array.of(0x79)]]) }),
        ],
      ],
      folder,
    ),
  ),
)

test.needs(NATIVE, ID_RANGE)('whiteouts, opaque directories, replaced types and implied parents stack as in our union', () =>
  withStore(chooseIdMap().map, (folder) =>
    assertSameStack(
      chooseIdMap().map,
      [
        [
          directory('', { mode: 0o755 }),
          directory('a', { mode: 0o700, uid: 4, xattrs: new Map([['user.kept', Uint8Array.of(1)]]) }),
          packFile('a/one', '1'),
          packFile('a/two', '2'),
          directory('a/sub', { mode: 0o711, mtimeNs: 5_000_000_000n }),
          packFile('a/sub/deep', 'deep'),
          directory('b'),
          packFile('b/gone', 'x'),
          packFile('becomes-directory', 'file'),
          directory('becomes-file'),
          packFile('becomes-file/lost', 'x'),
          packFile('hard', 'linked'),
        ],
        [
          packEntry('a/.wh.one'),
          packFile('a/sub/new', 'implied parents'),
          directory('b', { mode: 0o750 }),
          packEntry('b/.wh..wh..opq'),
          packFile('b/fresh', 'y'),
          directory('becomes-directory'),
          packFile('becomes-directory/in', 'in'),
          packFile('becomes-file', 'file now'),
          packEntry('other-name', { type: 'hardlink', target: 'hard-here' }),
          packFile('hard-here', 'upper'),
          packEntry('only-whiteouts/.wh.nothing'),
        ].filter(({ path }) => path !== 'other-name'),
        [packFile('a/one', 'back again'), packEntry('.wh.hard'), packFile('b/.wh.fresh', ''), packFile('implied/by/file', 'z')],
      ],
      folder,
    ),
  ),
)

test.needs(NATIVE, ID_RANGE)(
  'random stacks of layers look the same to the kernel as in our union',
  () =>
    withStore(chooseIdMap().map, async (folder) => {
      for (let seed = 1; seed <= 15; seed++) {
        try {
          await assertSameStack(chooseIdMap().map, randomStack(seed), join(folder, String(seed)))
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}\n${(error as { details?: string }).details ?? ''}`)
        } finally {
          await removeTrees(chooseIdMap().map, [join(folder, String(seed), 'trees')])
        }
      }
    }),
  { timeoutMs: 120_000 },
)

test.needs(NATIVE)('under a single id everything is made, and its owner is the one there is', () =>
  withStore(singleIdMap(), async (folder) => {
    const layers = [storeLayer(folder, [directory(''), packFile('of-another', 'x', { uid: 1000, gid: 1000, mode: 0o640 })])]
    const files = await listKernelTree(singleIdMap(), { lowers: await ensure(folder, singleIdMap(), layers), memory: null, upper: null })
    assert.equal(
      files.map(({ path, uid, gid, mode }) => ({ path, uid, gid, mode })),
      [
        { path: '', uid: 0, gid: 0, mode: 0o755 },
        { path: 'of-another', uid: 0, gid: 0, mode: 0o640 },
      ],
    )
  }),
)

test.needs(NATIVE)('a layer that comes twice is stacked once, where it comes last', () =>
  withStore(singleIdMap(), async (folder) => {
    const first = storeLayer(folder, [directory(''), packFile('a', 'first')])
    const second = storeLayer(folder, [packFile('a', 'second'), packFile('b', 'second')])
    const lowers = await ensure(folder, singleIdMap(), [first, second, first])
    const files = await listKernelTree(singleIdMap(), { lowers, memory: null, upper: null })
    assert.equal(
      files.map(({ path, size }) => [path, size]),
      [
        ['', null],
        ['a', 5],
        ['b', 6],
      ],
    )
  }),
)

test.needs(NATIVE)('two writers at once leave one whole tree, and a dead one its partial tree only until the next', () =>
  withStore(singleIdMap(), async (folder) => {
    const layers = [storeLayer(folder, [directory(''), packFile('a', 'x'.repeat(1_000_000))])]
    const all = await Promise.all(Array.from({ length: 4 }, () => ensure(folder, singleIdMap(), layers)))
    assert.equal(new Set(all.map((lowers) => lowers.join())).size, 1)
    const layerFolder = join(all[0]?.[0] ?? '', '..')
    assert.equal(readdirSync(layerFolder).sort(), ['complete', 'tree'])
    // As a killed process leaves it: no marker, and a partial tree of a process that is gone.
    rmSync(join(layerFolder, 'complete'))
    mkdirSync(join(layerFolder, 'tree.partial-1-1-1-00000000000000000000000000000000-1'))
    writeFileSync(join(layerFolder, 'tree.partial-1-1-1-00000000000000000000000000000000-1', 'half'), 'x')
    await ensure(folder, singleIdMap(), layers)
    assert.equal(readdirSync(layerFolder).sort(), ['complete', 'tree'])
  }),
)

test.needs(NATIVE)('a tree written before the last boot may be cut off, and is written anew by whoever wants it first', () =>
  withStore(singleIdMap(), async (folder) => {
    const layers = [storeLayer(folder, [directory(''), packFile('a', 'x'.repeat(100_000))])]
    const lowers = await ensure(folder, singleIdMap(), layers)
    const written = statSync(lowers[0] ?? '').ino
    await ensure(folder, singleIdMap(), layers)
    assert.is(statSync(lowers[0] ?? '').ino, written, 'in the same boot it is trusted')
    for (const tree of lowers) {
      const marker = join(tree, '../complete')
      writeFileSync(marker, JSON.stringify({ ...JSON.parse(readFileSync(marker, 'utf8')), boot: '0'.repeat(32) }))
    }
    writeFileSync(join(lowers[0] ?? '', 'a'), '')
    const all = await Promise.all(Array.from({ length: 3 }, () => ensure(folder, singleIdMap(), layers)))
    assert.equal(all, [lowers, lowers, lowers])
    assert.is(statSync(join(lowers[0] ?? '', 'a')).size, 100_000)
    for (const tree of lowers) assert.equal(readdirSync(join(tree, '..')).sort(), ['complete', 'tree'])
  }),
)

test.needs(NATIVE)('a tree that has been flushed is trusted after the next boot too', () =>
  withStore(singleIdMap(), async (folder) => {
    const layers = [storeLayer(folder, [directory(''), packFile('a', 'x')])]
    const lowers = await ensure(folder, singleIdMap(), layers)
    const markers = lowers.map((tree) => join(tree, '../complete'))
    const boots = () => markers.map((marker) => JSON.parse(readFileSync(marker, 'utf8')).boot)
    const anHourAgo = Date.now() / 1000 - 3600
    for (const marker of markers) utimesSync(marker, anHourAgo, anHourAgo)
    await ensure(folder, singleIdMap(), layers)
    await eventually('the markers say so', () => boots().every((boot) => boot === null))
    writeFileSync(join(lowers[0] ?? '', 'a'), 'kept')
    assert.equal(await ensure(folder, singleIdMap(), layers), lowers)
    assert.is(readFileSync(join(lowers[0] ?? '', 'a'), 'utf8'), 'kept')
  }),
)

test.needs(NATIVE)('a tree that cannot be written leaves nothing behind', () =>
  withStore(singleIdMap(), async (folder) => {
    const layer = storeLayer(folder, [directory(''), packFile('a', 'x'.repeat(10_000))])
    writeFileSync(layer.tarPath, '')
    let failed = false
    try {
      await ensureTrees({
        directory: join(folder, 'trees'),
        idMap: singleIdMap(),
        layers: [layer],
        merged: () => assert.unreachable() as never,
      })
    } catch {
      failed = true
    }
    assert.ok(failed)
    const left = existsSync(join(folder, 'trees')) ? readdirSync(join(folder, 'trees'), { recursive: true, encoding: 'utf8' }) : []
    assert.equal(
      left.filter((path) => /partial|complete/.test(path)),
      [],
    )
  }),
)

test.needs(NATIVE)('an image with a broken file capability fails by name, and leaves neither a tree nor an error nobody catches', () =>
  withStore(singleIdMap(), async (folder) => {
    const xattrs = new Map([['security.capability', Buffer.from('broken')]])
    const files = Array.from({ length: 5000 }, (_, index) => packEntry(`file-${index}`))
    const layer = storeLayer(folder, [packFile('capable', 'x', { xattrs }), ...files])
    for (let attempt = 0; attempt < 3; attempt++) {
      const error = await ensure(folder, singleIdMap(), [layer]).catch((thrown: EngineError) => thrown.data)
      assert.equal(error, { operation: 'tree-write', call: 'fsetxattr', argument: 'capable', errno: 'EINVAL' })
      // What comes late from the launcher's streams comes now.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const made = readdirSync(join(folder, 'trees'), { recursive: true }).map(String)
    assert.equal(
      made.filter((name) => /tree|complete|capable/.test(name)),
      [],
    )
  }),
)

test.run()
