import { EngineError } from '../errors.js'
import type { FieldValue, Plan } from './operations.js'
import { OPERATIONS } from './operations.js'

/** Both sides of the guest are known by their host pids; it waits for `go` from here on. */
export interface CreatedEvent {
  readonly event: 'created'
  /** Init of the container. */
  readonly pid: number
  /** The guest itself. */
  readonly guest: number
  /** The holder below whose user namespace theirs is; null where they have theirs from the host. */
  readonly holder: number | null
}

/** What the guest-to-be found about itself with every privilege gone; texts are those of its own /proc files. */
export interface ReceiptEvent {
  readonly event: 'receipt'
  /** Inodes by the names in /proc/self/ns: `pid`, `uts`, `mnt`, `ipc`, `net`, `user`, `cgroup`. */
  readonly namespaces: Readonly<Record<string, number>>
  readonly status: string
  readonly mountinfo: string
  readonly limits: string
  readonly uid_map: string
  readonly gid_map: string
  readonly hostname: string
  /** Descriptors that survive execve. */
  readonly descriptors: readonly number[]
  /** Whether each interface is up. */
  readonly interfaces: Readonly<Record<string, boolean>>
  /** Whether it leads a session of its own. */
  readonly session: boolean
  readonly umask: number
  readonly oom_score_adj: number
  readonly dumpable: boolean
  /** Null when no landlock-scope was asked for; `scopes` are those the kernel could honour. */
  readonly landlock: { readonly abi: number; readonly scopes: readonly string[] } | null
  readonly working_directory: string
  /** Names in /dev, sorted. */
  readonly devices: readonly string[]
  /** Kernel parameters that the plan has set, by their paths below /proc/sys, as they are read back. */
  readonly sysctls: Readonly<Record<string, string>>
  /** Length of the system call filter that is in force; 0 for none. */
  readonly seccomp_instructions: number
  /** Size of the root file system as statfs gives it. */
  readonly root: { readonly bytes: number; readonly inodes: number }
  /** Size of the terminal on descriptor 0; null when that is none. */
  readonly terminal: { readonly rows: number; readonly columns: number } | null
  /** Limits the launcher's parent holds. */
  readonly supervisor: { readonly output_bytes: number | null; readonly time_ms: number | null; readonly pause: 'freezer' | 'signals' }
}

/** Of one that the spawner has started: its process, before anything that it says itself. */
export interface LaunchedEvent {
  readonly event: 'launched'
  readonly pid: number
}

/** execve succeeded. */
export interface StartedEvent {
  readonly event: 'started'
}

/** What was left for later is done: the container is its caller's, and its time counts. */
export interface BegunEvent {
  readonly event: 'begun'
}

/** A step failed; nothing is left running or mounted. */
export interface FailedEvent {
  readonly event: 'failed'
  /** Name of the operation, `exec` for the program itself, `plan` for a plan that can't be read, `launch` for the launcher's own steps. */
  readonly operation: string
  /** The system call that failed. */
  readonly call: string
  /** What it was about: mostly a path, a name or a value of the plan. */
  readonly argument: string
  readonly errno: number
}

/** The guest has ended, and with it everything in the container; all its output has been passed on. */
export interface ExitedEvent {
  readonly event: 'exited'
  /** Exit status, or null when a signal ended it. */
  readonly code: number | null
  readonly signal: number | null
  readonly reason: 'exited' | 'signaled' | 'timeout' | 'out-of-memory' | 'limit'
  /** From `go` to exit. */
  readonly duration_ns: number
  /** When it ended, RFC 3339 with nanoseconds. */
  readonly time: string
}

/** Before `exited`, of a plan with `seccomp-watch`: what the kernel has told of the guest's system calls. */
export interface WatchedEvent {
  readonly event: 'watched'
  /** Different calls, in the order in which each was first made; `errno` is 0 for one that was let through. */
  readonly calls: readonly {
    readonly number: number
    readonly errno: number
    readonly count: number
    readonly values: Readonly<Record<string, number>>
    readonly paths: Readonly<Record<string, string>>
  }[]
  /** Calls of kinds beyond those. */
  readonly more: number
}

/** A plan without a program is finished. */
export interface DoneEvent {
  readonly event: 'done'
}

/** What the launcher says on its control socket. */
export type LauncherEvent =
  | LaunchedEvent
  | CreatedEvent
  | ReceiptEvent
  | StartedEvent
  | BegunEvent
  | FailedEvent
  | WatchedEvent
  | ExitedEvent
  | DoneEvent

/** The bytes of a plan: fields that end in NUL. Throws INVALID_ARGUMENT for a field that holds a NUL or a wrong number of fields. */
export function encodePlan(plan: Plan): Buffer {
  const fields: FieldValue[] = []
  for (const operation of plan.operations) {
    const [name, ...values] = operation
    if (values.length !== OPERATIONS[name].length) throw new EngineError('INTERNAL', `operation ${name} has ${values.length} fields`)
    fields.push(...operation)
  }
  if (plan.exec === null) fields.push('done')
  else fields.push('exec', plan.exec.args.length, ...plan.exec.args, plan.exec.env.length, ...plan.exec.env)
  return encodeFields(fields)
}

/** Text is gathered and encoded in one piece: a plan has some five hundred fields. */
function encodeFields(fields: readonly FieldValue[]): Buffer {
  const pieces: Uint8Array[] = []
  let text = ''
  for (const field of fields) {
    if (field instanceof Uint8Array) {
      if (field.includes(0)) throw holdsNul(field)
      pieces.push(Buffer.from(text), field)
      text = '\0'
      continue
    }
    const word = String(field)
    if (word.includes('\0')) throw holdsNul(Buffer.from(word))
    text += `${word}\0`
  }
  return Buffer.concat([...pieces, Buffer.from(text)])
}

function holdsNul(bytes: Uint8Array): EngineError {
  return new EngineError('INVALID_ARGUMENT', `a NUL byte cannot be passed on: ${JSON.stringify(Buffer.from(bytes).toString())}`)
}

const EVENTS: ReadonlySet<string> = new Set(['launched', 'created', 'receipt', 'started', 'begun', 'failed', 'watched', 'exited', 'done'])

/** One line of the control socket. Throws INTERNAL for anything that is not an event. */
export function parseEvent(line: string): LauncherEvent {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new EngineError('INTERNAL', 'the launcher said something that is not JSON', { cause, data: { line } })
  }
  if (typeof value !== 'object' || value === null || !('event' in value) || !EVENTS.has(String(value.event)))
    throw new EngineError('INTERNAL', 'the launcher said something unknown', { data: { line } })
  return value as LauncherEvent
}
