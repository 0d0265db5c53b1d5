/** What a random module does, as one text that can be compared. */
import { randomFrom } from '../soak.js'
import { GUARD, type RandomModule, randomArguments } from './module.js'

/** What was seen of one run. */
export interface Behaviour {
  /** Of each call what it gave or how it ended, then all state that can be reached. */
  readonly lines: readonly string[]
  /** Whether each call came back. */
  readonly returned: boolean
  readonly exports: Readonly<Record<string, unknown>>
}

/** How what was put into a module is to be treated. */
export interface Instrumented {
  readonly global: string
  readonly start: string | null
  readonly fuel: bigint
}

/** Instantiates and calls; `seed` chooses the arguments. */
export function behaviourOf(bytes: Uint8Array, module: RandomModule, seed: number, instrumented: Instrumented | null): Behaviour {
  const random = randomFrom(seed)
  const lines: string[] = []
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 6 })
  let exports: Record<string, unknown> = {}
  let calls = 0
  const call = (value: number) => {
    lines.push(`host ${value}`)
    return ++calls > 3 ? value : (value * 3) | 0
  }
  let returned = true
  const attempt = (name: string, run: () => unknown): boolean => {
    try {
      lines.push(`${name} gives ${shown(run())}`)
      return true
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError || error instanceof WebAssembly.Exception)) throw error
      lines.push(`${name} ends: ${error instanceof WebAssembly.Exception ? 'thrown' : error.message}`)
      returned = false
      return false
    }
  }
  const global = (name: string) => exports[name] as WebAssembly.Global<number | bigint>
  const begin = (env: Record<string, unknown>): void => {
    exports = { ...new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports }
    if (instrumented === null) return
    global(instrumented.global).value = instrumented.fuel
    if (instrumented.start !== null) (exports[instrumented.start] as () => void)()
  }
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes))
  const env: Record<string, unknown> = { call, memory, base: 77 }
  // Of the type that is asked for: only one of the two is taken.
  for (const element of ['anyfunc', 'externref'] as const) {
    if (imports.some(({ kind }) => kind === 'table')) env.table = new WebAssembly.Table({ element, initial: 8, maximum: 14 })
    try {
      lines.length = 0
      if (!attempt('instance', () => begin(env))) return { lines, returned, exports }
      break
    } catch (error) {
      if (!(error instanceof WebAssembly.LinkError) || element === 'externref') throw error
    }
  }
  for (const { name, parameters } of module.functions) {
    global('guard').value = GUARD
    const called = exports[name] as (...args: unknown[]) => unknown
    const args = randomArguments(parameters, random)
    attempt(name, () => called(...args))
  }
  const own = Object.keys(exports).filter((name) => name !== instrumented?.global && name !== instrumented?.start)
  for (const name of own.sort()) {
    const value = exports[name]
    if (name === 'counter') continue
    if (value instanceof WebAssembly.Global) lines.push(`${name} is ${shown(value.value)}`)
    else if (value instanceof WebAssembly.Memory) lines.push(`${name} is ${checksum(new Uint8Array(value.buffer))}`)
    else if (value instanceof WebAssembly.Table)
      lines.push(`${name} is ${Array.from({ length: value.length }, (_, place) => shown(value.get(place)))}`)
  }
  return { lines, returned, exports }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  // Functions are named by their number.
  return typeof value === 'function' ? `function ${value.name}` : Object.is(value, -0) ? '-0' : `${value}`
}

function checksum(bytes: Uint8Array): string {
  let sum = 7
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0
  return `${bytes.length} bytes of ${sum}`
}
