import { EngineError } from '../errors.js'
import { didYouMean } from '../reference/nearest.js'
import type { ExitStatus } from '../runtime/exit.js'
import { assertLimits } from '../runtime/limits.js'
import type { Receipt } from '../runtime/receipt.js'
import { WASM_LIMIT_WAYS } from '../wasm/limit-ways.js'
import { parseSessionEvent } from '../wasm/session-event.js'
import { type CallRequest, decodeNumbers, encodeNumbers, FRAME, VERB } from './call-protocol.js'
import type { ChannelCall } from './channel.js'
import { decodeText, HostFunctions } from './host-functions.js'
import { NativePlugin } from './native-plugin.js'
import { assertNumbers } from './numbers.js'
import { type CallNumbers, type CallOptions, PLUGIN_LIMITS, type PluginOptions, type PluginRun, type RunOptions } from './options.js'
import { Pool } from './pool.js'
import type { SnapshotStart } from './sandbox/plugin-start.js'
import { PluginSandbox } from './sandbox.js'
import { type ModuleFunctions, moduleFunctions, type Signature, signatureText, takesBytes } from './signatures.js'
import { type ModuleSource, openSource } from './source.js'

/** What a call may be given. */
type CallInput = string | Uint8Array | readonly (number | bigint)[]

/** Functions of a module that are the convention's and not for calling. */
const CONVENTION: ReadonlySet<string> = new Set(['_initialize', '_start', 'allocate', 'free'])
/** Of all inputs of a batch: what a frame can hold. */
const MAXIMUM_BATCH_BYTES = 1024 ** 3
const THREADS_MAXIMUM = 32
/** What a rewritten module has besides its own bytes and its memory: a head for each piece of that. */
const SNAPSHOT_OVERHEAD = 4 * 2 ** 20
const NO_BYTES = new Uint8Array()
const DEFAULT_QUEUE = 1000

/**
 * Untrusted code of a stranger's, in a sandbox process of its own that is ready for calls: a WebAssembly module whose functions are called
 * and whose program is run, or an image's native program, which is run only.
 *
 * It never runs in this process. What it does wrong is the error of its call: it is replaced, and the next call finds it as new. Close it
 * (`await using`); while it is open this process does not end by itself.
 */
export class Plugin implements AsyncDisposable {
  /** Names of the functions that can be called. */
  readonly functions: readonly string[]
  readonly #module: LoadedModule | null
  readonly #native: NativePlugin | null

  private constructor(module: LoadedModule | null, native: NativePlugin | null) {
    this.#module = module
    this.#native = native
    this.functions = [...(module?.functions.exports.keys() ?? [])].filter((name) => !CONVENTION.has(name))
  }

  /**
   * Loads a plugin. Resolves when it waits for calls. Rejects with INVALID_ARGUMENT, with what is wrong with the source (FILE_NOT_FOUND,
   * IMAGE_NOT_FOUND, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, WRONG_RUNTIME), with LIMIT_EXCEEDED for a module that starts above its limits, and
   * with ABORTED.
   */
  static async load(options: PluginOptions): Promise<Plugin> {
    const { threads = 1, queue = DEFAULT_QUEUE } = options
    assertCount('threads', threads, { least: 1, most: THREADS_MAXIMUM })
    assertCount('queue', queue, { least: 0, most: Number.MAX_SAFE_INTEGER })
    const source = await openSource(options)
    if (source.kind === 'native') return new Plugin(null, new NativePlugin(source, options, { threads, queue }))
    const module = await LoadedModule.load(source, options, { threads, queue })
    return new Plugin(module, null)
  }

  /**
   * Calls an exported function with a text, bytes, or the numbers of its signature, and resolves with the like. Text must come back as UTF-8.
   *
   * Rejects with FUNCTION_NOT_FOUND, with INVALID_ARGUMENT where the function does not take the like, with GUEST_TRAPPED, INVALID_RESULT,
   * LIMIT_EXCEEDED, HOST_FUNCTION_FAILED, DEADLINE_EXCEEDED, ABORTED, and with SANDBOX_FAILED where the process died. With WRONG_RUNTIME for a native
   * program.
   */
  async call(name: string, input: string, options?: CallOptions): Promise<string>
  async call(name: string, input: Uint8Array, options?: CallOptions): Promise<Uint8Array>
  async call<Result extends CallNumbers = number>(name: string, input: readonly (number | bigint)[], options?: CallOptions): Promise<Result>
  async call(name: string, input: CallInput, options: CallOptions = {}): Promise<unknown> {
    const [result] = await this.#mustHaveModule().call(name, [input], options)
    return result
  }

  /**
   * Calls a function once for each input, one after the other in one thread, as one call: with one deadline, one limit of answers together, and one
   * way there and back, which is what makes short calls cheap. The first that fails is the failure of all; `data.index` says which.
   */
  async batch(name: string, inputs: readonly string[], options?: CallOptions): Promise<string[]>
  async batch(name: string, inputs: readonly Uint8Array[], options?: CallOptions): Promise<Uint8Array[]>
  async batch<Result extends CallNumbers = number>(
    name: string,
    inputs: readonly (readonly (number | bigint)[])[],
    options?: CallOptions,
  ): Promise<Result[]>
  async batch(name: string, inputs: readonly CallInput[], options: CallOptions = {}): Promise<unknown[]> {
    return this.#mustHaveModule().call(name, inputs, options)
  }

  /**
   * Runs the program to its end: `_start` of a module in an instance of its own, or an image's native program in a container of its own.
   * `args` follow the program's name; the image's own when absent. What it writes is kept, within `limits.outputBytes`.
   *
   * A limit that is reached is a result, as a non-zero exit is. Rejects with FUNCTION_NOT_FOUND for a module without `_start`, with
   * HOST_FUNCTION_FAILED, ABORTED, and where it could not be run.
   */
  async run(args?: readonly string[], options: RunOptions = {}): Promise<PluginRun> {
    if (this.#native !== null) return this.#native.run(args, options)
    return this.#mustHaveModule().run(args, options)
  }

  /**
   * The module that begins where this plugin's snapshot does, to be kept, or given away: its functions are the same, but for those that initialise it.
   * Any engine runs it. Rejects with INVALID_ARGUMENT for a plugin that was loaded without `snapshot`.
   */
  async snapshotModule(options: CallOptions = {}): Promise<Uint8Array> {
    return this.#mustHaveModule().snapshotModule(options)
  }

  /** Resolves when one more call would not be refused for want of room in the queue: wait for it between calls. */
  async room(): Promise<void> {
    await (this.#native ?? this.#mustHaveModule().pool).room()
  }

  /** What isolation is in force around the plugin. Rejects with WRONG_RUNTIME for a native program, each run of which has its own. */
  async receipt(): Promise<Receipt> {
    return (await this.#mustHaveModule().pool.sandbox()).receipt
  }

  /** Ends the plugin, with all calls under way. They reject with SANDBOX_FAILED, and those that wait with CONFLICT. */
  async close(): Promise<void> {
    await this.#module?.pool.close()
    await this.#native?.close()
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #mustHaveModule(): LoadedModule {
    if (this.#module !== null) return this.#module
    throw new EngineError(
      'WRONG_RUNTIME',
      'only a WebAssembly module has functions that can be called, and this plugin is a native program',
      {
        hint: 'Use plugin.run, or build it for wasm32-wasip1.',
      },
    )
  }
}

/** A module in its sandbox. */
class LoadedModule {
  readonly functions: ModuleFunctions
  readonly pool: Pool
  readonly #hostFunctions: HostFunctions
  readonly #limits: { readonly memoryBytes: number; readonly outputBytes: number; readonly timeoutMs: number; readonly fuel?: number }
  readonly #keeps: boolean
  readonly #hasSnapshot: boolean
  readonly #moduleBytes: number
  readonly #args: readonly string[]
  readonly #places: ReadonlyMap<string, number>

  private constructor(
    source: ModuleSource,
    options: PluginOptions,
    { threads, queue }: { readonly threads: number; readonly queue: number },
  ) {
    const { spec, module, layers, objects } = source
    const { nativeWall = 'auto', hostFunctions = {}, instances = 'fresh' } = options
    assertLimits(spec.limits, 'wasm', WASM_LIMIT_WAYS)
    this.functions = moduleFunctions(module)
    this.#hostFunctions = new HostFunctions(hostFunctions, this.functions)
    this.#limits = { ...PLUGIN_LIMITS, ...spec.limits }
    this.#keeps = instances === 'kept'
    this.#args = spec.process.args
    this.#places = new Map([...this.functions.exports.keys()].map((name, place) => [name, place]))
    const { outputBytes, timeoutMs } = this.#limits
    const snapshot = snapshotStart(options, this.functions, timeoutMs)
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
    this.#moduleBytes = module.length
    this.pool = new Pool({ start: () => PluginSandbox.start(request), queue, timeoutMs })
  }

  static async load(
    source: ModuleSource,
    options: PluginOptions,
    bounds: { readonly threads: number; readonly queue: number },
  ): Promise<LoadedModule> {
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

  async call(name: string, inputs: readonly CallInput[], options: CallOptions): Promise<unknown[]> {
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
    const results = [...(await this.#perform({ verb, keeps: this.#keeps, function: place, inputs: encoded }, options, () => {}))]
    if (this.#limits.fuel !== undefined) {
      const left = fuelOf(results.pop())
      options.onFuel?.(left)
    }
    return results.map((result, index) => decode(name, signature, inputs[index] ?? '', result))
  }

  async run(args: readonly string[] | undefined, options: RunOptions): Promise<PluginRun> {
    if (!this.functions.exports.has('_start'))
      throw new EngineError('FUNCTION_NOT_FOUND', 'the module exports no _start: it is a library, and not a program that can be run', {
        hint: `Call one of its functions: ${this.#named()}`,
      })
    const words = args === undefined ? this.#args : [this.#args[0] ?? 'plugin', ...args]
    const { stdin = '' } = options
    const inputs = [Buffer.from(JSON.stringify(words)), typeof stdin === 'string' ? Buffer.from(stdin) : stdin]
    const written: Readonly<Record<number, Buffer[]>> = { [FRAME.stdout]: [], [FRAME.stderr]: [] }
    const output = () => ({ stdout: Buffer.concat(written[FRAME.stdout] ?? []), stderr: Buffer.concat(written[FRAME.stderr] ?? []) })
    const started = performance.now()
    try {
      const request = { verb: VERB.run, keeps: false, function: 0, inputs }
      const [said] = await this.#perform(request, options, (kind, bytes) => written[kind]?.push(bytes))
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
    const request = { verb: VERB.snapshot, keeps: false, function: 0, inputs: [NO_BYTES] }
    const [module] = await this.#perform(request, options, () => {}, this.#moduleBytes + this.#limits.memoryBytes + SNAPSHOT_OVERHEAD)
    return ownBytes(module ?? NO_BYTES)
  }

  /** Has it made, with this plugin's host functions. A host function's failure is the failure of its call. */
  async #perform(
    request: CallRequest,
    options: CallOptions,
    write: ChannelCall['write'],
    outputBytes = this.#limits.outputBytes,
  ): Promise<readonly Buffer[]> {
    if (this.#hostFunctions.isAnswering)
      throw new EngineError('CONFLICT', 'a host function cannot call the plugin that waits for its answer', {
        hint: 'Answer first, or load the plugin once more for such calls.',
      })
    const over = new AbortController()
    let failure: unknown
    const ask = async (place: number, input: Buffer): Promise<Uint8Array> => {
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
          countsFuel: this.#limits.fuel !== undefined && request.verb !== VERB.snapshot,
          hostFunctions: this.#hostFunctions.summaries.length,
          ask,
          write,
        },
        options,
      )
    } catch (error) {
      throw error instanceof EngineError && error.code === 'HOST_FUNCTION_FAILED' && failure !== undefined ? failure : error
    } finally {
      over.abort()
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

function decode(name: string, { results }: Signature, input: CallInput, result: Buffer): unknown {
  if (typeof input === 'string') return decodeText(result, `what ${name} answers`)
  if (!isNumbers(input)) return ownBytes(result)
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

function assertCount(what: string, value: number, { least, most }: { readonly least: number; readonly most: number }): void {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new EngineError('INVALID_ARGUMENT', `${what} must be a whole number from ${least} to ${most}, not ${value}`)
}

/** What the sandbox is told. Throws FUNCTION_NOT_FOUND and INVALID_ARGUMENT for an initialisation that cannot be called. */
function snapshotStart({ snapshot = false }: PluginOptions, { exports }: ModuleFunctions, ownMs: number): SnapshotStart | null {
  if (snapshot === false) return null
  const { init = null, timeoutMs = ownMs } = snapshot === true ? {} : snapshot
  if (!(timeoutMs > 0)) throw new EngineError('INVALID_ARGUMENT', `snapshot.timeoutMs ${timeoutMs}: the limit must be a positive number`)
  if (init === null) return { init, timeoutMs }
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
  return { init, timeoutMs }
}

/** A copy in no pool of Node's, so that who keeps one result of a batch keeps no other. */
function ownBytes(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}
