import { ClockPollable } from './streams.js'
import { Trap } from './trap.js'
import { datetime, u64 } from './values.js'
import type { Wasi } from './wasi.js'

/** The most bytes of one `get-random-bytes`, which must give all that it is asked for. */
const RANDOM_MAXIMUM = 16n * 1024n * 1024n
const NEVER_NS = 0xffff_ffff_ffff_ffffn

/** Functions of `wasi:clocks` and `wasi:random`. */
export function clockAndRandomInterfaces({ host, resources }: Wasi) {
  function randomBytes(length: unknown): Uint8Array {
    if (u64(length) > RANDOM_MAXIMUM) throw new Trap(`${length} random bytes at once, more than ${RANDOM_MAXIMUM}`)
    const bytes = new Uint8Array(Number(length))
    host.random(bytes)
    return bytes
  }
  const randomU64 = () => new DataView(randomBytes(8n).buffer).getBigUint64(0)
  const until = (deadlineNs: bigint) => resources.add(new ClockPollable(host, deadlineNs > NEVER_NS ? NEVER_NS : deadlineNs))

  return {
    'wasi:clocks/monotonic-clock': {
      now: () => host.clock.monotonicNs(),
      resolution: () => host.clock.resolutionNs,
      subscribeInstant: (when: unknown) => until(u64(when)),
      subscribeDuration: (duration: unknown) => until(host.clock.monotonicNs() + u64(duration)),
    },
    'wasi:clocks/wall-clock': {
      now: () => datetime(host.clock.realtimeNs()),
      resolution: () => datetime(host.clock.resolutionNs),
    },
    'wasi:random/random': { getRandomBytes: randomBytes, getRandomU64: randomU64 },
    'wasi:random/insecure': { getInsecureRandomBytes: randomBytes, getInsecureRandomU64: randomU64 },
    'wasi:random/insecure-seed': { insecureSeed: () => [randomU64(), randomU64()] },
  }
}
