import type { Socket } from 'node:net'
import { constants } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { EngineError } from '../../errors.js'
import type { SharedUnion } from '../../fs/union-fs.js'
import { deferred } from '../../launcher/deferred.js'
import type { ExitStatus } from '../../runtime/exit.js'
import { GuestThreads } from './guest-threads.js'
import { InputFeed } from './input-feed.js'
import { errorOf, type FailureMessage, failureOf, type GoMessage, type WorkerMessage, type WorkerTask } from './messages.js'
import type { CompiledModule } from './module-compiler.js'
import type { CompiledProgram, ProgramCompiler } from './program-compiler.js'
import type { SandboxLimits } from './protocol.js'
import { createRing, OutputReader } from './ring.js'
import {
  EVENT_BYTES,
  FRAME,
  FrameReader,
  frame,
  INPUT_WINDOW_BYTES,
  REQUEST_BYTES,
  type SessionEvent,
  type SessionRequest,
} from './session-protocol.js'
import { changesFiles, parseRequest } from './session-request.js'
import { exitStatusOf } from './supervision.js'
import type { WorkerThreads } from './worker-threads.js'

/** What a session needs of the sandbox. */
export interface SessionParts {
  readonly threads: WorkerThreads
  readonly compiler: ProgramCompiler
  readonly limits: SandboxLimits
  /** Whether the container's own program has been let go. */
  readonly isStarted: () => boolean
}

/** How long whoever connects may take to say what for. */
const REQUEST_TIMEOUT_MS = 10_000
const LONGEST_COMMAND_BYTES = 64
const NOT_RUNNING = new EngineError('CONFLICT', 'the container is not running')

/**
 * One more program, and who asked for it at the other end of a socket: when that is gone the program is ended, unless it was left. Nothing
 * that comes from there is believed before it was looked at; what is no word of the protocol ends the session.
 */
export class Session {
  /** Resolves when nothing of it is left. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #parts: SessionParts
  readonly #requestTimer: NodeJS.Timeout
  #request: SessionRequest | null = null
  #worker: Worker | null = null
  #threads: GuestThreads | null = null
  #rings: { readonly stdin: SharedArrayBuffer; readonly stdout: SharedArrayBuffer; readonly stderr: SharedArrayBuffer } | null = null
  #attachments: readonly number[] = []
  readonly #forks: SharedUnion[] = []
  #preopens: readonly string[] = []
  #compiled: CompiledProgram | null = null
  #input: InputFeed | null = null
  #outputs: readonly (readonly [kind: number, reader: OutputReader])[] = []
  #startedAt: number | null = null
  #outlives = false
  #isLeft = false
  #isWaiting = false
  #over: Promise<void> | null = null
  readonly #ended = deferred<void>()

  constructor(socket: Socket, parts: SessionParts) {
    this.#socket = socket
    this.#parts = parts
    this.#requestTimer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS)
    const frames = new FrameReader(
      (kind) => this.#frameLimit(kind),
      (kind, bytes) => this.#take(kind, bytes),
    )
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      if (!frames.read(chunk)) socket.destroy()
    })
    socket.on('drain', () => {
      this.#isWaiting = false
      this.#passOn()
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        clearTimeout(this.#requestTimer)
        this.#left().then(resolve, resolve)
      })
    })
  }

  /** Ends its program, as the container ends. Resolves when that touches no file any more. */
  async end(): Promise<void> {
    if (this.#startedAt === null && this.#request?.request === 'exec') this.#fail(failureOf(NOT_RUNNING))
    await (this.#over ?? this.#finish(killed(constants.signals.SIGKILL, this.#elapsedMs())))
  }

  #frameLimit(kind: number): number {
    if (kind === FRAME.command) return this.#request === null ? REQUEST_BYTES : LONGEST_COMMAND_BYTES
    if (kind === FRAME.input) return INPUT_WINDOW_BYTES
    return kind === FRAME.inputEnd ? 0 : -1
  }

  #take(kind: number, bytes: Buffer): void {
    if (this.#over !== null || this.#socket.destroyed) return
    if (kind === FRAME.command) this.#obey(bytes.toString('utf8'))
    else if (kind === FRAME.inputEnd) this.#input?.end()
    else if (this.#input === null || !this.#input.add(bytes)) this.#socket.destroy()
  }

  #obey(command: string): void {
    const signal = /^signal (\d{1,2})$/.exec(command)
    if (this.#request === null) this.#begin(command)
    else if (command === 'go' && this.#compiled !== null && this.#startedAt === null) this.#go(this.#compiled)
    else if (command === 'outlive' && this.#startedAt !== null) {
      this.#outlives = true
      this.#tell({ event: 'outlives' })
    } else if (signal !== null) this.#finish(killed(Number(signal[1]), this.#elapsedMs()))
    else this.#socket.destroy()
  }

  #begin(text: string): void {
    clearTimeout(this.#requestTimer)
    const request = parseRequest(text)
    if (request === null) {
      this.#socket.destroy()
      return
    }
    this.#request = request
    if (request.request === 'exec' && !this.#parts.isStarted()) {
      this.#fail(failureOf(NOT_RUNNING))
      return
    }
    const rings = { stdin: createRing(), stdout: createRing(), stderr: createRing() }
    this.#rings = rings
    this.#input = new InputFeed(rings.stdin, INPUT_WINDOW_BYTES, (bytes) => this.#tellTaken(bytes))
    if (!readsInput(request)) this.#input.end()
    this.#outputs = [
      [FRAME.stdout, new OutputReader(rings.stdout)],
      [FRAME.stderr, new OutputReader(rings.stderr)],
    ]
    // Asks to be told of the first bytes.
    this.#passOn()
    const { stdin, stdout, stderr } = rings
    let worker: Worker
    try {
      worker = this.#parts.threads.start({ work: workOf(request), stdin, outputs: { stdout, stderr } })
    } catch (error) {
      this.#fail(failureOf(error))
      return
    }
    this.#worker = worker
    worker.on('message', (message: WorkerMessage) => this.#hear(message))
    // It may have had the tree's lock: nobody can go on with it.
    worker.on('error', (error) => {
      if (this.#over === null) this.#parts.threads.fell(error)
    })
  }

  #hear(message: WorkerMessage): void {
    if (message.type === 'output') this.#passOn()
    else if (message.type === 'stdin-room') this.#input?.put()
    else if (message.type === 'ready') {
      this.#attachments = message.attachments
      this.#preopens = message.preopens
    } else if (message.type === 'forked') this.#forks.push(message.fork)
    else if (message.type === 'program') this.#compile(message.bytes)
    else if (message.type === 'failed') this.#fail(message.error)
    else if (message.type === 'ended') this.#finish(exitStatusOf(message.outcome, this.#parts.limits, this.#elapsedMs()))
  }

  #compile(bytes: Uint8Array): void {
    const environment = this.#request?.request === 'exec' ? this.#request.process.env : []
    this.#parts.compiler.compile(bytes).then(
      (compiled) => {
        this.#compiled = compiled
        this.#tell({ event: 'ready', evidence: { ...compiled.evidence, preopens: this.#preopens, environment } })
      },
      (error) => this.#fail(failureOf(error)),
    )
  }

  #go(program: CompiledProgram): void {
    this.#startedAt = performance.now()
    this.#tell({ event: 'started' })
    if ('component' in program) this.#worker?.postMessage({ component: program.component } satisfies GoMessage)
    else this.#goModule(program)
  }

  #goModule({ module, fuel, threads }: CompiledModule): void {
    this.#threads = threads === null ? null : this.#guestThreads(module, threads)
    this.#worker?.postMessage({ module, fuel, threads: this.#threads?.shared ?? null } satisfies GoMessage)
    this.#threads?.begin()
  }

  #guestThreads(module: WebAssembly.Module, threads: NonNullable<CompiledModule['threads']>): GuestThreads | null {
    if (this.#request?.request !== 'exec' || this.#rings === null) return null
    const { stdin, ...outputs } = this.#rings
    const { threads: workers } = this.#parts
    const hear = (message: WorkerMessage) => this.#hear(message)
    const fell = (error: Error) => workers.fell(error)
    const { process } = this.#request
    return new GuestThreads({ start: workers.told, process, stdin, outputs, module, threads, outputBytes: null, hear, fell })
  }

  #fail(failure: FailureMessage): void {
    const { code, message, hint, data } = errorOf(failure)
    this.#over ??= this.#endWorker().then(() => {
      this.#tell({ event: 'failed', code, message, ...(hint === undefined ? {} : { hint }), data })
      this.#close()
    })
  }

  #finish(status: ExitStatus): Promise<void> {
    this.#over ??= this.#endWorker().then(() => {
      // What it has written before is still told, and then nothing more.
      for (const [kind, reader] of this.#outputs) this.#send(kind, reader.take())
      this.#tell({ event: 'exited', ...status })
      this.#close()
    })
    return this.#over
  }

  #close(): void {
    this.#socket.end()
    this.#ended.resolve()
  }

  /** Whoever asked has gone. */
  async #left(): Promise<void> {
    if (this.#outlives && this.#over === null) {
      this.#isLeft = true
      this.#isWaiting = false
      this.#input?.end()
      this.#passOn()
      return this.#ended.promise
    }
    await this.end()
  }

  async #endWorker(): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    await this.#threads?.end()
    if (worker !== null) await this.#parts.threads.end(worker, this.#attachments, this.#forks)
  }

  /** Hands on what the program has written, as fast as it is taken. What nobody takes any more is dropped. */
  #passOn(): void {
    if (this.#isWaiting || this.#over !== null) return
    for (const [kind, reader] of this.#outputs) this.#send(kind, reader.take())
  }

  #send(kind: number, bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#isLeft || this.#socket.destroyed) return
    if (!this.#socket.write(frame(kind, bytes))) this.#isWaiting = true
  }

  #tellTaken(bytes: number): void {
    const count = Buffer.alloc(4)
    count.writeUInt32BE(bytes)
    this.#send(FRAME.taken, count)
  }

  #tell(event: SessionEvent): void {
    const bytes = Buffer.from(JSON.stringify(event))
    if (bytes.length <= EVENT_BYTES) this.#send(FRAME.event, bytes)
    else this.#socket.destroy()
  }

  #elapsedMs(): number {
    return this.#startedAt === null ? 0 : performance.now() - this.#startedAt
  }
}

function readsInput(request: SessionRequest): boolean {
  return request.request === 'exec' ? request.openStdin : changesFiles(request)
}

function workOf(request: SessionRequest): WorkerTask {
  return request.request === 'exec' ? { kind: 'guest', process: request.process, findsProgram: true } : { kind: 'files', request }
}

/** Signals by their numbers on this system; those without a name are SIGKILL. */
function killed(number: number, durationMs: number): ExitStatus {
  const names = Object.keys(constants.signals) as NodeJS.Signals[]
  const signal = names.find((name) => constants.signals[name] === number) ?? 'SIGKILL'
  return { exitCode: 128 + constants.signals[signal], signal, reason: 'signaled', durationMs }
}

/** Nobody is let in any more, or not yet: said in the words of the protocol. */
export function turnAway(socket: Socket, error: EngineError): void {
  const { code, message, data } = error
  socket.on('error', () => {})
  socket.resume()
  socket.end(frame(FRAME.event, Buffer.from(JSON.stringify({ event: 'failed', code, message, data } satisfies SessionEvent))))
}
