import type { Context } from './context.js'
import { WasiError } from './errno.js'
import { CLOCKID } from './flags.js'
import type { HostClock } from './host.js'

/** Reads a clock by its preview1 number. Throws EINVAL. */
export function readClock(clock: HostClock, id: number): bigint {
  switch (id) {
    case CLOCKID.realtime:
      return clock.realtimeNs()
    case CLOCKID.monotonic:
      return clock.monotonicNs()
    // A guest is one thread, so the two are one.
    case CLOCKID.processCputime:
    case CLOCKID.threadCputime:
      return clock.cpuNs()
    default:
      throw new WasiError('EINVAL')
  }
}

/** `clock_res_get`, `clock_time_get`. */
export function clockFunctions({ memory, host }: Context) {
  return {
    clock_res_get(id: number, pointer: number): void {
      readClock(host.clock, id)
      memory().setU64(pointer, host.clock.resolutionNs)
    },
    clock_time_get(id: number, _precision: bigint, pointer: number): void {
      memory().setU64(pointer, readClock(host.clock, id))
    },
  }
}
