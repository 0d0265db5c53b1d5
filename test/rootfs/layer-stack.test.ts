import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { formatListing, listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import type { PackedLayer } from '../../src/layer/packed-layer.js'
import { openMerged, openStack, openStoredLayer, stackName } from '../../src/rootfs/layer-stack.js'
import type { StoredLayer } from '../../src/store/layer-store.js'
import { packEntry, packFile, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('rootfs/layer-stack')
const folder = mkdtempSync(join(tmpdir(), 'wolffia-stack-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const text = (layer: PackedLayer, name: string) => {
  const ino = layer.lookup(layer.root, name) ?? 0
  const bytes = Buffer.alloc(layer.stat(ino).size)
  layer.read(ino, bytes, 0)
  return bytes.toString()
}

/** Three layers in a folder of their own. */
function threeLayers(name: string): StoredLayer[] {
  return [
    storeLayer(join(folder, name), [packEntry('', { type: 'directory' }), packFile('low', 'from below'), packFile('gone', 'x')]),
    storeLayer(join(folder, name), [packFile('middle', `in the middle of ${name}`), packFile('.wh.gone', '')]),
    storeLayer(join(folder, name), [packFile('low', 'from above'), packFile('deep/er/file', 'deep')]),
  ]
}

const keptPath = (layers: readonly StoredLayer[]) => join(dirname(layers.at(-1)?.indexPath ?? ''), stackName(layers))

test('the index of a stack is kept beside its topmost layer and used from then on', () => {
  const layers = threeLayers('kept')
  const made = openMerged(layers)
  assert.equal(
    [text(made, 'low'), text(made, 'middle'), made.lookup(made.root, 'gone')],
    ['from above', 'in the middle of kept', undefined],
  )
  made.close()
  const kept = readFileSync(keptPath(layers))
  assert.is(statSync(keptPath(layers)).mode & 0o777, 0o600)
  // What is found is used: the layers' own indexes are not read again.
  for (const { indexPath } of layers) rmSync(indexPath)
  const found = openMerged(layers)
  assert.is(text(found, 'middle'), 'in the middle of kept')
  found.close()
  assert.equal(readFileSync(keptPath(layers)), kept)
  assert.equal(
    readdirSync(dirname(keptPath(layers))).filter((name) => name.startsWith('stack-')),
    [stackName(layers)],
  )
})

test('a kept index that is broken in any byte of its frame is made again', () => {
  const layers = threeLayers('broken')
  const expected = formatListing(listTree(new UnionFs({ lowers: layers.map(openStoredLayer) })))
  openMerged(layers).close()
  const good = readFileSync(keptPath(layers))
  const breaks: (() => void)[] = [
    () => truncateSync(keptPath(layers), 0),
    () => truncateSync(keptPath(layers), good.length - 1),
    () => appendFileSync(keptPath(layers), 'x'),
    () => writeFileSync(keptPath(layers), good.fill(0xff, 0, 8)),
  ]
  for (const damage of breaks) {
    damage()
    const opened = openMerged(layers)
    assert.is(formatListing(listTree(new UnionFs({ lowers: [opened] }))), expected)
    opened.close()
  }
})

test('few layers are opened one by one, many as one, and both show the same', () => {
  const few = threeLayers('few')
  const many = [...few, ...few, ...few]
  const listed = (layers: readonly StoredLayer[]) => {
    const opened = openStack(layers)
    const listing = formatListing(listTree(new UnionFs({ lowers: opened })))
    for (const layer of opened) layer.close()
    return [opened.length, listing] as const
  }
  const [fewOpened, listing] = listed(few)
  assert.equal([fewOpened, listed(many)], [3, [1, listing]])
})

test('another order, or one layer less, is another stack', () => {
  const [low, middle, top] = threeLayers('order') as [StoredLayer, StoredLayer, StoredLayer]
  const opened = [
    [low, middle, top],
    [top, middle, low],
    [low, top],
  ].map((layers) => openMerged(layers))
  assert.equal(
    opened.map((stack) => [text(stack, 'low'), stack.lookup(stack.root, 'gone') !== undefined]),
    [
      ['from above', false],
      ['from below', true],
      ['from above', true],
    ],
  )
  for (const each of opened) each.close()
})

test('where it cannot be kept, it is used all the same', () => {
  const layers = threeLayers('full')
  // As in a store of another user's, or on a full disk: no file can be made there. To root the folder is no hindrance, but the name is.
  mkdirSync(join(keptPath(layers), 'in the way'), { recursive: true })
  chmodSync(dirname(keptPath(layers)), 0o500)
  try {
    for (let time = 0; time < 2; time++) {
      const opened = openMerged(layers)
      assert.is(text(opened, 'low'), 'from above')
      opened.close()
    }
  } finally {
    chmodSync(dirname(keptPath(layers)), 0o700)
  }
})

test('a tar that is shorter than it was is found out when it is read, and no other', () => {
  const layers = threeLayers('short')
  openMerged(layers).close()
  truncateSync(layers[1]?.tarPath ?? '', 512)
  const opened = openMerged(layers)
  assert.is(text(opened, 'low'), 'from above')
  assert.throws(() => text(opened, 'middle'), /^.*the tar of layer sha256:[0-9a-f]{64} has changed its size/)
  opened.close()
})

test.run()
