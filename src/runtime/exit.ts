/** Why a container ended; `diverged` is a replay that came to something else than was recorded. */
export type ExitReason = 'exited' | 'signaled' | 'timeout' | 'out-of-memory' | 'out-of-fuel' | 'limit' | 'diverged'

/** How a container ended. A non-zero exit is a result, not an error. */
export interface ExitStatus {
  /** 0–255; 128+n after signal n, as docker and shells report it. */
  readonly exitCode: number
  /** Name of the signal that ended it, `SIGKILL` for one. */
  readonly signal?: NodeJS.Signals
  readonly reason: ExitReason
  /**
   * Which limit, when reason is `limit`, `timeout`, `out-of-memory` or `out-of-fuel`, and what of the guest's a mounted file system of this process could
   * not take; a sentence for people.
   */
  readonly detail?: string
  /** Fuel that was left of its budget, where it had one; 0 when that was too little. */
  readonly fuelLeft?: number
  /** Milliseconds from start to exit. */
  readonly durationMs: number
}
