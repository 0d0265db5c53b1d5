import * as assert from 'uvu/assert'
import { login } from '../../src/registry/login.js'
import { assertRejects, tarOf } from '../support/image-fixtures.js'
import { type Asked, RegistryServer, send, sendError } from '../support/registry-server.js'
import { type RegistryUser, selfSigned, withUser } from '../support/registry-user.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('registry/authorization.security')
const OPENSSL = program('openssl', 'version')
const BASIC = `Basic ${Buffer.from('me:secret').toString('base64')}`

function serverWithImage(server: RegistryServer): RegistryServer {
  server.repository('app').image([tarOf({ file: 'x' })], { tags: ['latest'] })
  return server
}

/** Lets in whoever has a token of `realm`; tokens are given at /token. */
function requireToken(server: RegistryServer, realm = `http://${server.host}/token`): void {
  server.rules.push(({ path, headers, response }) => {
    if (path === '/token') {
      send(response, 200, {}, JSON.stringify({ token: 'good' }))
      return true
    }
    if (headers.authorization === 'Bearer good') return false
    sendError(response, 401, 'UNAUTHORIZED', 'authentication required', {
      'www-authenticate': `Bearer realm="${realm}",service="here",scope="repository:app:pull,push repository:other:*"`,
    })
    return true
  })
}

function requireBasic(server: RegistryServer): void {
  server.rules.push(({ headers, response }) => {
    if (headers.authorization === BASIC) return false
    sendError(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': 'Basic realm="here"' })
    return true
  })
}

const passwords = ({ log }: RegistryServer) => log.filter(({ headers }) => headers.authorization === BASIC)

/** Two servers and who has a password for the first. */
function withServers(body: (user: RegistryUser, server: RegistryServer, elsewhere: RegistryServer) => Promise<void>): Promise<void> {
  return withUser(async (user) => {
    await using server = serverWithImage(await RegistryServer.start())
    await using elsewhere = await RegistryServer.start()
    await user.credentials({ [server.host]: 'me:secret' })
    await body(user, server, elsewhere)
  })
}

test('a password opens a registry that asks for one, and a wrong one does not', () =>
  withServers(async (user, server) => {
    requireBasic(server)
    await user.pull(`${server.host}/app`)
    await user.credentials({ [server.host]: 'me:wrong' })
    const { hint } = await assertRejects(
      user.pull(`${server.host}/app:2`),
      'ACCESS_DENIED',
      /access denied for .*app, repository does not exist or may require/,
    )
    assert.match(hint ?? '', `wolffia login ${server.host}`)
  }))

test('no password is sent to a registry that does not ask for it, and none of another registry ever', () =>
  withServers(async (user, server, elsewhere) => {
    await user.pull(`${server.host}/app`)
    assert.equal(passwords(server), [])
    serverWithImage(elsewhere)
    requireBasic(elsewhere)
    await assertRejects(user.pull(`${elsewhere.host}/app`), 'ACCESS_DENIED')
    assert.equal(passwords(elsewhere), [])
  }))

test('a token is asked for once, with the scope that is needed and no other', () =>
  withServers(async (user, server) => {
    requireToken(server)
    await user.pull(`${server.host}/app`)
    const asked = server.log.filter(({ path }) => path === '/token')
    assert.is(asked.length, 1)
    assert.equal(asked[0]?.query.getAll('scope'), ['repository:app:pull'])
    assert.is(asked[0]?.query.get('service'), 'here')
    assert.is(asked[0]?.headers.authorization, BASIC)
  }))

test('a token that has expired is replaced in the middle of a pull', () =>
  withServers(async (user, server) => {
    let valid = 1
    server.rules.push(({ path, headers, response, before }) => {
      if (path === '/token') {
        send(response, 200, {}, JSON.stringify({ access_token: `token${before + 1}`, expires_in: 300 }))
        return true
      }
      if (headers.authorization === `Bearer token${valid}`) {
        if (path.includes('/manifests/')) valid++
        return false
      }
      sendError(response, 401, 'UNAUTHORIZED', 'expired', { 'www-authenticate': `Bearer realm="http://${server.host}/token"` })
      return true
    })
    await user.pull(`${server.host}/app`)
    assert.is(server.asked(/^\/token$/).length, 2)
  }))

test('an identity token goes to the token service alone, in a body', () =>
  withServers(async (user, server) => {
    await user.write('.docker/config.json', { auths: { [server.host]: { identitytoken: 'refresh me' } } })
    requireToken(server)
    await user.pull(`${server.host}/app`)
    const [asked] = server.log.filter(({ path }) => path === '/token')
    assert.is(asked?.method, 'POST')
    assert.is(new URLSearchParams(asked?.body).get('refresh_token'), 'refresh me')
  }))

test('a redirect to another host gets neither password nor token, nor does one that leads back', () =>
  withServers(async (user, server, elsewhere) => {
    requireBasic(server)
    const back = (asked: Asked) => send(asked.response, 307, { location: `http://${server.host}${asked.path}?back` })
    elsewhere.rules.push((asked) => {
      back(asked)
      return true
    })
    server.rules.push((asked) => {
      if (!asked.path.includes('/blobs/')) return false
      send(asked.response, 307, { location: `http://${elsewhere.host}${asked.path}` })
      return true
    })
    await assertRejects(user.pull(`${server.host}/app`), 'ACCESS_DENIED')
    assert.ok(elsewhere.log.length > 0)
    assert.equal(
      elsewhere.log.filter(({ headers }) => headers.authorization !== undefined),
      [],
    )
    assert.ok(server.log.filter(({ query }) => query.has('back')).every(({ headers }) => headers.authorization === undefined))
  }))

test('where a redirect has led nobody is given a password, however it asks', () =>
  withServers(async (user, server, elsewhere) => {
    await user.credentials({ [server.host]: 'me:secret', [elsewhere.host]: 'me:secret' })
    server.rules.push((asked) => {
      if (!asked.path.includes('/blobs/')) return false
      send(asked.response, 307, { location: `http://${elsewhere.host}${asked.path}` })
      return true
    })
    requireBasic(elsewhere)
    await assertRejects(user.pull(`${server.host}/app`), 'ACCESS_DENIED')
    assert.equal([...passwords(server), ...passwords(elsewhere)], [])
  }))

test.needs(OPENSSL)('a registry over https cannot have the password sent to a token service over http', () =>
  withUser(async (user) => {
    const identity = await selfSigned(user.folder)
    await using server = serverWithImage(await RegistryServer.start({ identity }))
    await using plain = await RegistryServer.start()
    await user.trust('localhost', identity)
    await user.configure({ mirrors: { 'registry.example': [`https://${server.host}`] } })
    await user.trust(server.host, identity)
    await user.credentials({ [server.host]: 'me:secret' })
    user.environment.HTTPS_PROXY = 'http://127.0.0.1:1'
    requireToken(server, `http://${plain.host}/token`)
    await assertRejects(user.pull('registry.example/app'), 'REGISTRY_FAILED', /proxy/)
    assert.ok(server.log.length > 0)
    assert.equal(plain.log, [])
  }),
)

test('a password that is tried at a registry is not told to its mirrors', () =>
  withServers(async (user, server, mirror) => {
    await user.configure({ mirrors: { [server.host]: [`http://${mirror.host}`] } })
    for (const each of [server, mirror]) requireBasic(each)
    const request = { registry: server.host, username: 'me', password: 'secret' }
    await login(request, { environment: user.environment })
    assert.ok(server.log.length > 0)
    assert.equal(mirror.log, [])
  }))

test('a token realm that is no URL, or has a password in it, is refused', () =>
  withServers(async (user, server) => {
    for (const realm of ['', 'nonsense', 'ftp://127.0.0.1/token', `http://a:b@${server.host}/token`, 'http://registry.example/token']) {
      server.rules.length = 0
      requireToken(server, realm)
      await assertRejects(user.pull(`${server.host}/app`), 'ACCESS_DENIED', /where no password is sent/)
    }
    assert.equal(server.asked(/token/), [])
  }))

test('a token that would be two headers, and an endless one, are refused', () =>
  withServers(async (user, server) => {
    let token: string | null = 'good\r\nx-evil: yes'
    server.rules.push(({ path, response }) => {
      if (path !== '/token') return false
      if (token !== null) send(response, 200, {}, JSON.stringify({ token }))
      else response.writeHead(200).write(Buffer.alloc(2 * 1024 * 1024, ' '))
      return true
    })
    requireToken(server)
    await assertRejects(user.pull(`${server.host}/app`), 'ACCESS_DENIED', /gave no token/)
    token = null
    await assertRejects(user.pull(`${server.host}/app`), 'LIMIT_EXCEEDED')
  }))

test('a token service that is busy is asked again, and one that refuses is named', () =>
  withServers(async (user, server) => {
    server.rules.push(({ path, before, response }) => {
      if (path !== '/token' || before > 0) return false
      sendError(response, 503, 'X', 'busy')
      return true
    })
    requireToken(server)
    await user.pull(`${server.host}/app`)
    server.rules.unshift(({ path, response }) => {
      if (path !== '/token') return false
      sendError(response, 401, 'DENIED', 'incorrect username or password')
      return true
    })
    await assertRejects(user.pull(`${server.host}/app:2`), 'ACCESS_DENIED', /gives no token .*incorrect username or password/)
  }))

test.run()
