import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '../errors.js'
import { type Caller, callLauncher } from '../launcher/caller.js'
import type { ProcessIdentity } from '../store/process-identity.js'
import { identityOf, mayBeAlive, pidOf } from '../store/process-identity.js'
import { releaseKilled } from './make-groups.js'
import type { IdMapEvidence } from './receipt.js'
import type { Attachment, RunningTask, TerminalSize } from './runtime.js'

/** Where a task says, for other processes, who its guest is. */
const FILE = 'guest.json'
const POLL_MS = 20

/** The processes of a running container, each with when it began. */
export interface GuestProcesses {
  readonly guest: ProcessIdentity
  /** The first process of its namespaces; the guest itself where it has none. */
  readonly init: ProcessIdentity
  /** Who holds it and writes down its end; null when that is the process that made it. */
  readonly supervisor: ProcessIdentity | null
  /** The map of the user namespace that the guest's is in; absent where that is the host's. */
  readonly outer?: IdMapEvidence | null
}

/** Writes down who the guest is, so that {@link openRunningTask} finds it from another process; gives what it wrote. */
export function recordGuest(
  directory: string,
  pids: { guest: number; init?: number | undefined; supervisor?: number | undefined; outer?: IdMapEvidence | null },
): GuestProcesses {
  const identified = (pid: number): ProcessIdentity => {
    const identity = identityOf(pid)
    if (identity === null) throw new EngineError('LAUNCHER_FAILED', 'the guest was gone before it began', { data: { pid } })
    return identity
  }
  const processes: GuestProcesses = {
    guest: identified(pids.guest),
    init: identified(pids.init ?? pids.guest),
    supervisor: pids.supervisor === undefined ? null : identified(pids.supervisor),
    ...(pids.outer === undefined || pids.outer === null ? {} : { outer: pids.outer }),
  }
  writeFileSync(join(directory, FILE), JSON.stringify(processes), { mode: 0o600 })
  return processes
}

/** What {@link recordGuest} wrote down, or null when the guest no longer runs. */
export function readGuest(directory: string): GuestProcesses | null {
  try {
    const processes: GuestProcesses = JSON.parse(readFileSync(join(directory, FILE), 'utf8'))
    const { guest, init, supervisor } = processes
    if (![guest, init, supervisor ?? ''].every((identity) => typeof identity === 'string')) return null
    return mayBeAlive(guest) ? processes : null
  } catch {
    return null
  }
}

/**
 * The guest that {@link recordGuest} wrote down, or null when it no longer runs. Its launcher, where it has one, listens in `directory`; one
 * whose launcher was killed has been killed with it, and is let go to its end where it was paused.
 */
export function openRunningTask(directory: string): RunningTask | null {
  const processes = readGuest(directory)
  if (processes?.supervisor && !mayBeAlive(processes.supervisor)) releaseKilled(pidOf(processes.init))
  return processes === null ? null : new FoundTask(directory, processes)
}

/** A guest of another process: what is asked of it goes through its launcher. */
class FoundTask implements RunningTask {
  readonly pid: number
  readonly #directory: string
  readonly #processes: GuestProcesses

  constructor(directory: string, processes: GuestProcesses) {
    this.#directory = directory
    this.#processes = processes
    this.pid = pidOf(processes.guest)
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const caller = await callLauncher(this.#directory)
    if (caller !== null) {
      await this.#say(caller, `signal ${signalNumber(signal)}`).catch(ignoreItsEnd)
      return
    }
    // Looked at immediately before: a number that has been given to another process since is never signalled.
    if (!mayBeAlive(this.#processes.guest)) return
    try {
      process.kill(this.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  pause(): Promise<void> {
    return this.#command('pause')
  }

  resume(): Promise<void> {
    return this.#command('resume')
  }

  resize({ rows, columns }: TerminalSize): Promise<void> {
    return this.#command(`resize ${rows} ${columns}`)
  }

  async attach(): Promise<Attachment> {
    const caller = await this.#call()
    await caller.attach()
    return { stdin: caller.stdin, stdout: caller.stdout, stderr: caller.stderr, close: () => caller.close() }
  }

  /** The launcher says when it has written all there is to write, by closing. */
  async gone(signal?: AbortSignal): Promise<void> {
    const { supervisor } = this.#processes
    const caller = await callLauncher(this.#directory)
    if (caller !== null) {
      const leave = () => caller.close()
      signal?.addEventListener('abort', leave, { once: true })
      await caller.exited
      signal?.removeEventListener('abort', leave)
    }
    while (!signal?.aborted && (mayBeAlive(this.#processes.guest) || (supervisor !== null && mayBeAlive(supervisor)))) await sleep(POLL_MS)
  }

  async #command(line: string): Promise<void> {
    await this.#say(await this.#call(), line)
  }

  async #say(caller: Caller, line: string): Promise<void> {
    try {
      await caller.command(line)
    } finally {
      caller.close()
    }
  }

  async #call(): Promise<Caller> {
    const caller = await callLauncher(this.#directory)
    if (caller !== null) return caller
    if (mayBeAlive(this.#processes.guest))
      throw new EngineError('UNSUPPORTED_BY_HOST', 'no launcher holds this container, only the process that made it', {
        hint: 'Ask that process, or use a host where wolffia doctor finds the native wall.',
      })
    throw new EngineError('CONFLICT', 'the container has ended')
  }
}

function ignoreItsEnd(error: unknown): void {
  if (!(error instanceof EngineError && error.code === 'CONFLICT')) throw error
}

/** Number of a signal's name on this system. Throws INVALID_ARGUMENT for a name it does not have. */
export function signalNumber(signal: NodeJS.Signals): number {
  const number = constants.signals[signal]
  if (number === undefined) throw new EngineError('INVALID_ARGUMENT', `no such signal: ${signal}`, { data: { signal } })
  return number
}

/** Name of a signal's number; a real-time signal has none of its own. */
export function signalName(number: number): NodeJS.Signals | undefined {
  return (Object.keys(constants.signals) as NodeJS.Signals[]).find((name) => constants.signals[name] === number)
}
