import { bareGuest, sandboxedGuest } from '../timed-guest.js'
import { orMissing, type Workload } from '../workload.js'

/** More than either takes. */
const FUEL = 1e12

/** Hashing 32 MiB: integers and rotations, in one long call. */
export const sha256 = cpuWorkload('sha256', 'SHA-256 over 32 MiB', '32')

/** Two million steps of five bodies: floating point. */
export const nBody = cpuWorkload('n-body', 'two million steps of five bodies', '2000000')

function cpuWorkload(name: string, summary: string, amount: string): Workload {
  return {
    name,
    summary: `${summary}, the same C source behind the Wasm wall, with its instructions counted too, and bare`,
    unit: 'ms',
    rounds: 20,
    quickRounds: 2,
    open: async (workbench) => [
      await orMissing('bare', () => bareGuest(workbench, 'cpu', () => [name, amount])),
      await orMissing('wasm', () => sandboxedGuest(workbench, 'cpu', () => [name, amount])),
      await orMissing('wasm with fuel', () =>
        sandboxedGuest(workbench, 'cpu', () => [name, amount], { name: 'wasm with fuel', limits: { fuel: FUEL } }),
      ),
    ],
  }
}
