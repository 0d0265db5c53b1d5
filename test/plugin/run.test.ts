import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { Engine, Plugin } from '../../src/index.js'
import { CommandLine } from '../support/command-line.js'
import { ECHO, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { BUSYBOX, NATIVE, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'

const test = suite('plugin/run')
const wolffia = new CommandLine()
const probe = guestBytes('probe')

test.needs(WASM)('a program runs with its arguments and stdin, and its output is kept', () =>
  withPlugin({ bytes: probe, env: { COLOUR: 'green' } }, async (plugin) => {
    const { exit, stdout, stderr } = await plugin.run(['echo', ',', 'print-error', 'alas', ',', 'exit', '3'], { stdin: 'given' })
    assert.is(exit.exitCode, 3)
    assert.is(exit.reason, 'exited')
    assert.match(stdout.toString(), 'given')
    assert.match(stderr.toString(), 'alas')
    assert.is((await plugin.run(['env'])).stdout.toString().trim(), 'COLOUR=green', 'and nothing else')
  }),
)

test.needs(WASM)('limits that a run reaches are results', () =>
  withPlugin({ bytes: probe, limits: { outputBytes: 100_000, memoryBytes: 2 ** 22 } }, async (plugin) => {
    const loop = await plugin.run(['loop'], { timeoutMs: 100 })
    assert.is(loop.exit.reason, 'timeout')
    const bomb = await plugin.run(['output', '0'])
    assert.is(bomb.exit.reason, 'limit')
    assert.is(bomb.stdout.length, 100_000)
    assert.is((await plugin.run(['trap'])).exit.exitCode, 134)
    assert.is((await plugin.run(['print', 'after'])).exit.exitCode, 0)
  }),
)

test.needs(WASM)('a plugin reads and writes a memfs Volume that it is given, and nothing else', async () => {
  const volume = Volume.fromJSON({ '/draft': 'written by the host' })
  const closed = Volume.fromJSON({ '/fixed': 'as it is' })
  const mounts = { '/work': volume, '/fixed': { fs: closed, readonly: true } }
  await withPlugin({ bytes: probe, mounts }, async (plugin) => {
    assert.is((await plugin.run(['rename', '/work/draft', '/work/final'])).exit.exitCode, 0)
    assert.equal(volume.toJSON(), { '/final': 'written by the host' })
    assert.match((await plugin.run(['write', '/fixed/new', 'x'])).stdout.toString(), 'EROFS')
    assert.match((await plugin.run(['write', '/new', 'x'])).stdout.toString(), 'EROFS')
    volume.writeFileSync('/later', 'seen at once')
    assert.match((await plugin.run(['cat', '/work/later'])).stdout.toString(), 'seen at once')
  })
})

test.needs(WASM)('an image’s module sees its files, and is a plugin by its name', async () => {
  await wolffia.output('import', new URL('../../../dist/wasm/probe.wasm', import.meta.url).pathname, 'probe')
  await using engine = await Engine.open({ home: wolffia.home })
  await withPlugin({ image: 'probe', engine }, async (plugin) => {
    assert.match((await plugin.run(['list', '/'])).stdout.toString(), '.wasm')
  })
  await rejection(Plugin.load({ image: 'nowhere', engine }), 'IMAGE_NOT_FOUND')
})

test.needs(WASM)('a library is not run', () =>
  withPlugin({ bytes: pluginModule(ECHO) }, async (plugin) => {
    assert.match((await rejection(plugin.run(), 'FUNCTION_NOT_FOUND')).hint ?? '', 'echo')
  }),
)

test.needs(NATIVE, BUSYBOX)('an image’s native program is run behind the native wall, and says that it cannot be called', async () => {
  await wolffia.busybox()
  await using engine = await Engine.open({ home: wolffia.home })
  const volume = Volume.fromJSON({ '/in': 'text' })
  await withPlugin({ image: 'busybox', engine, mounts: { '/work': volume } }, async (plugin) => {
    assert.equal(plugin.functions, [])
    const { exit, stdout } = await plugin.run(['-c', 'tr a-z A-Z < /work/in > /work/out; cat; exit 4'], { stdin: 'from outside' })
    assert.is(exit.exitCode, 4)
    assert.is(stdout.toString(), 'from outside')
    assert.is(volume.toJSON()['/out'], 'TEXT')
    assert.is((await plugin.run(['-c', 'while :; do :; done'], { timeoutMs: 300 })).exit.reason, 'timeout')
    assert.match((await rejection(plugin.call('main', ''), 'WRONG_RUNTIME')).message, 'only a WebAssembly module')
  })
  await rejection(Plugin.load({ image: 'busybox', engine, hostFunctions: { ask: () => '' } }), 'WRONG_RUNTIME')
})

test.needs(NATIVE, BUSYBOX)(
  'a native run that leaves while it waits takes nobody’s turn, and one that is stopped at any moment ends',
  async () => {
    await wolffia.busybox()
    await using engine = await Engine.open({ home: wolffia.home })
    await withPlugin({ image: 'busybox', engine, threads: 1 }, async (plugin) => {
      const stop = new AbortController()
      const first = plugin.run(['-c', 'sleep 0.2'])
      const leaving = rejection(plugin.run(['-c', 'true'], { signal: stop.signal }), 'ABORTED')
      const last = plugin.run(['-c', 'echo there'])
      // In one turn of the event loop with the end of the first: the turn is given to who has just left.
      first.then(() => stop.abort())
      await leaving.catch(() => {})
      assert.is((await last).stdout.toString(), 'there\n')
      for (const afterMs of [0, 5, 10, 20, 40, 80]) {
        const late = AbortSignal.timeout(afterMs)
        await rejection(plugin.run(['-c', 'sleep 60'], { signal: late }), 'ABORTED')
      }
    })
  },
)

test('nothing is left', () => wolffia.end())

test.run()
