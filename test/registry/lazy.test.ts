/** An image that is read while it comes: what is asked for, when, and what becomes of contents that are not what the manifest says. */
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { FOOTER_BYTES } from '../../src/layer/estargz.js'
import { LazyImage } from '../../src/registry/lazy-image.js'
import { openStack } from '../../src/rootfs/layer-stack.js'
import { MissingContents } from '../../src/store/layer-store.js'
import { type EstargzForm, estargzOf, footer } from '../support/estargz.js'
import { assertRejects, tarOf } from '../support/image-fixtures.js'
import { RegistryServer, type Rule, send } from '../support/registry-server.js'
import { named, type RegistryUser, withUser } from '../support/registry-user.js'
import { suite } from '../support/suite.js'

const test = suite('registry/lazy')
const BIG = randomBytes(6 * 2 ** 20)
const FILES = { 'first.txt': 'first\n', 'middle.bin': BIG, 'last.txt': 'last\n' }
const FORM: EstargzForm = { chunkBytes: 2 ** 20 }

interface Scene {
  readonly user: RegistryUser
  readonly server: RegistryServer
  /** Opens the image. */
  readonly open: (failed?: (error: unknown) => void, signal?: AbortSignal) => Promise<LazyImage>
  /** Ranges of blobs that were asked for. */
  readonly ranges: () => readonly string[]
}

function withImage(layer: ReturnType<typeof estargzOf>, body: (scene: Scene) => Promise<void>): Promise<void> {
  return withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').seekable(layer, { tags: ['1'] })
    await user.configure({ insecureRegistries: [server.host] })
    using opened = await user.open()
    const ranges = () =>
      server.log.flatMap(({ path, headers }) => (/\/blobs\//.test(path) && headers.range !== undefined ? [headers.range] : []))
    const open: Scene['open'] = (failed, signal) =>
      LazyImage.open({
        store: user.store,
        client: opened.client,
        reference: named(`${server.host}/app:1`),
        wish: {},
        ...(failed === undefined ? {} : { failed }),
        ...(signal === undefined ? {} : { signal }),
      })
    await body({ user, server, open, ranges })
    assert.equal(readdirSync(join(user.store.root, 'ingest')), [], 'something is left')
    assert.equal(await user.names(), [])
  })
}

async function contentsOf(image: LazyImage) {
  const [layer] = await image.image.layers()
  const stored = layer?.stored
  assert.ok(stored?.lazy)
  const [tree] = openStack([stored])
  assert.ok(tree)
  const read = (name: string, bytes = 64) => {
    const buffer = new Uint8Array(bytes)
    return Buffer.from(buffer.subarray(0, tree.read(tree.lookup(tree.root, name) ?? 0, buffer, 0)))
  }
  return { lazy: stored.lazy, tree, read }
}

test('opening asks for the footer and the table alone, and a file for what holds it', () =>
  withImage(estargzOf(FILES, FORM), async ({ open, ranges }) => {
    const { blob, tocOffset } = estargzOf(FILES, FORM)
    await using image = await open()
    const { lazy, tree, read } = await contentsOf(image)
    assert.is(tree.stat(tree.lookup(tree.root, 'middle.bin') ?? 0).size, BIG.length)
    assert.equal(ranges(), [`bytes=${blob.length - FOOTER_BYTES}-${blob.length - 1}`, `bytes=${tocOffset}-${blob.length - 1}`])
    assert.is(image.received, 0)
    assert.throws(
      () => read('last.txt'),
      (error: unknown) => error instanceof MissingContents,
    )
    await lazy.ensure(6 + BIG.length, 5)
    assert.is(read('last.txt').toString(), FILES['last.txt'])
    assert.is(ranges().length, 3)
    assert.ok(image.received < 4096, `${image.received} bytes came for 5`)
    // What is there is not asked for again.
    await lazy.ensure(6 + BIG.length, 5)
    assert.is(ranges().length, 3)
  }))

test('a read of many chunks comes in few requests, with what follows them, and is as it was packed', () =>
  withImage(estargzOf(FILES, { chunkBytes: 100_000 }), async ({ open, ranges }) => {
    await using image = await open()
    const { lazy, read } = await contentsOf(image)
    await lazy.ensure(6, BIG.length)
    assert.ok(read('middle.bin', BIG.length).equals(BIG))
    assert.ok(ranges().length - 2 <= 8, `${ranges().length} requests`)
  }))

test('contents that this process wants are brought whole, and then they are there', () =>
  withImage(estargzOf(FILES, FORM), async ({ open }) => {
    await using image = await open()
    const { read } = await contentsOf(image)
    try {
      read('middle.bin')
      assert.unreachable()
    } catch (error) {
      assert.instance(error, MissingContents)
      await (error as MissingContents).bring()
    }
    assert.ok(read('middle.bin', BIG.length).equals(BIG))
  }))

test('two who want the same wait for the same', () =>
  withImage(estargzOf(FILES, FORM), async ({ open, ranges }) => {
    await using image = await open()
    const { lazy } = await contentsOf(image)
    await Promise.all([lazy.ensure(0, 3), lazy.ensure(3, 3), lazy.ensure(0, 6)])
    assert.is(ranges().length, 3)
  }))

test('a cut connection is taken up again, and a registry that is gone is told of', () =>
  withImage(estargzOf(FILES, FORM), async ({ user, server, open }) => {
    const said: unknown[] = []
    await using image = await open((error) => said.push(error))
    const { lazy, read } = await contentsOf(image)
    let cuts = 1
    const cut: Rule = ({ headers, socket, response }) => {
      if (headers.range === undefined || cuts-- <= 0) return false
      response.writeHead(206, { 'content-range': `${headers.range.replace('=', ' ')}/${estargzOf(FILES, FORM).blob.length}` })
      response.write(Buffer.alloc(0))
      socket.destroy()
      return true
    }
    server.rules.push(cut)
    await lazy.ensure(0, 6)
    assert.is(read('first.txt').toString(), FILES['first.txt'])
    server.rules.push(({ response }) => {
      send(response, 503, {})
      return true
    })
    await assertRejects(lazy.ensure(6 + BIG.length, 5), 'REGISTRY_FAILED', /503/)
    assert.is(said.length, 1)
    // And when it is there again, so are its files.
    server.rules.length = 0
    await lazy.ensure(6 + BIG.length, 5)
    assert.is(read('last.txt').toString(), FILES['last.txt'])
    assert.ok(user.pauses.length > 0)
  }))

test('whoever stops waiting leaves nothing', () =>
  withImage(estargzOf(FILES, FORM), async ({ server, open }) => {
    const stop = new AbortController()
    server.rules.push(({ headers }) => {
      if (headers.range === undefined) return false
      stop.abort()
      return true
    })
    await assertRejects(open(undefined, stop.signal), 'ABORTED')
  }))

test('an image of other layers is refused by name', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image([tarOf({ a: '1' })], { tags: ['1'] })
    await user.configure({ insecureRegistries: [server.host] })
    using opened = await user.open()
    const request = { store: user.store, client: opened.client, reference: named(`${server.host}/app:1`), wish: {} }
    await assertRejects(LazyImage.open(request), 'UNSUPPORTED_MEDIA_TYPE', /no table of contents/)
    assert.equal(readdirSync(join(user.store.root, 'ingest')), [])
  }))

test('a footer that points nowhere is refused', () => {
  const layer = estargzOf(FILES, FORM)
  const blob = Buffer.concat([layer.blob.subarray(0, -FOOTER_BYTES), footer(layer.blob.length + 1)])
  return withImage({ ...layer, blob }, async ({ open }) => {
    await assertRejects(open(), 'INVALID_ARCHIVE', /at byte/)
  })
})

test.run()
