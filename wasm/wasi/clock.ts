import { clock_time_get, poll_oneoff } from './preview1'

const result = memory.data(8)
const subscription = memory.data(48, 8)
const event = memory.data(32, 8)

/** Nanoseconds since the epoch. */
export function realtimeNs(): u64 {
  clock_time_get(0, 1, result)
  return load<u64>(result)
}

/** Nanoseconds of a clock that never goes back. */
export function monotonicNs(): u64 {
  clock_time_get(1, 1, result)
  return load<u64>(result)
}

/** Waits. */
export function sleepMs(milliseconds: u64): void {
  memory.fill(subscription, 0, 48)
  store<u32>(subscription, 1, 16)
  store<u64>(subscription, milliseconds * 1_000_000, 24)
  poll_oneoff(subscription, event, 1, result)
}
