import { execFile } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { importImage } from '../../src/image/import.js'
import { loadImages } from '../../src/image/load.js'
import { selectImage } from '../../src/image/platform-select.js'
import { hexOf } from '../../src/oci/digest.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import type { Store } from '../../src/store/store.js'
import {
  assertRejects,
  contentsOf,
  digestOf,
  type Files,
  LayoutBuilder,
  renameEntry,
  stream,
  tarOf,
  withStore,
  writeFiles,
} from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('image/load (hostile archives)')
const LAYER = tarOf({ 'etc/x': 'x' })

const loadTar = async (store: Store, files: Files) => loadImages(store, stream(tarOf(files)))

/** What a store holds before anything came: nothing may be added by a refused archive. */
const EMPTY = ['index.json', 'oci-layout']

async function assertNothingLeft(store: Store): Promise<void> {
  assert.equal(await contentsOf(store), EMPTY)
  assert.equal(await store.references.list(), [])
}

/** An archive of one image, with something changed in its files. */
function layout(change: (files: Record<string, string | Uint8Array>, builder: LayoutBuilder) => void): Files {
  const builder = new LayoutBuilder()
  builder.name(builder.image([LAYER]), 'example.com/a:1')
  change(builder.files, builder)
  return builder.files
}

const blobOf = (bytes: Uint8Array | string) => `blobs/sha256/${hexOf(digestOf(bytes))}`

test('a blob that is not what its name says is refused', () =>
  withStore(async (store) => {
    const files = layout((all) => {
      all[blobOf(LAYER)] = Buffer.from(LAYER).fill(1, 600, 601)
    })
    await assertRejects(loadTar(store, files), 'DIGEST_MISMATCH', /but its bytes are/)
    await assertNothingLeft(store)
  }))

test('sizes that lie, up or down, are refused', () =>
  withStore(async (store) => {
    for (const lie of [-1, 1, 1000]) {
      const builder = new LayoutBuilder()
      const { digest, size } = builder.blob(LAYER, MEDIA_TYPE.ociLayer)
      const config = builder.blob(
        { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } },
        MEDIA_TYPE.ociConfig,
      )
      builder.name(builder.manifest(config, [{ mediaType: MEDIA_TYPE.ociLayer, digest, size: size + lie }]), 'a')
      await assertRejects(loadTar(store, builder.files), 'DIGEST_MISMATCH', /should have \d+ bytes/)
    }
    await assertNothingLeft(store)
  }))

test('CVE-2024-3727: a digest that is a path is refused before it is used as one', () =>
  withStore(async (store) => {
    for (const digest of [
      'sha256:../../../../etc/passwd',
      `sha256:..${'/'.repeat(62)}`,
      `SHA256:${'a'.repeat(64)}`,
      `sha256:${'A'.repeat(64)}`,
    ]) {
      const index = JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: MEDIA_TYPE.ociManifest, digest, size: 1 }] })
      await assertRejects(
        loadTar(store, { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': index }),
        'INVALID_IMAGE',
        /digest/,
      )
    }
    await assertNothingLeft(store)
  }))

test('names with .. or from the root are refused, and nothing is written anywhere', () =>
  withStore(async (store, folder) => {
    for (const name of ['../escaped', 'a/../../escaped', '/escaped', 'a/../b']) {
      await assertRejects(loadImages(store, stream(renameEntry(tarOf({ a: '' }), name))), 'UNSAFE_PATH', /leaves the archive/)
    }
    assert.equal(await promisify(execFile)('ls', [folder]).then(({ stdout }) => stdout.trim()), 'store')
    await assertNothingLeft(store)
  }))

test('a Docker archive cannot name a layer or config outside of it', () =>
  withStore(async (store) => {
    for (const name of ['../../../etc/passwd', '/etc/passwd', 'absent.json']) {
      const manifest = JSON.stringify([{ Config: name, RepoTags: null, Layers: [] }])
      await assertRejects(loadTar(store, { 'manifest.json': manifest }), name === 'absent.json' ? 'INVALID_ARCHIVE' : 'UNSAFE_PATH')
    }
    await assertNothingLeft(store)
  }))

test('links of an archive lead to other members only, and never in circles', () =>
  withStore(async (store, folder) => {
    await writeFiles(join(folder, 'a'), { real: 'x' })
    await symlink('manifest.json', join(folder, 'a/other'))
    await symlink('other', join(folder, 'a/manifest.json'))
    await promisify(execFile)('tar', ['-C', join(folder, 'a'), '-cf', join(folder, 'circle.tar'), 'manifest.json', 'other', 'real'])
    await assertRejects(loadImages(store, join(folder, 'circle.tar')), 'INVALID_ARCHIVE', /leads nowhere/)
    await symlink('../../etc/passwd', join(folder, 'a/outside'))
    await promisify(execFile)('tar', ['-C', join(folder, 'a'), '-cf', join(folder, 'outside.tar'), 'outside'])
    await assertRejects(loadImages(store, join(folder, 'outside.tar')), 'UNSAFE_PATH')
    await assertNothingLeft(store)
  }))

test('a layout’s folder is not left through a link in it, and a fifo in it blocks nobody', () =>
  withStore(async (store, folder) => {
    const files = { ...layout(() => {}) }
    delete files[blobOf(LAYER)]
    await writeFiles(join(folder, 'a'), files)
    await writeFile(join(folder, 'outside'), LAYER)
    await symlink('../../../outside', join(folder, 'a', blobOf(LAYER)))
    await assertRejects(loadImages(store, join(folder, 'a')), 'UNSAFE_PATH', /symlink/)
    await promisify(execFile)('mkfifo', [join(folder, 'fifo')])
    await promisify(execFile)('mv', [join(folder, 'fifo'), join(folder, 'a', blobOf(LAYER))])
    await assertRejects(loadImages(store, join(folder, 'a')), 'INVALID_ARCHIVE', /no regular file/)
    await assertNothingLeft(store)
  }))

test('ten thousand indexes within each other are refused', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    let descriptor = builder.image([LAYER])
    for (let depth = 0; depth < 10_000; depth++) descriptor = builder.index([descriptor])
    builder.name(descriptor, 'deep')
    await assertRejects(loadTar(store, builder.files), 'INVALID_IMAGE', /within indexes/)
    await assertNothingLeft(store)
  }))

test('an index of ten thousand manifests is refused', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const config = builder.blob({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }, MEDIA_TYPE.ociConfig)
    const manifests = Array.from({ length: 10_000 }, (_, number) =>
      builder.blob({ schemaVersion: 2, config, layers: [], annotations: { number: String(number) } }, MEDIA_TYPE.ociManifest),
    )
    builder.name(builder.index(manifests), 'wide')
    await assertRejects(loadTar(store, builder.files), 'INVALID_IMAGE', /more than 1024 manifests/)
    await assertNothingLeft(store)
  }))

test('a manifest of many megabytes is refused unread', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const huge = builder.blob(`{"schemaVersion":2,"pad":"${' '.repeat(5 << 20)}"}`, MEDIA_TYPE.ociManifest)
    await assertRejects(loadTar(store, builder.name(huge, 'huge').files), 'INVALID_IMAGE', /at most/)
    await assertRejects(loadTar(store, { 'manifest.json': ' '.repeat(5 << 20) }), 'INVALID_ARCHIVE', /at most/)
    await assertNothingLeft(store)
  }))

test('a manifest with more layers than any file system stacks is refused', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const descriptor = builder.image(Array.from({ length: 1001 }, () => LAYER))
    await assertRejects(loadTar(store, builder.name(descriptor, 'tall').files), 'INVALID_IMAGE', /manifest\.layers has 1001/)
    await assertNothingLeft(store)
  }))

test('one layer many times is one blob, and no harm', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    builder.name(builder.image(Array.from({ length: 50 }, () => LAYER)), 'same')
    const [loaded] = await loadTar(store, builder.files)
    assert.ok(loaded)
    const { image } = await selectImage(store.layout, loaded.descriptor, { platform: { os: 'linux', architecture: 'amd64' } })
    assert.is((await image.layers()).length, 50)
    assert.is((await store.layout.digests()).length, 3)
  }))

test('a file twice in an archive is refused: which one counts would be a matter of taste', () =>
  withStore(async (store) => {
    const one = tarOf({ 'manifest.json': '[]' })
    const twice = Buffer.concat([one.subarray(0, one.length - 1024), one])
    await assertRejects(loadImages(store, stream(twice)), 'INVALID_ARCHIVE', /twice/)
    await assertNothingLeft(store)
  }))

test('an archive cut off at any place is refused and leaves nothing', () =>
  withStore(async (store) => {
    const whole = tarOf(layout(() => {}))
    const packed = gzipSync(whole)
    for (const part of [0.1, 0.5, 0.9, 0.999]) {
      await assertRejects(loadImages(store, stream(packed.subarray(0, Math.floor(packed.length * part)))), 'INVALID_ARCHIVE')
      // Without its last kilobyte, the end marker, a tar is still whole.
      await assertRejects(loadImages(store, stream(whole.subarray(0, Math.floor((whole.length - 1536) * part)))), 'INVALID_ARCHIVE')
    }
    await assertNothingLeft(store)
  }))

test('a layout’s folder is not left through a linked folder in it', () =>
  withStore(async (store, folder) => {
    const files = layout(() => {})
    await writeFiles(join(folder, 'a'), files)
    await promisify(execFile)('mv', [join(folder, 'a/blobs'), join(folder, 'outside')])
    for (const [from, to] of [
      ['../outside', 'a/blobs'],
      [join(folder, 'outside'), 'a/blobs'],
    ] as const) {
      await symlink(from, join(folder, to))
      await assertRejects(loadImages(store, join(folder, 'a')), 'UNSAFE_PATH', /symlink/)
      await promisify(execFile)('rm', [join(folder, to)])
    }
    await assertNothingLeft(store)
    // The way to the folder is the user's own.
    await promisify(execFile)('mv', [join(folder, 'outside'), join(folder, 'a/blobs')])
    await symlink('a', join(folder, 'link'))
    assert.is((await loadImages(store, join(folder, 'link'))).length, 1)
  }))

test('a gzipped layer of a Docker archive that is another than the config says is found before it is used', () =>
  withStore(async (store) => {
    const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(LAYER)] } })
    const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: ['a:1'], Layers: ['layer.tar.gz'] }])
    const files = { 'manifest.json': manifest, 'config.json': config, 'layer.tar.gz': gzipSync(tarOf({ other: 'y' })) }
    const [loaded] = await loadTar(store, files)
    const { image } = await selectImage(store.layout, loaded?.descriptor as never, { platform: { os: 'linux', architecture: 'amd64' } })
    const [layer] = await image.layers()
    await assertRejects(store.layers.ensure(layer as never), 'DIGEST_MISMATCH', /config says/)
    assert.equal(await store.layers.diffIds(), [])
  }))

test('a gzipped layer that ends too soon is found when it is first wanted, and leaves no layer', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const packed = gzipSync(LAYER)
    const layer = builder.blob(packed.subarray(0, packed.length - 20), MEDIA_TYPE.ociLayerGzip)
    const config = builder.blob(
      { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(LAYER)] } },
      MEDIA_TYPE.ociConfig,
    )
    const [loaded] = await loadTar(store, builder.name(builder.manifest(config, [layer]), 'cut').files)
    assert.ok(loaded)
    const { image } = await selectImage(store.layout, loaded.descriptor)
    const [cut] = await image.layers()
    assert.ok(cut)
    await assertRejects(store.layers.ensure(cut), 'INVALID_ARCHIVE')
    assert.equal(await store.layers.diffIds(), [])
    assert.not((await contentsOf(store)).some((name) => name.startsWith('ingest') || name.startsWith('layers')))
  }))

test('a layer that unpacks to something other than its diffId is refused', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const layer = builder.blob(gzipSync(tarOf({ other: 'y' })), MEDIA_TYPE.ociLayerGzip)
    const config = builder.blob(
      { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(LAYER)] } },
      MEDIA_TYPE.ociConfig,
    )
    const [loaded] = await loadTar(store, builder.name(builder.manifest(config, [layer]), 'lie').files)
    const { image } = await selectImage(store.layout, loaded?.descriptor ?? (assert.unreachable() as never))
    const [lying] = await image.layers()
    await assertRejects(store.layers.ensure(lying ?? (assert.unreachable() as never)), 'DIGEST_MISMATCH', /config says/)
    assert.equal(await store.layers.diffIds(), [])
  }))

test('a manifest and a config that disagree about the layers are refused', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const config = builder.blob({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }, MEDIA_TYPE.ociConfig)
    builder.name(builder.manifest(config, [builder.blob(LAYER, MEDIA_TYPE.ociLayer)]), 'odd')
    await assertRejects(loadTar(store, builder.files), 'INVALID_IMAGE', /diff_ids has 0/)
    await assertNothingLeft(store)
  }))

/** The environment with these settings while `body` runs. */
async function withSettings(settings: Readonly<Record<string, string>>, body: () => Promise<unknown>): Promise<void> {
  Object.assign(process.env, settings)
  try {
    await body()
  } finally {
    for (const name of Object.keys(settings)) delete process.env[name]
  }
}

test('a compression bomb is refused by the bounds that the environment sets, and leaves nothing', () =>
  withStore(async (store) => {
    const bomb = gzipSync(Buffer.concat([tarOf(layout(() => {})), Buffer.alloc(4 << 20)]))
    const refusals = [
      [{ WOLFFIA_ARCHIVE_BYTES: '1m' }, /more than 1048576 bytes/],
      [{ WOLFFIA_ARCHIVE_FREE_BYTES: '64k', WOLFFIA_ARCHIVE_RATIO: '100' }, /more than 100 times/],
      [{ WOLFFIA_ARCHIVE_BYTES: '0' }, /more than 0 bytes/],
    ] as const
    for (const [settings, message] of refusals)
      await withSettings(settings, async () => {
        const error = await assertRejects(loadImages(store, stream(bomb)), 'LIMIT_EXCEEDED', message)
        assert.match(error.hint ?? '', /set WOLFFIA_ARCHIVE_/)
        await assertRejects(importImage(store, stream(bomb)), 'LIMIT_EXCEEDED', message)
        await assertNothingLeft(store)
      })
    await withSettings({ WOLFFIA_ARCHIVE_BYTES: 'much' }, () => assertRejects(loadImages(store, stream(bomb)), 'INVALID_ARGUMENT', /much/))
    await assertNothingLeft(store)
    assert.is((await loadImages(store, stream(bomb))).length, 1)
  }))

test('a bomb spread over the layers of an image is stopped when the layers are first wanted, and none of the rest is made', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const tars = Array.from({ length: 6 }, (_, number) => tarOf({ zeros: Buffer.alloc(1 << 20, number) }))
    const layers = tars.map((tar) => builder.blob(gzipSync(tar), MEDIA_TYPE.ociLayerGzip))
    const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: tars.map(digestOf) } }
    builder.name(builder.manifest(builder.blob(config, MEDIA_TYPE.ociConfig), layers), 'spread')
    const [loaded] = await loadTar(store, builder.files)
    await withSettings({ WOLFFIA_ARCHIVE_FREE_BYTES: '3m', WOLFFIA_ARCHIVE_RATIO: '10' }, async () => {
      const { image } = await selectImage(store.layout, loaded?.descriptor as never)
      const [first, second, third] = await image.layers()
      await store.layers.ensure(first as never)
      await store.layers.ensure(second as never)
      await assertRejects(store.layers.ensure(third as never), 'LIMIT_EXCEEDED', /more than 10 times/)
    })
    assert.is((await store.layers.diffIds()).length, 2)
    assert.not((await contentsOf(store)).some((name) => name.startsWith('ingest')))
  }))

test('a layer with more entries, or a larger file, than the environment allows is refused, and leaves nothing', () =>
  withStore(async (store) => {
    for (const settings of [{ WOLFFIA_LAYER_ENTRIES: '1' }, { WOLFFIA_FILE_BYTES: '2' }])
      await withSettings(settings, async () => {
        const error = await assertRejects(importImage(store, stream(tarOf({ a: 'xyz', b: '' }))), 'LIMIT_EXCEEDED')
        assert.match(error.hint ?? '', Object.keys(settings)[0] ?? '')
      })
    await assertNothingLeft(store)
  }))

test('an archive cut off at any byte near a boundary is refused, or whole but for its end, and leaves nothing else', () =>
  withStore(async (store) => {
    const whole = tarOf(layout(() => {}))
    const contents = whole.length - 1024
    const boundaries = Array.from({ length: whole.length / 512 + 1 }, (_, block) => block * 512)
    for (const length of boundaries.flatMap((boundary) => [boundary - 1, boundary, boundary + 1])) {
      if (length < 0 || length > whole.length) continue
      const loading = loadImages(store, stream(whole.subarray(0, length)))
      const loaded = await loading.catch((error: unknown) => error)
      if (!(loaded instanceof Error)) {
        // Padding and end marker are no part of the image.
        assert.ok(length > contents - 512, `${length} of ${whole.length}`)
        return
      }
      assert.instance(loaded, EngineError)
      assert.is((loaded as EngineError).code, 'INVALID_ARCHIVE', `${length}: ${loaded}`)
      await assertNothingLeft(store)
    }
    assert.unreachable()
  }))

const CONFIG = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digestOf(LAYER)] } })

test('a bomb of names is refused, and does not keep the store’s names from being read', () =>
  withStore(async (store) => {
    const named = (count: number, prefix: string) => {
      const image = { Config: 'c.json', Layers: ['l.tar'], RepoTags: Array.from({ length: count }, (_, place) => `${prefix}${place}:x`) }
      return loadTar(store, { 'c.json': CONFIG, 'l.tar': LAYER, 'manifest.json': JSON.stringify([image]) })
    }
    await assertRejects(named(1025, 'n'), 'LIMIT_EXCEEDED', /has 1025 names/)
    await assertNothingLeft(store)
    // In archives that are each small enough, of names as long as they can be: the last one that does not fit is refused whole.
    const many = (round: number) => named(1000, `${'p'.repeat(240)}/${round}.`)
    await assertRejects(
      (async () => {
        for (let round = 0; round < 10; round++) await many(round)
      })(),
      'LIMIT_EXCEEDED',
      /index\.json would have/,
    )
    assert.ok((await store.references.list()).length >= 1000)
  }))

test('platforms of megabytes, which would stand beside each name, are refused', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const platform = { os: 'linux', architecture: 'amd64', variant: 'v'.repeat(1 << 20) }
    builder.name({ ...builder.image([LAYER]), platform }, 'example.com/a:1')
    await assertRejects(loadTar(store, builder.files), 'INVALID_IMAGE', /platform\.variant must be a plain word/)
    await assertNothingLeft(store)
  }))

test('what is no image archive is refused with the way out', () =>
  withStore(async (store) => {
    await assertRejects(loadImages(store, stream(Buffer.from('hello'))), 'INVALID_ARCHIVE')
    await assertRejects(loadImages(store, stream(Buffer.alloc(0))), 'INVALID_ARCHIVE')
    const error = await assertRejects(loadTar(store, { 'etc/passwd': '' }), 'INVALID_ARCHIVE', /no image/)
    assert.match(error.hint ?? '', 'import')
    await assertRejects(loadImages(store, '/nowhere/at/all'), 'INVALID_ARGUMENT', /no such file/)
    await assertRejects(loadTar(store, { 'manifest.json': '[]' }), 'INVALID_ARCHIVE', /names no image/)
    await assertRejects(loadTar(store, { 'manifest.json': '[{"Config":1}]' }), 'INVALID_IMAGE', /manifest\.json\[0\]/)
    await assertRejects(loadTar(store, { repositories: '{}' }), 'UNSUPPORTED_MEDIA_TYPE')
    await assertNothingLeft(store)
  }))

test('an artifact that is no image is refused, named', () =>
  withStore(async (store) => {
    const builder = new LayoutBuilder()
    const config = builder.blob('{}', 'application/vnd.cncf.helm.config.v1+json')
    builder.name(builder.manifest(config, [builder.blob('chart', 'application/vnd.cncf.helm.chart.content.v1.tar+gzip')]), 'chart')
    await assertRejects(loadTar(store, builder.files), 'UNSUPPORTED_MEDIA_TYPE', /helm/)
    await assertNothingLeft(store)
  }))

test('loading is stopped by its signal, even while a source gives nothing, and leaves nothing', () =>
  withStore(async (store) => {
    const stalled = new Readable({ read() {} })
    stalled.push(tarOf(layout(() => {})).subarray(0, 2000))
    const loading = loadImages(store, stalled, { signal: AbortSignal.timeout(50) })
    await assertRejects(loading, 'ABORTED')
    stalled.destroy()
    await assertNothingLeft(store)
  }))

test('a store that was damaged behind our back says so instead of running it', () =>
  withStore(async (store) => {
    const [loaded] = await loadTar(
      store,
      layout(() => {}),
    )
    const path = (await store.layout.pathOf(loaded?.descriptor.digest ?? (assert.unreachable() as never))) ?? ''
    await promisify(execFile)('chmod', ['600', path])
    await writeFile(path, 'x'.repeat(loaded?.descriptor.size ?? 0))
    await assertRejects(selectImage(store.layout, loaded?.descriptor ?? (assert.unreachable() as never)), 'DIGEST_MISMATCH')
  }))

test.run()
