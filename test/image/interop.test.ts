import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import { findImage } from '../../src/image/find.js'
import { importImage } from '../../src/image/import.js'
import { loadImages } from '../../src/image/load.js'
import { selectImage } from '../../src/image/platform-select.js'
import { packTar } from '../../src/layer/pack.js'
import { treeEntries } from '../../src/layer/pack-tree.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { familiarReference, parseReference, withDefaultTag } from '../../src/reference/normalize.js'
import { assertWhole, namesIn, run, stream, tarOf, withStore } from '../support/image-fixtures.js'
import { SKOPEO, UMOCI } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('image/interop')
const skopeo = (...words: string[]) => run('skopeo', '--insecure-policy', ...words)

/** An image of two layers made by umoci: `base` in `folder/umoci`. */
async function umociImage(folder: string): Promise<string> {
  const layout = join(folder, 'umoci')
  await run('umoci', 'init', '--layout', layout)
  await run('umoci', 'new', '--image', `${layout}:base`)
  await mkdir(join(folder, 'etc'))
  await writeFile(join(folder, 'etc/greeting'), 'hello')
  await run('umoci', 'insert', '--rootless', '--image', `${layout}:base`, join(folder, 'etc'), '/etc')
  await run('umoci', 'insert', '--rootless', '--image', `${layout}:base`, '--whiteout', '/etc/greeting')
  await run('umoci', 'config', '--image', `${layout}:base`, '--config.entrypoint', '/bin/sh', '--config.env', 'A=b')
  return layout
}

test.needs(UMOCI)('a layout that umoci made is loaded from its folder, named after it, and its layers open', () =>
  withStore(async (store, folder) => {
    const [loaded] = await loadImages(store, await umociImage(folder))
    assert.ok(loaded?.reference)
    assert.is(familiarReference(loaded.reference), 'umoci:base')
    const { image, platform } = await selectImage(store.layout, loaded.descriptor)
    assert.is(platform.os, 'linux')
    assert.equal((await image.config()).config?.Entrypoint, ['/bin/sh'])
    const layers = await image.layers()
    assert.is(layers.length, 2)
    const [first, second] = await Promise.all(layers.map((layer) => store.layers.ensure(layer)))
    assert.ok(first !== undefined && namesIn(first).some((name) => name.endsWith('etc/greeting')))
    assert.ok(second !== undefined && namesIn(second).some((name) => name.endsWith('etc/.wh.greeting')))
    await assertWhole(store)
  }),
)

for (const [form, suffix] of [
  ['docker-archive', ''],
  ['oci-archive', ''],
] as const)
  test.needs(UMOCI, SKOPEO)(`a ${form} that skopeo made is loaded with its name, plain, gzipped and as zstd`, () =>
    withStore(async (store, folder) => {
      const layout = await umociImage(folder)
      const archive = join(folder, 'some.tar')
      await skopeo('copy', `oci:${layout}:base`, `${form}:${archive}${suffix}:registry.example/my/app:1`)
      await run('gzip', '-k', archive)
      await run('zstd', '-q', archive)
      const digests = new Set<string>()
      for (const path of [archive, `${archive}.gz`, `${archive}.zst`]) {
        const [loaded, ...others] = await loadImages(store, path)
        assert.equal(others, [])
        assert.ok(loaded?.reference)
        assert.is(familiarReference(loaded.reference), 'registry.example/my/app:1')
        digests.add(loaded.descriptor.digest)
      }
      assert.is(digests.size, 1)
      const [streamed] = await loadImages(store, stream(await readFile(`${archive}.gz`)))
      assert.ok(streamed && digests.has(streamed.descriptor.digest))
      const { image } = await selectImage(store.layout, streamed.descriptor)
      for (const layer of await image.layers()) await store.layers.ensure(layer)
      assert.is((await store.references.list()).length, 1)
      await assertWhole(store)
    }),
  )

test.needs(UMOCI, SKOPEO)('a docker-archive of several images is loaded whole', () =>
  withStore(async (store, folder) => {
    const layout = await umociImage(folder)
    await skopeo(
      'copy',
      '--additional-tag',
      'registry.example/two:2',
      `oci:${layout}:base`,
      `docker-archive:${join(folder, 'a.tar')}:registry.example/one:1`,
    )
    await loadImages(store, join(folder, 'a.tar'))
    const [one, two] = await Promise.all([findImage(store, 'registry.example/one:1'), findImage(store, 'registry.example/two:2')])
    assert.is(one.descriptor.digest, two.descriptor.digest)
  }),
)

test.needs(SKOPEO)('skopeo finds our images by their names and copies them out in every form', () =>
  withStore(async (store, folder) => {
    const reference = withDefaultTag(parseReference('registry.example/tools:1.0'))
    await importImage(store, stream(tarOf({ 'etc/os-release': 'ID=test\n' })), { reference })
    await importImage(store, stream(tarOf({ other: '' })), { reference: withDefaultTag(parseReference('other')) })
    const source = `oci:${store.root}:registry.example/tools:1.0`
    for (const target of [
      `docker-archive:${join(folder, 'd.tar')}:x:1`,
      `oci-archive:${join(folder, 'o.tar')}:x`,
      `dir:${join(folder, 'dir')}`,
    ])
      await skopeo('copy', source, target)
    const inspected = JSON.parse(await skopeo('inspect', '--override-os', 'linux', source)) as { Layers: string[]; Digest: string }
    assert.is(inspected.Digest, (await findImage(store, 'registry.example/tools:1.0')).descriptor.digest)
    assert.is(inspected.Layers.length, 1)
    assert.ok((await stat(join(folder, 'dir/manifest.json'))).size > 0)
  }),
)

test.needs(SKOPEO, UMOCI)('skopeo copies into our layout, beside what is there, and we find what it brought', () =>
  withStore(async (store, folder) => {
    await importImage(store, stream(tarOf({ other: '' })), { reference: withDefaultTag(parseReference('other')) })
    await skopeo('copy', `oci:${await umociImage(folder)}:base`, `oci:${store.root}:busybox:1`)
    const found = await findImage(store, 'docker.io/library/busybox:1')
    const { image } = await selectImage(store.layout, found.descriptor)
    for (const layer of await image.layers()) await store.layers.ensure(layer)
    assert.ok(await findImage(store, 'other'))
    await assertWhole(store)
  }),
)

test.needs(UMOCI)('umoci unpacks an image of our store', () =>
  withStore(async (store, folder) => {
    await importImage(store, stream(tarOf({ 'etc/os-release': 'ID=test\n' })), { reference: withDefaultTag(parseReference('tools')) })
    await run('umoci', 'unpack', '--rootless', '--image', `${store.root}:docker.io/library/tools:latest`, join(folder, 'bundle'))
    assert.is(await readFile(join(folder, 'bundle/rootfs/etc/os-release'), 'utf8'), 'ID=test\n')
  }),
)

test.needs(UMOCI)('umoci unpacks a layer of ours with holes', () =>
  withStore(async (store, folder) => {
    const fs = new UnionFs({ lowers: [] })
    const ino = fs.create(fs.root, 'sparse', { type: 'file', mode: 0o644, uid: 0, gid: 0 })
    fs.write(ino, Buffer.from('middle'), 1_000_000)
    fs.setAttributes(ino, { size: 3_000_000 })
    const tar = Buffer.concat([...packTar(treeEntries(fs))])
    assert.ok(tar.length < 100_000)
    await importImage(store, stream(tar), { reference: withDefaultTag(parseReference('holes')) })
    await run('umoci', 'unpack', '--rootless', '--image', `${store.root}:docker.io/library/holes:latest`, join(folder, 'bundle'))
    const unpacked = await readFile(join(folder, 'bundle/rootfs/sparse'))
    assert.is(unpacked.length, 3_000_000)
    assert.is(unpacked.subarray(1_000_000, 1_000_006).toString(), 'middle')
    assert.ok(unpacked.subarray(1_000_006).every((byte) => byte === 0))
  }),
)

test.needs(SKOPEO)('a gzipped layer keeps its blob and is unpacked to its diffId', () =>
  withStore(async (store, folder) => {
    await importImage(store, stream(tarOf({ a: 'x'.repeat(100_000) })), { reference: withDefaultTag(parseReference('a')) })
    await skopeo('copy', '--dest-compress', `oci:${store.root}:docker.io/library/a:latest`, `oci:${join(folder, 'gz')}:b`)
    const [loaded] = await loadImages(store, join(folder, 'gz'))
    assert.ok(loaded)
    const { image } = await selectImage(store.layout, loaded.descriptor)
    const [layer] = await image.layers()
    assert.ok(layer)
    assert.is(layer.descriptor.mediaType, MEDIA_TYPE.ociLayerGzip)
    assert.is.not(layer.descriptor.digest, layer.diffId)
    const stored = await store.layers.ensure(layer)
    assert.equal(namesIn(stored), ['a'])
    assert.ok((await stat(stored.indexPath)).size > 0)
  }),
)

test.run()
