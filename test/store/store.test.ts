import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { importImage } from '../../src/image/import.js'
import { selectImage } from '../../src/image/platform-select.js'
import { removeImage } from '../../src/image/remove.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { parseReference, withDefaultTag } from '../../src/reference/normalize.js'
import { formatReference } from '../../src/reference/reference.js'
import { defaultHome } from '../../src/store/home.js'
import { prune } from '../../src/store/prune.js'
import { withName } from '../../src/store/references.js'
import { Store } from '../../src/store/store.js'
import {
  assertRejects,
  assertWhole,
  contentsOf,
  digestOf,
  stream,
  tarOf,
  withFolder,
  withStore,
  writeFiles,
} from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('store')
const named = (name: string) => ({ reference: withDefaultTag(parseReference(name)) })

test('the store is in WOLFFIA_HOME, else in XDG_DATA_HOME, else below the home folder', () => {
  assert.is(defaultHome({ WOLFFIA_HOME: '/w', XDG_DATA_HOME: '/x' }), '/w')
  assert.is(defaultHome({ XDG_DATA_HOME: '/x' }), '/x/wolffia')
  assert.match(defaultHome({ XDG_DATA_HOME: 'relative' }), /^\/.*\/\.local\/share\/wolffia$/)
  assert.is(defaultHome({ HOME: '/h' }), '/h/.local/share/wolffia')
  assert.is(defaultHome({ HOME: '' }), defaultHome({}), 'an empty HOME is none')
  assert.match(defaultHome({ HOME: '' }), /^\//)
  assert.throws(() => defaultHome({ HOME: 'relative' }), /HOME is "relative", which is no absolute path/)
  assert.throws(() => defaultHome({ WOLFFIA_HOME: 'relative' }), /no absolute path/)
})

test('every folder of a store is its owner’s alone, and no file can be read by others', () =>
  withStore(async (store) => {
    await importImage(store, stream(tarOf({ a: 'x' })), named('a'))
    const entries = await readdir(store.root, { recursive: true })
    for (const entry of ['.', ...entries]) {
      const { mode } = await lstat(join(store.root, entry))
      assert.is(mode & 0o077, 0, `${entry} has mode ${(mode & 0o7777).toString(8)}`)
    }
  }))

test('a folder that is open to others is closed when it becomes a store', () =>
  withFolder(async (folder) => {
    await chmod(folder, 0o755)
    await Store.open({ root: folder })
    assert.is((await stat(folder)).mode & 0o777, 0o700)
  }))

test('a store may be a link to another disk', () =>
  withFolder(async (folder) => {
    await mkdir(join(folder, 'disk'))
    await symlink('disk', join(folder, 'store'))
    await Store.open({ root: join(folder, 'store') })
    assert.ok((await readdir(join(folder, 'disk'))).includes('oci-layout'))
  }))

test('a folder with other things in it is not taken over', () =>
  withFolder(async (folder) => {
    await writeFile(join(folder, 'thesis.tex'), '')
    const error = await assertRejects(Store.open({ root: folder }), 'INVALID_ARGUMENT', /thesis\.tex/)
    assert.match(error.hint ?? '', 'WOLFFIA_HOME')
    assert.equal(await readdir(folder), ['thesis.tex'])
    await assertRejects(Store.open({ root: join(folder, 'thesis.tex') }), 'INVALID_ARGUMENT')
    await assertRejects(Store.open({ root: '/' }), 'INVALID_ARGUMENT', /another user|not empty/)
  }))

test('what an ingest wrote is invisible until it is committed, and gone when it is discarded', () =>
  withStore(async (store) => {
    const ingest = await store.ingest()
    const descriptor = await ingest.writeDocument('{}', 'text/plain')
    assert.not(await store.layout.has(descriptor.digest))
    assert.equal(await ingest.readDocument(descriptor), Buffer.from('{}'))
    await ingest.discard()
    await ingest.discard()
    assert.equal(await contentsOf(store), ['index.json', 'oci-layout'])
  }))

test('of an ingest only what names lead to is kept', () =>
  withStore(async (store) => {
    await importImage(store, stream(tarOf({ a: 'x' })), { ...named('a'), changes: ['CMD ["a"]', 'USER 1'] })
    assert.is((await store.layout.digests()).length, 3)
    assert.equal((await prune(store)).blobs, [])
  }))

test('a blob that an ingest counts on cannot be pruned away from it', () =>
  withStore(async (store) => {
    const first = await store.ingest()
    const blob = await first.writeDocument('shared', 'text/plain')
    await first.commit((names) => withName(names, null, blob))
    await store.references.replace([])
    const second = await store.ingest()
    assert.ok(await second.reuse(blob))
    assert.equal((await prune(store)).blobs, [blob.digest])
    await second.commit((names) => withName(names, null, blob))
    assert.equal(await store.layout.readDocument(blob), Buffer.from('shared'))
    assert.equal((await prune(store)).blobs, [])
  }))

test('what another tool wrote into index.json stays when names change', () =>
  withStore(async (store) => {
    const ingest = await store.ingest()
    const blob = await ingest.writeDocument('{}', 'text/plain')
    await ingest.commit((names) => withName(names, null, blob))
    const foreign = { ...blob, annotations: { 'org.opencontainers.image.ref.name': 'Not A Reference', 'org.example': 'kept' } }
    await writeFile(join(store.root, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [foreign] }))
    await importImage(store, stream(tarOf({ a: '' })), named('a'))
    const { manifests } = JSON.parse(await readFile(join(store.root, 'index.json'), 'utf8')) as { manifests: unknown[] }
    assert.equal(manifests[0], foreign)
    assert.is(manifests.length, 2)
  }))

test('an index.json that is damaged is an error that names it, never an empty store', () =>
  withStore(async (store) => {
    await writeFile(join(store.root, 'index.json'), '{"schemaVersion":2,"manifests":[{}]}')
    await assertRejects(store.references.list(), 'INVALID_IMAGE', /^index\.json\.manifests\[0\]\.mediaType/)
    await assertRejects(prune(store), 'INVALID_IMAGE')
  }))

test('pruning removes unused blobs, layers and trees, keeps used ones, and asks the engine to remove trees', () =>
  withStore(async (store) => {
    const layer = tarOf({ a: 'x' })
    await importImage(store, stream(layer), named('a'))
    await writeFile(join(store.root, 'blobs/sha256', digestOf('loose').slice(7)), 'loose')
    const [used, unused, imaged] = [digestOf('used'), digestOf('unused'), digestOf(layer)].map((digest) => digest.slice(7))
    for (const hex of [used, unused, imaged])
      for (const folder of [`layers/${hex}`, `trees/0-1000-1/${hex}/tree`]) await mkdir(join(store.root, folder), { recursive: true })
    await mkdir(join(store.root, `trees/0-1000-1/${unused}.unfinished`))
    const stack = (name: string, hex: string | undefined) =>
      writeFiles(join(store.root, `trees/0-1000-1/stack-${name}`), { complete: JSON.stringify({ lowers: [imaged, hex, `stack-${name}`] }) })
    await stack('stale', unused)
    await stack('fresh', used)
    const removed: string[] = []
    const pruned = await prune(store, {
      usedLayers: async () => [digestOf('used')],
      removeTree: async (path) => {
        removed.push(path)
      },
    })
    assert.equal(pruned.blobs, [digestOf('loose')])
    assert.equal(pruned.layers, [digestOf('unused')])
    const trees = [`trees/0-1000-1/${unused}`, 'trees/0-1000-1/stack-stale']
    assert.equal([...pruned.trees].sort(), trees.sort())
    assert.equal(
      removed.sort(),
      trees.map((tree) => join(store.root, tree)),
    )
    assert.equal((await readdir(join(store.root, 'layers'))).sort(), [used, imaged].sort())
  }))

test('when the last trees were flushed is forgotten with the last of them', () =>
  withStore(async (store) => {
    const hex = digestOf('a layer').slice(7)
    const folder = join(store.root, 'trees/0-1000-1')
    await mkdir(join(folder, hex), { recursive: true })
    await writeFile(join(folder, 'flush-begun'), '')
    await prune(store, { usedLayers: async () => [digestOf('a layer')] })
    assert.equal((await readdir(folder)).sort(), [hex, 'flush-begun'].sort())
    await prune(store)
    assert.equal(await readdir(folder), [])
  }))

test('while an image has lost its manifest nothing is pruned that may be its own, and what is removed by name goes all the same', () =>
  withStore(async (store) => {
    const [lost, other] = [
      await importImage(store, stream(tarOf({ a: 'x' })), named('lost')),
      await importImage(store, stream(tarOf({ b: 'y' })), named('other')),
    ]
    const manifest = join(store.root, 'blobs/sha256', lost.digest.slice(7))
    const bytes = await readFile(manifest)
    await rm(manifest)
    assert.equal((await prune(store)).blobs, [])
    await removeImage(store, 'other')
    assert.not.ok(await store.layout.has(other.digest))
    assert.not.ok(await store.layout.has(digestOf(tarOf({ b: 'y' }))))
    await writeFile(manifest, bytes)
    await assertWhole(store)
    assert.ok(await store.layout.has(digestOf(tarOf({ a: 'x' }))), 'the image is whole when its manifest comes back')
    // A damaged one as one that is not there.
    await writeFile(manifest, bytes.fill(0x20))
    assert.equal((await prune(store)).blobs, [])
    await removeImage(store, 'lost')
    assert.equal(await store.layout.digests(), [])
  }))

test('pruning keeps the layers that an ingest under way has made', () =>
  withStore(async (store) => {
    await using ingest = await store.ingest()
    const tar = tarOf({ a: 'x' })
    const { digest } = await ingest.write([tar], MEDIA_TYPE.ociLayer)
    const layer = {
      descriptor: { mediaType: MEDIA_TYPE.ociLayer, digest, size: tar.length },
      diffId: digest,
      uncompressed: async () => stream(tar),
    }
    await store.layers.ensure(layer)
    assert.equal((await prune(store)).layers, [])
    await ingest.discard()
    assert.equal((await prune(store)).layers, [digest])
  }))

test('a layer that has lost a file is made again over what is there, by any number at once', () =>
  withStore(async (store) => {
    const tar = tarOf({ a: 'x' })
    const { image } = await selectImage(store.layout, await importImage(store, stream(gzipSync(tar)), named('a')))
    const [layer] = await image.layers()
    if (layer === undefined) return assert.unreachable()
    const { diffId, tarPath, indexPath } = await store.layers.ensure(layer)
    const whole = [await readFile(tarPath), await readFile(indexPath)]
    for (const lost of [[tarPath], [indexPath], [tarPath, indexPath]]) {
      for (const path of lost) await rm(path)
      assert.is(await store.layers.find(diffId), null)
      const others = await Promise.all([1, 2, 3].map(() => Store.open({ root: store.root })))
      await Promise.all([store, ...others].map(({ layers }) => layers.ensure(layer)))
      assert.equal([await readFile(tarPath), await readFile(indexPath)], whole)
      assert.not((await contentsOf(store)).some((path) => path.startsWith('ingest')))
    }
  }))

test('a name is one image’s; the image that loses its last name stays without one', () => {
  const descriptor = (content: string) => ({ mediaType: 'x', digest: digestOf(content), size: 1 })
  const [one, two] = [descriptor('1'), descriptor('2')]
  const show = (names: ReturnType<typeof withName>) =>
    names.map(({ reference, descriptor: found }) => `${reference === null ? '-' : formatReference(reference)} ${found === one ? 1 : 2}`)
  const { reference: a } = named('a')
  const { reference: b } = named('b')
  let names = withName([], a, one)
  names = withName(names, b, one)
  assert.equal(show(names), ['docker.io/library/a:latest 1', 'docker.io/library/b:latest 1'])
  names = withName(names, a, two)
  assert.equal(show(names), ['docker.io/library/b:latest 1', 'docker.io/library/a:latest 2'])
  names = withName(names, b, two)
  assert.equal(show(names), ['docker.io/library/a:latest 2', '- 1', 'docker.io/library/b:latest 2'])
  names = withName(names, a, one)
  assert.equal(show(names), ['docker.io/library/b:latest 2', 'docker.io/library/a:latest 1'])
  assert.equal(withName(names, null, one), names)
})

test.run()
