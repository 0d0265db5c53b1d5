/** What preview1 needs of whoever runs the guest. Everything a guest can learn or reach beyond its files comes through here. */
export interface Host {
  /** argv, UTF-8 as byte strings. */
  readonly args: readonly string[]
  /** `NAME=value`, UTF-8 as byte strings. */
  readonly env: readonly string[]
  readonly clock: HostClock
  /** Fills with bytes of a cryptographic generator. */
  random(buffer: Uint8Array): void
  /**
   * Blocks until `stdin` has something to read or is at its end, or until `deadlineNs` on the monotonic clock.
   * With `stdin` null it is a sleep; with neither it never returns.
   */
  wait(stdin: InputStream | null, deadlineNs: bigint | null): void
  /** When the present `poll_oneoff` began, on the monotonic clock, where a call may be made anew after waiting elsewhere; now when absent. */
  pollBeganNs?(): bigint
}

/** Clocks, already as coarse as the guest may see them. */
export interface HostClock {
  readonly resolutionNs: bigint
  realtimeNs(): bigint
  monotonicNs(): bigint
  /** Processor time of the guest. */
  cpuNs(): bigint
}

/** Where stdin comes from. */
export interface InputStream {
  /** Bytes that can be read at once; at the end of the stream 0 with `ended`. */
  available(): { readonly bytes: number; readonly ended: boolean }
  /** Reads what is there, blocking while nothing is; 0 at the end. */
  read(buffer: Uint8Array): number
}

/** Where stdout and stderr go. */
export interface OutputStream {
  /** Writes all of it, blocking as long as that takes. Throws `ErrnoError` EPIPE when nobody reads any more. */
  write(buffer: Uint8Array): void
}

/** How a guest ends itself. Thrown through the guest's frames, so it is never an `Error`. */
export class GuestExit {
  /** `signal` is the number `proc_raise` was given. */
  constructor(
    readonly exitCode: number,
    readonly signal: number | null = null,
  ) {}
}
