import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import { composeIndex, emptyImage, withChanges, withContainerConfig, withFiles, withTree } from '../../src/image/edit.js'
import { findImage } from '../../src/image/find.js'
import type { Image } from '../../src/image/image.js'
import { importImage } from '../../src/image/import.js'
import { listImages } from '../../src/image/list.js'
import { loadImages } from '../../src/image/load.js'
import { hostPlatform, selectImage } from '../../src/image/platform-select.js'
import { type ImageUse, removeImage } from '../../src/image/remove.js'
import { tagImage } from '../../src/image/tag.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { parseIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import type { Descriptor } from '../../src/oci/descriptor.js'
import { hexOf } from '../../src/oci/digest.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { formatPlatform, parsePlatform, WASI_PLATFORM } from '../../src/oci/platform.js'
import { familiarReference, parseReference, withDefaultTag } from '../../src/reference/normalize.js'
import { prune } from '../../src/store/prune.js'
import { withName } from '../../src/store/references.js'
import type { Store } from '../../src/store/store.js'
import { assertRejects, contentsOf, digestOf, LayoutBuilder, namesIn, stream, tarOf, withStore } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('image')
/** The least that is a module: magic and version. */
const MODULE = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
const ROOT = tarOf({ 'etc/os-release': 'ID=test\n' })
const reference = (name: string) => withDefaultTag(parseReference(name))
const importAs = (store: Store, name: string, content = ROOT) => importImage(store, stream(content), { reference: reference(name) })
const namesOf = async (store: Store) =>
  (await store.references.list()).map((name) => (name.reference === null ? null : familiarReference(name.reference)))

/** Loads what a builder made. */
async function load(store: Store, builder: LayoutBuilder): Promise<Descriptor> {
  const [loaded] = await loadImages(store, stream(tarOf(builder.files)))
  assert.ok(loaded)
  return loaded.descriptor
}

// Import

test('a root tar becomes an image for this machine’s Linux, whichever way it is packed', () =>
  withStore(async (store) => {
    const digests = new Set<string>()
    for (const packed of [ROOT, gzipSync(ROOT)]) {
      const descriptor = await importImage(store, stream(packed), {
        reference: reference('root'),
        created: '2024-01-01T00:00:00Z',
        message: 'by hand',
      })
      digests.add(descriptor.digest)
    }
    assert.is(digests.size, 1)
    const { descriptor } = await findImage(store, 'root')
    const { image, platform } = await selectImage(store.layout, descriptor)
    assert.equal(platform, hostPlatform())
    const config = await image.config()
    assert.is(config.created, '2024-01-01T00:00:00Z')
    assert.is(config.history?.[0]?.comment, 'by hand')
    const [layer] = await image.layers()
    assert.ok(layer)
    assert.is(layer.descriptor.digest, layer.diffId)
    assert.equal(namesIn(await store.layers.ensure(layer)), ['etc/os-release'])
  }))

test('a bare module becomes an image for wasi/wasm with itself as entrypoint', () =>
  withStore(async (store, folder) => {
    const path = join(folder, 'hello.wasm')
    await writeFile(path, MODULE)
    for (const source of [path, stream(MODULE), stream(gzipSync(MODULE))]) {
      const { image, platform } = await selectImage(store.layout, await importImage(store, source))
      const name = typeof source === 'string' ? 'hello.wasm' : 'module.wasm'
      assert.is(formatPlatform(platform), 'wasi/wasm')
      assert.equal((await image.config()).config?.Entrypoint, [`/${name}`])
      const [layer] = await image.layers()
      const stored = await store.layers.ensure(layer ?? (assert.unreachable() as never))
      assert.equal(namesIn(stored), [name])
    }
  }))

test('changes and a platform are applied at import as docker does', () =>
  withStore(async (store) => {
    const changes = [
      'ENTRYPOINT ["/bin/echo", "-n"]',
      'CMD hello world',
      'ENV A=1 B="two words"',
      'env C the rest  of it',
      'EXPOSE 80 53/udp',
      'LABEL a=b',
      'USER 1000:1000',
      'VOLUME ["/data"]',
      'WORKDIR /srv',
      'WORKDIR app/../www',
      'STOPSIGNAL SIGINT',
    ]
    const descriptor = await importImage(store, stream(ROOT), { changes, platform: parsePlatform('linux/arm64') })
    const { image } = await selectImage(store.layout, descriptor, { platform: parsePlatform('linux/arm64') })
    assert.equal((await image.config()).config, {
      Entrypoint: ['/bin/echo', '-n'],
      Cmd: ['/bin/sh', '-c', 'hello world'],
      Env: ['A=1', 'B=two words', 'C=the rest  of it'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Labels: { a: 'b' },
      User: '1000:1000',
      Volumes: { '/data': {} },
      WorkingDir: '/srv/www',
      StopSignal: 'SIGINT',
    })
    for (const change of ['RUN x', 'CMD', 'ENV A', 'EXPOSE x', 'EXPOSE 70000', "ENTRYPOINT ['a']", 'LABEL a="b', 'constructor x', ''])
      await assertRejects(importImage(store, stream(ROOT), { changes: [change] }), 'INVALID_ARGUMENT')
  }))

test('what is neither a tar nor a module is refused at import, and nothing is left', () =>
  withStore(async (store, folder) => {
    await assertRejects(importImage(store, stream(Buffer.from('#!/bin/sh\n'.repeat(100)))), 'INVALID_ARCHIVE')
    await assertRejects(importImage(store, stream(gzipSync(ROOT).subarray(0, 60))), 'INVALID_ARCHIVE')
    await assertRejects(importImage(store, folder), 'INVALID_ARGUMENT', /is a directory/)
    await assertRejects(importImage(store, join(folder, 'absent')), 'INVALID_ARGUMENT', /no such file/)
    assert.equal(await contentsOf(store), ['index.json', 'oci-layout'])
  }))

// Edits

test('the same edits of the same image give the same digests, and leave the old image as it was', () =>
  withStore(async (store) => {
    const make = async () => {
      const ingest = await store.ingest()
      try {
        const base = await emptyImage(ingest, WASI_PLATFORM)
        const files = [{ path: '/bin/hello.wasm', mode: 0o755, contents: () => bytesSource(MODULE) }]
        const edited = await withContainerConfig(ingest, await withFiles(ingest, base, files), {
          Entrypoint: ['/bin/hello.wasm'],
          Cmd: ['x'],
        })
        const again = await withContainerConfig(ingest, edited, { Cmd: undefined })
        assert.is((await base.layers()).length, 0)
        assert.equal((await edited.config()).config, { Entrypoint: ['/bin/hello.wasm'], Cmd: ['x'] })
        assert.equal((await again.config()).config, { Entrypoint: ['/bin/hello.wasm'] })
        assert.is((await again.config()).history?.length, 3)
        return again.descriptor.digest
      } finally {
        await ingest.discard()
      }
    }
    assert.is(await make(), await make())
  }))

test('a tree and what a union made of it become layers that read back the same', () =>
  withStore(async (store) => {
    const ingest = await store.ingest()
    const base = await withFiles(ingest, await emptyImage(ingest, hostPlatform()), [
      { path: 'a/kept', contents: () => bytesSource(Buffer.from('1')) },
      { path: 'a/gone', contents: () => bytesSource(Buffer.from('2')) },
    ])
    await ingest.commit((names) => withName(names, reference('base'), base.descriptor))
    const open = async (image: Image) => {
      const layers = await Promise.all((await image.layers()).map((layer) => store.layers.ensure(layer)))
      return Promise.all(
        layers.map(async ({ tarPath, indexPath }) => new PackedLayer(parseIndex(await readFile(indexPath)), openFileSource(tarPath))),
      )
    }
    const { image } = await selectImage(store.layout, (await findImage(store, 'base')).descriptor)
    const union = new UnionFs({ lowers: await open(image) })
    const folder = union.lookup(union.root, 'a') ?? (assert.unreachable() as never)
    union.unlink(folder, 'gone')
    union.create(folder, 'new', { type: 'file', mode: 0o600, uid: 1, gid: 2 })
    const second = await store.ingest()
    const changed = await withChanges(second, image, union)
    const flat = await withTree(second, await emptyImage(second, hostPlatform()), union)
    await second.commit((names) => withName(withName(names, reference('changed'), changed.descriptor), reference('flat'), flat.descriptor))
    for (const name of ['changed', 'flat']) {
      const edited = await selectImage(store.layout, (await findImage(store, name)).descriptor)
      const tree = new UnionFs({ lowers: await open(edited.image) })
      const listed = tree.readdir(tree.lookup(tree.root, 'a') ?? -1).map((entry) => entry.name)
      assert.equal([...listed].sort(), ['kept', 'new'])
    }
    assert.is((await changed.layers()).length, 2)
    assert.is((await flat.layers()).length, 1)
  }))

test('an index holds one image for each platform, and the rule chooses among them', () =>
  withStore(async (store) => {
    const ingest = await store.ingest()
    const [native, wasm] = await Promise.all([emptyImage(ingest, hostPlatform()), emptyImage(ingest, WASI_PLATFORM)])
    const both = await composeIndex(ingest, [wasm, native])
    await assertRejects(composeIndex(ingest, [native, native]), 'INVALID_ARGUMENT', /platform once/)
    await ingest.commit((names) => withName(withName(names, reference('both'), both), reference('wasm'), wasm.descriptor))
    const choose = async (descriptor: Descriptor, wish = {}) => formatPlatform((await selectImage(store.layout, descriptor, wish)).platform)
    const host = formatPlatform(hostPlatform())
    assert.is(await choose(both), host)
    assert.is(await choose(both, { preferred: [WASI_PLATFORM] }), 'wasi/wasm')
    assert.is(await choose(both, { preferred: [WASI_PLATFORM], platform: hostPlatform() }), host)
    assert.is(await choose(both, { platform: parsePlatform('wasip1/wasm32') }), 'wasi/wasm')
    assert.is(await choose(wasm.descriptor), 'wasi/wasm')
    await assertRejects(
      choose(wasm.descriptor, { platform: parsePlatform('linux/s390x') }),
      'PLATFORM_NOT_FOUND',
      /not for linux\/s390x; it is/,
    )
    const error = await assertRejects(choose(wasm.descriptor, { platform: hostPlatform() }), 'PLATFORM_NOT_FOUND', /it is for wasi\/wasm/)
    assert.match(error.hint ?? '', '--platform wasi/wasm')
    const [listed] = (await listImages(store)).filter((image) => image.descriptor.digest === both.digest)
    assert.equal(
      listed?.platforms.map(({ platform }) => formatPlatform(platform)),
      ['wasi/wasm', host],
    )
  }))

// Forms of images for WASI

test('the index of a builder, with attestations and a platform that was not saved, is taken for what it holds', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const wasm = builder.image([tarOf({ 'hello.wasm': MODULE })], {
      os: 'wasi',
      architecture: 'wasm',
      config: { Entrypoint: ['/hello.wasm'] },
    })
    const statement = builder.manifest(builder.blob('{}', MEDIA_TYPE.ociConfig), [builder.blob('{"a":1}', 'application/vnd.in-toto+json')])
    const absent = {
      mediaType: MEDIA_TYPE.ociManifest,
      digest: `sha256:${'0'.repeat(64)}`,
      size: 9,
      platform: { os: 'linux', architecture: 'riscv64' },
    }
    builder.name(
      builder.index([
        { ...wasm, platform: { os: 'wasi', architecture: 'wasm' } },
        {
          ...statement,
          platform: { os: 'unknown', architecture: 'unknown' },
          annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
        },
        builder.manifest(builder.blob('{"signed":1}', 'application/vnd.example.signature+json'), []),
        absent,
      ]),
      'example.com/built:1',
    )
    const { image, platform } = await selectImage(store.layout, await load(store, builder))
    assert.is(formatPlatform(platform), 'wasi/wasm')
    assert.is((await image.layers()).length, 1)
    assert.equal((await prune(store)).blobs, [])
  }))

test('what docker save writes today, both forms in one, keeps its digests and takes the full name', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const manifest = builder.image([ROOT])
    const annotations = { 'io.containerd.image.name': 'docker.io/library/busybox:1.36', 'org.opencontainers.image.ref.name': '1.36' }
    builder.name({ ...manifest, annotations })
    const docker = JSON.stringify([{ Config: 'absent', RepoTags: ['other:1'], Layers: [] }])
    await loadImages(store, stream(tarOf({ ...builder.files, 'manifest.json': docker })))
    assert.equal(await namesOf(store), ['busybox:1.36'])
    assert.is((await findImage(store, 'busybox:1.36')).descriptor.digest, manifest.digest)
  }))

test('a Docker archive may hold several images, gzipped layers and images without names', () =>
  withStore(async (store) => {
    const config = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(ROOT), digestOf(ROOT)] },
    })
    const images = [
      { Config: 'c.json', RepoTags: ['example.com/a:1', 'example.com/b:2'], Layers: ['plain/layer.tar', 'packed'] },
      { Config: './c.json', RepoTags: null, Layers: ['packed', 'packed'] },
    ]
    const archive = tarOf({ 'c.json': config, 'plain/layer.tar': ROOT, packed: gzipSync(ROOT), 'manifest.json': JSON.stringify(images) })
    const loaded = await loadImages(store, stream(archive))
    assert.is(loaded.length, 3)
    assert.equal(await namesOf(store), ['example.com/a:1', 'example.com/b:2', null])
    const { image } = await selectImage(store.layout, loaded[0]?.descriptor ?? (assert.unreachable() as never), {
      platform: parsePlatform('linux/amd64'),
    })
    assert.is((await image.manifest()).config.digest, digestOf(config))
    const types = (await image.layers()).map(({ descriptor }) => descriptor.mediaType)
    assert.equal(types, [MEDIA_TYPE.ociLayer, MEDIA_TYPE.ociLayerGzip])
    for (const layer of await image.layers()) assert.equal(namesIn(await store.layers.ensure(layer)), ['etc/os-release'])
  }))

test('a CNCF Wasm artifact stays as it came and is presented as an image that holds the module', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const module = { ...builder.blob(MODULE, MEDIA_TYPE.wasmLayer), annotations: { 'org.opencontainers.image.title': 'app/hello.wasm' } }
    const config = builder.blob({ architecture: 'wasm', os: 'wasip1', layerDigests: [module.digest] }, MEDIA_TYPE.wasmConfig)
    const manifest = builder.manifest(config, [module])
    const descriptor = await load(store, builder.name(manifest, 'example.com/artifact:1'))
    assert.is(descriptor.digest, manifest.digest)
    const { image, platform } = await selectImage(store.layout, descriptor)
    assert.is(formatPlatform(platform), 'wasi/wasm')
    assert.equal((await image.config()).config?.Entrypoint, ['/hello.wasm'])
    const [layer] = await image.layers()
    const stored = await store.layers.ensure(layer ?? (assert.unreachable() as never))
    const tree = new PackedLayer(parseIndex(await readFile(stored.indexPath)), openFileSource(stored.tarPath))
    const ino = tree.lookup(tree.root, 'hello.wasm') ?? (assert.unreachable() as never)
    const bytes = new Uint8Array(MODULE.length)
    assert.is(tree.read(ino, bytes, 0), MODULE.length)
    assert.equal(bytes, MODULE)
    assert.is(tree.stat(ino).mode, 0o755)
  }))

test('an artifact whose config speaks of other layers, or that has no module, is refused', () =>
  withStore(async (store) => {
    const lying = new LayoutBuilder()
    const config = { architecture: 'wasm', os: 'wasip1', layerDigests: [`sha256:${'0'.repeat(64)}`] }
    lying.name(lying.manifest(lying.blob(config, MEDIA_TYPE.wasmConfig), [lying.blob(MODULE, MEDIA_TYPE.wasmLayer)]), 'a')
    await assertRejects(load(store, lying), 'INVALID_IMAGE', /layerDigests/)
    const empty = new LayoutBuilder()
    empty.name(empty.manifest(empty.blob({ ...config, layerDigests: [] }, MEDIA_TYPE.wasmConfig), []), 'a')
    await assertRejects(load(store, empty), 'UNSUPPORTED_MEDIA_TYPE', /this has 0/)
  }))

// Names

test('an image is found by its names, its digest and the beginning of its id', () =>
  withStore(async (store) => {
    const { digest } = await importAs(store, 'example.com/tools:1')
    await importAs(store, 'other', tarOf({ other: '' }))
    const texts = ['example.com/tools:1', digest, hexOf(digest), hexOf(digest).slice(0, 12), `sha256:${hexOf(digest).slice(0, 8)}`]
    for (const text of [...texts, `example.com/tools@${digest}`, `example.com/tools:other@${digest}`])
      assert.is((await findImage(store, text)).descriptor.digest, digest, text)
    await assertRejects(findImage(store, `other@${digest}`), 'IMAGE_NOT_FOUND')
    await assertRejects(findImage(store, 'UPPER'), 'INVALID_REFERENCE', /lowercase/)
    const error = await assertRejects(findImage(store, 'example.com/tool:1'), 'IMAGE_NOT_FOUND')
    assert.match(error.hint ?? '', 'Did you mean example.com/tools:1?')
    assert.match((await assertRejects(findImage(store, 'othre:2'), 'IMAGE_NOT_FOUND')).hint ?? '', 'Did you mean other:latest?')
    assert.match((await assertRejects(findImage(store, 'zzzzzz'), 'IMAGE_NOT_FOUND')).hint ?? '', 'wolffia load')
  }))

test('the beginning of two ids is refused, a name that looks like an id is a name', () =>
  withStore(async (store) => {
    const { digest } = await importAs(store, 'a')
    const twin = {
      mediaType: MEDIA_TYPE.ociManifest,
      digest: `${digest.slice(0, -1)}${digest.endsWith('0') ? '1' : '0'}` as typeof digest,
      size: 1,
    }
    await store.references.replace([...(await store.references.list()), { reference: null, descriptor: twin }])
    await assertRejects(findImage(store, hexOf(digest).slice(0, 12)), 'INVALID_ARGUMENT', /beginning of 2 images/)
    await tagImage(store, 'a', hexOf(digest).slice(0, 12))
    assert.is((await findImage(store, hexOf(digest).slice(0, 12))).descriptor.digest, digest)
    const listed = await listImages(store)
    assert.is(listed.length, 2)
    assert.match(listed.find((image) => image.descriptor.digest === twin.digest)?.problem ?? '', 'missing')
  }))

test('a tag is taken from the image that had it; a digest can’t be given', () =>
  withStore(async (store) => {
    const one = await importAs(store, 'one')
    const two = await importAs(store, 'two', tarOf({ two: '' }))
    await tagImage(store, 'one', 'two')
    assert.is((await findImage(store, 'two')).descriptor.digest, one.digest)
    assert.equal(await namesOf(store), ['one:latest', null, 'two:latest'])
    assert.is((await findImage(store, two.digest)).reference, null)
    await assertRejects(tagImage(store, 'one', `two@${two.digest}`), 'INVALID_REFERENCE', /digest/)
    await assertRejects(tagImage(store, 'absent', 'x'), 'IMAGE_NOT_FOUND')
  }))

// Removal

const uses = (...list: readonly ImageUse[]) => ({ uses: async () => list })

test('removing a name leaves the image while it has others, and nothing when it was the last', () =>
  withStore(async (store) => {
    const { digest } = await importAs(store, 'one')
    await tagImage(store, 'one', 'example.com/two')
    const { image } = await selectImage(store.layout, (await findImage(store, 'one')).descriptor)
    for (const layer of await image.layers()) await store.layers.ensure(layer)
    assert.equal(await removeImage(store, 'one'), { id: digest, untagged: ['one:latest'], deleted: [] })
    assert.equal(await removeImage(store, 'example.com/two'), { id: digest, untagged: ['example.com/two:latest'], deleted: [digest] })
    assert.equal(await contentsOf(store), ['index.json', 'oci-layout'])
    await assertRejects(removeImage(store, 'one'), 'IMAGE_NOT_FOUND')
  }))

test('an id with several names is a conflict, unless forced', () =>
  withStore(async (store) => {
    const { digest } = await importAs(store, 'one')
    await tagImage(store, 'one', 'two')
    await assertRejects(removeImage(store, hexOf(digest).slice(0, 12)), 'CONFLICT', /several names: one:latest, two:latest/)
    assert.equal(await removeImage(store, digest, { force: true }), {
      id: digest,
      untagged: ['one:latest', 'two:latest'],
      deleted: [digest],
    })
    assert.equal(await namesOf(store), [])
  }))

test('an image that a container uses stays, unless forced; a running one’s stays even then, without its name', () =>
  withStore(async (store) => {
    const { digest } = await importAs(store, 'one')
    const stopped = uses({ container: 'calm_fern', running: false, image: digest })
    const error = await assertRejects(removeImage(store, 'one', stopped), 'CONFLICT', /container calm_fern uses/)
    assert.match(error.hint ?? '', 'wolffia rm calm_fern')
    const running = uses({ container: 'calm_fern', running: true, image: digest })
    await assertRejects(removeImage(store, digest, { ...running, force: true }), 'CONFLICT', /cannot be forced/)
    assert.equal(await removeImage(store, 'one', { ...running, force: true }), { id: digest, untagged: ['one:latest'], deleted: [] })
    assert.equal(await namesOf(store), [null])
    assert.equal(await removeImage(store, digest, { ...stopped, force: true }), { id: digest, untagged: [], deleted: [digest] })
  }))

test('a container made from one platform of an index uses the index', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const manifest = builder.image([ROOT], { os: 'wasi', architecture: 'wasm' })
    await load(store, builder.name(builder.index([manifest]), 'example.com/indexed:1'))
    const use = uses({ container: 'fern', running: false, image: manifest.digest })
    await assertRejects(removeImage(store, 'example.com/indexed:1', use), 'CONFLICT')
    assert.is((await removeImage(store, 'example.com/indexed:1', { ...use, force: true })).deleted.length, 1)
  }))

test('layers that two images share go with the last of them', () =>
  withStore(async (store) => {
    await importAs(store, 'one')
    await importImage(store, stream(ROOT), { reference: reference('two'), changes: ['CMD ["x"]'] })
    await removeImage(store, 'one')
    const { image } = await selectImage(store.layout, (await findImage(store, 'two')).descriptor)
    for (const layer of await image.layers()) await store.layers.ensure(layer)
    await removeImage(store, 'two')
    assert.equal(await contentsOf(store), ['index.json', 'oci-layout'])
  }))

test.run()
