import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { EngineError, messageOf } from '../../errors.js'
import type { WasmEvidence } from '../../runtime/receipt.js'
import type { WasiEngine } from '../../runtime/spec.js'
import { type FuelExports, instrument } from '../instrument/instrument.js'
import { reveal, type StateExports } from '../instrument/reveal.js'
import { instrumentLinked } from '../instrument/shared-fuel.js'
import { type PreparedModule, prepareModule } from '../module.js'
import type { ModuleLimits, SharedMemoryLimits } from '../module-bounds.js'
import { SPAWN_FIELD, SPAWN_MODULE, THREAD_START } from '../thread-names.js'

/** A program that is ready to be instantiated, and what the receipt says of it. */
export interface CompiledModule {
  readonly module: WebAssembly.Module
  /** What it exports besides its own; null where it has no fuel. */
  readonly fuel: FuelExports | null
  /** By what names its state can be reached; null where nobody has asked for them. */
  readonly state: StateExports | null
  readonly evidence: Omit<WasmEvidence, 'preopens' | 'environment'>
  /** How many threads it may have, and the memory that they share; null for a program that has one and a memory of its own. */
  readonly threads: { readonly maximum: number; readonly memory: SharedMemoryLimits } | null
}

/** What modules are compiled for. */
export interface ModuleUse {
  /** Whether each must be a program, with a `_start`. */
  readonly isProgram: boolean
  /** What they may import besides preview1, as `module.name`. */
  readonly provided: ReadonlySet<string>
  /** What is put into each; nothing unless said. */
  readonly instrumentation?: ModuleInstrumentation
}

/** What can be put into a module. */
export interface ModuleInstrumentation {
  readonly fuel: boolean
  readonly canonicalNan: boolean
  /** Whether its state is to be reached, for a snapshot. */
  readonly state?: boolean
}

/** What bounds the modules. */
export interface CompilerLimits extends ModuleLimits {
  /** Of a program, its first one included. */
  readonly threads: number
}

/** A core module of a component, as it came. */
export interface LinkedSource {
  readonly name: string
  readonly bytes: Uint8Array
  /** How many instances of it the component has. */
  readonly instances: number
}

/** The same, bounded and compiled. */
export interface LinkedModule {
  readonly name: string
  readonly instances: number
  readonly module: WebAssembly.Module
  readonly prepared: PreparedModule
  /** From where it imports its fuel; null where it has none. */
  readonly fuelImport: string | null
  readonly instrumented: readonly string[]
}

const LINKED = { isProgram: false, provided: new Set<string>(), isLinked: true }
const PROGRAM: ModuleUse = { isProgram: true, provided: new Set() }

type Compiler = PreparedModule['compiler']

/** From Node 24 on the optimising compiler inlines by what the baseline compiler has counted, and dies where there is none. */
const UNCOUNTED = Number.parseInt(process.versions.node, 10) < 24 ? [] : ['--no-wasm-inlining', '--no-wasm-inlining-call-indirect']
/** From what V8 does by itself. */
const FIRST_FLAGS = { baseline: ['--liftoff-only'], both: [], optimizing: ['--no-liftoff', ...UNCOUNTED] } as const
const LATER_FLAGS = { baseline: ['--liftoff', '--liftoff-only'], both: ['--liftoff'], optimizing: [] } as const
/** The safer for a module whose functions are costly, the later. */
const CAUTION: readonly Compiler[] = ['optimizing', 'both', 'baseline']
/** Programs that are kept compiled. */
export const KEPT_COMPILED = 8

/**
 * Bounds and compiles modules, one after the other. V8's flags are the whole process's, and it compiles functions of a module when they are
 * first called: so what one module must be spared, all are spared from then on.
 */
export class ModuleCompiler {
  readonly #limits: CompilerLimits
  readonly #use: ModuleUse
  readonly #engine: WasiEngine
  readonly #compiled = new Map<string, CompiledModule>()
  #compiler: Compiler | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(limits: CompilerLimits, use: ModuleUse = PROGRAM, engine: WasiEngine = 'wolffia') {
    this.#limits = limits
    this.#use = use
    this.#engine = engine
  }

  /**
   * `beforeFlags` is waited for before V8's flags change, if they do. Rejects with COMMAND_NOT_EXECUTABLE for what is no program of
   * preview1, LIMIT_EXCEEDED for what is too large.
   */
  compile(bytes: Uint8Array, beforeFlags: Promise<unknown> = Promise.resolve()): Promise<CompiledModule> {
    const compiled = this.#last.then(() => this.#compileNext(bytes, beforeFlags))
    this.#last = compiled.catch(() => {})
    return compiled
  }

  async #compileNext(bytes: Uint8Array, beforeFlags: Promise<unknown>): Promise<CompiledModule> {
    const moduleDigest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as const
    const known = this.#compiled.get(moduleDigest)
    if (known !== undefined) return known
    const { fuel, state, prepared, instrumented } = this.#prepare(bytes)
    await this.#setFlags(prepared.compiler, beforeFlags)
    const { imports, memoryPagesMaximum, tableElementsMaximum, sharedMemory } = prepared
    const module = await compiledModule(prepared.bytes, instrumented)
    if (this.#use.isProgram) assertProgram(module, imports)
    if (sharedMemory !== null) assertThreads(this.#engine)
    const engine = `v8, ${WASI_ENGINES[this.#engine]}`
    const threads = sharedMemory === null ? null : { maximum: imports.includes(SPAWN) ? this.#limits.threads : 1, memory: sharedMemory }
    const threadsMaximum = threads?.maximum ?? 1
    const evidence = {
      engine,
      v8: process.versions.v8,
      moduleDigest,
      imports,
      memoryPagesMaximum,
      tableElementsMaximum,
      threadsMaximum,
      ...(instrumented.length === 0 ? {} : { instrumented }),
    }
    const compiled = { module, fuel, state, evidence, threads }
    this.#compiled.set(moduleDigest, compiled)
    for (const oldest of this.#compiled.keys()) if (this.#compiled.size > KEPT_COMPILED) this.#compiled.delete(oldest)
    return compiled
  }

  /** What is put into it costs the compilers as well, so both are judged: as it came, and as it is compiled. */
  #prepare(bytes: Uint8Array): {
    readonly fuel: FuelExports | null
    readonly state: StateExports | null
    readonly prepared: PreparedModule
    readonly instrumented: readonly string[]
  } {
    const { instrumentation = { fuel: false, canonicalNan: false } } = this.#use
    const prepared = prepareModule(bytes, this.#limits, this.#use)
    const counts = instrumentedFor(instrumentation)
    const instrumented = [...counts, ...(instrumentation.state === true ? ['snapshot'] : [])]
    if (instrumented.length === 0) return { fuel: null, state: null, prepared, instrumented }
    const { bytes: revealed, state } = instrumentation.state === true ? reveal(bytes) : { bytes, state: null }
    const { bytes: rewritten, fuel } = counts.length === 0 ? { bytes: revealed, fuel: null } : instrument(revealed, instrumentation)
    return { fuel, state, prepared: prepareModule(rewritten, this.#limits, this.#use), instrumented }
  }

  /**
   * Compiles the core modules of a component, whose limits are those of all their instances together: each has what it begins with, and what
   * is left goes to the first. Rejects as {@link compile} does.
   */
  compileLinked(modules: readonly LinkedSource[], beforeFlags: Promise<unknown>): Promise<readonly LinkedModule[]> {
    const compiled = this.#last.then(() => this.#compileLinked(modules, beforeFlags))
    this.#last = compiled.catch(() => {})
    return compiled
  }

  async #compileLinked(modules: readonly LinkedSource[], beforeFlags: Promise<unknown>): Promise<readonly LinkedModule[]> {
    const { instrumentation = { fuel: false, canonicalNan: false } } = this.#use
    const instrumented = instrumentedFor(instrumentation)
    const sources = modules.map((each) => {
      const { bytes, fuelImport } =
        instrumented.length === 0 ? { bytes: each.bytes, fuelImport: null } : instrumentLinked(each.bytes, instrumentation)
      // What is put into it costs the compilers as well, so both are judged.
      const least = prepareModule(each.bytes, this.#limits, LINKED).minimum
      return { ...each, bytes, fuelImport, least }
    })
    const sum = (count: (limits: ModuleLimits) => number) =>
      sources.reduce((total, { least, instances }) => total + count(least) * instances, 0)
    const left = {
      memoryPages: this.#limits.memoryPages - sum(({ memoryPages }) => memoryPages),
      tableElements: this.#limits.tableElements - sum(({ tableElements }) => tableElements),
    }
    if (left.memoryPages < 0 || left.tableElements < 0)
      throw new EngineError('LIMIT_EXCEEDED', 'the modules of the component start with more memory or tables than its limits', {
        hint: 'Raise --memory.',
      })
    const compiled: LinkedModule[] = []
    for (const { name, bytes, instances, least, fuelImport } of sources) {
      const limits = {
        memoryPages: least.memoryPages + Math.floor(left.memoryPages / instances),
        tableElements: least.tableElements + Math.floor(left.tableElements / instances),
      }
      const prepared = prepareModule(bytes, limits, LINKED)
      left.memoryPages -= (prepared.memoryPagesMaximum - least.memoryPages) * instances
      left.tableElements -= (prepared.tableElementsMaximum - least.tableElements) * instances
      await this.#setFlags(prepared.compiler, beforeFlags)
      const module = await compiledModule(prepared.bytes, instrumented)
      compiled.push({ name, instances, module, prepared, fuelImport, instrumented })
    }
    return compiled
  }

  async #setFlags(compiler: Compiler, beforeFlags: Promise<unknown>): Promise<void> {
    const flags = this.#flagsFor(compiler)
    if (flags.length > 0) await beforeFlags
    for (const flag of flags) setFlagsFromString(flag)
  }

  #flagsFor(wanted: Compiler): readonly string[] {
    const before = this.#compiler
    if (before === null) {
      this.#compiler = wanted
      return FIRST_FLAGS[wanted]
    }
    if (CAUTION.indexOf(wanted) <= CAUTION.indexOf(before)) return []
    this.#compiler = wanted
    return LATER_FLAGS[wanted]
  }
}

/** What a receipt calls what code is given for these. */
function instrumentedFor({ fuel, canonicalNan }: ModuleInstrumentation): readonly string[] {
  return [...(fuel ? ['fuel'] : []), ...(canonicalNan ? ['canonical-nan'] : [])]
}

/** What something was put into had been found valid before. */
async function compiledModule(bytes: Uint8Array, instrumented: readonly string[]): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes)
  } catch (cause) {
    if (instrumented.length > 0)
      throw new EngineError('COMMAND_NOT_EXECUTABLE', `V8 does not take the module with ${instrumented.join(', ')}: ${messageOf(cause)}`, {
        cause,
        hint: `Split its largest functions, or run it without ${instrumented.join(', ')}.`,
      })
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `the program is not a valid WebAssembly module: ${messageOf(cause)}`, { cause })
  }
}

/** By its engine: what a receipt calls it, and how many programs of the official suite of preview1 it passes (`test/wasm/wasi-testsuite`). */
export const WASI_ENGINES: Readonly<Record<WasiEngine, string>> = {
  wolffia: 'wolffia preview1 (72 of 72 official tests)',
  wasmer: '@wasmer/wasi 0.12.0 (43 of 72 official tests)',
}

function assertThreads(engine: WasiEngine): void {
  if (engine === 'wolffia') return
  throw new EngineError('NOT_BUILT', `--wasi-engine ${engine}: the module shares its memory with threads, and that engine has none`, {
    hint: 'Leave --wasi-engine out.',
  })
}

const SPAWN = `${SPAWN_MODULE}.${SPAWN_FIELD}`

function assertProgram(module: WebAssembly.Module, imports: readonly string[]): void {
  const exports = WebAssembly.Module.exports(module)
  const isFunction = (wanted: string) => exports.some(({ name, kind }) => name === wanted && kind === 'function')
  if (imports.includes(SPAWN) && !isFunction(THREAD_START))
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `the module asks for threads (${SPAWN}) and exports no ${THREAD_START} for them to run`)
  if (!isFunction('_start'))
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module exports no _start: it is a library, not a program', {
      hint: 'Build it as a WASI command, or load it as a plugin (Plugin.load) and call its functions.',
    })
}
