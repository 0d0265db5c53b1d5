import { spawn } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { loadImages } from '../../src/image/load.js'
import { selectImage } from '../../src/image/platform-select.js'
import { prune } from '../../src/store/prune.js'
import { Store } from '../../src/store/store.js'
import { assertWhole, contentsOf, LayoutBuilder, tarOf, withFolder } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('store/kill')
const PLATFORM = { os: 'linux', architecture: 'amd64' }

/** Loads an archive, makes its layers and loads it again, until it is killed. */
const WORKER = `
  import { loadImages } from ${JSON.stringify(sibling('../../src/image/load.js'))}
  import { selectImage } from ${JSON.stringify(sibling('../../src/image/platform-select.js'))}
  import { removeImage } from ${JSON.stringify(sibling('../../src/image/remove.js'))}
  import { Store } from ${JSON.stringify(sibling('../../src/store/store.js'))}
  const [root, archive] = process.argv.slice(1)
  const store = await Store.open({ root })
  process.stdout.write('ready')
  for (;;) {
    const [loaded] = await loadImages(store, archive)
    const { image } = await selectImage(store.layout, loaded.descriptor, { platform: { os: 'linux', architecture: 'amd64' } })
    for (const layer of await image.layers()) await store.layers.ensure(layer)
    await removeImage(store, 'example.com/killed:1')
  }
`

function sibling(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}

/** Starts the worker and kills it so many milliseconds after it began to work. */
function killAfter(milliseconds: number, root: string, archive: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WORKER, root, archive], { stdio: ['ignore', 'pipe', 'pipe'] })
    let complaint = ''
    child.stderr.on('data', (chunk) => {
      complaint += chunk
    })
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), milliseconds))
    child.on('close', (_, signal) => (signal === 'SIGKILL' ? resolve() : reject(new Error(`the worker ended by itself: ${complaint}`))))
  })
}

async function archiveIn(folder: string): Promise<string> {
  const builder = new LayoutBuilder()
  const layers = await Promise.all([1, 2, 3].map((number) => tarOf({ [`file${number}`]: Buffer.alloc(300_000, number) })))
  const files = builder.name(builder.image(layers), 'example.com/killed:1').files
  const path = join(folder, 'archive.tar')
  await writeFile(path, tarOf(files))
  return path
}

test('a store whose process was killed at any moment is whole, is used on, and keeps nothing of the dead', () =>
  withFolder(async (folder) => {
    const root = join(folder, 'store')
    const archive = await archiveIn(folder)
    for (let round = 0; round < 12; round++) {
      await killAfter(Math.random() * 60, root, archive)
      const store = await Store.open({ root })
      await assertWhole(store)
      const names = await store.references.list()
      assert.ok(names.length <= 1)
      for (const { descriptor } of names) await selectImage(store.layout, descriptor, { platform: PLATFORM })
    }
    const store = await Store.open({ root })
    const [loaded] = await loadImages(store, archive)
    const { image } = await selectImage(store.layout, loaded?.descriptor ?? (assert.unreachable() as never), { platform: PLATFORM })
    const layers = await Promise.all((await image.layers()).map((layer) => store.layers.ensure(layer)))
    await prune(store)
    const blobs = (await store.layout.digests()).map((digest) => digest.slice(7))
    assert.is(blobs.length, 5)
    assert.equal(
      await contentsOf(store),
      [
        ...blobs.map((hex) => `blobs/sha256/${hex}`),
        'index.json',
        ...layers.flatMap(({ diffId }) => ['index', 'tar'].map((file) => `layers/${diffId.slice(7)}/${file}`)),
        'oci-layout',
      ].sort(),
    )
  }))

/** Holds the lock until it is killed. */
const DOOMED = `
  import { Lock } from ${JSON.stringify(sibling('../../src/store/lock.js'))}
  await new Lock(process.argv[1] + '/lock').hold(() => new Promise(() => { setInterval(() => {}, 1000); process.stdout.write('in') }))
`

/** Adds one to a number in a file, again and again, under the lock; says so each time. */
const COUNTER = `
  import { readFile, writeFile } from 'node:fs/promises'
  import { Lock } from ${JSON.stringify(sibling('../../src/store/lock.js'))}
  const [folder, turns] = process.argv.slice(1)
  for (let turn = 0; turn < Number(turns); turn++)
    await new Lock(folder + '/lock').hold(async () => {
      const count = Number(await readFile(folder + '/count', 'utf8'))
      await writeFile(folder + '/count', String(count + 1))
    })
`

test('processes that count under one lock lose no count, though some are killed while they hold it', () =>
  withFolder(async (folder) => {
    await writeFile(join(folder, 'count'), '0')
    const count = (turns: number) =>
      spawn(process.execPath, ['--input-type=module', '-e', COUNTER, folder, String(turns)], { stdio: 'ignore' })
    const ended = (child: ReturnType<typeof count>) => new Promise<number | null>((resolve) => child.on('close', resolve))
    const honest = [count(20), count(20), count(20)].map(ended)
    // The doomed write nothing that counts: they hold the lock for a file of their own.
    const doomed = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', DOOMED, folder], { stdio: ['ignore', 'pipe', 'ignore'] })
      child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), Math.random() * 30))
      return ended(child)
    })
    assert.equal(await Promise.all(honest), [0, 0, 0])
    assert.equal(await Promise.all(doomed), [null, null, null, null])
    assert.is(await readFile(join(folder, 'count'), 'utf8'), '60')
  }))

test('two loads of the same archive, and one of another, at once: all are there, every blob once', () =>
  withFolder(async (folder) => {
    const archive = await archiveIn(folder)
    const other = new LayoutBuilder()
    other.name(other.image([tarOf({ file1: Buffer.alloc(300_000, 1) })]), 'example.com/other:1')
    await writeFile(join(folder, 'other.tar'), tarOf(other.files))
    const store = await Store.open({ root: join(folder, 'store') })
    await Promise.all([archive, archive, join(folder, 'other.tar')].map((path) => loadImages(store, path)))
    const names = (await store.references.list()).map(({ reference }) => reference?.path)
    assert.equal(names.sort(), ['killed', 'other'])
    assert.is((await store.layout.digests()).length, 7)
    await assertWhole(store)
    assert.equal(await readdir(join(store.root, 'ingest')), [])
  }))

test('a layer wanted by many at once is made, and its tar is the blob under another name', () =>
  withFolder(async (folder) => {
    const store = await Store.open({ root: join(folder, 'store') })
    const [loaded] = await loadImages(store, await archiveIn(folder))
    const { image } = await selectImage(store.layout, loaded?.descriptor ?? (assert.unreachable() as never), { platform: PLATFORM })
    const [layer] = await image.layers()
    assert.ok(layer)
    // A store of their own, as other processes have.
    const stores = await Promise.all(Array.from({ length: 6 }, () => Store.open({ root: store.root })))
    const stored = await Promise.all(stores.map((each) => each.layers.ensure(layer)))
    for (const each of stored) assert.equal(each, stored[0])
    const [tar, blob] = await Promise.all([stat(stored[0]?.tarPath ?? ''), stat((await store.layout.pathOf(layer.diffId)) ?? '')])
    assert.is(tar.ino, blob.ino)
  }))

test.run()
