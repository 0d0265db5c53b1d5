import { EngineError } from '../errors.js'
import type { GroupLimits } from './control-groups.js'
import type { KernelEvidence, LimitEvidence, LimitMechanism, LimitName } from './receipt.js'

/** What a container may use at most. Absent: no limit of its own. A limit that its wall cannot enforce is an error, never ignored. */
export interface Limits {
  /** Bytes of memory: a cgroup's for native containers, linear memory for Wasm. */
  readonly memoryBytes?: number
  /** Processors, fractions of at least a hundredth allowed (needs a cgroup). */
  readonly cpus?: number
  /** Processes and threads. */
  readonly pids?: number
  /** Open descriptors (RLIMIT_NOFILE, or the WASI descriptor table). */
  readonly openFiles?: number
  /** Bytes the writable layer may hold. */
  readonly diskBytes?: number
  /** Bytes the guest may write to stdout and stderr together; then it is killed with reason `limit`. */
  readonly outputBytes?: number
  /** Milliseconds from start; then it is killed with reason `timeout`. */
  readonly timeoutMs?: number
  /** Elements a Wasm table may grow to. */
  readonly tableElements?: number
  /** Instructions a Wasm program may execute, of which each is charged as `src/wasm/README.md` says; then it ends with reason `out-of-fuel`. */
  readonly fuel?: number
}

/** Limits that hold when nobody says otherwise: high enough for any honest program, low enough that one guest cannot take the host. */
export const DEFAULT_LIMITS = {
  pids: 4096,
  openFiles: 1024 * 64,
  wasmMemoryBytes: 1024 * 1024 * 1024,
  tableElements: 10_000_000,
} as const

/** What a wall does about one limit: what enforces it there, or why nothing does and what to do instead. */
export type LimitWay =
  | LimitMechanism
  | { readonly code: 'NOT_BUILT' | 'UNSUPPORTED_BY_HOST'; readonly reason: string; readonly hint: string }

/** A wall's ways for every limit. */
export type LimitWays = Readonly<Record<keyof Limits, LimitWay>>

/** How a limit is asked for and how a receipt calls it. */
export const LIMIT_NAMES: Readonly<Record<keyof Limits, { readonly flag: string; readonly receiptName: LimitName }>> = {
  memoryBytes: { flag: '--memory', receiptName: 'memory' },
  cpus: { flag: '--cpus', receiptName: 'cpus' },
  pids: { flag: '--pids-limit', receiptName: 'pids' },
  openFiles: { flag: '--ulimit nofile', receiptName: 'openFiles' },
  diskBytes: { flag: '--disk-limit', receiptName: 'disk' },
  outputBytes: { flag: '--output-limit', receiptName: 'output' },
  timeoutMs: { flag: '--timeout', receiptName: 'time' },
  tableElements: { flag: '--table-limit', receiptName: 'table' },
  fuel: { flag: '--fuel', receiptName: 'fuel' },
}

/**
 * Refuses what a wall cannot hold, before anything is made: NOT_BUILT or UNSUPPORTED_BY_HOST with the way out. A limit that is no
 * positive number (a whole one, but for cpus) is an INVALID_ARGUMENT.
 */
export function assertLimits(limits: Limits, wall: string, ways: LimitWays): void {
  for (const [key, value] of limitEntries(limits)) {
    const { flag } = LIMIT_NAMES[key]
    if (!(value > 0) || (key !== 'cpus' && !Number.isSafeInteger(value)))
      throw new EngineError('INVALID_ARGUMENT', `${flag} ${value}: the limit must be a positive number`, { data: { limit: key, value } })
    const way = ways[key]
    if (typeof way === 'object')
      throw new EngineError(way.code, `${flag} cannot be held by the ${wall} wall: ${way.reason}`, { hint: way.hint, data: { limit: key } })
  }
}

/**
 * The limits in force, each read from the evidence where the kernel holds it: what was asked for is believed only of the Wasm engine,
 * which answers for its own. `group` is what the guest's control groups allow. Throws LAUNCHER_FAILED when the kernel shows less than was
 * asked.
 */
export function limitEvidence(
  limits: Limits,
  ways: LimitWays,
  kernel: KernelEvidence | null,
  group: GroupLimits | null = null,
): LimitEvidence[] {
  return limitEntries(limits).map(([key, value]) => {
    const mechanism = ways[key]
    const { flag, receiptName: name } = LIMIT_NAMES[key]
    if (typeof mechanism === 'object') throw new EngineError(mechanism.code, `${flag}: ${mechanism.reason}`, { hint: mechanism.hint })
    const believed = mechanism === 'wasm' || (kernel === null && mechanism === 'supervisor')
    const shown = believed ? value : mechanism === 'cgroup' ? shownByGroup(key, group) : shownByKernel(key, kernel)
    if (shown === null || shown < 0 || shown > value)
      throw new EngineError('LAUNCHER_FAILED', `${flag} ${value} is not in force: the kernel shows ${shown ?? 'nothing'}`, {
        data: { limit: key, value, shown },
      })
    return { name, value: shown, mechanism }
  })
}

/** Names of /proc/PID/limits. */
const RLIMIT_PROCESSES = 'Max processes'
const RLIMIT_OPEN_FILES = 'Max open files'

function shownByKernel(key: keyof Limits, kernel: KernelEvidence | null): number | null {
  if (kernel === null) return null
  switch (key) {
    case 'pids':
      return kernel.hardRlimits[RLIMIT_PROCESSES] ?? null
    case 'openFiles':
      return kernel.hardRlimits[RLIMIT_OPEN_FILES] ?? null
    case 'diskBytes':
      return kernel.root.bytes
    case 'outputBytes':
      return kernel.supervisor.outputBytes
    case 'timeoutMs':
      return kernel.supervisor.timeMs
    default:
      return null
  }
}

function shownByGroup(key: keyof Limits, group: GroupLimits | null): number | null {
  return key === 'memoryBytes' || key === 'cpus' ? (group?.[key] ?? null) : null
}

function limitEntries(limits: Limits): [keyof Limits, number][] {
  return (Object.entries(limits) as [keyof Limits, number | undefined][]).filter(
    (entry): entry is [keyof Limits, number] => entry[1] !== undefined,
  )
}
