import { once } from 'node:events'
import * as http from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { proxyFor } from '../../src/registry/proxy.js'
import { assertRejects, tarOf } from '../support/image-fixtures.js'
import { RegistryServer } from '../support/registry-server.js'
import { selfSigned, withUser } from '../support/registry-user.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('registry/proxy')

const PROXY = { https_proxy: 'http://proxy:3128', HTTP_PROXY: 'plain:8080' }

/** URL, variables beside {@link PROXY}, and the proxy. */
const CASES: readonly (readonly [url: string, environment: NodeJS.ProcessEnv, proxy: string | null])[] = [
  ['https://a.example/', {}, 'http://proxy:3128/'],
  ['http://a.example/', {}, 'http://plain:8080/'],
  ['http://a.example/', { http_proxy: 'http://other' }, 'http://other/'],
  ['http://a.example/', { REQUEST_METHOD: 'GET' }, null],
  ['https://localhost:5000/', {}, null],
  ['https://127.1.2.3/', {}, null],
  ['https://[::1]:5000/', {}, null],
  ['https://a.example/', { NO_PROXY: '*' }, null],
  ['https://a.example/', { NO_PROXY: 'b.example, a.example' }, null],
  ['https://sub.a.example/', { no_proxy: 'a.example' }, null],
  ['https://sub.a.example/', { no_proxy: '.a.example' }, null],
  ['https://nota.example/', { no_proxy: 'a.example' }, 'http://proxy:3128/'],
  ['https://a.example:444/', { no_proxy: 'a.example:443' }, 'http://proxy:3128/'],
  ['https://a.example/', { no_proxy: 'a.example:443' }, null],
  ['https://10.1.2.3/', { no_proxy: '10.0.0.0/8' }, null],
  ['https://11.1.2.3/', { no_proxy: '10.0.0.0/8' }, 'http://proxy:3128/'],
  ['https://[fd00::5]/', { no_proxy: 'fd00::/8' }, null],
  ['https://[fd00::5]:1/', { no_proxy: '[fd00::5]:1' }, null],
]

for (const [url, environment, expected] of CASES)
  test(`the proxy of ${url} with ${JSON.stringify(environment)}`, () => {
    assert.is(proxyFor(new URL(url), { ...PROXY, ...environment })?.href ?? null, expected)
  })

test('a proxy that is none is named, without its password', () => {
  assert.throws(
    () => proxyFor(new URL('https://a.example'), { HTTPS_PROXY: 'socks5://me:secret@proxy:1' }),
    (error: unknown) => error instanceof EngineError && /HTTPS_PROXY/.test(error.message) && !error.message.includes('secret'),
  )
})

test.needs(program('openssl', 'version'))('an image comes through a proxy that asks for a password, and not without it', () =>
  withUser(async (user) => {
    const identity = await selfSigned(user.folder, 'DNS:registry.example')
    await using server = await RegistryServer.start({ identity })
    server.repository('app').image([tarOf({ file: 'x' })], { tags: ['latest'] })
    const asked: string[] = []
    const sockets: Socket[] = []
    const proxy = http.createServer().on('connect', (request: http.IncomingMessage, socket: Socket) => {
      asked.push(request.url ?? '')
      sockets.push(socket.on('error', () => {}))
      if (request.headers['proxy-authorization'] !== `Basic ${Buffer.from('me:p@ss').toString('base64')}`) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
        return
      }
      const onward = connect(server.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      sockets.push(onward.on('error', () => {}))
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    try {
      const { port } = proxy.address() as AddressInfo
      await user.trust('registry.example', identity)
      user.environment.HTTPS_PROXY = `http://127.0.0.1:${port}`
      await assertRejects(user.pull('registry.example/app'), 'REGISTRY_FAILED', /the proxy 127\.0\.0\.1:\d+ answered 407/)
      // A bare % is no code of anything, and the password as it is written is just another wrong one.
      user.environment.HTTPS_PROXY = `http://me:p%zz@127.0.0.1:${port}`
      await assertRejects(user.pull('registry.example/app'), 'REGISTRY_FAILED', /answered 407/)
      user.environment.HTTPS_PROXY = `http://me:p%40ss@127.0.0.1:${port}`
      await user.pull('registry.example/app')
      assert.equal([...new Set(asked)], ['registry.example:443'])
    } finally {
      for (const socket of sockets) socket.destroy()
      proxy.close()
    }
  }),
)

test.run()
