import type { Writable } from 'node:stream'
import { Readable } from 'node:stream'
import type { LauncherProcess } from '../launcher/client.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt } from '../runtime/receipt.js'
import { signalNumber } from '../runtime/running-task.js'
import type { Task, TerminalSize } from '../runtime/runtime.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { exitStatus } from './exit-status.js'

/** What a {@link NativeTask} is made of. */
export interface NativeTaskParts {
  readonly launcher: LauncherProcess
  /** Host pid of the guest. */
  readonly pid: number
  readonly spec: ContainerSpec
  readonly receipt: Receipt
  /** Removes what the wall made on disk. */
  readonly cleanUp: () => Promise<void>
}

/** A native guest, held by one launcher process: when that or this process dies, the kernel ends the whole container. */
export class NativeTask implements Task {
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable | null
  readonly #launcher: LauncherProcess
  readonly #receipt: Receipt
  readonly #exit: Promise<ExitStatus>
  readonly #cleanUp: () => Promise<void>
  #deleted: Promise<void> | undefined

  constructor({ launcher, pid, spec, receipt, cleanUp }: NativeTaskParts) {
    this.pid = pid
    this.stdin = launcher.stdin
    this.stdout = launcher.stdout ?? Readable.from([])
    this.stderr = spec.process.terminal ? null : launcher.stderr
    this.#launcher = launcher
    this.#receipt = receipt
    this.#cleanUp = cleanUp
    this.#exit = launcher.exited.then((event) => exitStatus(event, spec.limits))
    // Whoever waits hears of it; nobody has to.
    this.#exit.catch(() => {})
    // A guest that ends without reading its input is not an error of whoever writes it.
    this.stdin?.on('error', () => {})
  }

  start(): Promise<void> {
    return this.#launcher.go()
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#launcher.signal(signalNumber(signal))
  }

  async resize(size: TerminalSize): Promise<void> {
    this.#launcher.resize(size)
  }

  wait(): Promise<ExitStatus> {
    return this.#exit
  }

  async receipt(): Promise<Receipt> {
    return this.#receipt
  }

  delete(): Promise<void> {
    this.#deleted ??= this.#delete()
    return this.#deleted
  }

  async #delete(): Promise<void> {
    this.#launcher.kill()
    await this.#launcher.exited.catch(() => {})
    this.stdin?.destroy()
    await this.#cleanUp()
  }
}
