import { randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { importImage } from '../../src/image/import.js'
import { loadImages } from '../../src/image/load.js'
import { removeImage } from '../../src/image/remove.js'
import { tagImage } from '../../src/image/tag.js'
import type { Descriptor } from '../../src/oci/descriptor.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import type { PushEvent } from '../../src/registry/push-event.js'
import { assertRejects, assertWhole, contentsOf, LayoutBuilder, stream, tarOf, withFolder, writeFiles } from '../support/image-fixtures.js'
import { hostArchitecture, RegistryServer, type RepositoryContent, sendError, sha256 } from '../support/registry-server.js'
import { named, type RegistryUser, withUser } from '../support/registry-user.js'
import { suite } from '../support/suite.js'

const test = suite('registry/push')

const TAR = tarOf({ file: 'x'.repeat(100_000) })
const OTHER = tarOf({ other: 'y' })
const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'

/** A server, and a user who has an image of one plain layer under a name of that server. */
function withImage(body: (user: RegistryUser, server: RegistryServer, name: string) => Promise<void>): Promise<void> {
  return withUser(async (user) => {
    await using server = await RegistryServer.start()
    const name = `${server.host}/team/app`
    await importImage(user.store, stream(TAR), { reference: named(`${name}:1`) })
    await body(user, server, name)
  })
}

/** Loads what the builder has made. */
async function load(user: RegistryUser, builder: LayoutBuilder): Promise<void> {
  await withFolder(async (folder) => {
    await writeFiles(folder, builder.files)
    await loadImages(user.store, folder)
  })
}

function documentOf(content: RepositoryContent, tag: string) {
  return JSON.parse(Buffer.from(content.manifests.get(tag)?.bytes ?? '{}').toString())
}

const sentBlobs = ({ log }: RegistryServer) => log.flatMap(({ method, query }) => (method === 'PUT' ? (query.get('digest') ?? []) : []))

function statuses(events: readonly PushEvent[]): readonly string[] {
  return events.flatMap((event) => (event.event === 'layer' && event.status !== 'pushing' ? [event.status] : []))
}

test('an image goes out with its plain layer gzipped, always to the same bytes, and comes back the same', () =>
  withImage(async (user, server, name) => {
    const before = await contentsOf(user.store)
    const events: PushEvent[] = []
    const [pushed] = await user.push(`${name}:1`, { progress: (event) => events.push(event) })
    assert.equal(await contentsOf(user.store), [...before, `packed/${sha256(TAR).slice(7)}`].sort(), 'a note of what it was packed to')
    const content = server.repository('team/app')
    const manifest = documentOf(content, '1')
    const [layer] = manifest.layers as Descriptor[]
    assert.is(layer?.mediaType, MEDIA_TYPE.ociLayerGzip)
    assert.equal(gunzipSync(content.blobs.get(layer?.digest ?? '') ?? Buffer.of()), Buffer.from(TAR))
    assert.equal(statuses(events), ['waiting', 'packing', 'pushed'])
    assert.equal(events[0], { event: 'begun', repository: name })
    assert.equal(events.at(-1), { event: 'pushed', tag: '1', digest: pushed?.descriptor.digest, size: pushed?.descriptor.size })
    const pulledBack = await withUser(async (other) => {
      const { descriptor } = await other.pull(`${name}:1`)
      await assertWhole(other.store)
      assert.ok(await other.store.layers.find(sha256(TAR)))
      return descriptor.digest
    })
    assert.is(pulledBack, pushed?.descriptor.digest)
    const again: PushEvent[] = []
    assert.is((await user.push(`${name}:1`, { progress: (event) => again.push(event) }))[0]?.descriptor.digest, pulledBack)
    assert.equal(statuses(again), ['waiting', 'exists'], 'without being packed again')
    assert.is(sentBlobs(server).length, 2)
  }))

test('an image goes back as it came, with what no spec knows in its manifest', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const layer = content.blob(gzipSync(TAR), 'application/vnd.docker.image.rootfs.diff.tar.gzip')
    const config = content.blob(
      { architecture: hostArchitecture(), os: 'linux', rootfs: { type: 'layers', diff_ids: [sha256(TAR)] } },
      MEDIA_TYPE.dockerConfig,
    )
    const manifest = { schemaVersion: 2, strange: [1], mediaType: MEDIA_TYPE.dockerManifest, config, layers: [layer] }
    const { digest } = content.manifest(manifest, MEDIA_TYPE.dockerManifest, 'latest')
    await user.pull(`${server.host}/app`)
    await using elsewhere = await RegistryServer.start()
    await tagImage(user.store, `${server.host}/app`, `${elsewhere.host}/copy:1`)
    const [pushed] = await user.push(`${elsewhere.host}/copy:1`)
    assert.is(pushed?.descriptor.digest, digest)
    assert.is(elsewhere.repository('copy').manifests.get('1')?.mediaType, MEDIA_TYPE.dockerManifest)
  }))

test('a Wasm artifact goes back as it came', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('tool')
    const layer = content.blob(Buffer.from('\0asm\x01\0\0\0', 'latin1'), MEDIA_TYPE.wasmLayer)
    const config = content.blob({ os: 'wasip1', architecture: 'wasm', layerDigests: [layer.digest] }, MEDIA_TYPE.wasmConfig)
    const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers: [layer] }
    const { digest } = content.manifest(manifest, MEDIA_TYPE.ociManifest, 'latest')
    await user.pull(`${server.host}/tool`)
    await tagImage(user.store, `${server.host}/tool`, `${server.host}/copy:1`)
    assert.is((await user.push(`${server.host}/copy:1`))[0]?.descriptor.digest, digest)
  }))

test('a blob that another repository of the registry has is mounted, and one that it has not after all is sent', () =>
  withImage(async (user, server, name) => {
    await user.push(`${name}:1`)
    await tagImage(user.store, `${name}:1`, `${server.host}/moved:1`)
    const events: PushEvent[] = []
    server.log.length = 0
    await user.push(`${server.host}/moved:1`, { progress: (event) => events.push(event) })
    const last = events.findLast((event) => event.event === 'layer')
    assert.equal(last?.event === 'layer' ? [last.status, last.from] : [], ['mounted', 'team/app'])
    assert.is(sentBlobs(server).length, 1, 'only the config')
    server.repository('team/app').blobs.clear()
    server.repository('moved').blobs.clear()
    await user.push(`${server.host}/moved:1`)
    assert.is(server.repository('moved').blobs.size, 2)
  }))

test('an index goes out with all its platforms, each blob once', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const builder = new LayoutBuilder()
    const images = ['amd64', 's390x'].map((architecture) => ({
      ...builder.image([TAR, tarOf({ architecture }), TAR], { architecture }),
      platform: { os: 'linux', architecture },
    }))
    const name = `${server.host}/many:1`
    await load(user, builder.name(builder.index(images), name))
    await user.push(name)
    const content = server.repository('many')
    const { manifests } = documentOf(content, '1')
    assert.equal(
      manifests.map(({ platform }: Descriptor) => platform?.architecture),
      ['amd64', 's390x'],
    )
    assert.is(sentBlobs(server).length, new Set(sentBlobs(server)).size)
    assert.is(content.blobs.size, 5)
    await withUser(async (other) => {
      await other.pull(name, { wish: 'all' })
      await assertWhole(other.store)
    })
    const [one] = await user.push(name, { wish: { platform: { os: 'linux', architecture: 's390x' } } })
    assert.is(one?.descriptor.mediaType, MEDIA_TYPE.ociManifest)
    assert.is(one?.descriptor.digest, manifests[1].digest)
    await assertRejects(user.push(name, { wish: { platform: { os: 'linux', architecture: 'riscv64' } } }), 'PLATFORM_NOT_FOUND')
  }))

test('what an index lists and is not here is left out and told, and one platform alone goes without an index', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const images = [hostArchitecture(), 's390x', 'ppc64le'].map((architecture) => ({
      ...content.image([gzipSync(tarOf({ architecture }))], {
        config: { architecture },
        layerType: MEDIA_TYPE.ociLayerGzip,
        diffIds: [sha256(tarOf({ architecture }))],
      }),
      platform: { os: 'linux', architecture },
    }))
    content.index(images, 'latest')
    await user.pull(`${server.host}/app`)
    await tagImage(user.store, `${server.host}/app`, `${server.host}/copy`)
    const [alone] = await user.push(`${server.host}/copy`)
    assert.is(alone?.descriptor.digest, images[0]?.digest)
    assert.equal(alone?.missing, ['linux/s390x', 'linux/ppc64le'])
    await user.pull(`${server.host}/app`, { wish: { platform: { os: 'linux', architecture: 's390x' } } })
    const events: PushEvent[] = []
    await user.push(`${server.host}/copy`, { progress: (event) => events.push(event) })
    assert.equal(
      documentOf(server.repository('copy'), 'latest').manifests.map(({ digest }: Descriptor) => digest),
      images.slice(0, 2).map(({ digest }) => digest),
    )
    const [, told] = events
    assert.equal(told?.event === 'incomplete' ? told.missing : [], ['linux/ppc64le'])
  }))

test('a layer that may not be handed on stays where its manifest says', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const builder = new LayoutBuilder()
    const base = gzipSync(OTHER)
    const config = builder.blob(
      { architecture: 'amd64', os: 'windows', rootfs: { type: 'layers', diff_ids: [sha256(OTHER), sha256(TAR)] } },
      MEDIA_TYPE.ociConfig,
    )
    const foreign = { ...builder.blob(base, FOREIGN), urls: ['https://elsewhere.example/base'] }
    await load(user, builder.name(builder.manifest(config, [foreign, builder.blob(TAR, MEDIA_TYPE.ociLayer)]), `${server.host}/app:1`))
    const events: PushEvent[] = []
    await user.push(`${server.host}/app:1`, { progress: (event) => events.push(event) })
    const content = server.repository('app')
    assert.equal(documentOf(content, '1').layers[0], foreign)
    assert.not.ok(content.blobs.has(foreign.digest))
    assert.equal(statuses(events).slice(0, 2), ['foreign', 'waiting'])
  }))

test('all tags of a repository go out, and what the first has sent is not sent again', () =>
  withImage(async (user, server, name) => {
    await tagImage(user.store, `${name}:1`, `${name}:2`)
    await tagImage(user.store, `${name}:1`, `${server.host}/team/other:3`)
    const pushed = await user.push(name, { allTags: true })
    assert.equal(
      pushed.map(({ reference }) => reference.tag),
      ['1', '2'],
    )
    assert.is(sentBlobs(server).length, 2)
    assert.equal([...server.repository('team/app').manifests.keys()].slice(1), ['1', '2'])
    await assertRejects(user.push(`${name}:1`, { allTags: true }), 'INVALID_ARGUMENT', /tag can't be used/)
    await assertRejects(user.push(`${server.host}/nothing`, { allTags: true }), 'IMAGE_NOT_FOUND', /has no tags here/)
  }))

test('what has no such name here is not pushed: an id, a digest, a name that is near', () =>
  withImage(async (user, server, name) => {
    const [line] = await user.store.references.list()
    const { digest = 'sha256:' } = line?.descriptor ?? {}
    await assertRejects(user.push(name), 'IMAGE_NOT_FOUND', /there is no image/)
    const { hint } = await assertRejects(user.push(digest.slice(7, 19)), 'IMAGE_NOT_FOUND', /is an id, and no name/)
    assert.match(hint ?? '', 'wolffia tag')
    await assertRejects(user.push(`${name}@${digest}`), 'INVALID_REFERENCE', /cannot push a digest reference/)
    assert.equal(server.log, [])
  }))

test('a short name goes where the settings lead, unless an image has it as it stands', () =>
  withImage(async (user, server, name) => {
    await user.configure({ shortNames: { app: name } })
    const [pushed] = await user.push('app:1')
    assert.is(pushed?.reference.domain, server.host)
  }))

/** Requests for blobs of a method. */
const requests = ({ log }: RegistryServer, method: string) =>
  log.filter((asked) => asked.method === method && asked.path.includes('/blobs/'))

test('where a registry asks for pieces a layer goes in such pieces, and its bytes are the same', () =>
  withImage(async (user, server, name) => {
    const noise = randomBytes(200_000)
    await importImage(user.store, stream(tarOf({ noise })), { reference: named(`${name}:1`) })
    server.leastPiece = 70_000
    await user.push(`${name}:1`)
    assert.equal(
      requests(server, 'PATCH').map(({ headers }) => headers['content-range']?.split('-')[0]),
      ['0', '70000', '140000', '0'],
      'the layer in three, the config in one',
    )
    await withUser(async (other) => {
      await other.pull(`${name}:1`)
      await assertWhole(other.store)
    })
  }))

test('a registry that refuses a whole layer as too large gets it in pieces', () =>
  withImage(async (user, server, name) => {
    await importImage(user.store, stream(tarOf({ noise: randomBytes(2_500_000) })), { reference: named(`${name}:1`) })
    server.rules.push(({ bytes, response }) => {
      if (bytes.length <= 1024 * 1024) return false
      sendError(response, 413, 'SIZE_INVALID', 'too large')
      return true
    })
    await user.push(`${name}:1`)
    assert.is(requests(server, 'PATCH').length, 3)
  }))

test('a cut upload goes on where the registry says that it has got to', () =>
  withImage(async (user, server, name) => {
    await importImage(user.store, stream(tarOf({ noise: randomBytes(300_000) })), { reference: named(`${name}:1`) })
    let cuts = 0
    server.rules.push(({ method, path, bytes, socket }) => {
      if ((method !== 'PUT' && method !== 'PATCH') || bytes.length < 100_000) return false
      cuts++
      server.uploads.set(path, Buffer.concat([server.uploads.get(path) ?? Buffer.of(), bytes.subarray(0, 100_000)]))
      socket.destroy()
      return true
    })
    await user.push(`${name}:1`)
    assert.is(cuts, 3)
    assert.equal(
      requests(server, 'PATCH').map(({ headers }) => headers['content-range']?.split('-')[0]),
      ['100000', '200000', '300000'],
    )
    await withUser((other) => other.pull(`${name}:1`))
  }))

test('an upload that the registry has counted wrongly is begun anew', () =>
  withImage(async (user, server, name) => {
    await importImage(user.store, stream(tarOf({ noise: randomBytes(300_000) })), { reference: named(`${name}:1`) })
    let cuts = 0
    server.rules.push(({ method, path, bytes, socket }) => {
      if (method !== 'PUT' || bytes.length < 100_000 || ++cuts > 1) return false
      // As many bytes as it says, but other ones.
      server.uploads.set(path, Buffer.alloc(100_000))
      socket.destroy()
      return true
    })
    await user.push(`${name}:1`)
    await withUser((other) => other.pull(`${name}:1`))
  }))

test('uploads that failed mounts have begun are used or ended, and none is left', () =>
  withImage(async (user, server, name) => {
    await user.push(`${name}:1`)
    for (const other of ['one', 'two', 'three']) await tagImage(user.store, `${name}:1`, `${server.host}/${other}:1`)
    server.repository('team/app').blobs.clear()
    await user.push(`${server.host}/three:1`)
    const deleted = server.log.filter(({ method }) => method === 'DELETE')
    assert.ok(deleted.length > 0)
    assert.equal([...server.uploads.keys()], [])
  }))

test('what a layer was packed to is forgotten with it', () =>
  withImage(async (user, server, name) => {
    await user.push(`${name}:1`)
    assert.is(user.store.packed.diffIds().length, 1)
    server.repository('team/app').blobs.clear()
    await user.push(`${name}:1`)
    assert.is(server.repository('team/app').blobs.size, 2, 'a registry that has lost it gets it')
    await removeImage(user.store, `${name}:1`)
    assert.equal(user.store.packed.diffIds(), [])
  }))

test('mirrors are not pushed to', () =>
  withImage(async (user, server, name) => {
    await using mirror = await RegistryServer.start()
    await user.configure({ mirrors: { [server.host]: [`http://${mirror.host}`] } })
    await user.push(`${name}:1`)
    assert.equal(mirror.log, [])
  }))

test.run()
