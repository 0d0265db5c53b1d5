import { Plugin } from '../../src/index.js'
import { compileLibrary } from '../compile-guest.js'
import { descendants, proportionalMib } from '../process-memory.js'
import { orMissing, type Workload } from '../workload.js'

/** A call each keeps its instance. */
const THREADS = 17

/** What one more instance of a plugin takes that is kept in the same process, with the thread that calls run in: the proportional set size. */
export const pluginMemory: Workload = {
  name: 'plugin-memory',
  summary: 'memory of one more instance of a plugin, and its thread, in the same process (PSS)',
  unit: 'MiB',
  rounds: 6,
  quickRounds: 2,
  open: async (workbench) => [
    await orMissing('instance', async () => {
      const path = await compileLibrary(workbench, 'prepared', ['ROUNDS=0'])
      const taken = async (threads: number) => {
        const before = new Set(descendants(process.pid))
        await using plugin = await Plugin.load({ path, threads, instances: 'kept' })
        await Promise.all(Array.from({ length: threads }, () => plugin.call('ask', [1])))
        return descendants(process.pid)
          .filter((pid) => !before.has(pid))
          .reduce((sum, pid) => sum + proportionalMib(pid), 0)
      }
      return { name: 'instance', sample: async () => ((await taken(THREADS)) - (await taken(1))) / (THREADS - 1) }
    }),
  ],
}
