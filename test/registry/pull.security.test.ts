import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { listTags } from '../../src/registry/listing.js'
import { assertRejects, assertWhole, contentsOf, renameEntry, tarOf } from '../support/image-fixtures.js'
import { type Asked, RegistryServer, type Rule, send, sendError, sha256 } from '../support/registry-server.js'
import { type RegistryUser, selfSigned, withUser } from '../support/registry-user.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('registry/pull.security')
const OPENSSL = program('openssl', 'version')

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const LAYER = tarOf({ file: randomBytes(200_000) })
const LAYER_PATH = new RegExp(`/blobs/${sha256(LAYER)}$`)

/** A server with one image, and a user who has pulled nothing yet. */
function withImage(body: (user: RegistryUser, server: RegistryServer) => Promise<void>): Promise<void> {
  return withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image([LAYER], { tags: ['latest'] })
    await body(user, server)
  })
}

/** A rule for paths alone. */
function on(pattern: RegExp, answer: (asked: Asked) => void): Rule {
  return (asked) => {
    if (!pattern.test(asked.path)) return false
    answer(asked)
    return true
  }
}

/** Fails unless the pull is refused and leaves the store as it was. */
async function assertRefused(user: RegistryUser, name: string, ...expected: [Parameters<typeof assertRejects>[1], RegExp?]): Promise<void> {
  const before = await contentsOf(user.store)
  await assertRejects(user.pull(name), ...expected)
  assert.equal(await contentsOf(user.store), before, 'something was left')
}

test('a connection that is cut within a layer is taken up where it ended', () =>
  withImage(async (user, server) => {
    server.rules.push(({ path, before, headers, response }) => {
      if (!LAYER_PATH.test(path) || before > 2) return false
      const start = Number(/\d+/.exec(headers.range ?? '0')?.[0])
      const head = start === 0 ? {} : { 'content-range': `bytes ${start}-${LAYER.length - 1}/${LAYER.length}` }
      response.writeHead(start === 0 ? 200 : 206, { 'content-length': LAYER.length - start, ...head })
      response.write(LAYER.subarray(start, start + 50_000), () => response.destroy())
      return true
    })
    await user.pull(`${server.host}/app`)
    const ranges = server.log.filter(({ path }) => LAYER_PATH.test(path)).map(({ headers }) => headers.range)
    assert.is(ranges.length, 4)
    assert.ok(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? '')))
    await assertWhole(user.store)
  }))

test('a cut layer comes whole from a registry that knows no ranges', () =>
  withImage(async (user, server) => {
    server.rules.push(({ path, before, response }) => {
      if (!LAYER_PATH.test(path)) return false
      response.writeHead(200, { 'content-length': LAYER.length })
      if (before === 0) response.write(LAYER.subarray(0, 70_000), () => response.destroy())
      else response.end(LAYER)
      return true
    })
    await user.pull(`${server.host}/app`)
    await assertWhole(user.store)
  }))

test('a connection that is cut again and again ends the pull', () =>
  withImage(async (user, server) => {
    server.rules.push(
      on(LAYER_PATH, ({ response }) => {
        response.writeHead(200, { 'content-length': LAYER.length })
        response.write('x', () => response.destroy())
      }),
    )
    await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /broke 5 times/)
    server.rules.length = 0
    server.rules.push(on(/manifests/, ({ socket }) => socket.destroy()))
    await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /cannot reach/)
  }))

test('429 and 503 are waited for, as long as the registry asks, and not for ever', () =>
  withImage(async (user, server) => {
    server.rules.push(({ path, before, response }) => {
      if (!/manifests/.test(path) || before > 1) return false
      sendError(response, before === 0 ? 429 : 503, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': '7' })
      return true
    })
    await user.pull(`${server.host}/app`)
    assert.equal(user.pauses, [7000, 7000])
    server.rules.length = 0
    server.rules.push(on(/manifests/, ({ response }) => sendError(response, 500, 'UNKNOWN', 'on fire')))
    await assertRejects(user.pull(`${server.host}/app:2`), 'REGISTRY_FAILED', /answered 500 .*on fire/)
    assert.is(user.pauses.length, 6)
    server.rules.length = 0
    server.rules.push(on(/manifests/, ({ response }) => sendError(response, 429, 'X', 'later', { 'retry-after': '86400' })))
    const { hint } = await assertRejects(user.pull(`${server.host}/app:3`), 'REGISTRY_FAILED', /429/)
    assert.match(hint ?? '', '86400 s')
    assert.is(user.pauses.length, 6, 'nobody waits a day')
  }))

test('a body that stalls, and one that trickles, are given up and asked for again', () =>
  withImage(async (user, server) => {
    user.patience = { ...user.patience, stallMs: 250, attempts: 2 }
    const timers: NodeJS.Timeout[] = []
    server.rules.push(
      on(LAYER_PATH, ({ response, before }) => {
        response.writeHead(200, { 'content-length': LAYER.length }).write('x')
        if (before % 2 === 1) timers.push(setInterval(() => response.write('x'), 50))
      }),
    )
    try {
      await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /broke 2 times: (nothing came|only \d+ bytes)/)
    } finally {
      for (const timer of timers) clearInterval(timer)
    }
  }))

test('a server that takes the connection and never answers is given up', () =>
  withImage(async (user, server) => {
    user.patience = { ...user.patience, headMs: 200, attempts: 2 }
    server.rules.push(on(/manifests/, () => {}))
    await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /no answer within 0\.2 s/)
  }))

test('a layer with other bytes than its digest says is refused', () =>
  withImage(async (user, server) => {
    server.rules.push(on(LAYER_PATH, ({ response }) => send(response, 200, {}, Buffer.from(LAYER).fill(1, 0, 10))))
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH')
  }))

test('a layer that is longer or shorter than its descriptor says is refused, whatever its length is said to be', () =>
  withImage(async (user, server) => {
    const longer = Buffer.concat([LAYER, Buffer.of(0)])
    server.rules.push(on(LAYER_PATH, ({ response }) => send(response, 200, {}, longer)))
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH', /should have \d+ bytes, but the registry says/)
    server.rules[0] = on(LAYER_PATH, ({ response }) => void response.writeHead(200).end(longer))
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH', /more than/)
    server.rules[0] = on(LAYER_PATH, ({ response }) => send(response, 200, {}, LAYER.subarray(1)))
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH', /the registry says/)
  }))

test('an endless layer is read no further than its size', () =>
  withImage(async (user, server) => {
    let sent = 0
    server.rules.push(
      on(LAYER_PATH, ({ response }) => {
        response.writeHead(200)
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
        }
        response.on('drain', more)
        more()
      }),
    )
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH', /more than/)
    assert.ok(sent < 64 * 1024 * 1024)
  }))

test('a layer that comes in many pieces is not held in memory', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const large = tarOf({ large: Buffer.alloc(64 << 20) })
    server.repository('app').image([large], { tags: ['latest'] })
    // Each piece has a buffer of its own outside of the heap, which only what has let go of them gives back.
    collectGarbage()
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    let looked = 0
    await user.pull(`${server.host}/app`, {
      report: (event) => {
        if (event.event !== 'layer' || event.bytes < looked + (8 << 20)) return
        looked = event.bytes
        collectGarbage()
        most = Math.max(most, process.memoryUsage().arrayBuffers)
      },
    })
    assert.ok(most > 0 && most - before < 32 << 20, `${most - before} bytes of pieces are held`)
  }))

test('a range that was not asked for is refused', () =>
  withImage(async (user, server) => {
    server.rules.push(({ path, before, response }) => {
      if (!LAYER_PATH.test(path)) return false
      if (before === 0) {
        response.writeHead(200, { 'content-length': LAYER.length })
        response.write(LAYER.subarray(0, 50_000), () => response.destroy())
      } else send(response, 206, { 'content-range': `bytes 0-${LAYER.length - 1}/${LAYER.length}` }, LAYER)
      return true
    })
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH', /was asked for from byte \d+/)
  }))

test('a layer that is packed on the way is refused', () =>
  withImage(async (user, server) => {
    server.rules.push(on(LAYER_PATH, ({ response }) => send(response, 200, { 'content-encoding': 'gzip' }, gzipSync(LAYER))))
    await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /content-encoding gzip/)
  }))

test('a manifest of more than 4 MiB is not read', () =>
  withImage(async (user, server) => {
    server.rules.push(
      on(/manifests/, ({ response }) => {
        response.writeHead(200, { 'content-type': MEDIA_TYPE.ociManifest })
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, ' '))) {}
        }
        response.on('drain', more)
        more()
      }),
    )
    await assertRefused(user, `${server.host}/app`, 'LIMIT_EXCEEDED', /more than 4194304 bytes/)
    server.rules[0] = on(/manifests/, ({ response }) => void response.writeHead(200, { 'content-length': 2 ** 40 }).write('{'))
    await assertRefused(user, `${server.host}/app`, 'LIMIT_EXCEEDED')
  }))

test('a manifest that is not what its digest says is refused, by tag and by digest', () =>
  withImage(async (user, server) => {
    const { manifests } = server.repository('app')
    const { bytes = Buffer.of() } = manifests.get('latest') ?? {}
    const changed = Buffer.from(`${Buffer.from(bytes)} `)
    server.rules.push(
      on(/manifests/, ({ response }) =>
        send(response, 200, { 'content-type': MEDIA_TYPE.ociManifest, 'docker-content-digest': sha256(bytes) }, changed),
      ),
    )
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH')
    await assertRefused(user, `${server.host}/app@${sha256(bytes)}`, 'DIGEST_MISMATCH')
  }))

test('CVE-2021-41190: a manifest that is an index too is refused, and one that comes as another type than it says', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const image = content.image([LAYER])
    const config = content.blob('{}', MEDIA_TYPE.ociConfig)
    const both = { schemaVersion: 2, config, layers: [], manifests: [image] }
    content.manifest(both, MEDIA_TYPE.ociManifest, 'manifest')
    content.manifest(both, MEDIA_TYPE.ociIndex, 'index')
    content.manifest({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [image] }, MEDIA_TYPE.ociManifest, 'liar')
    for (const tag of ['manifest', 'index', 'liar'])
      await assertRefused(user, `${server.host}/app:${tag}`, 'INVALID_IMAGE', /CVE-2021-41190/)
    content.index([{ ...image, mediaType: MEDIA_TYPE.dockerManifest }], 'child')
    await assertRefused(user, `${server.host}/app:child`, 'INVALID_IMAGE', /CVE-2021-41190/)
  }))

test('CVE-2024-3727: a digest that is a path, or of an algorithm that is not checked, reaches no file and no other URL', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const config = content.blob('{}', MEDIA_TYPE.ociConfig)
    for (const [at, digest] of ['../../../etc/passwd', 'sha256:../../x', `sha256:${'A'.repeat(64)}`, 'md5:00', 'sha256:'].entries()) {
      const layers = [{ mediaType: MEDIA_TYPE.ociLayer, digest, size: 3 }]
      content.manifest({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers }, MEDIA_TYPE.ociManifest, `t${at}`)
      await assertRefused(user, `${server.host}/app:t${at}`, 'INVALID_IMAGE', /digest/)
    }
    assert.equal(server.asked(/passwd|blobs/), [])
  }))

test('CVE-2020-15157: the URLs that a layer names are not asked', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    await using elsewhere = await RegistryServer.start()
    const content = server.repository('app')
    const config = content.blob(
      { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [sha256(LAYER)] } },
      MEDIA_TYPE.ociConfig,
    )
    const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar'
    const layers = [{ mediaType, digest: sha256(LAYER), size: LAYER.length, urls: [`http://${elsewhere.host}/layer`] }]
    content.manifest({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers }, MEDIA_TYPE.ociManifest, 'latest')
    await assertRefused(user, `${server.host}/app`, 'IMAGE_NOT_FOUND')
    assert.equal(elsewhere.log, [])
  }))

test('a registry that changes its mind between two requests gives the first answer or none', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const [good, evil] = [content.image([LAYER]), content.image([tarOf({ evil: 'x' })])]
    content.index([{ ...good, platform: { os: 'linux', architecture: 'amd64' } }], 'latest')
    server.rules.push(
      on(new RegExp(good.digest), ({ response }) => {
        const found = content.manifests.get(evil.digest)
        send(response, 200, { 'content-type': MEDIA_TYPE.ociManifest, 'docker-content-digest': evil.digest }, found?.bytes)
      }),
    )
    await assertRefused(user, `${server.host}/app`, 'DIGEST_MISMATCH')
    assert.equal(server.asked(/manifests\/latest/).length, 1, 'a tag is asked for once')
  }))

test('a layer that unpacks to other bytes than the config says, out of its root, or without end, leaves nothing of the image', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const good = tarOf({ good: 'x' })
    content.image([good, LAYER], {
      tags: ['other'],
      diffIds: [sha256(good), sha256(good)].reverse().map((digest, at) => (at === 0 ? digest : sha256(Buffer.of()))),
    })
    content.image([good, renameEntry(tarOf({ file: '' }), '../../escape')], { tags: ['escape'] })
    const bomb = gzipSync(Buffer.alloc(280 * 1024 * 1024))
    content.image([bomb], { tags: ['bomb'], layerType: MEDIA_TYPE.ociLayerGzip, diffIds: [sha256(Buffer.of())] })
    await assertRefused(user, `${server.host}/app:other`, 'DIGEST_MISMATCH', /unpacks to/)
    await assertRefused(user, `${server.host}/app:escape`, 'UNSAFE_PATH')
    await assertRefused(user, `${server.host}/app:bomb`, 'LIMIT_EXCEEDED')
  }))

test('an artifact that is no image, and an old manifest, are refused before their blobs come', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const config = content.blob('{}', 'application/vnd.cncf.helm.config.v1+json')
    content.manifest({ schemaVersion: 2, config, layers: [content.blob('x', 'text/plain')] }, MEDIA_TYPE.ociManifest, 'chart')
    content.manifest({ schemaVersion: 1, fsLayers: [] }, 'application/vnd.docker.distribution.manifest.v1+prettyjws', 'old')
    content.manifest('<html>', 'text/html', 'page')
    for (const tag of ['chart', 'old', 'page']) await assertRefused(user, `${server.host}/app:${tag}`, 'UNSUPPORTED_MEDIA_TYPE')
    assert.equal(server.asked(/blobs/).length, 1, 'the config of the chart alone')
  }))

test('tags, messages and redirects of a hostile registry neither become paths nor steer a terminal', () =>
  withImage(async (user, server) => {
    server.rules.push(
      on(/tags\/list/, ({ response }) => send(response, 200, {}, JSON.stringify({ tags: ['../../x', 'a'] }))),
      on(/manifests/, ({ response }) => sendError(response, 404, 'X', 'gone \u001b]0;owned\u0007\u202e\nsecond line')),
    )
    using opened = await user.open()
    await assertRejects(listTags(opened.client.session, { domain: server.host, path: 'app' }), 'REGISTRY_FAILED', /list of the tags/)
    const { message } = await assertRejects(user.pull(`${server.host}/app`), 'IMAGE_NOT_FOUND')
    assert.not.match(message, /[\u0000-\u001f\u202e]/)
  }))

test('a redirect loop ends, and one to something else than HTTP is not followed', () =>
  withImage(async (user, server) => {
    server.rules.push(on(/manifests/, ({ response, path }) => send(response, 307, { location: path })))
    await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /redirects more than 5 times/)
    server.rules[0] = on(/manifests/, ({ response }) => send(response, 302, { location: 'file:///etc/passwd' }))
    await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /redirects to "file:/)
  }))

test('the tags of a repository that never end are not followed for ever', () =>
  withImage(async (user, server) => {
    let page = 0
    server.rules.push(
      on(/tags\/list/, ({ response }) => send(response, 200, { link: `</?last=${page++}>; rel=next` }, JSON.stringify({ tags: ['a'] }))),
    )
    using opened = await user.open()
    await assertRejects(listTags(opened.client.session, { domain: server.host, path: 'app' }), 'LIMIT_EXCEEDED', /do not end/)
  }))

test.needs(OPENSSL)('a certificate that nobody trusts, or of another host, ends the pull, and plain HTTP is not tried', () =>
  withUser(async (user) => {
    const identity = await selfSigned(user.folder)
    await using server = await RegistryServer.start({ identity })
    server.repository('app').image([LAYER], { tags: ['latest'] })
    const { hint } = await assertRejects(user.pull(`${server.host}/app`), 'REGISTRY_FAILED', /cannot reach/)
    assert.match(hint ?? '', `certs.d/${server.host}/ca.crt`)
    assert.equal(server.log, [])
    const wrong = await selfSigned(user.folder, 'DNS:other.example')
    await using liar = await RegistryServer.start({ identity: wrong })
    await user.trust(liar.host, wrong)
    await assertRejects(user.pull(`${liar.host}/app`), 'REGISTRY_FAILED', /altnames|IP: 127/)
    assert.equal(liar.log, [])
    await user.trust(server.host, identity)
    await user.pull(`${server.host}/app`)
    await assertWhole(user.store)
  }),
)

test.needs(OPENSSL)('a redirect from https to http is not followed', () =>
  withUser(async (user) => {
    const identity = await selfSigned(user.folder)
    await using server = await RegistryServer.start({ identity })
    await using plain = await RegistryServer.start()
    server.repository('app').image([LAYER], { tags: ['latest'] })
    await user.trust(server.host, identity)
    server.rules.push(on(LAYER_PATH, ({ response, path }) => send(response, 307, { location: `http://${plain.host}${path}` })))
    await assertRefused(user, `${server.host}/app`, 'REGISTRY_FAILED', /where nothing is fetched from/)
    assert.equal(plain.log, [])
  }),
)

test('a host that is not this machine is never asked over plain HTTP unless its user says so', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start()
    server.repository('app').image([LAYER], { tags: ['latest'] })
    // All addresses of 127/8 are this machine; a name that leads there is another host.
    await using proxy = await RegistryServer.start()
    user.environment.HTTPS_PROXY = `http://${proxy.host}`
    user.environment.HTTP_PROXY = `http://${proxy.host}`
    await assertRejects(user.pull('registry.example:5000/app'), 'REGISTRY_FAILED', /cannot reach registry\.example:5000/)
    assert.equal(proxy.log, [], 'no plain request came')
  }))

test.run()
