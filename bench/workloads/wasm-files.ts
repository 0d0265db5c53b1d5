import { bareGuest, sandboxedGuest } from '../timed-guest.js'
import { orMissing, type Workload } from '../workload.js'

/** Opening, reading and looking at 2,000 files of 4 KiB. */
export const smallFiles = filesWorkload('small', 'open, read 4 KiB, close and stat of 2,000 files', '2000')

/** A file of 64 MiB from end to end, then 1,024 scattered pieces of 4 KiB. */
export const largeRead = filesWorkload('large-read', 'sequential read of 64 MiB and 1,024 scattered reads', '64')

/** A file of 100 MiB written in blocks of 64 KiB. */
export const largeWrite = filesWorkload('large-write', 'write of 100 MiB', '100')

/** The names of 10,000 files. */
export const listing = filesWorkload('list', 'readdir of 10,000 files', '10000')

function filesWorkload(name: string, summary: string, amount: string): Workload {
  const words = (directory: string) => [name, directory, amount]
  return {
    name: `files-${name}`,
    summary: `${summary}, the same C source behind the Wasm wall and bare on tmpfs`,
    unit: 'ms',
    rounds: 20,
    quickRounds: 2,
    open: async (workbench) => [
      await orMissing('bare', () => bareGuest(workbench, 'files', words)),
      await orMissing('wasm', () => sandboxedGuest(workbench, 'files', words)),
    ],
  }
}
