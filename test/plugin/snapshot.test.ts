import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import binaryen from 'binaryen'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { Engine, type ErrorCode, Plugin, type PluginOptions, snapshotImage } from '../../src/index.js'
import { LOOP, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { wat } from '../support/wat.js'

const test = suite('plugin/snapshot')
const wasm = test.needs(WASM)

/** Initialises a word of memory, two globals that nobody exports, and a page that it grows by; `state` shows them, `spoil` changes all. */
const STATE = `
  (global $seen (mut i32) (i32.const 0))
  (global $large (mut i64) (i64.const 1))
  (global $real (mut f64) (f64.const 0.5))
  (data (i32.const 64) "from the module")
  (func $add (export "count") (result i32) (global.set $seen (i32.add (global.get $seen) (i32.const 1))) (global.get $seen))
  (func (export "prepare")
    (drop (memory.grow (i32.const 1)))
    (global.set $seen (i32.const 40))
    (global.set $large (i64.const -5))
    (global.set $real (f64.const 2.25))
    (i32.store (i32.const 70000) (i32.const 123))
    (i64.store (i32.const 64) (i64.const 0)))
  (func (export "spoil") (i32.store (i32.const 70000) (i32.const 0)) (global.set $large (i64.const 0)) (drop (call $add)))
  (func (export "word") (result i32) (i32.load (i32.const 70000)))
  (func (export "zeroed") (result i64) (i64.load (i32.const 64)))
  (func (export "rest") (result i32) (i32.load8_u (i32.const 72)))
  (func (export "large") (result i64) (global.get $large))
  (func (export "real") (result f64) (global.get $real))
  (func (export "pages") (result i32) (memory.size))`

const PREPARED = { bytes: pluginModule(STATE), snapshot: { init: 'prepare' } } as const

async function shown(plugin: Plugin): Promise<unknown[]> {
  const values: unknown[] = []
  for (const name of ['word', 'zeroed', 'rest', 'large', 'real', 'pages', 'count'])
    values.push(await plugin.call<number | bigint>(name, []))
  return values
}

const AFTER = [123, 0n, 'the module'.charCodeAt(3), -5n, 2.25, 2, 41]

wasm('each call begins where the initialisation has led: memory, its size, and globals that nobody exports', () =>
  withPlugin(PREPARED, async (plugin) => {
    assert.equal(await shown(plugin), AFTER)
    assert.equal((await plugin.receipt()).wasm?.instrumented, ['snapshot'])
  }),
)

wasm('what a call changes is no other’s, in any thread', () =>
  withPlugin({ ...PREPARED, threads: 2 }, async (plugin) => {
    await Promise.all(Array.from({ length: 6 }, () => plugin.call('spoil', [])))
    assert.equal(await shown(plugin), AFTER)
  }),
)

wasm('a kept instance begins there once, and one that takes its place too', () =>
  withPlugin({ ...PREPARED, instances: 'kept' }, async (plugin) => {
    assert.equal([await plugin.call('count', []), await plugin.call('count', [])], [41, 42])
    await rejection(plugin.call('nothing', []), 'FUNCTION_NOT_FOUND')
    await plugin.call('spoil', [])
    assert.is(await plugin.call('count', []), 44)
  }),
)

wasm('a thread that was ended leaves the snapshot to the next', () =>
  withPlugin({ ...PREPARED, bytes: pluginModule(STATE + LOOP) }, async (plugin) => {
    await rejection(plugin.call('loop', '', { timeoutMs: 200 }), 'DEADLINE_EXCEEDED')
    assert.equal(await shown(plugin), AFTER)
  }),
)

/** Counts how often it was run, in a file of the owner's, and remembers what is in another. */
const FILES = pluginModule(
  `(data (i32.const 100) "log")
  (func (export "_initialize")
    (i32.store (i32.const 8) (i32.const 100)) (i32.store (i32.const 12) (i32.const 3))
    (drop (call $open (i32.const 4) (i32.const 0) (i32.const 100) (i32.const 3) (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.load (i32.const 4)) (i32.const 8) (i32.const 1) (i32.const 16)))
    (drop (call $close (i32.load (i32.const 4))))
    (i32.store (i32.const 200) (i32.const 7)))
  (func (export "seven") (result i32) (i32.load (i32.const 200)))`,
  {
    imports: `(import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))`,
  },
)

wasm('_initialize is run once for all, with the files of its owner', async () => {
  const volume = new Volume()
  const runs: string[] = []
  for (const snapshot of [true, false]) {
    volume.fromJSON({}, '/')
    volume.writeFileSync('/log', '')
    await withPlugin({ bytes: FILES, mounts: { '/w': volume }, snapshot } as PluginOptions, async (plugin) => {
      for (let call = 0; call < 3; call++) assert.is(await plugin.call('seven', []), 7)
    })
    runs.push(String(volume.readFileSync('/log')))
  }
  assert.equal(runs, ['log', 'loglogloglog'.slice(0, 9)])
})

wasm('Wizer’s names are found, and fuel is the call’s alone', async () => {
  const slow = '(loop $again (br_if $again (i32.lt_u (call $add) (i32.const 100000))))'
  const bytes = pluginModule(`${STATE} (func (export "wizer.initialize") ${slow})`)
  await withPlugin({ bytes, snapshot: true, limits: { fuel: 1000 } }, async (plugin) => {
    let left = 0
    assert.is(await plugin.call('count', [], { onFuel: (fuel) => (left = fuel) }), 100_001)
    assert.ok(left > 900 && left < 1000, String(left))
    assert.equal((await plugin.receipt()).wasm?.instrumented, ['fuel', 'snapshot'])
  })
})

wasm('a start function is run once too', async () => {
  const bytes = pluginModule(`(global $n (mut i32) (i32.const 0))
    (func $begin (global.set $n (i32.add (global.get $n) (i32.const 1)))) (start $begin)
    (func (export "n") (result i32) (global.get $n))`)
  await withPlugin({ bytes, snapshot: true }, async (plugin) => {
    assert.equal([await plugin.call('n', []), await plugin.call('n', [])], [1, 1])
  })
})

/** What loading says of an `init` that cannot be. */
const refused = async (code: ErrorCode, text: string, options: Partial<PluginOptions> = {}, imports = '') => {
  const error = await rejection(
    Plugin.load({ bytes: pluginModule(text, { imports }), snapshot: { init: 'init' }, ...options } as PluginOptions),
    code,
  )
  return `${error.message} ${error.hint ?? ''}`
}

wasm('an initialisation that cannot be, that traps, or that never ends is told by its name', async () => {
  assert.match(await refused('FUNCTION_NOT_FOUND', '(func (export "innit"))'), /init.*innit/)
  assert.match(await refused('INVALID_ARGUMENT', '(func (export "init") (param i32))'), /\(i32\) -> \(\)/)
  assert.match(await refused('INVALID_ARGUMENT', '(func (export "init"))', { snapshot: { init: 'init', timeoutMs: -1 } }), /timeoutMs/)
  assert.match(await refused('GUEST_TRAPPED', '(func (export "init") (unreachable))'), /unreachable/)
  assert.match(
    await refused('DEADLINE_EXCEEDED', '(func (export "init") (loop $again (br $again)))', { snapshot: { init: 'init', timeoutMs: 300 } }),
    /timeoutMs/,
  )
})

wasm('what no snapshot can keep is refused by its name', async () => {
  const table = '(table 2 funcref) (elem (i32.const 0) $f) (func $f) (elem declare func $f)'
  assert.match(await refused('NOT_BUILT', `${table} (func (export "init") (table.set (i32.const 1) (ref.func $f)))`), /table/)
  assert.match(await refused('NOT_BUILT', `${table} (func (export "init") (drop (table.grow (ref.null func) (i32.const 3))))`), /table/)
  assert.match(await refused('NOT_BUILT', '(global $g (mut funcref) (ref.null func)) (func (export "init"))'), /global/)
  const open = `(import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))`
  const leaves = `(data (i32.const 100) ".")
    (func (export "init") (drop (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 2) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 4))))`
  assert.match(await refused('NOT_BUILT', leaves, {}, open), /files open/)
  const asks = '(import "wolffia" "ask" (func $ask (param i32 i32) (result i64)))'
  const asking = await refused(
    'NOT_BUILT',
    '(func (export "init") (drop (call $ask (i32.const 0) (i32.const 0))))',
    { hostFunctions: { ask: () => '' } },
    asks,
  )
  assert.match(asking, /host function/)
})

wasm('a table that stays as it is may be called through', async () => {
  const bytes = pluginModule(`(type $t (func (result i32))) (table 2 funcref) (elem (i32.const 1) $f) (func $f (result i32) (i32.const 9))
    (func (export "init")) (func (export "through") (result i32) (call_indirect (type $t) (i32.const 1)))`)
  await withPlugin({ bytes, snapshot: { init: 'init' } }, async (plugin) => assert.is(await plugin.call('through', []), 9))
})

wasm('an initialisation is bounded as a call is: memory, and what a hostile module exports under our names', async () => {
  const grows = '(func (export "init") (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable))'
  assert.match(await refused('LIMIT_EXCEEDED', grows, { limits: { memoryBytes: 8 * 2 ** 20 } }), /memory/)
  const named = pluginModule(`(global (export "wolffia:global:0") (mut i32) (i32.const 5)) (func (export "wolffia:start") (unreachable))
    (func $s (i32.store (i32.const 300) (i32.const 6))) (start $s) (func (export "six") (result i32) (i32.load (i32.const 300)))`)
  await withPlugin({ bytes: named, snapshot: true }, async (plugin) => assert.is(await plugin.call('six', []), 6))
})

wasm('the module that begins there is a module for any engine', () =>
  withPlugin(PREPARED, async (plugin) => {
    const module = await plugin.snapshotModule()
    const names = WebAssembly.Module.exports(new WebAssembly.Module(module)).map(({ name }) => name)
    assert.not(names.includes('prepare') || names.some((name) => name.startsWith('wolffia:')))
    const { count, large, word } = new WebAssembly.Instance(new WebAssembly.Module(module)).exports as Record<string, () => unknown>
    assert.equal([word?.(), large?.(), count?.()], [123, -5n, 41])
    await withPlugin({ bytes: module }, async (again) => assert.equal(await shown(again), AFTER))
    // A second snapshot of it is of it.
    await withPlugin({ bytes: module, snapshot: true }, async (again) => assert.equal(await again.snapshotModule(), module))
  }),
)

wasm('a plugin without a snapshot has no such module', () =>
  withPlugin({ bytes: pluginModule(STATE) }, async (plugin) => {
    await rejection(plugin.snapshotModule(), 'INVALID_ARGUMENT')
  }),
)

wasm('data that code refers to by number keeps its number', async () => {
  const bytes = pluginModule(
    `(data $passive "passive") (data (i32.const 500) "active")
    (func (export "init") (i32.store8 (i32.const 9000) (i32.const 1)) (i32.store8 (i32.const 40000) (i32.const 2)))
    (func (export "at") (param i32) (result i32) (memory.init $passive (i32.const 600) (i32.const 0) (i32.const 7)) (i32.load8_u (local.get 0)))`,
    { features: binaryen.Features.BulkMemory },
  )
  await withPlugin({ bytes, snapshot: { init: 'init' } }, async (plugin) => {
    const inputs = [500, 600, 9000, 40000].map((at) => [at])
    const wanted = ['a'.charCodeAt(0), 'p'.charCodeAt(0), 1, 2]
    assert.equal(await plugin.batch('at', inputs), wanted)
    await withPlugin({ bytes: await plugin.snapshotModule() }, async (again) => assert.equal(await again.batch('at', inputs), wanted))
  })
})

wasm('an image begins there, behind the Wasm wall as any other', async () => {
  const home = mkdtempSync(join(tmpdir(), 'wolffia-snapshot-'))
  try {
    await using engine = await Engine.open({ home })
    const program = wat(`(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
      (global $code (mut i32) (i32.const 1)) (func (export "wizer.initialize") (global.set $code (i32.const 42)))
      (func (export "_start") (call $exit (global.get $code))))`)
    const path = join(home, 'program.wasm')
    writeFileSync(path, program)
    await engine.images.import(path, { reference: 'before' })
    const { id } = await snapshotImage(engine, { image: 'before', reference: 'after:1' })
    const codes: number[] = []
    for (const image of ['before', 'after:1', id]) {
      await using container = await engine.containers.create({ image, runtime: 'wasm', autoRemove: true })
      container.stdout?.resume()
      await container.start()
      codes.push((await container.wait()).exitCode)
    }
    assert.equal(codes, [1, 42, 42])
    assert.equal(await engine.containers.list({ all: true }), [])
    await rejection(snapshotImage(engine, { image: 'before', reference: 'x', init: 'nothing' }), 'FUNCTION_NOT_FOUND')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

test.run()
