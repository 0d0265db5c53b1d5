import * as assert from 'uvu/assert'
import { ECHO, hostImport, LOOP, pluginModule, withPlugin } from '../support/plugins.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { wat } from '../support/wat.js'

const test = suite('plugin/fuel')
const FUEL = 100_000

/** Takes `n` rounds of seven instructions, and a few around them. */
const COUNT = `(func (export "count") (param $n i32) (result i32) (local $i i32)
  (loop $again (br_if $again (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))) (local.get $i))`

test.needs(WASM)('each call has the budget, says what is left of it, and the next one has all of it again', async () => {
  for (const instances of ['fresh', 'kept'] as const)
    await withPlugin({ bytes: pluginModule(`${COUNT} ${ECHO} ${LOOP}`), limits: { fuel: FUEL }, instances }, async (plugin) => {
      const left: number[] = []
      const onFuel = (fuel: number) => left.push(fuel)
      assert.is(await plugin.call('count', [1000], { onFuel }), 1000)
      assert.is(await plugin.call('count', [1000], { onFuel }), 1000)
      assert.equal(left, [FUEL - 7002, FUEL - 7002], instances)
      const failure = await rejection(plugin.call('loop', '', { onFuel }), 'LIMIT_EXCEEDED')
      assert.match(failure.message, `used up its fuel of ${FUEL}`)
      assert.is(failure.data.reason, 'out-of-fuel')
      assert.is(await plugin.call('echo', 'again'), 'again')
      assert.is(left.length, 2)
    })
})

test.needs(WASM)('a batch has one budget together', () =>
  withPlugin({ bytes: pluginModule(COUNT), limits: { fuel: FUEL } }, async (plugin) => {
    let left = 0
    await plugin.batch('count', [[1000], [1000], [1000]], { onFuel: (fuel) => (left = fuel) })
    assert.is(left, FUEL - 3 * 7002)
    const failure = await rejection(plugin.batch('count', [[10_000], [10_000]]), 'LIMIT_EXCEEDED')
    assert.equal([failure.data.reason, failure.data.index], ['out-of-fuel', 1])
  }),
)

test.needs(WASM)('functions of the host have a price, by what they are given and answer', () =>
  withPlugin(
    {
      bytes: pluginModule('(func (export "ask") (param i32 i32) (result i64) (call $host (local.get 0) (local.get 1)))', {
        imports: hostImport('host'),
      }),
      limits: { fuel: FUEL },
      hostFunctions: { host: () => new Uint8Array(6400) },
    },
    async (plugin) => {
      const costs: number[] = []
      for (const bytes of [0, 64_00]) await plugin.call('ask', new Uint8Array(bytes), { onFuel: (left) => costs.push(FUEL - left) })
      const [nothing = 0, much = 0] = costs
      // 100 for the call and 100 for its answer; allocate for the answer, and for the input where there is one.
      assert.ok(nothing > 200 && nothing < 230, `${nothing}`)
      assert.is(much - nothing, 100 + 8)
    },
  ),
)

test.needs(WASM)('a program that runs out of fuel is a result, and a start function that never ends is a failure', async () => {
  const program = wat('(module (memory (export "memory") 1) (func (export "_start") (loop $l (br $l))))')
  await withPlugin({ bytes: program, limits: { fuel: FUEL } }, async (plugin) => {
    const { exit } = await plugin.run()
    assert.equal([exit.reason, exit.exitCode, exit.fuelLeft], ['out-of-fuel', 134, 0])
  })
  const straight =
    wat(`(module (memory (export "memory") 1) (func (export "_start") (if (i32.const 1) (then ${'(drop (i32.const 1)) '.repeat(50)})))
    (func (export "f") (result i32) (if (i32.const 1) (then ${'(drop (i32.const 1)) '.repeat(50)})) (i32.const 1)))`)
  await withPlugin({ bytes: straight, limits: { fuel: 20 } }, async (plugin) => {
    const { exit } = await plugin.run()
    assert.equal([exit.reason, exit.exitCode, exit.fuelLeft], ['out-of-fuel', 134, 0], 'told at its end')
    await rejection(plugin.call('f', []), 'LIMIT_EXCEEDED')
  })
  const endless = wat(
    '(module (memory (export "memory") 1) (start $s) (func $s (loop $l (br $l))) (func (export "f") (result i32) (i32.const 1)))',
  )
  await withPlugin({ bytes: endless, limits: { fuel: FUEL } }, async (plugin) => {
    await rejection(plugin.call('f', []), 'LIMIT_EXCEEDED')
  })
})

test.run()
