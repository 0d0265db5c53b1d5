import { EngineError } from '../errors.js'
import type { CallInput, LoadedModule } from './loaded-module.js'
import type { CallNumbers, CallOptions } from './options.js'
import type { Placed } from './pool.js'

/**
 * One instance of a plugin, kept until it is closed (`await using`), with the state that its calls leave in it. They are made one after the other.
 *
 * It shares a thread with others. A deadline, an abort or a trap is the end of this instance, and not of the others. All of a thread are lost when
 * the process dies, and where a call that is over does not come back from a host function of preview1 within seconds. A call of one that is
 * gone rejects with INSTANCE_LOST; it never finds another in its place. A call that is aborted while it waits harms nothing.
 */
export class PluginInstance implements AsyncDisposable {
  readonly #module: LoadedModule
  readonly #placed: Placed
  #closed: Promise<void> | null = null
  /** Why it is gone, for who asks again. */
  #failure: unknown

  /** @internal Use `Plugin.instance`. */
  constructor(module: LoadedModule, placed: Placed) {
    this.#module = module
    this.#placed = placed
  }

  /** As `Plugin.call`, in this instance. Rejects with INSTANCE_LOST too. */
  async call(name: string, input: string, options?: CallOptions): Promise<string>
  async call(name: string, input: Uint8Array, options?: CallOptions): Promise<Uint8Array>
  async call<Result extends CallNumbers = number>(name: string, input: readonly (number | bigint)[], options?: CallOptions): Promise<Result>
  async call(name: string, input: CallInput, options: CallOptions = {}): Promise<unknown> {
    const [result] = await this.#call(name, [input], options)
    return result
  }

  /** As `Plugin.batch`, in this instance. Rejects with INSTANCE_LOST too. */
  async batch(name: string, inputs: readonly string[], options?: CallOptions): Promise<string[]>
  async batch(name: string, inputs: readonly Uint8Array[], options?: CallOptions): Promise<Uint8Array[]>
  async batch<Result extends CallNumbers = number>(
    name: string,
    inputs: readonly (readonly (number | bigint)[])[],
    options?: CallOptions,
  ): Promise<Result[]>
  async batch(name: string, inputs: readonly CallInput[], options: CallOptions = {}): Promise<unknown[]> {
    return this.#call(name, inputs, options)
  }

  /** Gives its memory and its place back, once the calls before it are made. */
  async close(): Promise<void> {
    this.#closed ??= this.#module.release(this.#placed)
    await this.#closed
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #call(name: string, inputs: readonly CallInput[], options: CallOptions): Promise<unknown[]> {
    if (this.#closed !== null) throw new EngineError('CONFLICT', 'the instance is closed')
    try {
      return await this.#module.call(name, inputs, options, this.#placed)
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'INSTANCE_LOST') this.#failure = error
      else if (error.cause === undefined && this.#failure !== undefined) error.cause = this.#failure
      throw error
    }
  }
}
