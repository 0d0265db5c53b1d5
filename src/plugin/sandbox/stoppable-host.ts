import type { Host } from '../../wasm/preview1/host.js'
import type { Guard } from './guard.js'

/** A guest's host whose sleep can be stopped. */
export function stoppableHost(host: Host, guard: Guard): Host {
  const { monotonicNs } = host.clock
  return {
    ...host,
    wait: (_stdin, deadlineNs) =>
      guard.sleep(deadlineNs === null ? Number.POSITIVE_INFINITY : Math.max(Number(deadlineNs - monotonicNs()) / 1e6, 0)),
  }
}
