/** Real modules with some of their bits turned over: what is still valid has to behave the same with fuel. */
import * as assert from 'uvu/assert'
import { EngineError } from '../../../src/errors.js'
import { type InstrumentedModule, instrument } from '../../../src/wasm/instrument/instrument.js'
import type { Random } from '../soak.js'

const FUEL = 300_000n
const CALLS = 100

/** The module with one to three bits changed, its header left alone. */
export function mutantOf(bytes: Uint8Array, random: Random): Uint8Array {
  const mutant = Uint8Array.from(bytes)
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = 8 + random.below(mutant.length - 8)
    mutant[at] = (mutant[at] ?? 0) ^ (1 << random.below(8))
  }
  return mutant
}

/** What was found of a mutant. */
export type Verdict = 'invalid' | 'refused' | 'endless' | 'the same'

/** Throws an assertion where V8 takes one of the two and not the other, or where they do not do the same. */
export function checkMutant(bytes: Uint8Array): Verdict {
  let instrumented: InstrumentedModule
  try {
    instrumented = instrument(bytes, { fuel: true, canonicalNan: false })
  } catch (error) {
    assert.instance(error, EngineError)
    return WebAssembly.validate(bytes) ? 'refused' : 'invalid'
  }
  assert.ok(WebAssembly.validate(instrumented.bytes), 'what comes out is not valid')
  const counted = runOf(instrumented.bytes, instrumented)
  // Its own end is not known then.
  if (counted.left < 0n) return 'endless'
  assert.equal(counted.lines, runOf(bytes, null).lines)
  return 'the same'
}

/** Calls all that it exports, with a host that answers 0 and soon no more. */
function runOf(bytes: Uint8Array, instrumented: InstrumentedModule | null): { readonly lines: readonly string[]; readonly left: bigint } {
  const module = new WebAssembly.Module(bytes)
  const lines: string[] = []
  const imports: Record<string, Record<string, unknown>> = {}
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {}
    if (kind !== 'function') continue
    imports[from][name] = (...args: unknown[]) => {
      lines.push(`${name}(${args})`)
      if (lines.length > CALLS) throw new RangeError('no more calls')
      return name === 'clock_time_get' ? 0 : 8
    }
  }
  let exports: WebAssembly.Instance['exports'] = {}
  let fuel: WebAssembly.Global<bigint> | null = null
  const attempt = (name: string, run: () => unknown): boolean => {
    try {
      lines.push(`${name} gives ${run()}`)
      return true
    } catch (error) {
      lines.push(`${name} ends: ${error}`)
      return false
    }
  }
  const began = attempt('instance', () => {
    exports = { ...new WebAssembly.Instance(module, imports).exports }
    if (instrumented?.fuel == null) return
    fuel = exports[instrumented.fuel.global] as WebAssembly.Global<bigint>
    fuel.value = FUEL
    if (instrumented.fuel.start !== null) (exports[instrumented.fuel.start] as () => void)()
  })
  const own = WebAssembly.Module.exports(module).filter(
    ({ name }) => name !== instrumented?.fuel?.global && name !== instrumented?.fuel?.start,
  )
  for (const { name, kind } of began ? own : []) {
    if (kind === 'function') attempt(name, () => (exports[name] as (...args: unknown[]) => unknown)())
    if (kind === 'memory')
      lines.push(
        `${name}: ${Buffer.from((exports[name] as WebAssembly.Memory).buffer)
          .toString('latin1')
          .replaceAll('\0', '')}`,
      )
    if (kind === 'global') lines.push(`${name}: ${(exports[name] as WebAssembly.Global).value}`)
  }
  return { lines, left: (fuel as WebAssembly.Global<bigint> | null)?.value ?? FUEL }
}
