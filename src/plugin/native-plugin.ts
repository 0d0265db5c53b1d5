import type { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import { type Deferred, deferred } from '../launcher/deferred.js'
import { PLUGIN_LIMITS, type PluginOptions, type PluginRun, type RunOptions } from './options.js'
import { mountRequests, type NativeSource } from './source.js'

/** An image's native program as a plugin: each run is a container of its own behind the native wall, removed when it ends. */
export class NativePlugin {
  readonly #source: NativeSource
  readonly #options: PluginOptions
  readonly #bounds: { readonly threads: number; readonly queue: number }
  readonly #waiting: Deferred<void>[] = []
  readonly #roomWanted: Deferred<void>[] = []
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  /** Turns that are taken. */
  #taken = 0

  /** Throws WRONG_RUNTIME for options that only a module can have. */
  constructor(source: NativeSource, options: PluginOptions, bounds: { readonly threads: number; readonly queue: number }) {
    const [name] = Object.keys(options.hostFunctions ?? {})
    if (name !== undefined)
      throw new EngineError('WRONG_RUNTIME', `the native program of ${source.image} cannot call the host function ${name}`, {
        hint: 'Leave hostFunctions out, or build the program for wasm32-wasip1.',
      })
    this.#source = source
    this.#options = options
    this.#bounds = bounds
  }

  /** Runs it, when fewer than `threads` of it run. Rejects as `Containers.create` does. */
  async run(args: readonly string[] | undefined, options: RunOptions): Promise<PluginRun> {
    await this.#turn(options.signal)
    const running = this.#runNow(args, options)
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
      const next = this.#waiting.shift()
      // The turn goes from hand to hand, so that nobody comes between.
      if (next === undefined) this.#taken--
      else next.resolve()
      this.#tellOfRoom()
    }
  }

  /** Resolves when one more run would not be refused. */
  room(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.reject(closed())
    if (this.#hasRoom()) return Promise.resolve()
    const wanted = deferred<void>()
    this.#roomWanted.push(wanted)
    return wanted.promise
  }

  /** Kills what runs. */
  async close(): Promise<void> {
    this.#closing.abort()
    for (const waiting of [...this.#waiting.splice(0), ...this.#roomWanted.splice(0)]) waiting.reject(closed())
    await Promise.allSettled(this.#running)
    if (this.#source.ownsEngine) await this.#source.engine[Symbol.asyncDispose]()
  }

  #hasRoom(): boolean {
    const { threads, queue } = this.#bounds
    return this.#taken < threads || this.#waiting.length < queue
  }

  /** One at a time, each when the one before has had the time to take the room: it may not want it any more. */
  #tellOfRoom(): void {
    if (this.#roomWanted.length === 0 || !this.#hasRoom()) return
    this.#roomWanted.shift()?.resolve()
    setImmediate(() => this.#tellOfRoom())
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { threads, queue } = this.#bounds
    if (this.#closing.signal.aborted) throw closed()
    if (this.#taken < threads) {
      this.#taken++
      return
    }
    if (this.#waiting.length >= queue)
      throw new EngineError('LIMIT_EXCEEDED', `${queue} runs wait for the plugin already`, { hint: 'Wait for plugin.room() first.' })
    const turn = deferred<void>()
    this.#waiting.push(turn)
    const leave = () => {
      const place = this.#waiting.indexOf(turn)
      // One that has its turn already is told by the run itself.
      if (place === -1) return
      // At once, so that nobody gives a turn to who has left.
      this.#waiting.splice(place, 1)
      turn.reject(new EngineError('ABORTED', 'stopped before it was finished', { cause: signal?.reason }))
      this.#tellOfRoom()
    }
    if (signal?.aborted) leave()
    else signal?.addEventListener('abort', leave, { once: true })
    try {
      await turn.promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }

  async #runNow(args: readonly string[] | undefined, { stdin = '', signal, timeoutMs }: RunOptions): Promise<PluginRun> {
    const { engine, image, args: own } = this.#source
    const { env, limits } = this.#options
    const { outputBytes, timeoutMs: usual } = PLUGIN_LIMITS
    const stop = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])])
    await using container = await engine.containers.create({
      image,
      runtime: 'native',
      entrypoint: own.slice(0, 1),
      command: args ?? own.slice(1),
      mounts: mountRequests(this.#options),
      limits: { outputBytes, timeoutMs: usual, ...limits, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
      readonlyRootfs: true,
      autoRemove: true,
      openStdin: true,
      signal: stop,
      ...(env === undefined ? {} : { env }),
    })
    const kill = () => void container.kill().catch(() => {})
    stop.addEventListener('abort', kill, { once: true })
    try {
      const output = [collect(container.stdout), collect(container.stderr)] as const
      await container.start()
      // Who was not there to be killed when it was asked for.
      if (stop.aborted) kill()
      container.stdin?.on('error', () => {}).end(stdin)
      const exit = await container.wait()
      const [stdout, stderr] = await Promise.all(output)
      if (stop.aborted) throw new EngineError('ABORTED', 'stopped before it was finished', { cause: stop.reason })
      return { exit, stdout, stderr }
    } finally {
      stop.removeEventListener('abort', kill)
    }
  }
}

function closed(): EngineError {
  return new EngineError('CONFLICT', 'the plugin is closed')
}

async function collect(stream: Readable | null): Promise<Buffer> {
  const pieces: Buffer[] = []
  if (stream !== null) for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}
