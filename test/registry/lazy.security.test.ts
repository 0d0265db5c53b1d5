/** Attacks on an image that is read while it comes: by a registry, and by whoever made its layers. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { LazyImage } from '../../src/registry/lazy-image.js'
import { type Estargz, type EstargzForm, estargzOf, footer } from '../support/estargz.js'
import { assertRejects } from '../support/image-fixtures.js'
import { RegistryServer, type Rule, send } from '../support/registry-server.js'
import { named, withUser } from '../support/registry-user.js'
import { suite } from '../support/suite.js'

const test = suite('registry/lazy.security')
const FILES = { 'a.txt': 'what was signed\n', 'b.txt': 'and this' }
const FORM: EstargzForm = { chunkBytes: 8 }

async function withLazy(layer: Estargz, rules: readonly Rule[], body: (open: () => Promise<LazyImage>) => Promise<void>): Promise<void> {
  await withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').seekable(layer, { tags: ['1'] })
    server.rules.push(...rules)
    await user.configure({ insecureRegistries: [server.host] })
    using opened = await user.open()
    const reference = named(`${server.host}/app:1`)
    await body(() => LazyImage.open({ store: user.store, client: opened.client, reference, wish: {} }))
    assert.equal(readdirSync(join(user.store.root, 'ingest')), [])
  })
}

/** Reading all of the layer's contents. */
async function readAll(open: () => Promise<LazyImage>): Promise<void> {
  await using image = await open()
  const [layer] = await image.image.layers()
  await layer?.stored?.lazy?.ensure(0, 100)
}

test('a table of contents of another layer is refused by its digest', () => {
  const { annotations } = estargzOf({ 'a.txt': 'other' }, FORM)
  return withLazy({ ...estargzOf(FILES, FORM), annotations }, [], async (open) => {
    await assertRejects(open(), 'DIGEST_MISMATCH', /table of contents/)
  })
})

test('contents that are not what the table says reach nobody', () => {
  const layer = estargzOf(FILES, FORM)
  const evil = gzipSync(Buffer.from('EVIL!!!!'))
  const swap: Rule = ({ headers, response }) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
    if (first === undefined || Number(first) >= layer.tocOffset) return false
    const length = Number(last) - Number(first) + 1
    const bytes = Buffer.alloc(length)
    evil.copy(bytes, 0, 0, Math.min(evil.length, length))
    send(response, 206, { 'content-range': `bytes ${first}-${last}/${layer.blob.length}` }, bytes)
    return true
  }
  return withLazy(layer, [swap], async (open) => {
    await assertRejects(readAll(open), 'DIGEST_MISMATCH', /a part of layer/)
  })
})

test('a chunk whose digest is another chunk’s is refused, whoever wrote the table', () => {
  const layer = estargzOf(FILES, {
    ...FORM,
    toc: (entries) => Object.assign(entries[0] ?? {}, { chunkDigest: entries[1]?.chunkDigest }),
  })
  return withLazy(layer, [], async (open) => {
    await assertRejects(readAll(open), 'DIGEST_MISMATCH', /a part of layer/)
  })
})

test('chunks that reach behind what their members hold are refused', () => {
  const layer = estargzOf(FILES, { ...FORM, toc: (entries) => Object.assign(entries[0] ?? {}, { innerOffset: 4096 }) })
  return withLazy(layer, [], async (open) => {
    await assertRejects(readAll(open), 'DIGEST_MISMATCH')
  })
})

test('a registry that answers a range with something else is not read', async () => {
  const layer = estargzOf(FILES, FORM)
  const ranged =
    (status: number, headers: Readonly<Record<string, string>>, body: string | Uint8Array): Rule =>
    (asked) => {
      if (asked.headers.range === undefined) return false
      send(asked.response, status, headers, body)
      return true
    }
  const answers: readonly [Rule, RegExp][] = [
    [ranged(200, {}, layer.blob), /knows no ranges/],
    [ranged(206, { 'content-range': 'bytes 0-1/2' }, 'ab'), /but the registry sent bytes 0-1\/2/],
    [ranged(206, {}, layer.blob), /but the registry sent undefined/],
  ]
  for (const [rule, reason] of answers)
    await withLazy(layer, [rule], async (open) => {
      await assertRejects(open(), 'REGISTRY_FAILED', reason)
    })
})

test('a table of contents that unpacks to a bomb is given up', () => {
  const layer = estargzOf(FILES, FORM)
  const bomb = gzipSync(Buffer.alloc(300 * 2 ** 20))
  const blob = Buffer.concat([layer.blob.subarray(0, layer.tocOffset), bomb, footer(layer.tocOffset)])
  return withLazy({ ...layer, blob }, [], async (open) => {
    await assertRejects(open(), 'LIMIT_EXCEEDED', /unpacks to more than/)
  })
})

test('a member that goes on behind its contents without end is given up', () => {
  const layer = estargzOf(FILES, FORM)
  const long = gzipSync(Buffer.concat([Buffer.from('what was'), Buffer.alloc(40 * 2 ** 20)]))
  const { blob, ...rest } = estargzOf(
    { 'a.txt': 'what was' },
    { ...FORM, toc: (entries) => Object.assign(entries[0] ?? {}, { offset: 0 }) },
  )
  const changed = Buffer.concat([long, blob.subarray(rest.tocOffset, -51), footer(long.length)])
  assert.ok(layer.blob.length > 0)
  return withLazy({ ...rest, blob: changed }, [], async (open) => {
    await assertRejects(readAll(open), 'LIMIT_EXCEEDED', /unpacks to more than its table of contents says/)
  })
})

test.run()
