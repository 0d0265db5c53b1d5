/**
 * What runs in a component's own realm: a global object in which there is JavaScript and WebAssembly, and nothing of Node's. Neither the glue
 * that a component was transpiled to nor anything it makes is ever given an object of the realm outside, whose constructors
 * would lead there: what crosses is copied, functions are called by closures only.
 */

/** Names of functions, and of resources with their methods, by interface. */
export type InterfaceNames = Readonly<Record<string, { readonly functions: readonly string[]; readonly resources: ResourceNames }>>
type ResourceNames = Readonly<Record<string, readonly string[]>>

/** How a call of WASI went: with a result, with an error for the guest, or it ends the component. */
export type Answer = { readonly ok: unknown } | { readonly err: unknown } | { readonly ended: string }

/** What the realm is given of the world. Its functions never throw. */
export interface Bridge {
  readonly names: InterfaceNames
  /** A function, or a method `Resource.method` whose first argument is what it is called on. */
  call(interfaceName: string, functionName: string, args: readonly unknown[]): Answer
  drop(resource: unknown): Answer
  /** Null for what is not UTF-8. */
  decode(bytes: Uint8Array): string | null
  encode(text: string): Uint8Array
  /** Binaries of the core modules, by the names that the glue has for them. */
  readonly modules: Readonly<Record<string, Uint8Array>>
  /** What all instances together may spend; null for what is not counted. */
  readonly fuel: bigint | null
  /** From where core modules import their fuel, by the names that the glue has for them. */
  readonly fuelImports: Readonly<Record<string, string | null>>
  /** Whether one more instance of a core module is within the limits. */
  mayInstantiate(name: string): boolean
}

/** How a component ended, where it did not end itself by `wasi:cli/exit`. */
export interface RealmOutcome {
  /** 0 or 1, as `run` returned; null for a trap. */
  readonly exitCode: number | null
  readonly message: string
  readonly memoryBytes: number
  readonly tableElements: number
  /** Below zero when it was too little; null where it is not counted. */
  readonly fuelLeft: bigint | null
}

type ImportObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** The glue: jco's `instantiate` in its mode `sync`. */
export type Instantiate = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: unknown,
  instantiateCore: (module: WebAssembly.Module, imports?: ImportObject) => WebAssembly.Instance,
) => Readonly<Record<string, unknown>>

/**
 * Freezes what JavaScript consists of in the realm, so that what runs there later changes nothing that {@link runInRealm} relies on: a changed
 * `Array.isArray` would be given what comes from outside. To be evaluated in the realm.
 */
export function freezeRealm(): void {
  const seen = new Set<unknown>()
  const left: unknown[] = [
    // These have no names.
    [][Symbol.iterator](),
    new Map().entries(),
    new Set().values(),
    ''[Symbol.iterator](),
    'x'.matchAll(/x/g),
    function* () {},
    async () => {},
    async function* () {},
  ]
  for (const name of Reflect.ownKeys(globalThis)) left.push(Reflect.getOwnPropertyDescriptor(globalThis, name)?.value)
  seen.add(globalThis)
  while (left.length > 0) {
    const each = left.pop()
    if ((typeof each !== 'object' && typeof each !== 'function') || each === null || seen.has(each)) continue
    seen.add(each)
    Object.freeze(each)
    left.push(Object.getPrototypeOf(each))
    for (const key of Reflect.ownKeys(each)) {
      const { value, get, set } = Reflect.getOwnPropertyDescriptor(each, key) ?? {}
      left.push(value, get, set)
    }
  }
}

/** Globals that {@link runInRealm} names: it is given them as they are before anything else runs in the realm. */
export const REALM_GLOBALS = [
  'Array',
  'ArrayBuffer',
  'BigInt',
  'Error',
  'Map',
  'Object',
  'RangeError',
  'Set',
  'Symbol',
  'TypeError',
  'Uint32Array',
  'Uint8Array',
  'WeakMap',
  'WebAssembly',
]

/**
 * Runs a component to its end. Its text is evaluated in the realm, so that it refers to nothing outside itself; whatever it makes is the
 * realm's own.
 */
export function runInRealm(bridge: Bridge, makeInstantiate: (textDecoder: unknown, textEncoder: unknown) => Instantiate): RealmOutcome {
  const references = new WeakMap<object, { readonly resource: string; readonly number: number }>()
  const prototypes: Record<string, object> = {}
  const instances: WebAssembly.Instance[] = []
  const names = new Map<WebAssembly.Module, string>()
  const dispose = Symbol.dispose || Symbol.for('dispose')

  const fuel = bridge.fuel === null ? null : new WebAssembly.Global<bigint>({ value: 'i64', mutable: true }, bridge.fuel)
  /** Bytes that cross in the present call. */
  let moved = 0

  /** As `sandbox/fuel-tank` has it: what a call of the host costs, and its bytes. Throws what ends the component. */
  function charge(amount: number): void {
    const whole = amount + (moved - (moved % 64)) / 64
    moved = 0
    if (fuel === null) return
    fuel.value -= BigInt(whole)
    if (fuel.value < 0n) throw new Error('out of fuel')
  }

  function inward(value: unknown): unknown {
    moved += 8
    if (typeof value !== 'object' || value === null) return value
    // The glue copies a list of numbers as the bytes of an array of their type.
    if (ArrayBuffer.isView(value)) moved += value.byteLength
    if (ArrayBuffer.isView(value))
      return (value as Uint32Array).BYTES_PER_ELEMENT === 4 ? new Uint32Array(value as Uint32Array) : new Uint8Array(value as Uint8Array)
    if (Array.isArray(value)) {
      const copy: unknown[] = []
      for (let place = 0; place < value.length; place++) copy[place] = inward(value[place])
      return copy
    }
    const fields = value as Record<string, unknown>
    if (typeof fields.resource === 'string' && typeof fields.number === 'number') {
      const object = Object.create(prototypes[fields.resource] ?? null)
      references.set(object, { resource: fields.resource, number: fields.number })
      return object
    }
    const copy: Record<string, unknown> = {}
    for (const name in fields) copy[name] = inward(fields[name])
    return copy
  }

  function outward(value: unknown, depth: number): unknown {
    if (typeof value === 'function' || typeof value === 'symbol' || depth > 4) throw new TypeError('no value of WASI')
    moved += 8
    if (typeof value !== 'object' || value === null) return value
    if (ArrayBuffer.isView(value)) {
      const copy = new Uint8Array(value as Uint8Array)
      moved += copy.byteLength
      return copy
    }
    const reference = references.get(value)
    if (reference !== undefined) return reference
    if (Array.isArray(value)) {
      // Not by a `map` of its own.
      const list: unknown[] = []
      for (let place = 0; place < value.length; place++) list[place] = outward(value[place], depth + 1)
      return list
    }
    const fields = value as Record<string, unknown>
    const copy: Record<string, unknown> = {}
    // What the glue makes of a handle that names nothing has no reference, and nothing of its own either.
    for (const name of Object.keys(fields)) copy[name] = outward(fields[name], depth + 1)
    return copy
  }

  function result(answer: Answer): unknown {
    if ('ended' in answer) throw new Error(answer.ended)
    const value = inward('ok' in answer ? answer.ok : answer.err)
    charge(0)
    if ('ok' in answer) return value
    // As the glue wants it: an error for the guest is thrown with a `payload`, what has none ends it.
    throw Object.assign(new Error('error'), { payload: value })
  }

  /** A call of the host's, with a copy of what it is given. */
  function ask(given: unknown, answer: (copied: unknown) => Answer): unknown {
    const copied = outward(given, 0)
    charge(100)
    return result(guarded(() => answer(copied)))
  }

  /** Nothing that the other realm throws comes in, an overflow of the stack neither. */
  function guarded<Given>(ask: () => Given): Given {
    try {
      return ask()
    } catch {
      throw new RangeError('call stack exhausted')
    }
  }

  const imports: Record<string, Record<string, unknown>> = {}
  for (const interfaceName of Object.keys(bridge.names)) {
    const { functions = [], resources = {} } = bridge.names[interfaceName] ?? {}
    const made: Record<string, unknown> = {}
    for (const name of functions as readonly string[])
      made[`${name}`] = (...args: unknown[]) => ask(args, (copied) => bridge.call(interfaceName, name, copied as unknown[]))
    for (const resource of Object.keys(resources)) {
      // Never made by the guest: what it has of one came from `inward`.
      const Resource = class {}
      const prototype = Resource.prototype as unknown as Record<string | symbol, unknown>
      for (const name of (resources as ResourceNames)[resource] ?? [])
        prototype[`${name}`] = function (this: unknown, ...args: unknown[]) {
          return ask([this, ...args], (copied) => bridge.call(interfaceName, `${resource}.${name}`, copied as unknown[]))
        }
      prototype[dispose] = function (this: unknown) {
        ask(this, (copied) => bridge.drop(copied))
      }
      prototypes[`${resource}`] = Resource.prototype
      made[`${resource}`] = Resource
    }
    imports[`${interfaceName}`] = made
  }

  class Decoder {
    decode(bytes: Uint8Array): string {
      moved += bytes.byteLength
      charge(0)
      const text = guarded(() => bridge.decode(bytes))
      // Canonical ABI, "load_string_from_range": a string that is not UTF-8 is a trap.
      if (text === null) throw new TypeError('a string that is not UTF-8')
      return text
    }
  }
  class Encoder {
    encode(text: string): Uint8Array {
      const plain = `${text}`
      const bytes = new Uint8Array(guarded(() => bridge.encode(plain)))
      moved += bytes.byteLength
      charge(0)
      return bytes
    }
  }

  const getCoreModule = (name: string): WebAssembly.Module => {
    const module = new WebAssembly.Module(new Uint8Array(bridge.modules[name] as Uint8Array<ArrayBuffer>))
    names.set(module, `${name}`)
    return module
  }
  const instantiateCore = (module: WebAssembly.Module, given?: ImportObject): WebAssembly.Instance => {
    const name = names.get(module) ?? ''
    if (!guarded(() => bridge.mayInstantiate(name))) throw new RangeError('more instances than its limits of memory and tables allow')
    const instance = new WebAssembly.Instance(module, withFuel(given, bridge.fuelImports[name]))
    instances.push(instance)
    return instance
  }

  function withFuel(given: ImportObject | undefined, module: string | null | undefined): ImportObject | undefined {
    if (fuel === null || typeof module !== 'string') return given
    const imports: Record<string, Readonly<Record<string, unknown>>> = Object.create(null)
    for (const name of Object.keys(given || {})) imports[name] = (given as ImportObject)[name] as Readonly<Record<string, unknown>>
    imports[module] = { fuel }
    return imports
  }

  function outcome(exitCode: number | null, message: string): RealmOutcome {
    const memories = new Set<WebAssembly.Memory>()
    const tables = new Set<WebAssembly.Table>()
    for (const { exports } of instances)
      for (const each of Object.values(exports)) {
        if (each instanceof WebAssembly.Memory) memories.add(each)
        else if (each instanceof WebAssembly.Table) tables.add(each)
      }
    let [memoryBytes, tableElements] = [0, 0]
    for (const { buffer } of memories) memoryBytes += buffer.byteLength
    for (const { length } of tables) tableElements += length
    return { exitCode, message, memoryBytes, tableElements, fuelLeft: fuel === null ? null : fuel.value }
  }

  try {
    const exports = makeInstantiate(Decoder, Encoder)(getCoreModule, imports, instantiateCore)
    const name = Object.keys(exports).find((each) => each.startsWith('wasi:cli/run@'))
    const { run } = exports[name ?? 'run'] as { run: () => void }
    run()
    return outcome(0, '')
  } catch (error) {
    // The error of the result that `run` returns.
    if (error instanceof Error && Object.hasOwn(error, 'payload')) return outcome(1, '')
    return outcome(null, error instanceof Error ? `${error.message}` : 'it threw something')
  }
}
