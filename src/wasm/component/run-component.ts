import { createContext, runInContext, Script } from 'node:vm'
import { EngineError, messageOf } from '../../errors.js'
import { WASM_PAGE_BYTES } from '../module.js'
import { GuestExit } from '../preview1/host.js'
import type { HostAnswer } from '../recording/component-record.js'
import type { ComponentWitness } from '../recording/component-recorder.js'
import {
  type Answer,
  type Bridge,
  freezeRealm,
  type Instantiate,
  type InterfaceNames,
  REALM_GLOBALS,
  type RealmOutcome,
  runInRealm,
} from './realm.js'
import { ResourceTable } from './resources.js'
import { Failure } from './trap.js'
import { type ComponentWorld, type WasiInterface, wasiInterfaces } from './wasi.js'

/** A component that is ready to be instantiated. */
export interface ComponentParts {
  /** What jco has made of it: JavaScript with one function, `instantiate`. */
  readonly glue: string
  readonly modules: readonly CoreModule[]
  readonly limits: { readonly memoryPages: number; readonly tableElements: number }
  /** What all instances together may spend; null for what is not counted. */
  readonly fuel: number | null
}

/** A core module of a component, bounded. */
export interface CoreModule {
  /** The glue's. */
  readonly name: string
  readonly bytes: Uint8Array
  /** The most that each instance of it can have of its own. */
  readonly memoryPages: number
  readonly tableElements: number
  /** From where it imports its fuel; null where it has none. */
  readonly fuelImport: string | null
}

/** How a component came to its end. */
export type ComponentOutcome = (
  | { readonly kind: 'exit'; readonly exitCode: number }
  | {
      readonly kind: 'trap'
      readonly message: string
      readonly memoryPages: number
      readonly tableElements: number
      /** What a function of the host's threw, where that has ended it. */
      readonly cause?: unknown
    }
) & {
  /** Below zero when it was too little; not there where it is not counted. */
  readonly fuelLeft?: number
}

/** Instances of core modules, which cost memory of the engine's own. A component of ten composed ones has a hundred. */
const MAXIMUM_INSTANCES = 1000
/** What the glue begins with, in jco's mode of instantiation `sync`. */
const GLUE_START = 'export function instantiate('

/** Around what runs in a thread: who may want to end it must know which of the two that is. */
export interface ThreadGuard {
  /** Runs what is the component's: it can be ended anywhere. */
  guest<Result>(run: () => Result): Result
  /** Runs a function of the host's, which the component has called. */
  host<Result>(call: () => Result): Result
}

const UNGUARDED: ThreadGuard = { guest: (run) => run(), host: (call) => call() }

/** Who else is there while a component runs. */
export interface Bystanders {
  readonly guard?: ThreadGuard
  /** Of a run that is recorded, or replayed. */
  readonly witness?: ComponentWitness | null
}

/** Runs a component to its end, in a realm of its own in this thread. Throws what `guard` throws outside of calls of the host's. */
export function runComponent(
  parts: ComponentParts,
  world: ComponentWorld,
  { guard = UNGUARDED, witness = null }: Bystanders = {},
): ComponentOutcome {
  const resources = new ResourceTable()
  const interfaces = wasiInterfaces({ ...world, resources })
  let exit: GuestExit | null = null
  let ended: string | null = null
  let cause: unknown

  function perform(call: () => unknown): HostAnswer {
    try {
      return { ok: guard.host(call) }
    } catch (error) {
      if (error instanceof Failure) return { err: error.payload }
      return error instanceof GuestExit ? { exit: error.exitCode } : { trap: messageOf(error), cause: error }
    }
  }

  function witnessed(name: string, args: readonly unknown[], call: () => unknown): HostAnswer {
    if (witness === null) return perform(call)
    try {
      return witness.around(name, args, () => perform(call))
    } catch (error) {
      return { trap: messageOf(error), cause: error }
    }
  }

  function answer(name: string, args: readonly unknown[], call: () => unknown): Answer {
    // A guest with exception handling can catch what has ended it; no call serves it after that.
    if (ended !== null) return { ended }
    const given = witnessed(name, args, call)
    if ('ok' in given || 'err' in given) return given
    if ('exit' in given) exit = new GuestExit(given.exit)
    else cause = given.cause
    ended = 'exit' in given ? 'exit' : given.trap
    return { ended }
  }

  const bridge: Bridge = {
    names: namesOf(interfaces),
    call(interfaceName, functionName, args) {
      const given = args.map(outside)
      return answer(`${interfaceName} ${functionName}`, given, () => functionOf(interfaces, interfaceName, functionName)(...given))
    },
    drop: (resource) => answer('drop', [resource], () => resources.drop(resource)),
    decode: decodeUtf8,
    encode: (text) => ENCODER.encode(text),
    modules: Object.fromEntries(parts.modules.map(({ name, bytes }) => [name, bytes])),
    mayInstantiate: instanceCounter(parts),
    fuel: parts.fuel === null ? null : BigInt(parts.fuel),
    fuelImports: Object.fromEntries(parts.modules.map(({ name, fuelImport }) => [name, fuelImport])),
  }
  const outcome = enterRealm(parts.glue, bridge, guard)
  const gone = exit as GuestExit | null
  const spent = outcome.fuelLeft === null ? {} : { fuelLeft: Number(outcome.fuelLeft) }
  if (gone !== null) return { kind: 'exit', exitCode: gone.exitCode, ...spent }
  if (outcome.exitCode !== null && ended === null) return { kind: 'exit', exitCode: outcome.exitCode, ...spent }
  return {
    ...spent,
    kind: 'trap',
    message: /call stack/.test(outcome.message) ? 'call stack exhausted' : outcome.message || (ended ?? 'it ended'),
    memoryPages: outcome.memoryBytes / WASM_PAGE_BYTES,
    tableElements: outcome.tableElements,
    ...(cause === undefined ? {} : { cause }),
  }
}

/** Evaluates the glue where nothing of Node's is, and code cannot be made of strings. */
function enterRealm(glue: string, bridge: Bridge, guard: ThreadGuard): RealmOutcome {
  if (!glue.startsWith(GLUE_START) || /\bimport\s*[(.]/.test(glue))
    throw new EngineError('INTERNAL', 'a component was transpiled to other JavaScript')
  const context = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: true }, microtaskMode: 'afterEvaluate' })
  const source = `(function (TextDecoder, TextEncoder) { 'use strict'; ${glue.slice('export '.length)}\nreturn instantiate })`
  const makeInstantiate = new Script(source, { filename: 'component.js' }).runInContext(context) as () => Instantiate
  const globals = REALM_GLOBALS.join(', ')
  const realm = `'use strict'; (${freezeRealm})(); ((${globals}) => ${runInRealm})(${globals})`
  const enter = runInContext(realm, context) as typeof runInRealm
  const { exitCode, message, memoryBytes, tableElements, fuelLeft } = guard.guest(() => enter(bridge, makeInstantiate))
  return { exitCode, message, memoryBytes, tableElements, fuelLeft }
}

function namesOf(interfaces: Readonly<Record<string, WasiInterface>>): InterfaceNames {
  return Object.fromEntries(
    Object.entries(interfaces).map(([name, members]) => {
      const functions = Object.keys(members).filter((member) => typeof members[member] === 'function')
      const resources = Object.entries(members).flatMap(([member, methods]) =>
        typeof methods === 'function' ? [] : [[member, Object.keys(methods)] as const],
      )
      return [name, { functions, resources: Object.fromEntries(resources) }]
    }),
  )
}

function functionOf(interfaces: Readonly<Record<string, WasiInterface>>, interfaceName: string, functionName: string) {
  const [first = '', method] = functionName.split('.')
  const member = interfaces[interfaceName]?.[first]
  const call = method === undefined ? member : typeof member === 'object' ? member[method] : undefined
  if (typeof call !== 'function') throw new EngineError('INTERNAL', `no function ${functionName} of ${interfaceName}`)
  return call
}

/** An array of bytes of the other realm's as one of this, where `instanceof` knows it; what is not one stays as it is. */
function outside(value: unknown): unknown {
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength) : value
}

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return DECODER.decode(bytes)
  } catch {
    return null
  }
}

/** Counts what the instances of a component may take together. */
function instanceCounter({ modules, limits }: ComponentParts): (name: string) => boolean {
  let [instances, memoryPages, tableElements] = [0, 0, 0]
  return (name) => {
    const module = modules.find((each) => each.name === name)
    if (module === undefined) return false
    instances++
    memoryPages += module.memoryPages
    tableElements += module.tableElements
    return instances <= MAXIMUM_INSTANCES && memoryPages <= limits.memoryPages && tableElements <= limits.tableElements
  }
}
