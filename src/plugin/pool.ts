import { EngineError } from '../errors.js'
import { type Deferred, deferred } from '../launcher/deferred.js'
import type { ChannelCall, PluginChannel } from './channel.js'
import type { CallOptions } from './options.js'
import type { PluginSandbox } from './sandbox.js'

/** What a {@link Pool} is made of. */
export interface PoolOptions {
  readonly start: () => Promise<PluginSandbox>
  /** Calls that may wait. */
  readonly queue: number
  /** Milliseconds of a call that says nothing else. */
  readonly timeoutMs: number
  /** Instances that one thread keeps at most. */
  readonly instancesPerThread: number
}

/** An instance that is kept, and where. */
export interface Placed {
  readonly number: number
  readonly channel: PluginChannel
}

/** What else {@link Pool.perform} is told. */
export interface Placing {
  /** The call is made in this instance's thread. */
  readonly placed?: Placed | null
  /** It is made however many wait, and whatever has become of the instance. */
  readonly isExempt?: boolean
}

/** A call that waits for a thread, or has one. */
interface Job {
  readonly call: ChannelCall
  readonly options: CallOptions
  readonly outcome: Deferred<readonly Buffer[]>
  /** The instance that it is made in, whose thread alone will do; null for any. */
  readonly placed: Placed | null
  readonly isExempt: boolean
}

/** Node's timers fire at once for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Gives calls to the threads of a sandbox, in order. A call whose time is up, or that nobody wants any more, is ended in its thread, or with it, and
 * another takes that one's place; a sandbox that dies takes all calls that it has along, and the next one starts at once.
 */
export class Pool {
  readonly #options: PoolOptions
  readonly #waiting: Job[] = []
  readonly #idle: PluginChannel[] = []
  readonly #roomWanted: Deferred<void>[] = []
  /** Instances that each thread keeps. */
  readonly #kept = new Map<PluginChannel, number>()
  /** Instances whose call was ended: how far it had come nobody knows. */
  readonly #ended = new WeakSet<Placed>()
  #instances = 0
  #sandbox: Promise<PluginSandbox> | null = null
  #closed: EngineError | null = null

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** The sandbox, started when there is none. Rejects with why it cannot be. */
  sandbox(): Promise<PluginSandbox> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    if (this.#sandbox !== null) return this.#sandbox
    const starting = this.#options.start()
    this.#sandbox = starting
    starting.then(
      (sandbox) => this.#take(sandbox),
      (error) => this.#failed(error),
    )
    return starting
  }

  /** A place for one more instance, in the thread that keeps the fewest. Rejects with LIMIT_EXCEEDED when there is none. */
  async place(): Promise<Placed> {
    const { instancesPerThread } = this.#options
    // It may have died again before anybody is told that it is there.
    do await this.sandbox()
    while (this.#kept.size === 0)
    const [channel, kept] = [...this.#kept].reduce((least, each) => (each[1] < least[1] ? each : least))
    if (kept >= instancesPerThread)
      throw new EngineError('LIMIT_EXCEEDED', `each thread of the plugin keeps ${kept} instances already`, {
        hint: 'Close some, or raise instancesPerThread or threads.',
        data: { limit: instancesPerThread },
      })
    this.#kept.set(channel, kept + 1)
    return { number: ++this.#instances, channel }
  }

  /** Its place is free. */
  leave({ channel }: Placed): void {
    const kept = this.#kept.get(channel)
    if (kept !== undefined) this.#kept.set(channel, kept - 1)
  }

  /** Has a call made. Rejects with LIMIT_EXCEEDED when too many wait, with INSTANCE_LOST, and with ABORTED and DEADLINE_EXCEEDED. */
  perform(call: ChannelCall, options: CallOptions, { placed = null, isExempt = false }: Placing = {}): Promise<readonly Buffer[]> {
    const channel = placed?.channel ?? null
    const { queue } = this.#options
    const { timeoutMs = this.#options.timeoutMs } = options
    if (!(timeoutMs > 0))
      return Promise.reject(new EngineError('INVALID_ARGUMENT', `timeoutMs ${timeoutMs}: the limit must be a positive number`))
    if (this.#closed !== null) return Promise.reject(this.#closed)
    if (options.signal?.aborted) return Promise.reject(aborted(options.signal))
    if (placed !== null && this.#isLost({ placed, isExempt })) return Promise.reject(lost())
    const isIdle = channel === null ? this.#idle.length > 0 : this.#idle.includes(channel)
    if (!isIdle && !isExempt && this.#waiting.length >= queue)
      return Promise.reject(
        new EngineError('LIMIT_EXCEEDED', `${queue} calls wait for the plugin already`, {
          hint: 'Wait for plugin.room() before the next call, or raise queue or threads.',
          data: { queue },
        }),
      )
    const job = { call, options, outcome: deferred<readonly Buffer[]>(), placed, isExempt }
    this.#enqueue(job)
    return job.outcome.promise
  }

  /** Resolves when a call could be made that would not be refused. */
  room(): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    if (this.#hasRoom()) return Promise.resolve()
    const wanted = deferred<void>()
    this.#roomWanted.push(wanted)
    return wanted.promise
  }

  /** Ends everything. What waits rejects with CONFLICT. */
  async close(): Promise<void> {
    this.#closed ??= new EngineError('CONFLICT', 'the plugin is closed')
    for (const job of this.#waiting.splice(0)) job.outcome.reject(this.#closed)
    for (const wanted of this.#roomWanted.splice(0)) wanted.reject(this.#closed)
    const sandbox = await this.#sandbox?.catch(() => null)
    await sandbox?.close()
  }

  #isLost({ placed, isExempt }: Pick<Job, 'placed' | 'isExempt'>): boolean {
    if (placed === null) return false
    return !this.#kept.has(placed.channel) || (this.#ended.has(placed) && !isExempt)
  }

  #rejectLost(): void {
    for (const job of this.#waiting.filter((each) => this.#isLost(each))) {
      this.#waiting.splice(this.#waiting.indexOf(job), 1)
      job.outcome.reject(lost())
    }
  }

  #hasRoom(): boolean {
    return this.#idle.length > 0 || this.#waiting.length < this.#options.queue
  }

  #enqueue(job: Job): void {
    const { signal } = job.options
    const place = job.placed === null ? this.#idle.length - 1 : this.#idle.indexOf(job.placed.channel)
    const [channel] = place === -1 ? [] : this.#idle.splice(place, 1)
    if (channel !== undefined) {
      this.#give(job, channel)
      return
    }
    this.#waiting.push(job)
    if (signal !== undefined) {
      const leave = (): void => {
        const place = this.#waiting.indexOf(job)
        if (place === -1) return
        this.#waiting.splice(place, 1)
        job.outcome.reject(aborted(signal))
        this.#tellOfRoom()
      }
      signal.addEventListener('abort', leave, { once: true })
      job.outcome.promise.catch(() => {}).finally(() => signal.removeEventListener('abort', leave))
    }
    this.sandbox().catch(() => {})
  }

  #give(job: Job, channel: PluginChannel): void {
    const { signal, timeoutMs = this.#options.timeoutMs } = job.options
    const end = (error: EngineError): void => {
      clearTimeout(timer)
      if (job.placed !== null) this.#ended.add(job.placed)
      this.#rejectLost()
      this.#replace(channel, error)
    }
    const late = () =>
      end(
        new EngineError('DEADLINE_EXCEEDED', `the call took longer than ${timeoutMs} ms`, {
          hint: 'Raise timeoutMs.',
          data: { timeoutMs },
        }),
      )
    const abort = () => signal !== undefined && end(aborted(signal))
    const timer = setTimeout(late, Math.min(timeoutMs, LONGEST_TIMER_MS))
    signal?.addEventListener('abort', abort, { once: true })
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    channel.perform(job.call).then(
      (results) => {
        done()
        this.#free(channel)
        job.outcome.resolve(results)
      },
      (error) => {
        done()
        if (channel.isIdle) this.#free(channel)
        job.outcome.reject(error)
      },
    )
  }

  #replace(channel: PluginChannel, error: EngineError): void {
    const replaced = this.#sandbox?.then((sandbox) => sandbox.replace(channel, error))
    // A sandbox that cannot replace it is about to be replaced itself.
    replaced?.then(
      () => this.#free(channel),
      () => {},
    )
  }

  #free(channel: PluginChannel): void {
    const place = this.#waiting.findIndex(({ placed }) => placed === null || placed.channel === channel)
    const [job] = place === -1 ? [] : this.#waiting.splice(place, 1)
    if (job === undefined) this.#idle.push(channel)
    else this.#give(job, channel)
    this.#tellOfRoom()
  }

  /** One at a time, each when the one before has had the time to take the room: it may not want it any more. */
  #tellOfRoom(): void {
    if (this.#roomWanted.length === 0 || !this.#hasRoom()) return
    this.#roomWanted.shift()?.resolve()
    setImmediate(() => this.#tellOfRoom())
  }

  #take(sandbox: PluginSandbox): void {
    for (const channel of sandbox.channels) this.#kept.set(channel, 0)
    for (const channel of sandbox.channels) this.#free(channel)
    sandbox.died.then(() => {
      this.#sandbox = null
      this.#idle.length = 0
      this.#kept.clear()
      this.#rejectLost()
      if (this.#closed === null) this.sandbox().catch(() => {})
    })
  }

  #failed(error: unknown): void {
    this.#sandbox = null
    for (const job of this.#waiting.splice(0)) job.outcome.reject(error)
    for (const wanted of this.#roomWanted.splice(0)) wanted.resolve()
  }
}

function lost(): EngineError {
  return new EngineError('INSTANCE_LOST', 'the instance is gone: a call of it was ended, or the sandbox process that kept it has ended', {
    hint: 'Make another with plugin.instance().',
  })
}

function aborted(signal: AbortSignal): EngineError {
  return new EngineError('ABORTED', 'stopped before it was finished', { cause: signal.reason })
}
