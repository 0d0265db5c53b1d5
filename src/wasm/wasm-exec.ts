import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { EngineError } from '../errors.js'
import { crossCheck, failedChecks } from '../runtime/cross-check.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt, WasmEvidence } from '../runtime/receipt.js'
import { openRunningTask, readGuest, signalNumber } from '../runtime/running-task.js'
import type { Attachment, ExecRequest, Task, TerminalSize } from '../runtime/runtime.js'
import { pidOf } from '../store/process-identity.js'
import { execTerminal } from './exec-terminal.js'
import { preparationMs, within } from './preparation.js'
import { mustOpenSession, type SandboxSession } from './sandbox-session.js'
import { guestProcess } from './start-message.js'
import { HARMLESS } from './wasm-task.js'

const RECEIPT_FILE = 'receipt.json'
/** Signals that stop a process, which a thread cannot be. */
const STOPPING: ReadonlySet<NodeJS.Signals> = new Set(['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'])

/** Keeps a container's receipt for those of further programs. */
export function keepReceipt(folder: string, receipt: Receipt): void {
  writeFileSync(join(folder, RECEIPT_FILE), JSON.stringify(receipt), { mode: 0o600 })
}

/** One more program in a running sandbox, made ready: a thread of it. Rejects with CONFLICT when it does not run. */
export async function startExec(folder: string, { id, process: wanted, openStdin }: ExecRequest): Promise<Task> {
  const process = guestProcess(wanted)
  const session = await mustOpenSession(folder, { request: 'exec', process, openStdin })
  try {
    const evidence = await within(session.ready, preparationMs(null))
    const running = readGuest(folder)
    if (running === null) throw new EngineError('CONFLICT', 'the container is not running')
    const pid = pidOf(running.guest)
    return new WasmExec({
      session,
      folder,
      pid,
      openStdin,
      terminal: process.terminal,
      receipt: execReceipt(folder, id, pid, evidence, process.env),
    })
  } catch (error) {
    session.close()
    throw sessionError(error, folder)
  }
}

/** What kept a program from running in a container: whatever it was, of one that has ended meanwhile it is that. */
function sessionError(error: unknown, folder: string): unknown {
  return readGuest(folder) === null ? new EngineError('CONFLICT', 'the container is not running', { cause: error }) : error
}

/**
 * The receipt of one more program. The walls are the container's own, looked at once more from outside; what it was given is new. Descriptors
 * are not compared: Node has long made its own of them.
 */
function execReceipt(folder: string, container: string, pid: number, wasm: WasmEvidence, env: readonly string[]): Receipt {
  const first = JSON.parse(readFileSync(join(folder, RECEIPT_FILE), 'utf8')) as Receipt
  // Output and time are limits of the container's own program.
  const limits = first.limits.filter(({ name }) => name !== 'output' && name !== 'time')
  const { descriptors: _descriptors, ...kernelChecks } =
    first.kernel === null ? ({} as Record<string, boolean>) : crossCheck({ pid, evidence: first.kernel, limits })
  const checks = { ...kernelChecks, environment: JSON.stringify(wasm.environment) === JSON.stringify(env) }
  const failed = failedChecks(checks)
  if (failed.length > 0)
    throw new EngineError('SANDBOX_FAILED', `the sandbox shows something else than this process sees: ${failed.join(', ')}`, {
      data: { failed },
    })
  return { ...first, container, wasm, limits, crossCheck: checks }
}

interface WasmExecParts {
  readonly session: SandboxSession
  readonly folder: string
  readonly pid: number
  readonly openStdin: boolean
  readonly terminal: boolean
  readonly receipt: Receipt
}

/** One more program of a container, a thread of its sandbox. It ends with the process that asked for it, unless it is left. */
class WasmExec implements Task {
  readonly pid: number
  readonly supervisor = null
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable | null
  readonly #session: SandboxSession
  readonly #folder: string
  readonly #receipt: Receipt
  readonly #exit: Promise<ExitStatus>
  #startedAt: number | null = null

  constructor({ session, folder, pid, openStdin, terminal, receipt }: WasmExecParts) {
    this.pid = pid
    const { stdin, stdout } = terminal ? execTerminal(session) : session
    this.stdin = openStdin ? stdin : null
    this.stdout = stdout
    this.stderr = terminal ? null : session.stderr
    this.#session = session
    this.#folder = folder
    this.#receipt = receipt
    this.#exit = session.exited.then((said) => said ?? this.#lost())
  }

  async start(): Promise<void> {
    this.#startedAt = performance.now()
    this.#session.go()
    try {
      await this.#session.started
    } catch (error) {
      throw sessionError(error, this.#folder)
    }
  }

  /** A guest of preview1 has no signal handlers, so every signal does what it does by default. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const number = signalNumber(signal)
    if (HARMLESS.has(signal)) return
    if (STOPPING.has(signal))
      throw new EngineError('NOT_BUILT', `${signal}: one program of a Wasm container cannot be stopped without the others`, {
        hint: 'wolffia pause stops all of them.',
      })
    this.#session.signal(number)
  }

  /** Nothing asks for a terminal's size through preview1. */
  async resize(_size: TerminalSize): Promise<void> {}

  pause(): Promise<void> {
    return this.#container().pause()
  }

  resume(): Promise<void> {
    return this.#container().resume()
  }

  attach(): Promise<Attachment> {
    return this.#container().attach()
  }

  async outlive(): Promise<void> {
    this.#session.outlive()
    // One that has ended meanwhile needs no leave.
    await this.#session.outlives.catch(() => this.#exit)
    this.#session.close()
  }

  async gone(): Promise<void> {
    await this.#exit
  }

  async settled(): Promise<void> {}

  wait(): Promise<ExitStatus> {
    return this.#exit
  }

  async receipt(): Promise<Receipt> {
    return this.#receipt
  }

  async delete(): Promise<void> {
    this.#session.close()
    this.stdin?.destroy()
  }

  #container() {
    const running = openRunningTask(this.#folder)
    if (running === null) throw new EngineError('CONFLICT', 'the container has ended')
    return running
  }

  /** The container has ended, and this with it. */
  #lost(): ExitStatus {
    const durationMs = this.#startedAt === null ? 0 : performance.now() - this.#startedAt
    if (this.#session.isBroken) return { exitCode: 125, reason: 'signaled', detail: 'the sandbox said what no sandbox says', durationMs }
    return { exitCode: 128 + constants.signals.SIGKILL, signal: 'SIGKILL', reason: 'signaled', durationMs }
  }
}
