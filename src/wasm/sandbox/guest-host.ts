import { createRequire } from 'node:module'
import { fromUtf8 } from '../../fs/names.js'
import type { Host, InputStream } from '../preview1/host.js'
import { pause } from './output.js'
import { StdinReader } from './ring.js'

/** What the guest's clocks show at finest: enough for any program, too coarse to time a cache line. */
const CLOCK_RESOLUTION_NS = 1000n
/** The most bytes of one call of Web Crypto. */
const RANDOM_PIECE = 65_536
const LONGEST_WAIT_MS = 2 ** 31

let crypto: typeof import('node:crypto') | undefined

/**
 * What preview1 needs, from this thread of Node. The monotonic clock starts with the sandbox, or at `start` (of `process.hrtime`) where several
 * threads have the same: the host's uptime is not the guest's to know.
 */
export function guestHost(
  process_: { readonly args: readonly string[]; readonly env: readonly string[] },
  start = process.hrtime.bigint(),
): Host {
  const epoch = BigInt(Date.now()) * 1_000_000n - (process.hrtime.bigint() - start)
  const monotonicNs = () => coarse(process.hrtime.bigint() - start) + CLOCK_RESOLUTION_NS
  return {
    args: process_.args.map(fromUtf8),
    env: process_.env.map(fromUtf8),
    clock: {
      resolutionNs: CLOCK_RESOLUTION_NS,
      realtimeNs: () => realtime(epoch, start),
      monotonicNs,
      cpuNs: () => {
        const { user, system } = process.cpuUsage()
        return BigInt(user + system) * 1000n
      },
    },
    random(buffer) {
      // Loaded when first asked for: few guests do, and it is a tenth of a start.
      crypto ??= createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto')
      for (let at = 0; at < buffer.length; at += RANDOM_PIECE) crypto.getRandomValues(buffer.subarray(at, at + RANDOM_PIECE))
    },
    wait(stdin: InputStream | null, deadlineNs) {
      const left = deadlineNs === null ? LONGEST_WAIT_MS : Number(deadlineNs - monotonicNs()) / 1e6
      const timeoutMs = Math.min(Math.max(left, 0), LONGEST_WAIT_MS)
      if (stdin instanceof StdinReader) stdin.wait(timeoutMs)
      else pause(timeoutMs)
    },
  }
}

/** Follows the host's clock when it is set, and is finer than its milliseconds while it is not. */
function realtime(epoch: bigint, start: bigint): bigint {
  const steady = epoch + process.hrtime.bigint() - start
  const host = BigInt(Date.now()) * 1_000_000n
  const drift = steady - host
  return coarse(drift > 2_000_000n || drift < -2_000_000n ? host : steady)
}

function coarse(nanoseconds: bigint): bigint {
  return nanoseconds - (nanoseconds % CLOCK_RESOLUTION_NS)
}
