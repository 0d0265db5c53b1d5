import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import type { ProcessIdentity } from '../store/process-identity.js'
import { identityOf, mayBeAlive, pidOf } from '../store/process-identity.js'
import type { RunningTask } from './runtime.js'

/** Where a task says, for other processes, who its guest is. */
const FILE = 'guest.json'

/** Writes down who the guest is, so that {@link openRunningTask} finds it from another process. */
export function recordGuest(directory: string, guestPid: number): void {
  const identity = identityOf(guestPid)
  if (identity === null) throw new EngineError('LAUNCHER_FAILED', 'the guest was gone before it began', { data: { pid: guestPid } })
  writeFileSync(join(directory, FILE), JSON.stringify({ identity }), { mode: 0o600 })
}

/** The guest that {@link recordGuest} wrote down, or null when it no longer runs. */
export function openRunningTask(directory: string): RunningTask | null {
  let identity: ProcessIdentity
  try {
    identity = JSON.parse(readFileSync(join(directory, FILE), 'utf8')).identity
  } catch {
    return null
  }
  if (typeof identity !== 'string' || !mayBeAlive(identity)) return null
  const pid = pidOf(identity)
  return {
    pid,
    kill: async (signal) => {
      // Looked at immediately before: a number that has been given to another process since is never signalled.
      if (!mayBeAlive(identity)) return
      try {
        process.kill(pid, signal)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    },
  }
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
