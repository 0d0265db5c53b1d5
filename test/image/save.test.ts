/** Images as archives that others read, and what they say of them. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as zlib from 'node:zlib'
import * as assert from 'uvu/assert'
import { formatListing, listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { findImage } from '../../src/image/find.js'
import { loadImages } from '../../src/image/load.js'
import { selectImage } from '../../src/image/platform-select.js'
import { assertLayoutFolder, type SaveRequest, saveImages, saveLayout } from '../../src/image/save.js'
import { tagImage } from '../../src/image/tag.js'
import { readEntries } from '../../src/layer/entry.js'
import { packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import { formatReference } from '../../src/reference/reference.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import type { Store } from '../../src/store/store.js'
import { assertRejects, contentsOf, LayoutBuilder, run, tarOf, withStore, writeFiles } from '../support/image-fixtures.js'
import { program, SKOPEO, UMOCI } from '../support/requirements.js'
import { packEntry, packFile } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('image/save')
const PODMAN = program('podman')
const skopeo = (...words: string[]) => run('skopeo', '--insecure-policy', ...words)
const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64'
const PLATFORM = { os: 'linux', architecture: ARCHITECTURE }

/** Two layers that have all that layers can: the second hides, replaces and makes opaque. */
function strangeLayers(): readonly Uint8Array[] {
  const pack = (...entries: Parameters<typeof packTar>[0][]) => Buffer.concat(entries.flatMap((each) => [...packTar(each)]))
  return [
    pack([
      packEntry('d', { type: 'directory' }),
      packFile('d/goes', 'goes'),
      packFile('d/stays', 'stays', { xattrs: new Map([['user.note', Uint8Array.of(0x61, 0x62)]]) }),
      packEntry('d/hard', { type: 'hardlink', target: 'd/stays' }),
      packEntry('d/sym', { type: 'symlink', target: '../nowhere', mode: 0o777 }),
      packEntry('o', { type: 'directory' }),
      packFile('o/hidden', 'hidden'),
      packFile('d/odd \u00e9\n name', 'odd'),
      packFile('d/big', Buffer.alloc(300_000, 'big ')),
    ]),
    pack([
      packEntry('d', { type: 'directory' }),
      packFile('d/.wh.goes', ''),
      packEntry('o', { type: 'directory', mode: 0o750 }),
      packFile('o/.wh..wh..opq', ''),
      packFile('o/new', 'new'),
    ]),
  ]
}

/** A store with `one:1`, `one:2` (the same), `two:1`, and `both:1` for two platforms. */
async function withImages(body: (store: Store, folder: string) => Promise<void>): Promise<void> {
  await withStore(async (store, folder) => {
    const builder = new LayoutBuilder()
    const config = { architecture: ARCHITECTURE, config: { Cmd: ['/bin/true'], Env: ['A=b'] } }
    const one = builder.image(strangeLayers(), config)
    const two = builder.image([...strangeLayers(), tarOf({ more: 'more' })], config)
    const other = builder.image([tarOf({ other: 'other' })], { architecture: 's390x' })
    const both = builder.index([
      { ...one, platform: PLATFORM },
      { ...other, platform: { os: 'linux', architecture: 's390x' } },
    ])
    builder.name(one, 'docker.io/library/one:1').name(two, 'registry.example/two:1').name(both, 'docker.io/library/both:1')
    await writeFiles(join(folder, 'source'), builder.files)
    await loadImages(store, join(folder, 'source'))
    await tagImage(store, 'one:1', 'one:2')
    await body(store, folder)
  })
}

const save = (store: Store, images: readonly string[], others: Partial<SaveRequest> = {}) =>
  buffer(Readable.from(saveImages(store, { images, format: 'docker-archive', ...others }), { objectMode: false }))

function filesOf(archive: Uint8Array): Map<string, Uint8Array> {
  return new Map(
    [...readEntries(bytesSource(archive), { fileBytes: 1 << 30 })].flatMap(({ name, segments: [segment] }) =>
      segment === undefined ? [] : [[name, archive.subarray(segment.offset, segment.offset + segment.length)] as const],
    ),
  )
}

const documentIn = (archive: Uint8Array, name: string) => JSON.parse(Buffer.from(filesOf(archive).get(name) ?? '').toString())

/** An image's tree, as a listing. */
async function treeOf(store: Store, name: string): Promise<string> {
  const { image } = await selectImage(store.layout, (await findImage(store, name)).descriptor)
  const layers = []
  for (const layer of await image.layers()) layers.push(openStoredLayer(await store.layers.ensure(layer)))
  try {
    return formatListing(listTree(new UnionFs({ lowers: layers })))
  } finally {
    for (const layer of layers) layer.close()
  }
}

const leftIn = (store: Store) => readdirSync(join(store.root, 'ingest'))

test('what is saved is loaded as it was: ids, names and bytes', () =>
  withImages(async (store) => {
    const archive = await save(store, ['one', 'registry.example/two:1', 'both:1'])
    assert.equal(leftIn(store), [])
    await withStore(async (again) => {
      await loadImages(again, Readable.from([archive]))
      const shown = async (of: Store) =>
        (await of.references.list())
          .map(({ reference, descriptor }) => `${reference && formatReference(reference)} ${descriptor.digest}`)
          .sort()
      assert.equal(await shown(again), await shown(store))
      assert.ok((await save(again, ['one', 'registry.example/two:1', 'both:1'])).equals(archive))
      assert.is(await treeOf(again, 'one:1'), await treeOf(store, 'one:1'))
    })
  }))

test('an archive says of its images what docker says, each blob once', () =>
  withImages(async (store) => {
    const archive = await save(store, ['one', 'registry.example/two:1'])
    const [one, two, ...others] = documentIn(archive, 'manifest.json')
    assert.equal(others, [])
    assert.equal(one.RepoTags, ['one:1', 'one:2'])
    assert.equal(two.RepoTags, ['registry.example/two:1'])
    assert.equal(two.Layers.slice(0, 2), one.Layers)
    const files = filesOf(archive)
    for (const name of [one.Config, two.Config, ...two.Layers]) assert.ok(files.has(name), name)
    assert.is([...files.keys()].filter((name) => name.startsWith('blobs/')).length, 3 + 2 + 2)
    assert.equal(
      documentIn(archive, 'index.json').manifests.map(({ annotations }: { annotations: object }) => Object.values(annotations)),
      [
        ['docker.io/library/one:1', '1'],
        ['docker.io/library/one:2', '2'],
        ['registry.example/two:1', '1'],
      ],
    )
    assert.not.ok(filesOf(await save(store, ['one'], { format: 'oci-archive' })).has('manifest.json'))
  }))

test('by its id an image has no name, and of one for several platforms one can be had', () =>
  withImages(async (store) => {
    const id = (await findImage(store, 'one:1')).descriptor.digest
    const byId = await save(store, [id])
    assert.equal(documentIn(byId, 'manifest.json')[0].RepoTags, [])
    assert.is(documentIn(byId, 'index.json').manifests[0].annotations, undefined)
    const s390x = await save(store, ['both:1'], { wish: { platform: { os: 'linux', architecture: 's390x' } } })
    assert.is(documentIn(s390x, 'manifest.json')[0].Layers.length, 1)
    await assertRejects(save(store, ['both:1'], { wish: { platform: { os: 'plan9', architecture: 'amd64' } } }), 'PLATFORM_NOT_FOUND')
    await assertRejects(save(store, ['one', 'nosuch']), 'IMAGE_NOT_FOUND')
  }))

test('packed anew, layers are what they were, and the bytes are the same each time', () =>
  withImages(async (store) => {
    const archive = await save(store, ['both:1', 'registry.example/two:1'], { compression: 'gzip' })
    assert.ok((await save(store, ['both:1', 'registry.example/two:1'], { compression: 'gzip' })).equals(archive))
    assert.ok(archive.length < (await save(store, ['both:1', 'registry.example/two:1'])).length / 2)
    await withStore(async (again) => {
      await loadImages(again, Readable.from([archive]))
      for (const name of ['both:1', 'registry.example/two:1']) assert.is(await treeOf(again, name), await treeOf(store, name))
      // What came compressed goes out plain as it was, since the config is the same.
      const plain = await save(again, ['registry.example/two:1'], { compression: 'none' })
      assert.ok(plain.equals(await save(store, ['registry.example/two:1'], { compression: 'none' })))
    })
  }))

test('zstd is written where Node can, and refused by name where not', () =>
  withImages(async (store) => {
    if (!('createZstdCompress' in zlib)) {
      await assertRejects(save(store, ['one:1'], { compression: 'zstd' }), 'UNSUPPORTED_BY_HOST')
      assert.equal(leftIn(store), [])
      return
    }
    const archive = await save(store, ['one:1'], { compression: 'zstd' })
    await withStore(async (again) => {
      await loadImages(again, Readable.from([archive]))
      assert.is(await treeOf(again, 'one:1'), await treeOf(store, 'one:1'))
    })
  }))

test('a layer that is not what its image says fails the archive before it begins, and leaves nothing', () =>
  withImages(async (store) => {
    const before = await contentsOf(store)
    const { image } = await selectImage(store.layout, (await findImage(store, 'one:1')).descriptor)
    const [layer] = await image.layers()
    const path = String(await store.layout.pathOf(layer?.descriptor.digest ?? (assert.unreachable() as never)))
    const bytes = Buffer.from(readFileSync(path))
    bytes[600] = (bytes[600] ?? 0) ^ 1
    chmodSync(path, 0o600)
    writeFileSync(path, bytes)
    const archive = saveImages(store, { images: ['one:1', 'both:1'], format: 'docker-archive', compression: 'gzip' })
    await assertRejects(archive.next(), 'DIGEST_MISMATCH')
    assert.equal(leftIn(store), [])
    assert.equal(await contentsOf(store), before)
  }))

test('an archive that nobody reads to its end leaves nothing', () =>
  withImages(async (store) => {
    const archive = saveImages(store, { images: ['one:1'], format: 'docker-archive' })
    await archive.next()
    assert.is(leftIn(store).length, 1)
    await archive.return()
    assert.equal(leftIn(store), [])
  }))

test('as a folder the same is saved as in an archive, and loaded as it was', () =>
  withImages(async (store, folder) => {
    const archive = filesOf(await save(store, ['one', 'both:1'], { format: 'oci-archive' }))
    const layout = join(folder, 'saved')
    mkdirSync(layout)
    await assertLayoutFolder(layout)
    await saveLayout(store, layout, { images: ['one', 'both:1'] })
    for (const [name, bytes] of archive) assert.equal(new Uint8Array(readFileSync(join(layout, name))), new Uint8Array(bytes), name)
    assert.is(readdirSync(join(layout, 'blobs/sha256')).length, [...archive.keys()].filter((name) => name.startsWith('blobs/')).length)
    await assertRejects(assertLayoutFolder(layout), 'INVALID_ARGUMENT', /is there already/)
    await assertRejects(saveLayout(store, layout, { images: ['one'] }), 'INVALID_ARGUMENT', /is there already/)
    await assertRejects(saveLayout(store, join(folder, 'other'), { images: ['nosuch'] }), 'IMAGE_NOT_FOUND')
    assert.equal(leftIn(store), [])
    assert.equal(
      readdirSync(folder).filter((name) => /other|\.new$/.test(name)),
      [],
    )
    const loaded = await loadImages(store, layout)
    assert.equal(
      loaded.map(({ reference, descriptor }) => [reference === null ? null : formatReference(reference), descriptor.digest]),
      await Promise.all(
        ['one:1', 'one:2', 'both:1'].map(async (name) => [`docker.io/library/${name}`, (await findImage(store, name)).descriptor.digest]),
      ),
    )
  }))

test.needs(SKOPEO, UMOCI)('skopeo and umoci read what is saved, in every form', () =>
  withImages(async (store, folder) => {
    for (const [format, compression] of [
      ['docker-archive', undefined],
      ['docker-archive', 'gzip'],
      ['oci-archive', undefined],
      ['oci-archive', 'gzip'],
    ] as const) {
      const name = `${format}-${compression}`
      const path = join(folder, `${name}.tar`)
      await writeFile(
        path,
        await save(store, ['registry.example/two:1'], { format, ...(compression === undefined ? {} : { compression }) }),
      )
      await skopeo('copy', `${format}:${path}`, `oci:${join(folder, name)}:it`)
      const bundle = join(folder, `${name}-bundle`)
      await run('umoci', 'unpack', '--rootless', '--image', `${join(folder, name)}:it`, bundle)
      const root = join(bundle, 'rootfs')
      assert.equal(readdirSync(join(root, 'o')), ['new'], name)
      assert.equal(
        readdirSync(join(root, 'd'), { encoding: 'latin1' }).sort(),
        ['big', 'hard', 'odd \u00e9\n name', 'stays', 'sym'].sort(),
        name,
      )
      assert.is(await readFile(join(root, 'more'), 'utf8'), 'more')
    }
  }),
)

test.needs(PODMAN)('podman loads what is saved', () =>
  withImages(async (store, folder) => {
    const path = join(folder, 'saved.tar')
    await writeFile(path, await save(store, ['one', 'registry.example/two:1'], { compression: 'gzip' }))
    const home = join(folder, 'podman')
    mkdirSync(home)
    const podman = (...words: string[]) =>
      run('podman', '--root', join(home, 'root'), '--runroot', join(home, 'run'), '--storage-driver', 'vfs', ...words)
    try {
      const loaded = await podman('load', '-i', path)
      assert.match(loaded, 'localhost/one:1')
      assert.match(loaded, 'registry.example/two:1')
      assert.match(await podman('inspect', '--format', '{{.Config.Env}}', 'registry.example/two:1'), 'A=b')
    } finally {
      await podman('rmi', '-af').catch(() => '')
      await run('podman', 'unshare', 'rm', '-rf', home).catch(() => '')
    }
  }),
)

test.run()
