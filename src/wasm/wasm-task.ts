import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { EngineError } from '../errors.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt } from '../runtime/receipt.js'
import { openRunningTask, signalName, signalNumber } from '../runtime/running-task.js'
import type { Attachment, Task, TerminalSize } from '../runtime/runtime.js'
import { identityOf, type ProcessIdentity } from '../store/process-identity.js'
import type { SandboxControl, SandboxExit } from './sandbox-control.js'
import type { ProcessEnd, SandboxProcess } from './sandbox-process.js'
import { Timer } from './timer.js'
import type { NewUpper } from './uppers.js'

/** What a {@link WasmTask} is made of. */
export interface WasmTaskParts {
  readonly sandbox: SandboxProcess
  readonly control: SandboxControl
  readonly receipt: Receipt
  /** Milliseconds from start; null is without end. */
  readonly timeoutMs: number | null
  /** Where the sandbox writes what the guest has changed; null when it dies with the container. */
  readonly upper: NewUpper | null
  /** Where its launcher listens, if it does. */
  readonly folder: string
  /** It is to go on when this process ends. */
  readonly outlives: boolean
  /** Settles when nothing more happens in the objects that it has mounted; null without any. */
  readonly files: Promise<void> | null
  /** Removes what the wall made on disk. */
  readonly cleanUp: () => Promise<void>
}

/** What a sandbox may live on for after its last word. */
const LAST_WORD_MS = 1000
/** Signals that end nothing by default. */
export const HARMLESS: ReadonlySet<NodeJS.Signals> = new Set(['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH'])

/** A Wasm guest in a sandbox process. */
export class WasmTask implements Task {
  readonly pid: number
  readonly supervisor: ProcessIdentity | null
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable | null
  readonly #folder: string
  readonly #outlives: boolean
  readonly #sandbox: SandboxProcess
  readonly #control: SandboxControl
  readonly #receipt: Receipt
  readonly #upper: NewUpper | null
  readonly #files: Promise<void> | null
  readonly #cleanUp: () => Promise<void>
  readonly #timeoutMs: number | null
  readonly #exit: Promise<ExitStatus>
  #startedAt: number | null = null
  #timer: Timer | undefined
  #timedOut = false
  #ended = false
  /** The signal that was asked for, where another had to be sent for it. */
  #askedSignal: NodeJS.Signals | null = null
  #deleted: Promise<void> | undefined

  constructor({ sandbox, control, receipt, timeoutMs, upper, folder, outlives, files, cleanUp }: WasmTaskParts) {
    this.pid = sandbox.pid
    this.supervisor = sandbox.holders?.supervisor === undefined ? null : identityOf(sandbox.holders.supervisor)
    this.#folder = folder
    this.#outlives = outlives
    this.#files = files
    this.stdin = sandbox.stdin
    this.stdout = sandbox.stdout
    this.stderr = sandbox.stderr
    this.#sandbox = sandbox
    this.#control = control
    this.#receipt = receipt
    this.#upper = upper
    this.#cleanUp = cleanUp
    this.#timeoutMs = timeoutMs
    this.#exit = this.#waitForEnd()
    this.#exit.catch(() => {})
    control.exited.then(() => this.#endSoon()).catch(() => {})
    this.stdin?.on('error', () => {})
  }

  async start(): Promise<void> {
    this.#startedAt = performance.now()
    if (this.#timeoutMs !== null && this.#outlives) this.#sandbox.deadline(this.#timeoutMs)
    else if (this.#timeoutMs !== null) this.#timer = new Timer(this.#timeoutMs, () => this.#timeOut())
    this.#control.go()
    await this.#control.started.catch(async (error) => {
      // A signal may have ended it before it was let go: it is as if it had been, and had ended at once.
      if ((await this.#exit).signal === undefined) throw error
    })
  }

  #timeOut(): void {
    this.#timedOut = true
    this.#end()
  }

  /** An honest sandbox ends itself once it has said how its guest did; one that goes on would be waited for without end. */
  #endSoon(): void {
    this.#timer?.cancel()
    if (!this.#ended) this.#timer = new Timer(LAST_WORD_MS, () => this.#end())
  }

  /** Its process alone: what it has written still comes out. */
  #end(): void {
    this.#sandbox.signal(constants.signals.SIGKILL)
  }

  /**
   * A guest of preview1 has no signal handlers, so every signal does what it does by default. SIGUSR1, which Node takes for itself,
   * is sent as SIGKILL and reported as what it was.
   */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const number = signalNumber(signal)
    if (HARMLESS.has(signal)) return
    if (signal === 'SIGUSR1') this.#askedSignal = signal
    this.#sandbox.signal(signal === 'SIGUSR1' ? constants.signals.SIGKILL : number)
  }

  async resize(size: TerminalSize): Promise<void> {
    this.#sandbox.resize(size)
  }

  async pause(): Promise<void> {
    this.#sandbox.pause()
  }

  async resume(): Promise<void> {
    this.#sandbox.resume()
  }

  /** Time goes on being counted, by the launcher now. */
  async outlive(): Promise<void> {
    if (this.#files !== null) throw new EngineError('NOT_BUILT', "a container with a file system of this process can't outlive it")
    const { holders } = this.#sandbox
    if (this.#timer !== undefined && this.#timeoutMs !== null && holders !== null) {
      this.#timer.cancel()
      this.#sandbox.deadline(this.#timeoutMs - (performance.now() - (this.#startedAt ?? performance.now())))
    }
    this.#sandbox.outlive()
    this.#control.outlive()
  }

  async attach(): Promise<Attachment> {
    const running = openRunningTask(this.#folder)
    if (running === null) throw new EngineError('CONFLICT', 'the container has ended')
    return running.attach()
  }

  async gone(): Promise<void> {
    await this.#exit
  }

  wait(): Promise<ExitStatus> {
    return this.#exit
  }

  /** The guest's end is told when nothing more happens in them. */
  async settled(): Promise<void> {
    await this.#files
  }

  async receipt(): Promise<Receipt> {
    return this.#receipt
  }

  delete(): Promise<void> {
    this.#deleted ??= this.#delete()
    return this.#deleted
  }

  async #delete(): Promise<void> {
    this.#sandbox.kill()
    await this.#sandbox.ended.catch(() => {})
    this.stdin?.destroy()
    await this.#cleanUp()
  }

  /** The sandbox's own word, or the kernel's when it was killed before it could say one. */
  async #waitForEnd(): Promise<ExitStatus> {
    const end = await this.#sandbox.ended
    await this.#files
    this.#ended = true
    this.#timer?.cancel()
    const said = await this.#control.exited
    // Killed on the way, it may have been cut off: only a guest that came to its own end leaves its files.
    if (said?.upperWhole) this.#upper?.keep()
    else this.#upper?.discard()
    if (said !== null) return statusOf(said)
    if (this.#control.isBroken)
      return {
        exitCode: 125,
        reason: 'signaled',
        detail: 'the sandbox said what no sandbox says, and was killed',
        durationMs: this.#elapsedMs(),
      }
    return killedStatus(end, {
      asked: this.#askedSignal,
      timedOutAfterMs: this.#timedOut ? this.#timeoutMs : null,
      durationMs: this.#elapsedMs(),
      memoryBytes: this.#receipt.limits.find(({ name }) => name === 'memory')?.value ?? null,
    })
  }

  #elapsedMs(): number {
    return this.#startedAt === null ? 0 : performance.now() - this.#startedAt
  }
}

/** How a guest ended by its sandbox's own word. */
export function statusOf({ event: _event, upperWhole: _upperWhole, ...status }: SandboxExit): ExitStatus {
  return status
}

/** How a guest ended whose sandbox was killed before it could say a word. */
export function killedStatus(
  { code, signal, reason }: ProcessEnd,
  {
    asked,
    timedOutAfterMs,
    durationMs,
    memoryBytes,
  }: { asked: NodeJS.Signals | null; timedOutAfterMs: number | null; durationMs: number; memoryBytes: number | null },
): ExitStatus {
  if (timedOutAfterMs !== null) {
    const detail = `it ran for longer than ${timedOutAfterMs} ms`
    return { exitCode: 128 + constants.signals.SIGKILL, signal: 'SIGKILL', reason: 'timeout', detail, durationMs }
  }
  if (reason === 'out-of-memory') {
    const detail = `the kernel killed its sandbox for more memory than its control group allows (${memoryBytes} bytes are the guest's own)`
    return { exitCode: 128 + constants.signals.SIGKILL, signal: 'SIGKILL', reason, detail, durationMs }
  }
  const name = asked ?? (signal === null ? undefined : signalName(signal))
  if (name === undefined)
    return { exitCode: 125, reason: 'signaled', detail: `the sandbox process ended without a word (status ${code})`, durationMs }
  const status = { exitCode: 128 + signalNumber(name), signal: name, durationMs }
  // Node and V8 abort when they cannot get what they need.
  if (ABORTS.has(name)) return { ...status, reason: 'out-of-memory', detail: `the engine gave up (${name}): memory is exhausted` }
  return { ...status, reason: 'signaled' }
}

const ABORTS: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL'])
