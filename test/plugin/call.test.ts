import * as assert from 'uvu/assert'
import { Plugin } from '../../src/index.js'
import { ECHO, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'
import { wat } from '../support/wat.js'

const test = suite('plugin/call')

test.needs(WASM)('a plugin of a stranger’s in AssemblyScript takes and gives text and numbers', () =>
  withPlugin({ bytes: guestBytes('slug') }, async (plugin) => {
    for (const name of ['slug', 'longest']) assert.ok(plugin.functions.includes(name))
    assert.is(await plugin.call('slug', 'Hello, World!'), 'hello-world')
    assert.is(await plugin.call('slug', 'Grüße aus Köln'), 'grüße-aus-köln')
    assert.is(await plugin.call('slug', ''), '')
    assert.is(await plugin.call('longest', [7]), 21)
  }),
)

test.needs(WASM)('bytes come back as they were, whatever their size', () =>
  withPlugin({ bytes: pluginModule(ECHO) }, async (plugin) => {
    for (const size of [0, 1, 64, 60_000]) {
      const bytes = Buffer.alloc(size, 0xfe)
      assert.ok(bytes.equals(await plugin.call('echo', bytes)), `${size} bytes`)
    }
    assert.is(await plugin.call('echo', '\ufeffa mark at the front'), '\ufeffa mark at the front')
  }),
)

const NUMBERS = wat(`(module
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "nothing")))`)

test.needs(WASM)('numbers are those of the function’s own signature', () =>
  withPlugin({ bytes: NUMBERS }, async (plugin) => {
    assert.is(await plugin.call('i32', [-5]), -5)
    assert.is(await plugin.call<bigint>('i64', [-(2n ** 63n)]), -(2n ** 63n))
    assert.is(await plugin.call('f32', [0.5]), 0.5)
    assert.ok(Number.isNaN(await plugin.call('f64', [Number.NaN])))
    assert.equal(await plugin.call<readonly [bigint, number]>('swap', [1, 2n]), [2n, 1])
    assert.is(await plugin.call<undefined>('nothing', []), undefined)
    assert.match((await rejection(plugin.call('i32', [2 ** 40]), 'INVALID_ARGUMENT')).message, 'must be (i32), not (1099511627776)')
    await rejection(plugin.call('i32', [1.5]), 'INVALID_ARGUMENT')
    await rejection(plugin.call('i64', [1]), 'INVALID_ARGUMENT')
    await rejection(plugin.call('nothing', [1]), 'INVALID_ARGUMENT')
    assert.match((await rejection(plugin.call('f64', 'text'), 'INVALID_ARGUMENT')).message, '(f64) -> f64')
  }),
)

test.needs(WASM)('a function that there is not is named, with what is near', () =>
  withPlugin({ bytes: guestBytes('slug') }, async (plugin) => {
    assert.match((await rejection(plugin.call('slag', ''), 'FUNCTION_NOT_FOUND')).hint ?? '', 'slug')
  }),
)

test.needs(WASM)('a batch gives a result for each input, in order, and the first failure is named by its index', () =>
  withPlugin({ bytes: guestBytes('slug') }, async (plugin) => {
    const titles = Array.from({ length: 1000 }, (_, index) => `Title ${index}`)
    assert.equal(
      await plugin.batch('slug', titles),
      titles.map((_, index) => `title-${index}`),
    )
    assert.equal(await plugin.batch('longest', [[1], [2]]), [3, 6])
    assert.equal(await plugin.batch('slug', []), [])
  }),
)

const CONDITION = pluginModule(`(func (export "odd") (param $at i32) (param $length i32) (result i64)
  (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 120)) (then (unreachable))) (i64.const 0))`)

/** Puts its input always in the same place, turns the bytes there to 9 when they are freed. */
const SAME_PLACE = (free: string) =>
  wat(`(module (memory (export "memory") 1)
    (func (export "allocate") (param i32) (result i32) (i32.const 1024))
    ${ECHO} ${free})`)
const WIPES = '(func (export "free") (param $at i32) (param $length i32) (memory.fill (local.get $at) (i32.const 9) (local.get $length)))'

test.needs(WASM)('results are what they were when the function returned, whatever the guest does with that memory afterwards', async () => {
  for (const bytes of [SAME_PLACE(''), SAME_PLACE(WIPES)])
    for (const instances of ['kept', 'fresh'] as const)
      await withPlugin({ bytes, instances }, async (plugin) => {
        const inputs = [Buffer.from('first'), Buffer.from('other'), Buffer.from('third')]
        const results = await plugin.batch('echo', inputs)
        assert.equal(results.map(String), inputs.map(String))
        for (const input of inputs) assert.is(String(await plugin.call('echo', input)), String(input))
      })
})

test.needs(WASM)('the input of a batch that fails is named', () =>
  withPlugin({ bytes: CONDITION }, async (plugin) => {
    const error = await rejection(plugin.batch('odd', ['a', 'b', 'x', 'c']), 'GUEST_TRAPPED')
    assert.is(error.data.index, 2)
    assert.is(error.data.function, 'odd')
  }),
)

const COUNTER = wat(`(module (global $count (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $count (i32.add (global.get $count) (i32.const 100))))
  (func (export "next") (result i32) (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
  (func (export "trap") (unreachable)))`)

test.needs(WASM)('a fresh instance, initialized once, answers each call unless it is kept', async () => {
  await withPlugin({ bytes: COUNTER }, async (plugin) => {
    assert.is(await plugin.call('next', []), 101)
    assert.equal(await plugin.batch('next', [[], []]), [101, 101])
  })
  await withPlugin({ bytes: COUNTER, instances: 'kept' }, async (plugin) => {
    assert.equal(await plugin.batch('next', [[], []]), [101, 102])
    assert.is(await plugin.call('next', []), 103)
    await rejection(plugin.call('trap', []), 'GUEST_TRAPPED')
    assert.is(await plugin.call('next', []), 101, 'one that has failed is not called again')
  })
})

/** Counts what is allocated and not freed. */
const LEAKING = wat(`(module (memory (export "memory") 1) (global $held (mut i32) (i32.const 0))
  (func (export "allocate") (param i32) (result i32) (global.set $held (i32.add (global.get $held) (i32.const 1))) (i32.const 64))
  (func (export "free") (param i32 i32) (global.set $held (i32.sub (global.get $held) (i32.const 1))))
  (func (export "held") (result i32) (global.get $held))
  ${ECHO})`)

test.needs(WASM)('a kept instance is given back what it allocated, once', () =>
  withPlugin({ bytes: LEAKING, instances: 'kept' }, async (plugin) => {
    for (const text of ['one', 'two', '']) assert.is(await plugin.call('echo', text), text)
    assert.is(await plugin.call('held', []), 0)
  }),
)

test.needs(WASM)('what the plugin wrote to stderr is shown with its failure', () =>
  withPlugin(
    {
      bytes: pluginModule(
        `(data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00") (data (i32.const 16) "alas!")
         (func (export "fail") (param i32 i32) (result i64) (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) (unreachable))`,
        { imports: '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))' },
      ),
    },
    async (plugin) => {
      assert.is((await rejection(plugin.call('fail', ''), 'GUEST_TRAPPED')).data.stderr, 'alas!')
    },
  ),
)

test.needs(WASM)('the receipt tells of the wall around the plugin and of the module in it', () =>
  withPlugin({ bytes: guestBytes('slug'), limits: { memoryBytes: 2 ** 20 } }, async (plugin) => {
    const { wall, wasm, limits, crossCheck } = await plugin.receipt()
    assert.is(wall, 'wasm')
    assert.is(wasm?.memoryPagesMaximum, 16)
    assert.is(crossCheck.moduleDigest, true)
    assert.ok(limits.some(({ name, value }) => name === 'memory' && value === 2 ** 20))
  }),
)

test('what cannot be a plugin is refused by name', async () => {
  await rejection(Plugin.load({} as never), 'INVALID_ARGUMENT')
  await rejection(Plugin.load({ path: '/nowhere.wasm' }), 'FILE_NOT_FOUND')
  await rejection(Plugin.load({ path: process.execPath }), 'WRONG_RUNTIME')
  await rejection(Plugin.load({ bytes: guestBytes('slug'), threads: 0 }), 'INVALID_ARGUMENT')
  await rejection(Plugin.load({ bytes: guestBytes('slug'), limits: { cpus: 1 } }), 'NOT_BUILT')
})

test.needs(WASM)('a module that cannot run here is refused when it is loaded', async () => {
  await rejection(Plugin.load({ bytes: Buffer.from('\0asm\x01\0\0\0 and no more') }), 'COMMAND_NOT_EXECUTABLE')
  await rejection(Plugin.load({ bytes: wat('(module (import "env" "f" (func)))') }), 'COMMAND_NOT_EXECUTABLE')
  await rejection(Plugin.load({ bytes: wat('(module (memory 100))'), limits: { memoryBytes: 65_536 } }), 'LIMIT_EXCEEDED')
})

test.needs(WASM)('loading is given up with its signal', async () => {
  await rejection(Plugin.load({ bytes: guestBytes('slug'), signal: AbortSignal.abort() }), 'ABORTED')
})

test.run()
