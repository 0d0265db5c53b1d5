/**
 * A wall of cardboard: it runs JavaScript functions as guests, so that what happens around a wall can be tested without one. It keeps a
 * file in the container's folder for as long as a container is there, which shows whether everything was given back.
 */
import { writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { EngineError } from '../../src/errors.js'
import type { ContainerFiles } from '../../src/runtime/container-files.js'
import type { ExitStatus } from '../../src/runtime/exit.js'
import type { Receipt } from '../../src/runtime/receipt.js'
import type { Attachment, CreateRequest, RunEnd, RunningTask, Runtime, Task } from '../../src/runtime/runtime.js'
import type { WritableLayer } from '../../src/runtime/writable-layer.js'

/** What a program of the fake wall is given. */
export interface FakeGuest {
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly stdin: PassThrough
  readonly stdout: PassThrough
  readonly stderr: PassThrough
  /** Resolves with the next signal. */
  nextSignal(): Promise<NodeJS.Signals>
}

/** Returns the exit code. */
export type FakeProgram = (guest: FakeGuest) => number | Promise<number>

/** File of the container's folder that stands for what a wall keeps there. */
export const KEPT_FILE = 'kept-by-wall'

/** A wall that accepts every program and runs those it knows by the name of `args[0]`. */
export class FakeRuntime implements Runtime {
  readonly requests: CreateRequest[] = []
  readonly discarded: string[] = []
  readonly live = new Set<FakeTask>()
  /** What every container has written. */
  writes: WritableLayer = { changes: [], bytes: 0 }
  unavailableReason: string | null = null
  /** What `discard` of a container fails with. */
  undiscardable: ((id: string) => Error | null) | null = null
  /** How often it begins again once a container is written down, as the native wall does whose holder has gone. */
  restarts = 0

  constructor(
    readonly name: string,
    private readonly programs: Readonly<Record<string, FakeProgram>>,
  ) {}

  async unavailable(): Promise<string | null> {
    return this.unavailableReason
  }

  accepts(): boolean {
    return true
  }

  async create(request: CreateRequest): Promise<Task> {
    this.requests.push(request)
    for (let begun = 0; begun <= this.restarts; begun++) await request.record?.()
    const program = this.programs[request.spec.process.args[0] ?? '']
    if (request.spec.process.args[0] === 'broken-wall') throw new EngineError('LAUNCHER_FAILED', 'the wall broke')
    writeFileSync(join(request.directory, KEPT_FILE), '')
    const task = new FakeTask(request, program, () => this.live.delete(task))
    this.live.add(task)
    request.signal?.addEventListener('abort', () => void task.delete())
    return task
  }

  async open(id: string): Promise<RunningTask | null> {
    return [...this.live].find((task) => task.request.id === id && !task.ended) ?? null
  }

  async readFile(): Promise<Buffer> {
    return Buffer.alloc(0)
  }

  exec(): Promise<Task> {
    return Promise.reject(new EngineError('NOT_BUILT', 'a wall of cardboard holds one program'))
  }

  async update(): Promise<void> {}

  async lastEnd(): Promise<RunEnd | null> {
    return null
  }

  async written(): Promise<WritableLayer> {
    return this.writes
  }

  files(): ContainerFiles {
    const none = () => Promise.reject(new EngineError('NOT_BUILT', 'a wall of cardboard holds no files'))
    return {
      stat: async () => null,
      read: async () => null,
      write: none,
      readRoot: () => Readable.from([]),
      readLayer: () => Readable.from([]),
      change: none,
    }
  }

  async discard(id: string, directory: string): Promise<void> {
    const failure = this.undiscardable?.(id) ?? null
    if (failure !== null) throw failure
    this.discarded.push(id)
    await rm(join(directory, KEPT_FILE), { force: true })
  }
}

class FakeTask implements Task {
  readonly pid = process.pid
  readonly supervisor = null
  readonly stdin: PassThrough | null
  readonly stdout = new PassThrough()
  readonly stderr: PassThrough | null
  ended = false
  readonly #signals: NodeJS.Signals[] = []
  readonly #exited: Promise<ExitStatus>
  #exit: (status: ExitStatus) => void = () => {}
  #lose: (error: unknown) => void = () => {}
  #wake: () => void = () => {}

  constructor(
    readonly request: CreateRequest,
    private readonly program: FakeProgram | undefined,
    private readonly forget: () => void,
  ) {
    this.stdin = request.openStdin ? new PassThrough() : null
    this.stderr = request.spec.process.terminal ? null : new PassThrough()
    this.#exited = new Promise((resolve, reject) => {
      this.#lose = reject
      this.#exit = (status) => {
        this.ended = true
        this.stdout.end()
        this.stderr?.end()
        resolve(status)
      }
    })
    // Nobody has to wait.
    this.#exited.catch(() => {})
  }

  async start(): Promise<void> {
    if (this.program === undefined) {
      this.#exit({ exitCode: 127, reason: 'exited', durationMs: 0 })
      throw new EngineError('COMMAND_NOT_FOUND', `${this.request.spec.process.args[0]}: not found`)
    }
    const guest: FakeGuest = {
      args: this.request.spec.process.args,
      env: this.request.spec.process.env,
      stdin: this.stdin ?? new PassThrough().end(),
      stdout: this.stdout,
      stderr: this.stderr ?? this.stdout,
      nextSignal: async () => {
        while (this.#signals.length === 0)
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        return this.#signals.shift() ?? 'SIGKILL'
      },
    }
    void Promise.resolve(this.program(guest)).then((exitCode) => this.#exit({ exitCode, reason: 'exited', durationMs: 1 }))
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (signal === 'SIGKILL') this.#exit({ exitCode: 137, signal, reason: 'signaled', durationMs: 1 })
    this.#signals.push(signal)
    this.#wake()
  }

  async resize(): Promise<void> {}

  async pause(): Promise<void> {}

  async resume(): Promise<void> {}

  async outlive(): Promise<void> {}

  async attach(): Promise<Attachment> {
    return { stdin: this.stdin, stdout: this.stdout, stderr: this.stderr, close: () => {} }
  }

  async gone(): Promise<void> {
    await this.#exited
  }

  /** What happens when the wall itself is killed: nobody can say how the guest ended. */
  lose(error: unknown): void {
    this.#lose(error)
  }

  wait(): Promise<ExitStatus> {
    return this.#exited
  }

  async settled(): Promise<void> {}

  async receipt(): Promise<Receipt> {
    return {
      schema: 'wolffia.receipt/1',
      container: this.request.id,
      wall: 'native',
      doubleWall: false,
      kernel: null,
      seccompProfile: null,
      wasm: null,
      limits: [],
      crossCheck: {},
    }
  }

  async delete(): Promise<void> {
    this.#exit({ exitCode: 137, signal: 'SIGKILL', reason: 'signaled', durationMs: 0 })
    this.forget()
  }
}
