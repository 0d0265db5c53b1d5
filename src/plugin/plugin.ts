import { EngineError } from '../errors.js'
import type { Receipt } from '../runtime/receipt.js'
import { CONVENTION, LoadedModule } from './loaded-module.js'
import { NativePlugin } from './native-plugin.js'
import type { CallInput, CallNumbers, CallOptions, PluginOptions, PluginRun, RunOptions } from './options.js'
import { PluginInstance } from './plugin-instance.js'
import { openSource } from './source.js'

const THREADS_MAXIMUM = 32
const DEFAULT_QUEUE = 1000
const DEFAULT_INSTANCES = 1000
/** Each memory takes 10 GiB of addresses, of which a process has 128 TiB. */
const INSTANCES_MAXIMUM = 10_000

/**
 * Untrusted code of a stranger's, in a sandbox process of its own that is ready for calls: a WebAssembly module whose functions are called
 * and whose program is run, or a command component of WASI 0.2 or an image's native program, which are run only.
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
    const { threads = 1, queue = DEFAULT_QUEUE, instancesPerThread = DEFAULT_INSTANCES } = options
    assertCount('threads', threads, { least: 1, most: THREADS_MAXIMUM })
    assertCount('queue', queue, { least: 0, most: Number.MAX_SAFE_INTEGER })
    assertCount('instancesPerThread', instancesPerThread, { least: 1, most: INSTANCES_MAXIMUM })
    const source = await openSource(options)
    if (source.kind === 'native') return new Plugin(null, new NativePlugin(source, options, { threads, queue }))
    const module = await LoadedModule.load(source, options, { threads, queue, instancesPerThread })
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
   * Makes an instance of its own that is kept, with a memory of its own: what its calls leave in it, only its calls find. It is one of many in a thread.
   *
   * Rejects as a call of `_initialize` would, and with LIMIT_EXCEEDED when the threads have `instancesPerThread` each.
   */
  async instance(options: CallOptions = {}): Promise<PluginInstance> {
    const module = this.#mustHaveModule()
    const placed = await module.open(options)
    return new PluginInstance({
      call: (name, inputs, own) => module.call(name, inputs, own, placed),
      release: () => module.release(placed),
    })
  }

  /**
   * Runs the program to its end: `_start` of a module in an instance of its own, a command component, or an image's native program in a container of its own.
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

function assertCount(what: string, value: number, { least, most }: { readonly least: number; readonly most: number }): void {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new EngineError('INVALID_ARGUMENT', `${what} must be a whole number from ${least} to ${most}, not ${value}`)
}
