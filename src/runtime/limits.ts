/** What a container may use at most. Absent: no limit of its own. A limit that its wall cannot enforce is an error, never ignored. */
export interface Limits {
  /** Bytes of memory: a cgroup's for native containers, linear memory for Wasm. */
  readonly memoryBytes?: number
  /** Processors, fractions allowed (needs a cgroup). */
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
}

/** Limits that hold when nobody says otherwise: high enough for any honest program, low enough that one guest cannot take the host. */
export const DEFAULT_LIMITS = {
  pids: 4096,
  openFiles: 1024 * 64,
  wasmMemoryBytes: 1024 * 1024 * 1024,
  tableElements: 10_000_000,
} as const
