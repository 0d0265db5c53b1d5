/** Command components as plugins: they are run, and what has no meaning for them is refused by name. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { Engine, Plugin } from '../../src/index.js'
import { componentOf, componentText } from '../support/components.js'
import { withFolder } from '../support/image-fixtures.js'
import { withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'

const test = suite('plugin/component')
const wasm = test.needs(WASM)
const probe = await componentOf(guestBytes('probe'))

wasm('a command component runs with its arguments, variables and stdin, and its output is kept', () =>
  withPlugin({ bytes: probe, env: { COLOUR: 'green' } }, async (plugin) => {
    assert.equal(plugin.functions, [])
    const { exit, stdout, stderr } = await plugin.run(['echo', ',', 'print-error', 'alas', ',', 'exit', '3'], { stdin: 'given' })
    // WASI 0.2 tells a failure, and not which.
    assert.equal([exit.exitCode, exit.reason, stdout.toString(), stderr.toString()], [1, 'exited', 'given', 'alas\n'])
    assert.is((await plugin.run(['env'])).stdout.toString().trim(), 'COLOUR=green', 'and nothing else')
    assert.match((await plugin.receipt()).wasm?.engine ?? '', 'component of 4 core modules')
  }),
)

wasm('each run begins anew, and several at once keep to themselves', () =>
  withPlugin({ bytes: probe, threads: 2 }, async (plugin) => {
    const words = Array.from({ length: 6 }, (_, place) => `word${place}`)
    const runs = await Promise.all(words.map((stdin) => plugin.run(['echo'], { stdin })))
    assert.equal(
      runs.map(({ stdout }) => stdout.toString()),
      words,
    )
  }),
)

wasm('limits that a run reaches are results, in the component and in a call of the host’s, and the next run is none the worse', () =>
  withPlugin({ bytes: probe, limits: { outputBytes: 100_000, memoryBytes: 2 ** 22 } }, async (plugin) => {
    for (const words of [['loop'], ['sleep', '100000']]) {
      assert.is((await plugin.run(words, { timeoutMs: 300 })).exit.reason, 'timeout', words[0])
      assert.is((await plugin.run(['print', 'after'])).stdout.toString(), 'after\n')
    }
    const bomb = await plugin.run(['output', '0'])
    assert.equal([bomb.exit.reason, bomb.stdout.length], ['limit', 100_000])
    const trap = await plugin.run(['trap'])
    assert.equal([trap.exit.exitCode, trap.exit.signal], [134, 'SIGABRT'])
    assert.is((await plugin.run(['print', 'after'])).exit.exitCode, 0)
    const aborted = new AbortController()
    const run = plugin.run(['loop'], { signal: aborted.signal })
    setTimeout(() => aborted.abort(), 100)
    await rejection(run, 'ABORTED')
    assert.is((await plugin.run(['print', 'after'])).exit.exitCode, 0)
  }),
)

wasm('fuel is each run’s, and the same each time', () =>
  withPlugin({ bytes: probe, limits: { fuel: 10_000_000 } }, async (plugin) => {
    const [first, second] = [await plugin.run(['print', 'a']), await plugin.run(['print', 'a'])]
    assert.equal([first.exit.reason, first.exit.fuelLeft], ['exited', second.exit.fuelLeft])
    assert.ok((first.exit.fuelLeft ?? 0) > 9_000_000 && (first.exit.fuelLeft ?? 0) < 10_000_000)
    const loop = await plugin.run(['loop'])
    assert.equal([loop.exit.reason, loop.exit.exitCode], ['out-of-fuel', 134])
  }),
)

wasm('it reads and writes a memfs Volume that it is given, and nothing else', async () => {
  const volume = Volume.fromJSON({ '/draft': 'written by the host' })
  await withPlugin({ bytes: probe, mounts: { '/work': volume } }, async (plugin) => {
    assert.is((await plugin.run(['rename', '/work/draft', '/work/final'])).exit.exitCode, 0)
    assert.equal(volume.toJSON(), { '/final': 'written by the host' })
    assert.match((await plugin.run(['write', '/new', 'x'])).stdout.toString(), 'EROFS')
  })
})

wasm('an image’s component sees its files', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'probe.wasm')
    writeFileSync(path, probe)
    await using engine = await Engine.open({ home: join(folder, 'home') })
    await engine.images.import(path, { reference: 'probe' })
    await withPlugin({ image: 'probe', engine }, async (plugin) => {
      assert.match((await plugin.run(['list', '/'])).stdout.toString(), 'probe.wasm')
    })
  }),
)

wasm('calls, instances that are kept and snapshots are refused by name', () =>
  withPlugin({ bytes: probe }, async (plugin) => {
    assert.match((await rejection(plugin.call('slug', 'text'), 'NOT_BUILT')).message, 'a call of slug: the plugin is a component')
    assert.match((await rejection(plugin.batch('slug', ['text']), 'NOT_BUILT')).message, 'a call of slug')
    assert.match((await rejection(plugin.instance(), 'NOT_BUILT')).message, 'an instance that is kept')
    assert.match((await rejection(Plugin.load({ bytes: probe, snapshot: true }), 'NOT_BUILT')).message, 'a snapshot')
    assert.is((await plugin.run(['print', 'after'])).exit.exitCode, 0)
  }),
)

wasm('a component that is a library is refused when it is loaded', async () => {
  const library = await componentText(`(component
    (core module $M (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))) (core instance $m (instantiate $M))
    (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $m "add"))))`)
  assert.match((await rejection(Plugin.load({ bytes: library }), 'COMMAND_NOT_EXECUTABLE')).message, 'wasi:cli/run')
})

test.run()
