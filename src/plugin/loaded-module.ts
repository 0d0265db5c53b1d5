import { EngineError } from '../errors.js'
import { didYouMean } from '../reference/nearest.js'
import type { ExitStatus } from '../runtime/exit.js'
import { assertLimits } from '../runtime/limits.js'
import { isComponent } from '../wasm/component/component-binary.js'
import { WASM_LIMIT_WAYS } from '../wasm/limit-ways.js'
import { parseSessionEvent } from '../wasm/session-event.js'
import { assertAsyncified } from './asyncify.js'
import { type CallRequest, decodeNumbers, encodeNumbers, FRAME, VERB } from './call-protocol.js'
import type { ChannelCall } from './channel.js'
import { decodeText, HostFunctions } from './host-functions.js'
import { assertNumbers } from './numbers.js'
import { type CallInput, type CallOptions, PLUGIN_LIMITS, type PluginOptions, type PluginRun, type RunOptions } from './options.js'
import { type Placed, Pool } from './pool.js'
import type { SnapshotStart } from './sandbox/plugin-start.js'
import { PluginSandbox } from './sandbox.js'
import { type ModuleFunctions, moduleFunctions, NO_FUNCTIONS, type Signature, signatureText, takesBytes } from './signatures.js'
import type { ModuleSource } from './source.js'

/** Functions of a module that are the convention's and not for calling. */
export const CONVENTION: ReadonlySet<string> = new Set(['_initialize', '_start', 'allocate', 'free'])
/** Of all inputs of a batch: what a frame can hold. */
const MAXIMUM_BATCH_BYTES = 1024 ** 3
/** What a rewritten module has besides its own bytes and its memory: a head for each piece of that. */
const SNAPSHOT_OVERHEAD = 4 * 2 ** 20
const NO_BYTES = new Uint8Array()

/** How many calls of a plugin run, wait, and keep something. */
export interface PluginBounds {
  readonly threads: number
  readonly queue: number
  readonly instancesPerThread: number
}

/** What has the fuel that is left among its results. */
const FUELED: ReadonlySet<number> = new Set([VERB.bytes, VERB.numbers, VERB.run])
const NO_FUNCTION = { keeps: false, instance: 0, function: 0 } as const

/** What else there is to say about a call. */
interface Performing {
  readonly write?: ChannelCall['write']
  readonly outputBytes?: number
  readonly placed?: Placed | null
  /** It is made however many wait. */
  readonly isExempt?: boolean
}

/** A module in its sandbox: what its functions are called with, and what comes back, is judged here. */
export class LoadedModule {
  readonly functions: ModuleFunctions
  readonly pool: Pool
  readonly #hostFunctions: HostFunctions
  readonly #limits: { readonly memoryBytes: number; readonly outputBytes: number; readonly timeoutMs: number; readonly fuel?: number }
  readonly #isComponent: boolean
  readonly #keeps: boolean
  readonly #hasSnapshot: boolean
  /** Its program runs already, with the arguments that it was begun with. */
  readonly #isBegun: boolean
  readonly #moduleBytes: number
  readonly #args: readonly string[]
  readonly #places: ReadonlyMap<string, number>

  private constructor(source: ModuleSource, options: PluginOptions, { threads, queue, instancesPerThread }: PluginBounds) {
    const { spec, module, layers, objects } = source
    const { nativeWall = 'auto', hostFunctions = {}, instances = 'fresh' } = options
    assertLimits(spec.limits, 'wasm', WASM_LIMIT_WAYS)
    this.#isComponent = isComponent(module)
    if (this.#isComponent && (options.snapshot ?? false) !== false) throw unbuilt('a snapshot')
    this.functions = this.#isComponent ? NO_FUNCTIONS : moduleFunctions(module)
    this.#hostFunctions = new HostFunctions(hostFunctions, this.functions)
    this.#limits = { ...PLUGIN_LIMITS, ...spec.limits }
    this.#keeps = instances === 'kept'
    this.#args = spec.process.args
    this.#places = new Map([...this.functions.exports.keys()].map((name, place) => [name, place]))
    const { outputBytes, timeoutMs } = this.#limits
    const snapshot = snapshotStart(options, this.functions, { timeoutMs, args: spec.process.args })
    const request = {
      spec,
      objects,
      layers,
      module,
      hostFunctions: this.#hostFunctions.summaries,
      outputBytes,
      threads,
      snapshot,
      nativeWall,
    }
    this.#hasSnapshot = snapshot !== null
    this.#isBegun = snapshot !== null && snapshot.program !== null
    this.#moduleBytes = module.length
    this.pool = new Pool({ start: () => PluginSandbox.start(request), queue, timeoutMs, instancesPerThread })
  }

  static async load(source: ModuleSource, options: PluginOptions, bounds: PluginBounds): Promise<LoadedModule> {
    const loaded = new LoadedModule(source, options, bounds)
    const { signal } = options
    try {
      signal?.throwIfAborted()
      const abort = () => void loaded.pool.close()
      signal?.addEventListener('abort', abort, { once: true })
      await loaded.pool.sandbox().finally(() => signal?.removeEventListener('abort', abort))
      signal?.throwIfAborted()
      return loaded
    } catch (error) {
      await loaded.pool.close()
      if (signal?.aborted) throw new EngineError('ABORTED', 'the plugin was not loaded to the end', { cause: signal.reason })
      throw error
    }
  }

  /** Calls a function once for each input, in the instance that is `placed`, or in any. */
  async call(name: string, inputs: readonly CallInput[], options: CallOptions, placed: Placed | null = null): Promise<unknown[]> {
    if (this.#isComponent) throw unbuilt(`a call of ${name}`)
    const signature = this.functions.exports.get(name)
    const place = this.#places.get(name)
    if (signature === undefined || place === undefined) throw this.#notFound(name)
    const encoded = inputs.map((input) => this.#encode(name, signature, input))
    const bytes = encoded.reduce((sum, input) => sum + input.length, 0)
    if (bytes > MAXIMUM_BATCH_BYTES)
      throw new EngineError('LIMIT_EXCEEDED', `${name} is called with ${bytes} bytes at once, and ${MAXIMUM_BATCH_BYTES} is the most`, {
        hint: 'Make several batches of it.',
        data: { length: bytes, limit: MAXIMUM_BATCH_BYTES },
      })
    const verb = inputs.some(isNumbers) ? VERB.numbers : VERB.bytes
    if (verb === VERB.numbers && !inputs.every(isNumbers))
      throw new EngineError('INVALID_ARGUMENT', `a batch of ${name} has numbers among texts or bytes`, { hint: 'Make two batches of it.' })
    const keeps = this.#keeps || placed !== null
    const request = { verb, keeps, instance: placed?.number ?? 0, function: place, inputs: encoded }
    const results = [...(await this.#perform(request, options, { placed }))]
    if (this.#limits.fuel !== undefined) {
      const left = fuelOf(results.pop())
      options.onFuel?.(left)
    }
    return results.map((result, index) => decode(name, signature, inputs[index] ?? '', result, inputs.length === 1))
  }

  async run(args: readonly string[] | undefined, options: RunOptions): Promise<PluginRun> {
    if (!this.#isComponent && !this.functions.exports.has('_start'))
      throw new EngineError('FUNCTION_NOT_FOUND', 'the module exports no _start: it is a library, and not a program that can be run', {
        hint: `Call one of its functions: ${this.#named()}`,
      })
    if (this.#isBegun && args !== undefined)
      throw new EngineError('INVALID_ARGUMENT', 'the program has been begun with its arguments already, by `snapshot.until`', {
        hint: 'Give what differs in its stdin, or arguments as snapshot.args.',
      })
    const words = args === undefined ? this.#args : [this.#args[0] ?? 'plugin', ...args]
    const { stdin = '' } = options
    const inputs = [Buffer.from(JSON.stringify(words)), typeof stdin === 'string' ? Buffer.from(stdin) : stdin]
    const written: Readonly<Record<number, Buffer[]>> = { [FRAME.stdout]: [], [FRAME.stderr]: [] }
    const output = () => ({ stdout: Buffer.concat(written[FRAME.stdout] ?? []), stderr: Buffer.concat(written[FRAME.stderr] ?? []) })
    const started = performance.now()
    try {
      const request = { ...NO_FUNCTION, verb: VERB.run, inputs }
      const [said] = await this.#perform(request, options, { write: (kind, bytes) => written[kind]?.push(bytes) })
      return { exit: exitOf(said), ...output() }
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'DEADLINE_EXCEEDED') throw error
      const { timeoutMs = this.#limits.timeoutMs } = options
      const durationMs = performance.now() - started
      return {
        exit: { exitCode: 137, signal: 'SIGKILL', reason: 'timeout', detail: `it ran for longer than ${timeoutMs} ms`, durationMs },
        ...output(),
      }
    }
  }

  async snapshotModule(options: CallOptions): Promise<Uint8Array> {
    if (!this.#hasSnapshot)
      throw new EngineError('INVALID_ARGUMENT', 'the plugin has no snapshot', { hint: 'Load it with `snapshot: true`, or with its init.' })
    const request = { ...NO_FUNCTION, verb: VERB.snapshot, inputs: [NO_BYTES] }
    const outputBytes = this.#moduleBytes + this.#limits.memoryBytes + SNAPSHOT_OVERHEAD
    const [module] = await this.#perform(request, options, { outputBytes })
    return ownBytes(module ?? NO_BYTES)
  }

  /** Makes an instance that is kept, in the thread that keeps the fewest. */
  async open(options: CallOptions): Promise<Placed> {
    if (this.#isComponent) throw unbuilt('an instance that is kept')
    const placed = await this.pool.place()
    try {
      await this.#perform({ ...NO_FUNCTION, verb: VERB.open, instance: placed.number, inputs: [] }, options, { placed })
      return placed
    } catch (error) {
      this.pool.leave(placed)
      throw error
    }
  }

  /** Lets go of it: also of one that is lost. */
  async release(placed: Placed): Promise<void> {
    try {
      const request = { ...NO_FUNCTION, verb: VERB.close, instance: placed.number, inputs: [] }
      await this.#perform(request, {}, { placed, isExempt: true })
    } catch (error) {
      // What there is no more is let go of.
      if (!(error instanceof EngineError)) throw error
    } finally {
      this.pool.leave(placed)
    }
  }

  /** Has it made, with this plugin's host functions. A host function's failure is the failure of its call. */
  async #perform(
    request: CallRequest,
    options: CallOptions,
    { write = () => {}, outputBytes = this.#limits.outputBytes, placed = null, isExempt = false }: Performing,
  ): Promise<readonly Buffer[]> {
    if (this.#hostFunctions.isAnswering)
      throw new EngineError('CONFLICT', 'a host function cannot call the plugin that waits for its answer', {
        hint: 'Answer first, or load the plugin once more for such calls.',
      })
    // Made when it is wanted: an abort takes longer than all else here.
    let over = null as AbortController | null
    let failure: unknown
    const ask = async (place: number, input: Buffer): Promise<Uint8Array> => {
      over ??= new AbortController()
      try {
        return await this.#hostFunctions.answer(place, input, { signal: over.signal, outputBytes })
      } catch (error) {
        failure ??= error
        throw error
      }
    }
    try {
      return await this.pool.perform(
        {
          request,
          outputBytes,
          countsFuel: this.#limits.fuel !== undefined && FUELED.has(request.verb),
          hostFunctions: this.#hostFunctions.summaries.length,
          ask,
          write,
        },
        options,
        { placed, isExempt },
      )
    } catch (error) {
      throw error instanceof EngineError && error.code === 'HOST_FUNCTION_FAILED' && failure !== undefined ? failure : error
    } finally {
      over?.abort()
    }
  }

  #encode(name: string, signature: Signature, input: CallInput): Uint8Array {
    if (isNumbers(input)) {
      assertNumbers(`what ${name} is called with`, signature.parameters, input)
      if (signature.results.includes('other')) throw unfit(name, signature)
      return encodeNumbers(signature.parameters, input)
    }
    if (!takesBytes(signature)) throw unfit(name, signature)
    const bytes = typeof input === 'string' ? Buffer.from(input) : input
    if (!(bytes instanceof Uint8Array))
      throw new EngineError('INVALID_ARGUMENT', `${name} is called with neither a string, bytes nor numbers`)
    const { memoryBytes } = this.#limits
    if (bytes.length > memoryBytes)
      throw new EngineError('LIMIT_EXCEEDED', `${name} is called with ${bytes.length} bytes, and its memory has ${memoryBytes} at most`, {
        data: { length: bytes.length, limit: memoryBytes },
      })
    return bytes
  }

  #notFound(name: string): EngineError {
    const names = [...this.#places.keys()].filter((each) => !CONVENTION.has(each))
    return new EngineError('FUNCTION_NOT_FOUND', `the plugin exports no function ${name}`, {
      hint: didYouMean(name, names) ?? `It exports: ${this.#named()}`,
      data: { function: name },
    })
  }

  #named(): string {
    return [...this.#places.keys()].filter((name) => !CONVENTION.has(name)).join(', ') || 'none'
  }
}

function isNumbers(input: CallInput): input is readonly (number | bigint)[] {
  return Array.isArray(input)
}

/** `isOnly`: the bytes lie beside no other result. */
function decode(name: string, { results }: Signature, input: CallInput, result: Buffer, isOnly: boolean): unknown {
  if (typeof input === 'string') return decodeText(result, `what ${name} answers`)
  if (!isNumbers(input)) return isOnly ? result : ownBytes(result)
  if (result.length !== 8 * results.length)
    throw new EngineError('SANDBOX_FAILED', `the sandbox of the plugin gives no numbers for ${name}`)
  const numbers = decodeNumbers(results, result)
  return results.length > 1 ? numbers : numbers[0]
}

/** What the sandbox says was left: a stranger's word, as above. */
function fuelOf(said: Buffer | undefined): number {
  const [left] = said?.length === 8 ? decodeNumbers(['f64'], said) : []
  if (typeof left === 'number' && Number.isSafeInteger(left) && left >= 0) return left
  throw new EngineError('SANDBOX_FAILED', 'the sandbox of the plugin does not say how much fuel is left')
}

/** What the sandbox says of a run's end. It is a stranger's word, should a guest have broken out. */
function exitOf(said: Buffer | undefined): ExitStatus {
  const event = parseSessionEvent(said?.toString('utf8') ?? '')
  if (event?.event !== 'exited') throw new EngineError('SANDBOX_FAILED', 'the sandbox of the plugin does not say how the run ended')
  const { event: _event, ...status } = event
  return status
}

function unfit(name: string, signature: Signature): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${name} has the type ${signatureText(signature)} and cannot be called like this`, {
    hint: takesBytes(signature)
      ? 'Give it a string or a Uint8Array.'
      : 'Text and bytes need (i32, i32) -> i64; give any other an array of numbers.',
    data: { function: name },
  })
}

function unbuilt(what: string): EngineError {
  return new EngineError('NOT_BUILT', `${what}: the plugin is a component, which is run and has no functions that can be called`, {
    hint: 'Use plugin.run, or build it as a core module for the target wasm32-wasip1.',
  })
}

/** What the sandbox is told. Throws FUNCTION_NOT_FOUND and INVALID_ARGUMENT for an initialisation that cannot be called. */
function snapshotStart(
  { snapshot = false }: PluginOptions,
  functions: ModuleFunctions,
  own: { readonly timeoutMs: number; readonly args: readonly string[] },
): SnapshotStart | null {
  if (snapshot === false) return null
  const { init = null, until, args, timeoutMs = own.timeoutMs } = snapshot === true ? {} : snapshot
  if (!(timeoutMs > 0)) throw new EngineError('INVALID_ARGUMENT', `snapshot.timeoutMs ${timeoutMs}: the limit must be a positive number`)
  if (until !== undefined) {
    if (until !== 'stdin') throw new EngineError('INVALID_ARGUMENT', `snapshot.until ${until}: only stdin can be waited for`)
    if (init !== null)
      throw new EngineError('INVALID_ARGUMENT', 'snapshot.init and snapshot.until: a program is begun, or a library initialised')
    assertAsyncified(functions)
    return { init, program: args === undefined ? own.args : [own.args[0] ?? 'plugin', ...args], timeoutMs }
  }
  if (args !== undefined)
    throw new EngineError('INVALID_ARGUMENT', 'snapshot.args are of the program that snapshot.until runs', { hint: "Add until: 'stdin'." })
  if (init === null) return { init, program: null, timeoutMs }
  const { exports } = functions
  const signature = exports.get(init)
  if (signature === undefined)
    throw new EngineError('FUNCTION_NOT_FOUND', `the module exports no function ${init}, which snapshot.init names`, {
      hint: didYouMean(init, [...exports.keys()]) ?? 'Leave it out: then _initialize alone is run.',
    })
  if (signatureText(signature) !== '() -> ()')
    throw new EngineError(
      'INVALID_ARGUMENT',
      `${init} has the type ${signatureText(signature)}, and an initialisation takes and gives nothing`,
    )
  return { init, program: null, timeoutMs }
}

/** A copy in no pool of Node's, so that who keeps one result of a batch keeps no other. */
function ownBytes(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}
