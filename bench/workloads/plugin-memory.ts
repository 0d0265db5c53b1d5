import { Plugin, type PluginOptions } from '../../src/index.js'
import { compileLibrary } from '../compile-guest.js'
import { descendants, proportionalMib } from '../process-memory.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

const INSTANCES = 1000
/** A call each has a thread. */
const THREADS = 9

/** What one more instance of a plugin takes that is kept in the same process, its memory included, and one more thread: the proportional set size. */
export const pluginMemory: Workload = {
  name: 'plugin-memory',
  summary: 'memory of one more instance of a plugin that is kept in the same process, of a thousand, and of one more thread (PSS)',
  unit: 'MiB',
  rounds: 6,
  quickRounds: 2,
  open: async (workbench) => [
    await orMissing('instance', async () => {
      const taken = await keeping(workbench)
      return { name: 'instance', sample: async () => ((await taken(1, INSTANCES + 1)) - (await taken(1, 1))) / INSTANCES }
    }),
    await orMissing('1,000 instances and their process', async () => {
      const taken = await keeping(workbench)
      return { name: '1,000 instances and their process', sample: () => taken(1, INSTANCES) }
    }),
    await orMissing('thread', async () => {
      const taken = await keeping(workbench)
      return { name: 'thread', sample: async () => ((await taken(THREADS, THREADS)) - (await taken(1, 1))) / (THREADS - 1) }
    }),
  ],
}

/** What a plugin's process takes, in MiB, with so many threads and instances that have been called each. */
async function keeping(workbench: Workbench): Promise<(threads: number, instances: number) => Promise<number>> {
  const path = await compileLibrary(workbench, 'prepared', ['ROUNDS=0'])
  return async (threads, instances) => {
    const before = new Set(descendants(process.pid))
    const options: PluginOptions = { path, threads, instancesPerThread: instances }
    await using plugin = await Plugin.load(options)
    for (let made = 0; made < instances; made++) await (await plugin.instance()).call('ask', [1])
    return descendants(process.pid)
      .filter((pid) => !before.has(pid))
      .reduce((sum, pid) => sum + proportionalMib(pid), 0)
  }
}
