import type { ExitReason, ExitStatus } from '../../runtime/exit.js'
import type { Outcome } from './messages.js'
import { writeAll } from './output.js'
import { CONTROL_DESCRIPTOR, type SandboxEvent, type SandboxLimits } from './protocol.js'

/** Signals of preview1 by number, where Linux has the same name for them. */
const SIGNALS: readonly (NodeJS.Signals | null)[] = [
  null,
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGKILL',
  'SIGUSR1',
  'SIGSEGV',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  null,
  null,
  'SIGSTOP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  null,
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGPROF',
  null,
  'SIGPOLL',
  'SIGPWR',
  'SIGSYS',
]
/** As a native program that aborts: 128 and SIGABRT. wasmtime answers a trap the same way. */
const TRAP_EXIT_CODE = 134
const KILLED_EXIT_CODE = 137
/** Of a replay that is not the run it was to be: a failure of wolffia's, not an answer of the guest's. */
const DIVERGED_EXIT_CODE = 125
/** A guest that traps with this share of a limit in use has most likely run into it: the engine only tells the guest. */
const NEARLY_ALL = 0.9

/** Writes the guest's end to a file, for those who come later. A full disk leaves them with what the kernel says of it. */
export function writeDown(event: SandboxEvent, descriptor: number): void {
  try {
    writeAll(descriptor, Buffer.from(`${JSON.stringify(event)}\n`))
  } catch {
    // As said.
  }
}

/** Says something to the supervisor. */
export function report(event: SandboxEvent): void {
  try {
    writeAll(CONTROL_DESCRIPTOR, Buffer.from(`${JSON.stringify(event)}\n`))
  } catch {
    // The supervisor is gone, and with it the reason to live.
    process.kill(process.pid, 'SIGKILL')
  }
}

/** How a guest's end reads as an exit status. */
export function exitStatusOf(outcome: Outcome, limits: SandboxLimits, durationMs: number): ExitStatus {
  const spent = outcome.fuelLeft === undefined ? {} : { fuelLeft: Math.max(0, outcome.fuelLeft) }
  return { ...endOf(outcome, limits, durationMs), ...spent }
}

function endOf(outcome: Outcome, limits: SandboxLimits, durationMs: number): ExitStatus {
  if (outcome.kind === 'stopped')
    return outcome.reason === 'limit'
      ? stopped('limit', outcome.detail, durationMs)
      : { exitCode: DIVERGED_EXIT_CODE, reason: 'diverged', detail: outcome.detail, durationMs }
  if (outcome.fuelLeft !== undefined && outcome.fuelLeft < 0) {
    const detail = `it used up its fuel of ${limits.fuel}`
    return { exitCode: TRAP_EXIT_CODE, signal: 'SIGABRT', reason: 'out-of-fuel', detail, durationMs }
  }
  if (outcome.kind === 'exit') {
    const signal = outcome.signal === null ? null : (SIGNALS[outcome.signal] ?? null)
    return signal === null
      ? { exitCode: outcome.exitCode, reason: 'exited', durationMs }
      : { exitCode: outcome.exitCode, signal, reason: 'signaled', durationMs }
  }
  const { memoryPages, tableElements, message } = outcome
  if (memoryPages >= limits.memoryPages * NEARLY_ALL) {
    const detail = `wasm trap: ${message}, with ${memoryPages} of at most ${limits.memoryPages} pages of memory in use`
    return { exitCode: TRAP_EXIT_CODE, signal: 'SIGABRT', reason: 'out-of-memory', detail, durationMs }
  }
  if (tableElements >= limits.tableElements * NEARLY_ALL) {
    const detail = `wasm trap: ${message}, with ${tableElements} of at most ${limits.tableElements} table elements in use`
    return { exitCode: TRAP_EXIT_CODE, signal: 'SIGABRT', reason: 'limit', detail, durationMs }
  }
  return { exitCode: TRAP_EXIT_CODE, signal: 'SIGABRT', reason: 'signaled', detail: `wasm trap: ${message}`, durationMs }
}

/** The exit status of a guest that was stopped from outside its thread. */
export function stopped(reason: ExitReason, detail: string, durationMs: number): ExitStatus {
  return { exitCode: KILLED_EXIT_CODE, signal: 'SIGKILL', reason, detail, durationMs }
}
