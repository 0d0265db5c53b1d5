import { execFileSync } from 'node:child_process'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { Instrumentation } from '../../src/wasm/instrument/function-writer.js'
import { instrument } from '../../src/wasm/instrument/instrument.js'
import { interpret, randomProgram, textOf } from '../support/counted-program.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'
import { wat } from '../support/wat.js'

const test = suite('wasm/fuel')
const PLENTY = 1_000_000_000_000n
const COUNTINGS = ['global', 'local', 'loops'] as const

interface Fuelled {
  readonly exports: Readonly<Record<string, (...args: (number | bigint)[]) => unknown>>
  readonly fuel: WebAssembly.Global<bigint>
  readonly start: string | null
  spent(): number
}

function fuelled(bytes: Uint8Array, wanted: Partial<Instrumentation> = {}, fuel = PLENTY, imports = {}): Fuelled {
  const instrumented = instrument(bytes, { fuel: true, canonicalNan: false, ...wanted })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(instrumented.bytes), imports)
  const global = exports[instrumented.fuel?.global ?? ''] as WebAssembly.Global<bigint>
  global.value = fuel
  return {
    exports: exports as Fuelled['exports'],
    fuel: global,
    start: instrumented.fuel?.start ?? null,
    spent: () => Number(fuel - global.value),
  }
}

function costOf(text: string, counting: (typeof COUNTINGS)[number] = 'loops', ...args: number[]): number {
  const { exports, spent } = fuelled(wat(text), { counting })
  exports.run?.(...args)
  return spent()
}

/** Whether it ended because its fuel did. */
function runsOut(text: string, fuel = 1_000_000n, counting: (typeof COUNTINGS)[number] = 'loops'): boolean {
  const guest = fuelled(wat(text), { counting }, fuel)
  try {
    guest.exports.run?.()
    return false
  } catch (error) {
    return error instanceof WebAssembly.RuntimeError && guest.fuel.value < 0n
  }
}

function refusal(bytes: Uint8Array): EngineError {
  try {
    instrument(bytes, { fuel: true, canonicalNan: false })
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  return assert.unreachable('it was not refused') as never
}

test('random programs behave as without fuel, and their count is that of an interpreter which counts each instruction', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer(), (seed, argument) => {
      const program = randomProgram(seed)
      const bytes = wat(textOf(program))
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes))
      const expected = interpret(program, argument | 0)
      assert.is((exports.run as (argument: number) => number)(argument), expected.result, `plain, seed ${seed}`)
      for (const counting of COUNTINGS) {
        const guest = fuelled(bytes, { counting })
        assert.is(guest.exports.run?.(argument), expected.result, `${counting}, seed ${seed}`)
        assert.is(guest.spent(), expected.cost, `${counting}, seed ${seed}`)
      }
    }),
    { numRuns: 150 },
  )
})

test('with exactly what it needs a program ends, and with one less it does not', () => {
  const text =
    '(module (func (export "run") (local i32) (loop (br_if 0 (i32.lt_s (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 10))))))'
  const cost = costOf(text)
  // Seven instructions, ten times, and the call.
  assert.is(cost, 71)
  assert.is(runsOut(text, BigInt(cost)), false)
  assert.is(runsOut(text, BigInt(cost - 1)), true)
})

test('endless programs of every form run out', () => {
  for (const counting of COUNTINGS) {
    assert.ok(runsOut('(module (func (export "run") (loop (br 0))))', 1_000_000n, counting), 'a loop without a body')
    assert.ok(runsOut('(module (func (export "run") (loop (br_if 0 (i32.const 1)))))', 1_000_000n, counting), 'br_if to itself')
    assert.ok(
      runsOut('(module (func (export "run") (loop (try (do)) (br 0))))', 1_000_000n, counting),
      'a loop that begins with what is free',
    )
    assert.ok(runsOut('(module (func (export "run") (loop (br_table 0 0 (i32.const 5)))))', 1_000_000n, counting), 'br_table')
    assert.ok(runsOut('(module (func $f (export "run") (call $f)))', 1000n, counting), 'recursion')
    assert.ok(runsOut('(module (func $f (export "run") (return_call $f)))', 1_000_000n, counting), 'tail recursion')
    assert.ok(
      runsOut('(module (table funcref (elem $f)) (func $f (export "run") (return_call_indirect (i32.const 0))))', 1_000_000n, counting),
      'indirect tail recursion',
    )
    assert.ok(
      runsOut('(module (memory 1 65536) (func (export "run") (loop (drop (memory.grow (i32.const 0))) (br 0))))', 1_000_000n, counting),
      'memory.grow',
    )
  }
})

test('what runs out between two questions goes on to the next, is counted exactly, and is found by the host', () => {
  const text = '(module (func (export "run") (param i32) (if (local.get 0) (then (drop (i32.const 1)) (drop (i32.const 2))))))'
  for (const counting of COUNTINGS) {
    const guest = fuelled(wat(text), { counting }, 4n)
    guest.exports.run?.(1)
    assert.is(guest.fuel.value, -1n, counting)
    assert.throws(() => guest.exports.run?.(1), WebAssembly.RuntimeError)
  }
})

test('bulk instructions are charged by their length before they are done', () => {
  const fill = (bytes: number) =>
    `(module (memory 16) (func (export "run") (memory.fill (i32.const 0) (i32.const 1) (i32.const ${bytes}))))`
  assert.is(costOf(fill(0)), 5)
  assert.is(costOf(fill(65_536)), 5 + 1024)
  // Out of bounds, and refused for its price before that is found.
  assert.ok(runsOut(fill(-1), 10_000_000n), '4 GiB')
  const copy = '(module (memory 2) (func (export "run") (memory.copy (i32.const 0) (i32.const 65536) (i32.const 6400))))'
  assert.is(costOf(copy), 5 + 100)
  const tables = `(module (table $t 100 funcref) (elem $e func 0) (func (export "run")
    (table.fill $t (i32.const 0) (ref.null func) (i32.const 40)) (drop (table.grow $t (ref.null func) (i32.const 7)))))`
  assert.is(costOf(tables), 1 + 4 + 40 + 3 + 7)
})

test('a start function waits for fuel, and can run out of it', () => {
  const endless = fuelled(wat('(module (start $s) (func $s (loop (br 0))))'), {}, 1000n)
  assert.is(endless.start, 'wolffia:start')
  assert.throws(() => endless.exports['wolffia:start']?.())
  assert.ok(endless.fuel.value < 0n)
})

test('a guest whose exports have the names of ours gets others, and cannot reach the fuel', () => {
  const taken = fuelled(wat('(module (func (export "wolffia:fuel")) (func (export "run") nop))'))
  taken.exports.run?.()
  assert.is(taken.spent(), 1)
  // The number that the fuel is going to have: (module (func (i64.const 99) (global.set 0))).
  const forged = Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 0x42, 0xe3, 0, 0x24, 0, 0x0b,
  ])
  assert.is(refusal(forged).code, 'COMMAND_NOT_EXECUTABLE')
})

test('several results, and branches with values to the end of a function, stay as they are', () => {
  for (const counting of COUNTINGS) {
    const { exports } = fuelled(
      wat(`(module (func (export "one") (param i32) (result i32) (loop (br_if 0 (i32.const 0))) (br_if 0 (i32.const 7) (local.get 0)) (drop) (i32.const 8))
        (func (export "two") (result i32 i64) (loop (br_if 0 (i32.const 0))) (i32.const 3) (i64.const 4) (br 0)))`),
      { counting },
    )
    assert.equal([exports.one?.(1), exports.one?.(0)], [7, 8])
    assert.equal(exports.two?.(), [3, 4n])
  }
})

test('what is thrown and caught is counted, by both kinds of exceptions', () => {
  const legacy = `(module (tag $e) (func $f (throw $e))
    (func (export "run") (local i32) (loop $l (try (do (call $f)) (catch $e (local.set 0 (i32.add (local.get 0) (i32.const 1)))))
      (br_if $l (i32.lt_s (local.get 0) (i32.const 5))))))`
  const costs = COUNTINGS.map((counting) => costOf(legacy, counting))
  // One for the call of run; five rounds of call, entry and throw of $f, four of the catch, four of the test.
  assert.equal(costs, [56, 56, 56])
})

test('shared memory and relaxed SIMD are refused by name', () => {
  assert.match(refusal(wat('(module (memory 1 1 shared))')).message, /threads/)
  assert.match(
    refusal(wat('(module (func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0))))')).message,
    /relaxed SIMD|invalid/,
  )
})

test('NaNs that arithmetic makes are one NaN, scalars and lanes, and those that are only moved stay what they are', () => {
  const text = `(module (memory (export "memory") 1)
    (func (export "f32") (param i32 i32) (result i32) (i32.reinterpret_f32 (f32.mul (f32.reinterpret_i32 (local.get 0)) (f32.reinterpret_i32 (local.get 1)))))
    (func (export "f64") (param i64 i64) (result i64) (i64.reinterpret_f64 (f64.sub (f64.reinterpret_i64 (local.get 0)) (f64.reinterpret_i64 (local.get 1)))))
    (func (export "lane") (param i64) (result i64) (i64x2.extract_lane 1 (f64x2.sqrt (i64x2.splat (local.get 0)))))
    (func (export "lane4") (param i32) (result i32) (i32x4.extract_lane 2 (f32x4.add (i32x4.splat (local.get 0)) (i32x4.splat (local.get 0)))))
    (func (export "moved") (param i64) (result i64) (f64.store (i32.const 0) (f64.reinterpret_i64 (local.get 0))) (i64.load (i32.const 0))))`
  const { bytes } = instrument(wat(text), { fuel: false, canonicalNan: true })
  const exports = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Fuelled['exports']
  const signalling = 0x7ff0_dead_beef_0001n
  assert.is(exports.f32?.(0x7fa1_2345, 0x3f80_0000), 0x7fc0_0000)
  // 0 times infinity: V8 gives the sign bit on x86.
  assert.is(exports.f32?.(0, 0x7f80_0000), 0x7fc0_0000)
  assert.is(exports.f32?.(0x4000_0000, 0x4040_0000), 0x40c0_0000)
  assert.is(exports.f64?.(signalling, 0n), 0x7ff8_0000_0000_0000n)
  assert.is(exports.f64?.(0x4008_0000_0000_0000n, 0x3ff0_0000_0000_0000n), 0x4000_0000_0000_0000n)
  assert.is(exports.lane?.(-0x4010_0000_0000_0000n), 0x7ff8_0000_0000_0000n)
  assert.is(exports.lane4?.(0x7fa1_2345), 0x7fc0_0000)
  assert.is(exports.moved?.(signalling), signalling)
})

/** Set by whoever has one: `npm install node@latest` gives a Node whose path this can be. */
const OTHER_NODE = {
  name: 'other-node',
  missing: async () => (process.env.WOLFFIA_OTHER_NODE === undefined ? 'WOLFFIA_OTHER_NODE names no other Node' : null),
}

test.needs(OTHER_NODE)('another Node counts the same', () => {
  const counts = Array.from({ length: 20 }, (_, seed) => {
    const { bytes } = instrument(wat(textOf(randomProgram(seed + 1))), { fuel: true, canonicalNan: true })
    const script = `const { exports: e } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(process.argv[1], 'base64')))
      e['wolffia:fuel'].value = ${PLENTY}n; const r = e.run(5); console.log(r, ${PLENTY}n - e['wolffia:fuel'].value)`
    const output = execFileSync(process.env.WOLFFIA_OTHER_NODE ?? '', ['-e', script, Buffer.from(bytes).toString('base64')], {
      encoding: 'utf8',
    })
    const { result, cost } = interpret(randomProgram(seed + 1), 5)
    assert.is(output, `${result} ${cost}n\n`, `seed ${seed + 1}`)
    return cost
  })
  assert.ok(new Set(counts).size > 5)
})

test.run()
