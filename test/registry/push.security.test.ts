import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { importImage } from '../../src/image/import.js'
import { assertRejects, contentsOf, stream, tarOf } from '../support/image-fixtures.js'
import { type Asked, RegistryServer, type Rule, send, sendError } from '../support/registry-server.js'
import { named, type RegistryUser, selfSigned, withUser } from '../support/registry-user.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('registry/push.security')
const OPENSSL = program('openssl', 'version')
const BASIC = `Basic ${Buffer.from('me:secret').toString('base64')}`
const LYING = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }
const TAR = tarOf({ file: randomBytes(3_000_000) })

/** A server and a user who has a password for it, and an image to push there. */
function withServer(body: (user: RegistryUser, server: RegistryServer, name: string) => Promise<void>): Promise<void> {
  return withUser(async (user) => {
    await using server = await RegistryServer.start()
    await prepare(user, server.host)
    await body(user, server, `${server.host}/app:1`)
  })
}

async function prepare(user: RegistryUser, host: string): Promise<void> {
  await importImage(user.store, stream(TAR), { reference: named(`${host}/app:1`) })
  await user.credentials({ [host]: 'me:secret' })
}

function requireBasic(server: RegistryServer): void {
  server.rules.push(({ headers, response }) => {
    if (headers.authorization === BASIC) return false
    sendError(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': 'Basic realm="here"' })
    return true
  })
}

/** A rule for one kind of request. */
function on(method: string, pattern: RegExp, answer: (asked: Asked) => void): Rule {
  return (asked) => {
    if (asked.method !== method || !pattern.test(asked.path)) return false
    answer(asked)
    return true
  }
}

/** Fails unless the push is refused, with nothing left here and no manifest there. */
async function assertRefused(
  user: RegistryUser,
  server: RegistryServer,
  name: string,
  ...expected: [Parameters<typeof assertRejects>[1], RegExp?]
): Promise<void> {
  // That a layer which went out before was packed, and to what, is noted.
  const contents = async () => (await contentsOf(user.store)).filter((path) => !path.startsWith('packed/'))
  const before = await contents()
  await assertRejects(user.push(name), ...expected)
  assert.equal(await contents(), before, 'something was left')
  assert.not.ok(server.repository('app').manifests.has('1'))
}

const said = ({ log }: RegistryServer) => log.filter(({ headers }) => headers.authorization !== undefined)

test('an upload that goes on at another host gets no password, and that host may not ask for one', () =>
  withServer(async (user, server, name) => {
    await using elsewhere = await RegistryServer.start()
    requireBasic(server)
    server.rules.push(
      on('POST', /uploads/, ({ response }) => send(response, 202, { location: `http://u:p@${elsewhere.host}/put?sig=a%2Fb` })),
    )
    elsewhere.rules.push(on('PUT', /put/, ({ response }) => send(response, 201, {})))
    await assertRejects(user.push(name), 'REGISTRY_FAILED', /answered 404 .*blob unknown/)
    assert.equal(said(elsewhere), [])
    assert.match(elsewhere.log[0]?.query.get('digest') ?? '', /^sha256:/)
    assert.is(elsewhere.log[0]?.query.get('sig'), 'a/b')
    elsewhere.rules.length = 0
    requireBasic(elsewhere)
    await assertRefused(user, server, name, 'ACCESS_DENIED')
    assert.equal(said(elsewhere), [])
  }))

test('a redirect of an upload to another host takes the bytes along and not the password', () =>
  withServer(async (user, server, name) => {
    await using elsewhere = await RegistryServer.start()
    requireBasic(server)
    server.rules.push(
      on('PUT', /upload-[^/]*$/, ({ response, query }) =>
        send(response, 307, { location: `http://${elsewhere.host}/v2/app/blobs/uploads/x?${query}` }),
      ),
    )
    await assertRejects(user.push(name), 'REGISTRY_FAILED')
    assert.is(elsewhere.repository('app').blobs.size, 2)
    assert.equal(said(elsewhere), [])
    for (const status of [301, 302, 303]) {
      server.rules.splice(1)
      server.rules.push(on('PUT', /upload-[^/]*$/, ({ response }) => send(response, status, { location: '/v2/' })))
      await assertRefused(user, server, name, 'REGISTRY_FAILED', new RegExp(`redirect of status ${status}`))
    }
  }))

test.needs(OPENSSL)('an upload begun over https does not go on over http', () =>
  withUser(async (user) => {
    const identity = await selfSigned(user.folder)
    await using server = await RegistryServer.start({ identity })
    await user.trust(server.host, identity)
    await prepare(user, server.host)
    const name = `${server.host}/app:1`
    await using plain = await RegistryServer.start()
    server.rules.push(on('POST', /uploads/, ({ response }) => send(response, 202, { location: `http://${plain.host}/put` })))
    await assertRefused(user, server, name, 'REGISTRY_FAILED', /wants an upload at "http:/)
    server.rules.length = 0
    server.rules.push(on('PUT', /upload-[^/]*$/, ({ response }) => send(response, 307, { location: `http://${plain.host}/put` })))
    await assertRefused(user, server, name, 'REGISTRY_FAILED', /redirects to "http:/)
    assert.equal(plain.log, [])
  }),
)

test('a place for an upload that is none is refused', () =>
  withServer(async (user, server, name) => {
    for (const location of [undefined, 'file:///etc/passwd', 'http://['])
      await (async () => {
        server.rules.length = 0
        server.rules.push(on('POST', /uploads/, ({ response }) => send(response, 202, location === undefined ? {} : { location })))
        await assertRefused(user, server, name, 'REGISTRY_FAILED', /upload/)
      })()
  }))

test('a registry that says that it has got something else is not believed', () =>
  withServer(async (user, server, name) => {
    server.rules.push(on('PUT', /uploads/, ({ response }) => send(response, 201, LYING)))
    await assertRefused(user, server, name, 'DIGEST_MISMATCH', /says that it has sha256:0000/)
    server.rules.length = 0
    server.rules.push(on('HEAD', /blobs/, ({ response }) => send(response, 200, LYING)))
    await assertRefused(user, server, name, 'DIGEST_MISMATCH')
    server.rules.length = 0
    server.rules.push(on('PUT', /manifests/, ({ response }) => send(response, 201, { 'docker-content-digest': '\u0009not one' })))
    await assertRefused(user, server, name, 'DIGEST_MISMATCH', /the manifest of .* says that it has not one/)
  }))

test('a registry that names what it has got by sha512 is believed where that cannot be compared, and not where it can', () =>
  withServer(async (user, server, name) => {
    const said = { 'docker-content-digest': `sha512:${'0'.repeat(128)}` }
    const taken: string[] = []
    server.rules.push(({ method, path, query, bytes, response }) => {
      if (method !== 'PUT' || !path.includes('/uploads/')) return false
      server.repository('app').blobs.set(query.get('digest') ?? '', bytes)
      taken.push(path)
      send(response, 201, said)
      return true
    })
    await user.push(name)
    assert.is(taken.length, 2)
    server.repository('app').manifests.clear()
    server.rules.push(on('PUT', /manifests/, ({ response }) => send(response, 201, said)))
    await assertRefused(user, server, name, 'DIGEST_MISMATCH', /says that it has sha512:000/)
  }))

test('a registry that takes nothing of its pieces is not asked for ever', () =>
  withServer(async (user, server, name) => {
    server.leastPiece = 1_000_000
    server.rules.push(on('PATCH', /uploads/, ({ response, path }) => send(response, 202, { location: path, range: '0-0' })))
    server.rules.push(on('GET', /uploads/, ({ response, path }) => send(response, 204, { location: path, range: '0-99999999999' })))
    await assertRefused(user, server, name, 'REGISTRY_FAILED')
    server.rules[0] = on('PATCH', /uploads/, ({ response, path }) => sendError(response, 416, 'RANGE_INVALID', 'no', { location: path }))
    await assertRefused(user, server, name, 'REGISTRY_FAILED', /answered 416/)
  }))

test('a cut upload, 500 and 429 are tried again, and not for ever', () =>
  withServer(async (user, server, name) => {
    let puts = 0
    server.rules.push(({ method, path, response, socket }) => {
      if (method !== 'PUT' || ++puts > 3) return false
      if (puts === 1) socket.destroy()
      else if (puts === 2) sendError(response, 500, 'UNKNOWN', 'on fire')
      else sendError(response, 429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': '7' })
      return path !== ''
    })
    await user.push(name)
    assert.ok(user.pauses.includes(7000))
    server.rules.length = 0
    server.repository('app').blobs.clear()
    server.repository('app').manifests.clear()
    server.rules.push(on('PUT', /uploads/, ({ socket }) => socket.destroy()))
    await assertRefused(user, server, name, 'REGISTRY_FAILED', /cannot reach/)
    server.rules[0] = on('PUT', /uploads/, ({ response }) => sendError(response, 503, 'UNKNOWN', 'on fire'))
    await assertRefused(user, server, name, 'REGISTRY_FAILED', /answered 503 .*on fire/)
  }))

test('a cut answer to an upload that was taken does not send it again', () =>
  withServer(async (user, server, name) => {
    server.rules.push(({ method, query, bytes, socket }) => {
      const digest = query.get('digest')
      if (method !== 'PUT' || digest === null) return false
      server.repository('app').blobs.set(digest, bytes)
      socket.destroy()
      return true
    })
    await user.push(name)
    assert.is(server.log.filter(({ method, query }) => method === 'PUT' && query.has('digest')).length, 2)
  }))

test('a login that ends in the middle of an upload is made again, and the upload goes on', () =>
  withServer(async (user, server, name) => {
    let valid = 1
    server.rules.push(({ method, path, headers, response, before }) => {
      if (path === '/token') {
        send(response, 200, {}, JSON.stringify({ token: `token${before + 1}`, expires_in: 300 }))
        return true
      }
      if (method === 'PUT' && valid === 1) valid = 2
      if (headers.authorization === `Bearer token${valid}`) return false
      sendError(response, 401, 'UNAUTHORIZED', 'expired', { 'www-authenticate': `Bearer realm="http://${server.host}/token"` })
      return true
    })
    await user.push(name)
    const asked = server.log.filter(({ path }) => path === '/token')
    assert.equal(
      asked.map(({ query }) => query.getAll('scope')),
      [['repository:app:pull,push'], ['repository:app:pull,push']],
    )
  }))

test('whoever may only pull is told so, and nothing is sent', () =>
  withServer(async (user, server, name) => {
    server.rules.push(on('POST', /uploads/, ({ response }) => sendError(response, 403, 'DENIED', 'requested access is denied\u001b[2J')))
    await assertRefused(user, server, name, 'ACCESS_DENIED', /access denied for .*requested access is denied \[2J/)
    assert.not.ok(server.log.some(({ method }) => method === 'PUT'))
  }))

test('an answer before the end of an upload ends it, and an endless one is not read', () =>
  withServer(async (user, server, name) => {
    server.rules.push(
      on('PUT', /uploads/, ({ response }) => {
        response.writeHead(413, { 'content-type': 'application/json' })
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
          if (!response.destroyed) response.once('drain', more)
        }
        more()
      }),
    )
    await assertRefused(user, server, name, 'REGISTRY_FAILED', /answered 413/)
    server.rules[0] = on('PUT', /uploads/, ({ response }) => {
      response.writeHead(201)
      response.write('x')
    })
    await assertRejects(user.push(name), 'REGISTRY_FAILED', /MANIFEST|blob unknown/)
  }))

test('whoever takes nothing for too long is given up', () =>
  withServer(async (user, server, name) => {
    user.patience = { ...user.patience, attempts: 2, commitMs: 150 }
    server.rules.push(on('PUT', /uploads/, () => {}))
    await assertRefused(user, server, name, 'REGISTRY_FAILED', /no answer within 0.15 s/)
  }))

test('a push that is stopped leaves nothing here', () =>
  withServer(async (user, server, name) => {
    const stop = new AbortController()
    server.rules.push(on('PUT', /uploads/, () => stop.abort()))
    const before = await contentsOf(user.store)
    await assertRejects(user.push(name, { signal: stop.signal }), 'ABORTED')
    assert.equal(await contentsOf(user.store), before)
  }))

test('a layer that is damaged here is not packed and sent', () =>
  withServer(async (user, server, name) => {
    const { path } = await damage(user)
    assert.ok(path)
    await assertRefused(user, server, name, 'DIGEST_MISMATCH', /should unpack to/)
  }))

/** Changes one byte of the largest blob. */
async function damage(user: RegistryUser): Promise<{ readonly path: string }> {
  const { chmod, open, stat } = await import('node:fs/promises')
  for (const digest of await user.store.layout.digests()) {
    const path = String(await user.store.layout.pathOf(digest))
    if ((await stat(path)).size < 1_000_000) continue
    await chmod(path, 0o600)
    await using file = await open(path, 'r+')
    await file.write('?', 1_000_000)
    return { path }
  }
  return assert.unreachable() as never
}

test.run()
