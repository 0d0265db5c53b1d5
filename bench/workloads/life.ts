import { join } from 'node:path'
import { expectSuccess } from '../expect-success.js'
import { packageRoot, type Workbench } from '../workbench.js'
import type { Workload } from '../workload.js'

const MANY = 500
const QUICK_MANY = 50

/** What the commands of a container's life take, each a process of its own, and the list of one container and of many. */
export const life: Workload = {
  name: 'life',
  summary: 'exec, start, stop and ps by the command line',
  unit: 'ms',
  rounds: 15,
  quickRounds: 3,
  open: async (workbench) => {
    const { one, many } = await homes(workbench)
    const driver = await workbench.driver()
    const command =
      (home: string, ...words: string[]) =>
      async () =>
        expectSuccess(
          await driver.run('env', [`WOLFFIA_HOME=${home}`, process.execPath, '--', join(packageRoot, 'dist/cli.cjs'), ...words]),
        )
    const start = command(one, 'start', 'once')
    const stop = command(one, 'stop', 'once')
    return [
      { name: 'node', sample: async () => expectSuccess(await driver.run(process.execPath, ['-e', '0'])) },
      { name: 'exec', sample: command(one, 'exec', 'kept', '/bin/true') },
      { name: 'start', sample: () => start().finally(stop) },
      { name: 'stop', sample: () => start().then(stop) },
      { name: 'ps', sample: command(one, 'ps', '-a') },
      { name: 'ps-of-many', sample: command(many, 'ps', '-a') },
    ]
  },
}

/** A home with a container that runs and one that is started and stopped, and one with many that have not been started. */
async function homes(workbench: Workbench): Promise<{ readonly one: string; readonly many: string }> {
  const image = await workbench.busyboxImage()
  const engine = await workbench.engine()
  const sleeper = { image, runtime: 'native', command: ['/bin/sleep', '1000'] } as const
  const kept = await engine.containers.define({ ...sleeper, name: 'kept' })
  await kept.start()
  const once = await engine.containers.define({ ...sleeper, name: 'once' })
  workbench.atEnd(async () => {
    for (const container of [kept, once]) await container.remove({ force: true })
  })
  const other = await workbench.otherEngine()
  for (let count = 0; count < (workbench.quick ? QUICK_MANY : MANY); count++) await other.containers.define(sleeper)
  return { one: engine.home, many: other.home }
}
