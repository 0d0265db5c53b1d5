import { Plugin, type PluginSnapshot } from '../../src/index.js'
import { compileLibrary } from '../compile-guest.js'
import type { Subject } from '../measure.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

/** Rounds over a mebibyte that the initialisation makes: about a millisecond, and about half a second. */
const SHORT = 2
const LONG = 1000

/** One call of a plugin in a new instance: from its snapshot, whatever its initialisation costs, and with it. */
export const pluginSnapshot: Workload = {
  name: 'plugin-snapshot',
  summary: 'one call of a plugin whose initialisation leaves 1 MiB, in a new instance',
  unit: 'ms',
  rounds: 40,
  quickRounds: 4,
  open: async (workbench) => [
    await orMissing('snapshot@2', () => called(workbench, `snapshot@${SHORT}`, SHORT, { init: 'prepare' })),
    await orMissing('snapshot@1000', () => called(workbench, `snapshot@${LONG}`, LONG, { init: 'prepare', timeoutMs: 60_000 })),
    await orMissing('initialised@2', () => called(workbench, `initialised@${SHORT}`, SHORT, null)),
  ],
}

async function called(workbench: Workbench, name: string, rounds: number, snapshot: PluginSnapshot | null): Promise<Subject> {
  const path = await compileLibrary(workbench, 'prepared', [`ROUNDS=${rounds}`])
  const plugin = await Plugin.load({ path, ...(snapshot === null ? {} : { snapshot }) })
  workbench.atEnd(() => plugin.close())
  const sample = async () => {
    const start = performance.now()
    await plugin.call<number | undefined>(snapshot === null ? 'prepare' : 'ask', snapshot === null ? [] : [7])
    return performance.now() - start
  }
  return { name, sample }
}
