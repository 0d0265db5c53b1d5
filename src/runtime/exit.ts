/** Why a container ended. */
export type ExitReason = 'exited' | 'signaled' | 'timeout' | 'out-of-memory' | 'out-of-fuel' | 'limit'

/** How a container ended. A non-zero exit is a result, not an error. */
export interface ExitStatus {
  /** 0–255; 128+n after signal n, as docker and shells report it. */
  readonly exitCode: number
  /** Name of the signal that ended it, `SIGKILL` for one. */
  readonly signal?: NodeJS.Signals
  readonly reason: ExitReason
  /**
   * Which limit, when reason is `limit`, `timeout` or `out-of-memory`, and what of the guest's a mounted file system of this process could
   * not take; a sentence for people.
   */
  readonly detail?: string
  /** Milliseconds from start to exit. */
  readonly durationMs: number
}
