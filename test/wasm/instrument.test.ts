import { setFlagsFromString } from 'node:v8'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { instrument } from '../../src/wasm/instrument/instrument.js'
import { ModuleCompiler } from '../../src/wasm/sandbox/module-compiler.js'
import { checkRandomModule } from '../support/random-module/check.js'
import { leb } from '../support/random-module/code-writer.js'
import { checkMutant, mutantOf } from '../support/random-module/mutant.js'
import { rejection } from '../support/rejection.js'
import { SEED } from '../support/seed.js'
import { randomFrom } from '../support/soak.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'

const test = suite('wasm/instrument')

/** A module of one function without parameters and results, and sections before and behind that of its type. */
function moduleOf(
  body: readonly number[],
  { type = [0x60, 0, 0], sections = [] as readonly (readonly [number, readonly number[]])[] } = {},
) {
  const section = (id: number, contents: readonly number[]) => [id, ...leb(contents.length), ...contents]
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, ...type]),
    ...section(3, [1, 0]),
    ...sections.flatMap(([id, contents]) => section(id, contents)),
    ...section(10, [1, ...leb(body.length)].concat(body)),
  ])
}

test('random modules do with fuel what they do without, and spend what they count by themselves', () => {
  for (let seed = SEED; seed < SEED + 200; seed++) checkRandomModule(seed)
})

test('real modules with some bits turned over are refused, or do with fuel what they do without', () => {
  let same = 0
  for (const name of ['hello', 'probe', 'slug'])
    for (let seed = SEED; seed < SEED + 150; seed++) {
      try {
        if (checkMutant(mutantOf(guestBytes(name), randomFrom(seed))) === 'the same') same++
      } catch (error) {
        throw new Error(`WOLFFIA_SEED=${seed}, ${name}: ${error instanceof Error ? error.stack : error}`)
      }
    }
  assert.ok(same > 20, `only ${same} could be compared`)
})

test('a module that leaves no room for what is counted is refused by what it would be too much of', async () => {
  const limits = { memoryPages: 16, tableElements: 100, threads: 1 }
  const compile = (bytes: Uint8Array, fuel: boolean) =>
    new ModuleCompiler(limits, { isProgram: false, provided: new Set(), instrumentation: { fuel, canonicalNan: false } }).compile(bytes)
  const manyLocals = moduleOf([1, ...leb(50_000), 0x7f, 0x0b])
  await compile(manyLocals, false)
  const refused = await rejection(compile(manyLocals, true), 'COMMAND_NOT_EXECUTABLE')
  assert.match(refused.message, /with fuel: .*local count too large/)
  assert.match(refused.hint ?? '', 'without fuel')
})

test('memories and tables of 64 bits, objects, references that are typed: what is not known is refused by name, where V8 takes it', () => {
  // For this process alone, and nothing is compiled after it.
  for (const flag of ['memory64', 'gc', 'typed-funcref']) setFlagsFromString(`--experimental-wasm-${flag}`)
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [moduleOf([0, 0x42, 0, 0x40, 0, 0x1a, 0x0b], { sections: [[5, [1, 4, 1]]] }), /64 bits/],
    [moduleOf([0, 0x0b], { type: [0x5f, 0] }), /garbage-collected|invalid/],
    [moduleOf([0, 0xd0, 0, 0x14, 0, 0x0b]), /0x14/],
    [moduleOf([0, 0x41, 0, 0xfb, 0x20, 0x1a, 0x0b]), /0xfb|invalid/],
  ]
  for (const [bytes, message] of cases) {
    try {
      instrument(bytes, { fuel: true, canonicalNan: false })
      assert.unreachable(`${message} was not refused`)
    } catch (error) {
      assert.instance(error, EngineError)
      assert.match((error as EngineError).message, message)
    }
  }
})

test.run()
