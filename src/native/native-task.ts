import type { Writable } from 'node:stream'
import { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import type { LauncherProcess } from '../launcher/client.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt } from '../runtime/receipt.js'
import { openRunningTask, readGuest, signalNumber } from '../runtime/running-task.js'
import type { Attachment, Task, TerminalSize } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { SystemCallReport, SystemCallWatch } from '../runtime/system-calls.js'
import type { ProcessIdentity } from '../store/process-identity.js'
import { exitStatus } from './exit-status.js'
import type { LentObjects } from './lent-objects.js'

/** What a {@link NativeTask} is made of. */
export interface NativeTaskParts {
  readonly launcher: LauncherProcess
  /** Who that is, for other processes. */
  readonly supervisor: ProcessIdentity | null
  /** Where the launcher listens, if it does. */
  readonly folder: string
  /** It is one more program of a container that runs. */
  readonly joins: boolean
  /** Host pid of the guest. */
  readonly pid: number
  readonly spec: ContainerSpec
  readonly receipt: Receipt
  /** File systems of this process that it has; null for none. */
  readonly lent: LentObjects | null
  /** Which of its system calls are told. */
  readonly watch?: SystemCallWatch
  /** Removes what the wall made on disk. */
  readonly cleanUp: () => Promise<void>
}

/** A native guest, held by one launcher process: when that or this process dies, the kernel ends the whole container. */
export class NativeTask implements Task {
  readonly pid: number
  readonly supervisor: ProcessIdentity | null
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable | null
  readonly #folder: string
  readonly #joins: boolean
  readonly #launcher: LauncherProcess
  readonly #receipt: Receipt
  readonly #exit: Promise<ExitStatus>
  readonly #lent: LentObjects | null
  readonly #cleanUp: () => Promise<void>
  readonly #watch: SystemCallWatch | null
  #deleted: Promise<void> | undefined

  constructor({ launcher, supervisor, folder, joins, pid, spec, receipt, lent, watch, cleanUp }: NativeTaskParts) {
    this.pid = pid
    this.#folder = folder
    this.#joins = joins
    this.supervisor = supervisor
    this.stdin = launcher.stdin
    this.stdout = launcher.stdout ?? Readable.from([])
    this.stderr = spec.process.terminal ? null : launcher.stderr
    this.#launcher = launcher
    this.#receipt = receipt
    this.#cleanUp = cleanUp
    this.#lent = lent
    this.#watch = watch ?? null
    this.#exit = launcher.exited.then(async (event) => {
      const leftOut = await lent?.settled.catch(() => null)
      return withDetail(exitStatus(event, spec.limits), leftOut ?? null)
    })
    // Whoever waits hears of it; nobody has to.
    this.#exit.catch(() => {})
    // A guest that ends without reading its input is not an error of whoever writes it.
    this.stdin?.on('error', () => {})
  }

  async start(): Promise<void> {
    try {
      await this.#launcher.go()
    } catch (error) {
      throw this.#joins ? joinError(error, this.#folder) : error
    }
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#launcher.signal(signalNumber(signal))
  }

  async resize(size: TerminalSize): Promise<void> {
    this.#launcher.resize(size)
  }

  async pause(): Promise<void> {
    this.#launcher.pause()
  }

  async resume(): Promise<void> {
    this.#launcher.resume()
  }

  async outlive(): Promise<void> {
    this.#launcher.outlive()
    this.#launcher.release()
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

  async settled(): Promise<void> {
    await this.#exit.catch(() => {})
    await this.#lent?.settled
  }

  async receipt(): Promise<Receipt> {
    return this.#receipt
  }

  async systemCalls(): Promise<SystemCallReport | null> {
    await this.#exit
    if (this.#watch === null) return null
    const { systemCallReport } = await import('./watch.js')
    return systemCallReport(this.#watch, this.#launcher.watched)
  }

  delete(): Promise<void> {
    this.#deleted ??= this.#delete()
    return this.#deleted
  }

  async #delete(): Promise<void> {
    this.#launcher.kill()
    await this.#launcher.exited.catch(() => {})
    await this.#lent?.settled.catch(() => {})
    this.stdin?.destroy()
    await this.#cleanUp()
  }
}

function withDetail(status: ExitStatus, sentence: string | null): ExitStatus {
  if (sentence === null) return status
  return { ...status, detail: status.detail === undefined ? sentence : `${status.detail}; ${sentence}` }
}

/** What kept a program from joining a container: whatever it was, of one that has ended meanwhile it is that. */
export function joinError(error: unknown, folder: string): unknown {
  return readGuest(folder) === null ? new EngineError('CONFLICT', 'the container is not running', { cause: error }) : error
}
