/** `run --lazy`: a container that starts before its image is here. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { estargzOf } from '../support/estargz.js'
import { tarOf } from '../support/image-fixtures.js'
import { RegistryServer, type Rule, send } from '../support/registry-server.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'

const test = suite('e2e/lazy')
const wolffia = new CommandLine()
const walled = test.needs(WASM)
const BIG = randomBytes(16 * 2 ** 20)
const layer = () => estargzOf({ 'app.wasm': guestBytes('probe'), 'big.bin': BIG, 'note.txt': 'read me\n' }, { chunkBytes: 2 ** 20 })
const CONFIG = { config: { Entrypoint: ['/app.wasm'] } }

/** A registry with `app:1`, which our user may ask without TLS, and the bytes of its layer that were asked for. */
async function withRegistry(body: (server: RegistryServer, asked: () => number) => Promise<void>): Promise<void> {
  await using server = await RegistryServer.start()
  server.repository('app').seekable(layer(), { tags: ['1'], config: CONFIG })
  server.repository('plain').image([tarOf({ a: '1' })], { tags: ['1'], config: { ...CONFIG, os: 'wasi', architecture: 'wasm' } })
  const settings = join(wolffia.folder, '.config/wolffia/registries.json')
  mkdirSync(dirname(settings), { recursive: true })
  writeFileSync(settings, JSON.stringify({ insecureRegistries: [server.host] }))
  const asked = () =>
    server.log.reduce((sum, { headers }) => {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
      return first === undefined ? sum : sum + Number(last) - Number(first) + 1
    }, 0)
  await body(server, asked)
}

/** Nothing of the image is kept. */
async function assertNothingLeft(): Promise<void> {
  assert.is(await wolffia.output('images', '-q'), '')
  assert.is(await wolffia.output('ps', '-aq'), '')
  for (const folder of ['ingest', 'layers', 'blobs/sha256'])
    assert.equal(
      await Promise.resolve()
        .then(() => readdirSync(join(wolffia.home, folder)))
        .catch(() => []),
      [],
      folder,
    )
  assert.match(await wolffia.output('system', 'check'), /whole|no flaw|nothing/i)
}

walled('a program runs and reads what it wants, and the rest is never asked for', () =>
  withRegistry(async (server, asked) => {
    const { code, stdout, stderr } = await wolffia.run([
      'run',
      '--rm',
      '--lazy',
      `${server.host}/app:1`,
      'cat',
      '/note.txt',
      ',',
      'size',
      '/big.bin',
    ])
    assert.is(code, 0, stderr)
    assert.is(stdout, `read me\n${BIG.length}\n`)
    assert.is(stderr, '')
    assert.ok(asked() < 4 * 2 ** 20, `${asked()} bytes were asked for`)
    await assertNothingLeft()
  }),
)

walled('what does not come is EIO to the program and a sentence to the user, and the program goes on', () =>
  withRegistry(async (server) => {
    const { blob, tocOffset } = layer()
    const gone: Rule = ({ headers, response }) => {
      const [, first] = /^bytes=(\d+)-/.exec(headers.range ?? '') ?? []
      // The last chunk before the table: the note, and what big.bin ends with.
      if (first === undefined || Number(first) >= tocOffset || Number(first) < tocOffset - 2 ** 20) return false
      send(response, 404, {})
      return true
    }
    assert.ok(blob.length > tocOffset)
    server.rules.push(gone)
    const { code, stdout, stderr } = await wolffia.run([
      'run',
      '--rm',
      '--lazy',
      `${server.host}/app:1`,
      'cat',
      '/note.txt',
      ',',
      'print',
      'on',
    ])
    assert.is(code, 0, stderr)
    assert.is(stdout, '/note.txt: EIO\non\n')
    assert.match(stderr, /^wolffia: a file of the image cannot be read: /)
    await assertNothingLeft()
  }),
)

walled('what cannot be done says why, and what to do', () =>
  withRegistry(async (server) => {
    const fails = async (words: readonly string[], code: number, reason: RegExp) => {
      const ended = await wolffia.run(['run', ...words])
      assert.is(ended.code, code, ended.stderr)
      assert.match(ended.stderr, reason)
    }
    await fails(['--lazy', `${server.host}/app:1`], 1, /--lazy and no --rm/)
    await fails(['--lazy', '--rm', '-d', `${server.host}/app:1`], 1, /--lazy and --detach/)
    await fails(['--lazy', '--rm', `${server.host}/plain:1`], 125, /no table of contents[\s\S]*leave --lazy out/)
    await fails(['--lazy', '--rm', `${server.host}/app:2`], 125, /not found/)
    await fails(['--lazy', '--rm', '--runtime', 'native', '--platform', 'wasi/wasm', `${server.host}/app:1`], 125, /native/)
    await assertNothingLeft()
  }),
)

walled('an image that is here is run from here', () =>
  withRegistry(async (server, asked) => {
    await wolffia.output('pull', '-q', `${server.host}/app:1`)
    const before = server.log.length
    assert.is(await wolffia.output('run', '--rm', '--lazy', '--pull', 'missing', `${server.host}/app:1`, 'print', 'here'), 'here\n')
    assert.is(server.log.length, before)
    assert.is(asked(), 0)
    await wolffia.output('rmi', `${server.host}/app:1`)
  }),
)

test('nothing is left', () => wolffia.end())

test.run()
