/** Which system calls of a guest are told: those that its filter refuses, or those that it lets through. */
export type SystemCallWatch = 'refused' | 'allowed'

/** One kind of call that a guest made: the same call with the same arguments and the same answer is one. */
export interface WatchedCall {
  /** Its name, or `syscall N` for one that wolffia's table lacks. */
  readonly call: string
  readonly number: number
  /** What the guest was answered, `EPERM`; null for a call that was let through. */
  readonly errno: string | null
  /** Arguments that matter to a filter, low 32 bits without a sign, by their places from 0. */
  readonly values: Readonly<Record<string, number>>
  /**
   * Paths that arguments point to, by their places from 0, at most 256 bytes of each; empty where the memory could not be read. Read while the
   * guest could write: they decide nothing.
   */
  readonly paths: Readonly<Record<string, string>>
  /** How often. */
  readonly count: number
}

/** What came of watching a guest. */
export interface SystemCallReport {
  readonly watched: SystemCallWatch
  readonly calls: readonly WatchedCall[]
  /** Calls beyond the different ones that are listed. */
  readonly more: number
}
