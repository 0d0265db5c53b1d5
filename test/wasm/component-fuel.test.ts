/** Fuel of components: one budget for all core modules that one consists of. */
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { assertNamesNoOwnGlobal } from '../../src/wasm/instrument/constant-expressions.js'
import { FUEL_FIELD, instrumentLinked } from '../../src/wasm/instrument/shared-fuel.js'
import { commandText, componentOf, componentOfWat, componentText } from '../support/components.js'
import { interpret, randomProgram, textOf } from '../support/counted-program.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'
import { guestBytes, type WasmWall, withWasmWall } from '../support/wasm-wall.js'
import { wat } from '../support/wat.js'

const test = suite('wasm/component-fuel')
const PLENTY = 1_000_000_000

async function spent(run: WasmWall['run'], path: string, fuel = PLENTY) {
  const { status, stdout, receipt } = await run([path], { change: { limits: { fuel } } })
  return { reason: status.reason, exitCode: status.exitCode, spent: fuel - (status.fuelLeft ?? Number.NaN), stdout, receipt }
}

/** Runs an instrumented module that exports `run`. */
function linked(bytes: Uint8Array, fuel: bigint, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {}) {
  const made = instrumentLinked(bytes, { fuel: true, canonicalNan: false })
  const tank = new WebAssembly.Global({ value: 'i64', mutable: true }, fuel)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(made.bytes), {
    ...imports,
    [made.fuelImport ?? '']: { [FUEL_FIELD]: tank },
  })
  return {
    exports: exports as Record<string, never>,
    run: exports.run as (...args: number[]) => unknown,
    spent: () => Number(fuel - tank.value),
  }
}

test('random programs that import their fuel behave as without, and cost what an interpreter counts', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer(), (seed, argument) => {
      const program = randomProgram(seed)
      const expected = interpret(program, argument | 0)
      const guest = linked(wat(textOf(program)), 1_000_000_000_000n)
      assert.is(guest.run(argument), expected.result, `seed ${seed}`)
      assert.is(guest.spent(), expected.cost, `seed ${seed}`)
    }),
    { numRuns: 100 },
  )
})

test('globals keep their meaning: imported and own ones, exported ones, and in code that is never reached', () => {
  const text = `(module
    (import "host" "base" (global $base i32))
    (import "host" "count" (global $count (mut i32)))
    (global $one (mut i32) (i32.const 1)) (global $two i64 (i64.const 2)) (global $three (mut f32) (f32.const 3)) (global $copy i32 (global.get $base))
    (export "one" (global $one)) (export "three" (global $three)) (export "base" (global $base))
    (func (export "run") (result i32)
      (global.set $one (i32.add (global.get $one) (global.get $base)))
      (global.set $count (i32.add (global.get $count) (i32.wrap_i64 (global.get $two))))
      (if (f32.ne (global.get $three) (f32.const 3)) (then (return (i32.const -1))))
      (return (i32.add (global.get $one) (global.get $copy)))
      (drop (i64.add (global.get $two) (i64.const 1))) (global.set $three (f32.const 1))))`
  const count = new WebAssembly.Global({ value: 'i32', mutable: true }, 5)
  const guest = linked(wat(text), 1000n, { host: { base: new WebAssembly.Global({ value: 'i32' }, 40), count } })
  assert.equal([guest.run(), count.value], [81, 7])
  const { one, three, base } = guest.exports as Record<string, WebAssembly.Global<number>>
  assert.equal([one?.value, three?.value, base?.value], [41, 3, 40])
})

test('an import that is called as the fuel would be is the module’s own, and stays what it is', () => {
  const text =
    '(module (import "wolffia:fuel" "fuel" (global $fuel (mut i64))) (func (export "run") (global.set $fuel (i64.const 1000000))))'
  const own = new WebAssembly.Global({ value: 'i64', mutable: true }, 0n)
  const guest = linked(wat(text), 100n, { 'wolffia:fuel': { fuel: own } })
  guest.run()
  assert.equal([own.value, guest.spent()], [1_000_000n, 3])
})

test('what begins with a global of its own is refused by name', async () => {
  const refused = async (text: string, imported = 0) => {
    const bytes = await componentText(text)
    try {
      assertNamesNoOwnGlobal(bytes, imported)
      return null
    } catch (error) {
      return (error as EngineError).code
    }
  }
  const [own, code] = ['(global i32 (i32.const 1))', 'COMMAND_NOT_EXECUTABLE']
  assert.is(await refused(`(module ${own} (global i32 (global.get 0)))`), code)
  assert.is(await refused(`(module ${own} (memory 1) (data (global.get 0) "x"))`), code)
  assert.is(await refused(`(module ${own} (table 1 funcref) (func) (elem (global.get 0) func 0))`), code)
  assert.is(await refused('(module (global funcref (ref.func 0)) (func) (elem funcref (global.get 0)))'), code)
  const segments = `(memory 1) (table 2 funcref) (table $t 2 funcref) (func) (data "xyz") (data (offset (i32.const 3)) "xyz")
    (elem func 0) (elem declare func 0) (elem (i32.const 0) func 0) (elem (table $t) (i32.const 1) func 0)
    (elem funcref (ref.func 0) (ref.null func)) (elem (i32.const 0) funcref (ref.func 0)) (elem (table $t) (i32.const 0) funcref (ref.null func))`
  assert.is(await refused(`(module (import "a" "b" (global i32)) ${own} (global i32 (global.get 0)) ${segments})`, 1), null)
})

/** Calls the other module a hundred times, which takes twenty steps each time. */
const TWO = commandText(`
  (core module $Other (func (export "work") (local i32)
    (loop (br_if 0 (i32.lt_s (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 20))))))
  (core instance $other (instantiate $Other))
  (core module $Main (import "other" "work" (func $work)) (global $left (mut i32) (i32.const 100))
    (func (export "run") (result i32)
      (loop (call $work) (global.set $left (i32.sub (global.get $left) (i32.const 1))) (br_if 0 (global.get $left)))
      (i32.const 0)))
  (core instance $main (instantiate $Main (with "other" (instance $other))))`)
// Entering, twenty times seven; then entering, the result, and a hundred times seven.
const COST = 100 * (1 + 20 * 7) + 1 + 1 + 100 * 7

test('core modules of a component spend from one budget: with exactly what they need together it ends, with one less it does not', async () => {
  const component = await componentText(TWO)
  await withWasmWall({ '/c.wasm': component }, async ({ run }) => {
    const plenty = await spent(run, '/c.wasm')
    assert.equal([plenty.reason, plenty.exitCode, plenty.spent], ['exited', 0, COST])
    assert.equal(plenty.receipt.wasm?.instrumented, ['fuel'])
    assert.is((await spent(run, '/c.wasm', COST)).reason, 'exited')
    const less = await spent(run, '/c.wasm', COST - 1)
    assert.equal([less.reason, less.exitCode], ['out-of-fuel', 134])
  })
})

test('a component costs the same each time, with what its calls cost; endless ones run out', async () => {
  const [hello, endless] = await Promise.all([
    componentOf(guestBytes('hello')),
    componentText(
      commandText(
        '(core module $Main (func (export "run") (result i32) (loop (br 0)) unreachable)) (core instance $main (instantiate $Main))',
      ),
    ),
  ])
  await withWasmWall({ '/hello.wasm': hello, '/endless.wasm': endless }, async ({ run }) => {
    const [first, second] = [await spent(run, '/hello.wasm'), await spent(run, '/hello.wasm')]
    assert.equal([first.stdout, first.reason], ['hello from wasm\n', 'exited'])
    assert.is(second.spent, first.spent)
    assert.ok(first.spent > 400, `${first.spent}`)
    assert.is((await spent(run, '/hello.wasm', first.spent - 1)).reason, 'out-of-fuel')
    assert.is((await spent(run, '/endless.wasm', 1_000_000)).reason, 'out-of-fuel')
    const both = await run(['/hello.wasm'], { change: { limits: { fuel: PLENTY }, deterministic: { seed: 'x' } } })
    assert.equal(both.receipt.wasm?.instrumented, ['fuel', 'canonical-nan'])
  })
})

/** Gets stdout and drops it again, so often. */
const getting = (times: number) =>
  commandText(
    `(core module $Main (import "host" "drop" (func $drop (param i32))) (import "host" "get" (func $get (result i32)))
       (func (export "run") (result i32) (local i32) (local.set 0 (i32.const ${times}))
         (loop (call $drop (call $get)) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
         (i32.const 0)))
     (core instance $main (instantiate $Main (with "host" (instance (export "get" (func $get)) (export "drop" (func $drop))))))`,
    `(import "wasi:io/streams@0.2.0" (instance $streams (export "output-stream" (type (sub resource)))))
     (alias export $streams "output-stream" (type $out))
     (import "wasi:cli/stdout@0.2.0" (instance $stdout
       (alias outer 1 $out (type $o)) (export $s "output-stream" (type (eq $o))) (export "get-stdout" (func (result (own $s))))))
     (core func $get (canon lower (func $stdout "get-stdout"))) (core func $drop (canon resource.drop $out))`,
  )
/** Writes so many bytes at once. */
const writing = (count: number) =>
  componentOfWat(`(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const ${count}))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`)

test('a call of the host’s costs a hundred, and one for each 64 bytes that it hands over', async () => {
  const files = {
    '/ten.wasm': await componentText(getting(10)),
    '/twenty.wasm': await componentText(getting(20)),
    '/few.wasm': await writing(64),
    '/many.wasm': await writing(64 + 64 * 50),
  }
  await withWasmWall(files, async ({ run }) => {
    const costs = []
    for (const path of Object.keys(files)) costs.push((await spent(run, path)).spent)
    const [ten = 0, twenty = 0, few = 0, many = 0] = costs
    assert.equal([twenty - ten, many - few], [10 * (100 + 100 + 7), 50])
  })
})

test.run()
