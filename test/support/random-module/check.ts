/** Holds what the instrumentation makes of a random module against the module as it came. */
import { setFlagsFromString } from 'node:v8'
import * as assert from 'uvu/assert'
import { instrument } from '../../../src/wasm/instrument/instrument.js'
import { behaviourOf } from './behaviour.js'
import { randomModule } from './module.js'

// Node 20 knows these constants, and asks to be told so.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-extended-const')

const PLENTY = 10n ** 15n

/** Throws an assertion where the two differ, where fuel is miscounted, or where little of it does not end the program. */
export function checkRandomModule(seed: number): void {
  const bare = randomModule(seed, { counts: false })
  new WebAssembly.Module(bare.bytes)
  const counting = randomModule(seed, { counts: true })
  const expected = behaviourOf(bare.bytes, bare, seed, null)
  const counted = behaviourOf(counting.bytes, counting, seed, null)
  assert.equal(counted.lines, expected.lines, `seed ${seed}: the counting module`)
  for (const mode of ['global', 'local', 'loops'] as const)
    for (const canonicalNan of [false, true]) {
      const { bytes, fuel } = instrument(bare.bytes, { fuel: true, canonicalNan, counting: mode })
      assert.ok(fuel !== null)
      const what = `seed ${seed}, ${mode}${canonicalNan ? ', one NaN' : ''}`
      const run = (amount: bigint) => behaviourOf(bytes, bare, seed, { ...fuel, fuel: amount })
      const plenty = run(PLENTY)
      assert.equal(plenty.lines, expected.lines, what)
      const spentOf = (exports: Readonly<Record<string, unknown>>, of: bigint) =>
        of - ((exports[fuel.global] as WebAssembly.Global<bigint> | undefined)?.value ?? of)
      const spent = spentOf(plenty.exports, PLENTY)
      const own = (counted.exports.counter as WebAssembly.Global<bigint> | undefined)?.value ?? 0n
      if (expected.returned && !bare.throws) assert.is(spent, own, `${what}: its fuel`)
      else if (mode === 'global') assert.ok(spent >= own, `${what}: ${spent} spent of ${own}`)
      assert.is(spentOf(run(PLENTY).exports, PLENTY), spent, `${what}: the same again`)
      if (spent > 1n) {
        const little = run(spent / 2n)
        assert.ok(spentOf(little.exports, spent / 2n) > spent / 2n, `${what}: half of its fuel does not end it`)
      }
    }
}
