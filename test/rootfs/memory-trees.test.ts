import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Holder, type HolderSettings, holderMemory } from '../../src/launcher/holder.js'
import { chooseIdMap, type IdMap, type LivingHolder } from '../../src/launcher/id-map.js'
import type { PackEntry } from '../../src/layer/pack.js'
import { listKernelTree } from '../../src/rootfs/capture.js'
import type { KernelLayers } from '../../src/rootfs/overlay.js'
import { removeLayerTree, removeTrees } from '../../src/rootfs/remove-tree.js'
import { mayBeAlive, pidOf } from '../../src/store/process-identity.js'
import { eventually } from '../support/launcher-box.js'
import { ID_RANGE, NATIVE } from '../support/requirements.js'
import { packEntry, packFile, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'
import { randomStack } from './random-stack.js'
import { assertSameTree, ensureLayerTrees } from './same-tree.js'

const test = suite('rootfs/memory-trees')
const ranged = test.needs(NATIVE, ID_RANGE)

interface Held {
  readonly folder: string
  readonly idMap: IdMap
  readonly living: LivingHolder
}

/** A store's folder, with a holder of its own. */
async function withHeldStore(memoryBytes: number, body: (held: Held) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-memory-trees-'))
  const settings: HolderSettings = { seconds: 60, memoryBytes }
  const holder = new Holder(join(folder, 'holder'), () => settings)
  const idMap = chooseIdMap(holder).map
  try {
    const living = await holder.ensure(idMap)
    assert.ok(living !== null)
    await body({ folder, idMap, living })
  } finally {
    await holder.end()
    await removeTrees(chooseIdMap().map, [join(folder, 'trees')])
    rmSync(folder, { recursive: true, force: true })
  }
}

const directory = (path: string) => packEntry(path, { type: 'directory' })
const oneFile = (name: string, bytes: number): PackEntry[] => [directory(''), packFile(name, 'x'.repeat(bytes))]
const paths = async (idMap: IdMap, layers: KernelLayers) =>
  (await listKernelTree(idMap, { ...layers, upper: null })).map(({ path }) => path).filter((path) => path !== '')

/** Names of the trees in the holder's memory. */
async function inMemory({ idMap, living }: Held): Promise<string[]> {
  const lowers = [holderMemory(living)]
  return (await paths(idMap, { lowers, memory: living })).filter((path) => !path.includes('/')).sort()
}

async function kill({ living }: Held): Promise<void> {
  process.kill(pidOf(living.identity), 'SIGKILL')
  await eventually('it has ended', () => !mayBeAlive(living.identity))
}

ranged(
  'random stacks of layers look the same to the kernel in memory as in our union',
  () =>
    withHeldStore(64 << 20, async ({ folder, idMap }) => {
      for (let seed = 101; seed <= 110; seed++) {
        const stack = randomStack(seed)
        try {
          await assertSameTree(
            idMap,
            stack.map((entries) => storeLayer(join(folder, String(seed)), entries)),
            join(folder, String(seed)),
          )
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}\n${(error as { details?: string }).details ?? ''}`)
        }
      }
    }),
  { timeoutMs: 120_000 },
)

ranged('layers are in the memory of a holder and not on disk, each once', () =>
  withHeldStore(64 << 20, async (held) => {
    const { folder, idMap, living } = held
    const [base, top] = [storeLayer(folder, oneFile('a', 100)), storeLayer(folder, oneFile('b', 100))]
    const first = await ensureLayerTrees(folder, idMap, [base])
    assert.is(first.memory?.identity, living.identity)
    assert.equal(await paths(idMap, first), ['a'])
    const second = await ensureLayerTrees(folder, idMap, [base, top])
    assert.equal(await paths(idMap, second), ['a', 'b'])
    assert.is(second.lowers[0], first.lowers[0])
    // Two layers, and for each of the stacks what directories look like in it.
    assert.is((await inMemory(held)).length, 4)
    const onDisk = readdirSync(join(folder, 'trees', idMap.key), { recursive: true, encoding: 'utf8' })
    assert.equal(
      onDisk.filter((path) => /\/tree/.test(path)),
      [],
    )
    assert.equal(await ensureLayerTrees(folder, idMap, [base, top]), second)
  }),
)

ranged('a layer that is removed is gone from memory, and written anew for who wants it again', () =>
  withHeldStore(64 << 20, async (held) => {
    const { folder, idMap } = held
    const layer = storeLayer(folder, oneFile('a', 100))
    const first = await ensureLayerTrees(folder, idMap, [layer])
    const trees = join(folder, 'trees', idMap.key)
    const name = readdirSync(trees).find((entry) => !entry.startsWith('stack-')) ?? ''
    await removeLayerTree(idMap, join(trees, name))
    assert.is((await inMemory(held)).length, 1)
    const again = await ensureLayerTrees(folder, idMap, [layer])
    assert.not.equal(again.lowers, first.lowers)
    assert.equal(await paths(idMap, again), ['a'])
    assert.is((await inMemory(held)).length, 2, 'the stack over what was removed is gone too')
  }),
)

ranged('what does not fit goes to disk, and leaves nothing of itself in memory', () =>
  withHeldStore(1 << 20, async (held) => {
    const { folder, idMap } = held
    // Smaller as a tar than as a tree: each file of one byte takes a page.
    const small = storeLayer(folder, [directory(''), ...Array.from({ length: 300 }, (_, index) => packFile(`f${index}`, 'x'))])
    const layers = await ensureLayerTrees(folder, idMap, [small])
    assert.is(layers.memory, null)
    assert.is((await paths(idMap, layers)).length, 300)
    assert.equal(await inMemory(held), [])
    const large = await ensureLayerTrees(folder, idMap, [storeLayer(folder, oneFile('a', 2 << 20))])
    assert.is(large.memory, null)
  }),
)

ranged('with a budget of zero everything is on disk', () =>
  withHeldStore(0, async ({ folder, idMap }) => {
    const layers = await ensureLayerTrees(folder, idMap, [storeLayer(folder, oneFile('a', 1))])
    assert.is(layers.memory, null)
    assert.equal(await paths(idMap, layers), ['a'])
  }),
)

ranged('what a holder that has ended had is written anew', () =>
  withHeldStore(64 << 20, async (held) => {
    const { folder, idMap } = held
    const layer = storeLayer(folder, oneFile('a', 100))
    await ensureLayerTrees(folder, idMap, [layer])
    await kill(held)
    const onDisk = await ensureLayerTrees(folder, idMap, [layer])
    assert.is(onDisk.memory, null)
    assert.equal(await paths(idMap, onDisk), ['a'])
    // What is on disk stays there, whoever holds memory from now on.
    assert.ok((await new Holder(join(folder, 'holder'), () => ({ seconds: 60 })).ensure(idMap)) !== null)
    assert.equal(await ensureLayerTrees(folder, idMap, [layer]), onDisk)
  }),
)

ranged('any number that want the same layers at once get the same, and one of each stays', () =>
  withHeldStore(64 << 20, async (held) => {
    const { folder, idMap } = held
    const layers = [storeLayer(folder, oneFile('a', 5000)), storeLayer(folder, oneFile('b', 5000))]
    const found = await Promise.all(Array.from({ length: 4 }, () => ensureLayerTrees(folder, idMap, layers)))
    for (const each of found) assert.equal(await paths(idMap, each), ['a', 'b'])
    const layerTrees = (await inMemory(held)).filter((name) => !name.startsWith('stack-'))
    assert.is(layerTrees.length, 2)
  }),
)

test.run()
