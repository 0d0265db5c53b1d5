import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { findImage } from '../../src/image/find.js'
import { platformImages, selectImage } from '../../src/image/platform-select.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { listTags } from '../../src/registry/listing.js'
import type { PullEvent } from '../../src/registry/pull-event.js'
import { identityOf } from '../../src/store/process-identity.js'
import { deadIdentity } from '../support/dead-identity.js'
import { assertRejects, assertWhole, contentsOf, tarOf } from '../support/image-fixtures.js'
import { hostArchitecture, RegistryServer, send, sendError, sha256 } from '../support/registry-server.js'
import { type RegistryUser, withUser } from '../support/registry-user.js'
import { suite } from '../support/suite.js'

const test = suite('registry/pull')

const LAYERS = ['one', 'two', 'three', 'four'].map((name) => tarOf({ [name]: name.repeat(1000) }))

test('an image comes with its layers, checked and unpacked, and gets its name', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const { digest } = server.repository('team/app').image(LAYERS, { tags: ['latest', '1.0'] })
    const events: PullEvent[] = []
    const pulled = await user.pull(`${server.host}/team/app`, { report: (event) => events.push(event) })
    assert.is(pulled.descriptor.digest, digest)
    assert.is(pulled.isNew, true)
    assert.equal(user.pauses, [], 'nothing had to be asked for again')
    assert.equal(await user.names(), [`${server.host}/team/app:latest`])
    await assertWhole(user.store)
    for (const layer of LAYERS) assert.ok(await user.store.layers.find(sha256(layer)))
    assert.is(events[0]?.event, 'found')
    assert.is(events.at(-1)?.event, 'pulled')
    const statuses = events.flatMap((event) =>
      event.event === 'layer' && event.digest === sha256(LAYERS[0] ?? Buffer.of()) ? [event.status] : [],
    )
    assert.equal([...new Set(statuses)], ['waiting', 'downloading', 'downloaded', 'extracting', 'complete'])
  }))

test('what is here is not fetched again, and the image is up to date', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image(LAYERS.slice(0, 2), { tags: ['1'] })
    server.repository('app').image(LAYERS.slice(0, 3), { tags: ['2'] })
    await user.pull(`${server.host}/app:1`)
    assert.is((await user.pull(`${server.host}/app:1`)).isNew, false)
    const events: PullEvent[] = []
    await user.pull(`${server.host}/app:2`, { report: (event) => events.push(event) })
    assert.is(events.filter((event) => event.event === 'layer' && event.status === 'exists').length, 2)
    const blobs = server.asked(/\/blobs\//)
    assert.is(new Set(blobs).size, blobs.length)
  }))

test('a tag that has moved takes its name along, and the image before stays without one', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image(LAYERS.slice(0, 1), { tags: ['latest'] })
    await user.pull(`${server.host}/app`)
    const { digest } = server.repository('app').image(LAYERS.slice(1, 2), { tags: ['latest'] })
    assert.is((await user.pull(`${server.host}/app`)).isNew, true)
    assert.is((await findImage(user.store, `${server.host}/app`)).descriptor.digest, digest)
    assert.is((await user.store.references.list()).length, 2)
  }))

test('by its digest an image comes without a tag, whatever tag stands beside it', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const { digest } = server.repository('app').image(LAYERS, { tags: ['1'] })
    await user.pull(`${server.host}/app:other@${digest}`)
    assert.equal(await user.names(), [`${server.host}/app:${digest}`])
    assert.is((await findImage(user.store, `${server.host}/app@${digest}`)).descriptor.digest, digest)
    assert.equal(server.asked(/manifests/), [`/v2/app/manifests/${digest}`])
  }))

test('of an index comes the platform that is asked for, and the others when they are', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const own = { os: 'linux', architecture: hostArchitecture() }
    const other = { os: 'linux', architecture: 's390x' }
    const images = [other, own].map((platform, at) => ({ ...content.image([LAYERS[at] ?? Buffer.of()], { config: platform }), platform }))
    const about = content.image([LAYERS[3] ?? Buffer.of()], { config: { os: 'unknown', architecture: 'unknown' } })
    content.index([...images, { ...about, platform: { os: 'unknown', architecture: 'unknown' } }], 'latest')
    const { descriptor } = await user.pull(`${server.host}/app`)
    assert.equal(
      (await platformImages(user.store.layout, descriptor)).map(({ platform }) => platform),
      [own],
    )
    assert.is(await user.store.layout.has(sha256(LAYERS[0] ?? Buffer.of())), false)
    await user.pull(`${server.host}/app`, { wish: { platform: other } })
    assert.is((await selectImage(user.store.layout, descriptor, { platform: other })).platform.architecture, 's390x')
    const error = await assertRejects(
      user.pull(`${server.host}/app`, { wish: { platform: { os: 'linux', architecture: 'riscv64' } } }),
      'PLATFORM_NOT_FOUND',
    )
    assert.match(error.message, 'linux/s390x')
    assert.is(await user.store.layout.has(sha256(LAYERS[3] ?? Buffer.of())), false)
    await user.pull(`${server.host}/app`, { wish: 'all' })
    assert.is(await user.store.layout.has(sha256(LAYERS[3] ?? Buffer.of())), true)
  }))

test('an index within an index, and one that says no platforms, are followed', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    content.index([content.index([content.image(LAYERS.slice(0, 1))])], 'latest')
    const { descriptor } = await user.pull(`${server.host}/app`)
    assert.is((await platformImages(user.store.layout, descriptor)).length, 1)
  }))

test('an image for another machine alone comes when no platform is asked for, and not when one is', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image(LAYERS, { tags: ['latest'], config: { architecture: 's390x' } })
    await assertRejects(
      user.pull(`${server.host}/app`, { wish: { platform: { os: 'linux', architecture: 'amd64' } } }),
      'PLATFORM_NOT_FOUND',
      /it is for linux\/s390x/,
    )
    assert.equal(server.asked(/blobs/).length, 1, 'only its config was asked for')
    await user.pull(`${server.host}/app`)
  }))

test('a gzipped layer, a docker manifest and a wasi image come as they are', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const tar = LAYERS[0] ?? Buffer.of()
    const config = content.blob(
      { os: 'wasi', architecture: 'wasm', rootfs: { type: 'layers', diff_ids: [sha256(tar)] } },
      MEDIA_TYPE.dockerConfig,
    )
    const layer = content.blob(gzipSync(tar), 'application/vnd.docker.image.rootfs.diff.tar.gzip')
    const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.dockerManifest, config, layers: [layer] }
    content.manifest(manifest, MEDIA_TYPE.dockerManifest, 'latest')
    const { descriptor } = await user.pull(`${server.host}/app`, { wish: { platform: { os: 'wasi', architecture: 'wasm' } } })
    assert.is(descriptor.mediaType, MEDIA_TYPE.dockerManifest)
    assert.ok(await user.store.layers.find(sha256(tar)))
  }))

test('a Wasm artifact comes as the image that it stands for', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('tool')
    const layer = content.blob(Buffer.from('\0asm\x01\0\0\0', 'latin1'), MEDIA_TYPE.wasmLayer)
    const config = content.blob({ os: 'wasip1', architecture: 'wasm', layerDigests: [layer.digest] }, MEDIA_TYPE.wasmConfig)
    content.manifest({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers: [layer] }, MEDIA_TYPE.ociManifest, 'latest')
    const { descriptor } = await user.pull(`${server.host}/tool`)
    const { image } = await selectImage(user.store.layout, descriptor)
    assert.equal((await image.config()).config?.Entrypoint, ['/module.wasm'])
  }))

test('three layers come at once and no more', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image([...LAYERS, tarOf({ five: '5' }), tarOf({ six: '6' })], { tags: ['latest'] })
    let open = 0
    let most = 0
    const waiting: (() => void)[] = []
    server.rules.push(async ({ path, before, response }) => {
      const layer = [...server.repository('app').blobs].find(([digest, bytes]) => path.endsWith(digest) && bytes.length % 512 === 0)
      if (layer === undefined || before > 0) return false
      open++
      most = Math.max(most, open)
      // Each waits until three are there, or until those that come last are alone.
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 3) for (const go of waiting.splice(0)) go()
      })
      open--
      send(response, 200, {}, layer[1])
      return true
    })
    await user.pull(`${server.host}/app`)
    assert.is(most, 3)
  }))

test('two pulls of one image at once fetch each blob once', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image(LAYERS, { tags: ['latest'] })
    const pulled = await Promise.all([user.pull(`${server.host}/app`), user.pull(`${server.host}/app`)])
    assert.is(new Set(pulled.map(({ descriptor }) => descriptor.digest)).size, 1)
    const layers = LAYERS.map((layer) => `/v2/app/blobs/${sha256(layer)}`)
    assert.equal(
      server
        .asked(/blobs/)
        .filter((path) => layers.includes(path))
        .sort(),
      layers.sort(),
    )
    await assertWhole(user.store)
  }))

test('a pull that is stopped leaves nothing', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image(LAYERS, { tags: ['latest'] })
    const before = await contentsOf(user.store)
    const stop = new AbortController()
    server.rules.push(({ path, response }) => {
      if (!path.endsWith(sha256(LAYERS[3] ?? Buffer.of()))) return false
      response.writeHead(200).write('x')
      // Layers that came before are unpacked by then, or on their way.
      stop.abort(new Error('stopped'))
      return true
    })
    await assertRejects(user.pull(`${server.host}/app`, { signal: stop.signal }), 'ABORTED')
    assert.equal(await contentsOf(user.store), before)
  }))

test('all tags of a repository are listed over several pages', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.rules.push(({ path, query, response }) => {
      if (path !== '/v2/app/tags/list') return false
      const isFirst = query.get('last') === null
      const link = isFirst ? { link: '</v2/app/tags/list?last=b&n=2>; rel="next"' } : {}
      send(response, 200, link, JSON.stringify({ name: 'app', tags: isFirst ? ['a', 'b'] : ['c'] }))
      return true
    })
    using opened = await user.open()
    assert.equal(await listTags(opened.client.session, { domain: server.host, path: 'app' }), ['a', 'b', 'c'])
  }))

test('a mirror is asked before the registry, and the registry when the mirror fails', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    await using mirror = await RegistryServer.start()
    for (const each of [server, mirror]) each.repository('app').image(LAYERS.slice(0, 1), { tags: ['latest'] })
    await user.configure({ mirrors: { [server.host]: [`http://${mirror.host}`] } })
    mirror.rules.push(({ path, response }) => {
      if (!path.includes('/blobs/')) return false
      sendError(response, 404, 'BLOB_UNKNOWN', 'gone')
      return true
    })
    await user.pull(`${server.host}/app`)
    assert.equal(await user.names(), [`${server.host}/app:latest`])
    assert.equal(mirror.asked(/manifests/).length, 1)
    assert.equal(server.asked(/manifests/), [])
    assert.equal(server.asked(/blobs/).length, 2)
  }))

/** A server and a mirror of it, both with an image of four layers. */
async function withMirror(body: (user: RegistryUser, server: RegistryServer, mirror: RegistryServer) => Promise<void>): Promise<void> {
  await withUser(async (user) => {
    await using server = await RegistryServer.start()
    await using mirror = await RegistryServer.start()
    for (const each of [server, mirror]) each.repository('app').image(LAYERS, { tags: ['latest'] })
    await user.configure({ mirrors: { [server.host]: [`http://${mirror.host}`] } })
    await body(user, server, mirror)
  })
}

const isLayer = (path: string) => LAYERS.some((layer) => path.endsWith(sha256(layer)))

test('a mirror that breaks off within a layer is left for the registry, and asked for nothing more', () =>
  withMirror(async (user, server, mirror) => {
    mirror.rules.push(({ path, response, socket }) => {
      if (!isLayer(path)) return false
      response.writeHead(200, { 'content-length': 2560 }).write(Buffer.alloc(512), () => socket.destroy())
      return true
    })
    await user.pull(`${server.host}/app`)
    await assertWhole(user.store)
    assert.equal(user.pauses, [], 'the next one was asked at once')
    // Three layers come at once: each may be the first to meet it.
    assert.ok(mirror.asked(/blobs/).filter(isLayer).length <= 3)
    assert.is(server.asked(/blobs/).filter(isLayer).length >= LAYERS.length, true)
  }))

test('what a mirror sends in the place of a layer, or of its length, is fetched from the registry', () =>
  withMirror(async (user, server, mirror) => {
    mirror.rules.push(({ path, response }) => {
      if (!isLayer(path)) return false
      send(response, 200, {}, Buffer.alloc(path.endsWith(sha256(LAYERS[0] ?? Buffer.of())) ? 7 : 2560))
      return true
    })
    await user.pull(`${server.host}/app`)
    await assertWhole(user.store)
  }))

test('a mirror that fails is asked once in a pull, and one that lacks something for what it has', () =>
  withMirror(async (user, server, mirror) => {
    mirror.rules.push(({ response }) => {
      sendError(response, 500, 'UNKNOWN', 'on fire')
      return true
    })
    await user.pull(`${server.host}/app`)
    assert.is(mirror.log.length, 1)
    assert.equal(user.pauses, [])
  }))

test('who waits for another’s fetch says whose, and takes it on itself when that one stands still', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image(LAYERS.slice(0, 1), { tags: ['latest'] })
    const hex = sha256(LAYERS[0] ?? Buffer.of()).slice(7)
    const folder = join(user.store.root, 'locks', `fetch-${hex.slice(0, 2)}`)
    await mkdir(folder, { recursive: true })
    // A process that lives and does nothing, and one that is dead.
    const idle = spawn('sleep', ['600'])
    try {
      await writeFile(join(folder, `1-${identityOf(idle.pid ?? 0)}-0123456789ab`), '')
      await writeFile(join(folder, `1-${await deadIdentity()}-0123456789ab`), '')
      user.patience = { ...user.patience, stallMs: 300 }
      const events: PullEvent[] = []
      await user.pull(`${server.host}/app`, { report: (event) => events.push(event) })
      assert.equal(
        events.flatMap((event) => (event.event === 'held' ? [event.pid] : [])),
        [idle.pid],
      )
      await assertWhole(user.store)
    } finally {
      idle.kill()
    }
  }))

test('a manifest that the registry names by sha512 is compared with it', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    content.image(LAYERS.slice(0, 1), { tags: ['latest'] })
    const { bytes, mediaType } = content.manifests.get('latest') ?? { bytes: Buffer.of(), mediaType: '' }
    let said = createHash('sha512').update(bytes).digest('hex')
    server.rules.push(({ path, response }) => {
      if (!path.endsWith('/latest')) return false
      send(response, 200, { 'content-type': mediaType, 'docker-content-digest': `sha512:${said}` }, bytes)
      return true
    })
    await user.pull(`${server.host}/app`)
    said = '0'.repeat(128)
    await assertRejects(user.pull(`${server.host}/app`), 'DIGEST_MISMATCH', /should be sha512:0000/)
  }))

test('a short name leads where the settings say, and another default registry gives its names', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('team/app').image(LAYERS.slice(0, 1), { tags: ['1'] })
    server.repository('other').image(LAYERS.slice(0, 1), { tags: ['latest'] })
    await user.configure({ shortNames: { app: `${server.host}/team/app` }, defaultRegistry: server.host })
    await user.pull('app:1')
    await user.pull('other')
    assert.equal(await user.names(), [`${server.host}/team/app:1`, `${server.host}/other:latest`])
  }))

test('a registry on an IPv6 address is reached', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start({ address: '::1' })
    server.repository('app').image(LAYERS.slice(0, 1), { tags: ['latest'] })
    await user.pull(`${server.host}/app`)
    assert.equal(await user.names(), [`[::1]:${server.port}/app:latest`])
  }))

test('what the registry does not have is said as docker says it', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app')
    await assertRejects(user.pull(`${server.host}/app:nosuch`), 'IMAGE_NOT_FOUND', /app:nosuch not found.*manifest unknown/)
    await assertRejects(user.pull(`${server.host}/nosuch`), 'IMAGE_NOT_FOUND', /repository name not known/)
    await assertRejects(user.pull('127.0.0.1:1/app'), 'REGISTRY_FAILED', /cannot reach 127\.0\.0\.1:1/)
    assert.equal(user.pauses, [], 'nothing of that is worth another attempt')
  }))

test.run()
