import { Engine } from '../../src/index.js'
import type { Subject } from '../measure.js'
import { startImage } from '../modes/library.js'
import { requireWall } from '../require-wall.js'
import type { Workbench } from '../workbench.js'
import { type Missing, orMissing, type Workload } from '../workload.js'
import { together } from './density.js'

const COUNTS = [1, 10, 100, 1000]
const QUICK_COUNTS = [1, 5]

/** What the containers that are there already cost those that come: a list of them, and one more start beside so many that wait. */
export const containers: Workload = {
  name: 'containers',
  summary: 'beside 1, 10, 100 and 1,000 running native containers: their list, and the start of one more',
  unit: 'ms',
  axis: 'containers',
  rounds: 8,
  quickRounds: 2,
  async open(workbench) {
    const subjects: (Subject | Missing)[] = []
    // Each count runs in a home of its own, all of them at once on this machine.
    for (const count of workbench.quick ? QUICK_COUNTS : COUNTS) {
      subjects.push(await orMissing(`list@${count}`, async () => list(count, await homeOf(workbench, count))))
      subjects.push(await orMissing(`start@${count}`, async () => start(workbench, count, await homeOf(workbench, count))))
    }
    return subjects
  },
}

function homeOf(workbench: Workbench, count: number): Promise<Engine> {
  return workbench.once(`home of ${count} containers`, async () => {
    const engine = await Engine.open({ home: await workbench.directoryOf(`home-of-${count}`) })
    await requireWall(engine, 'native')
    await engine.images.import(await workbench.rootTar(), { reference: 'busybox' })
    const running: { remove(options: { readonly force: boolean }): Promise<void> }[] = []
    workbench.atEnd(async () => {
      await together(running.length, async (at) => running[at]?.remove({ force: true }))
      await engine[Symbol.asyncDispose]()
    })
    await together(count, async () => {
      const container = await engine.containers.define({ image: 'busybox', runtime: 'native', command: ['/bin/sleep', '100000'] })
      running.push(container)
      await container.start()
    })
    return engine
  })
}

function list(count: number, engine: Engine): Subject {
  const sample = async () => {
    const begin = performance.now()
    const found = await engine.containers.list({ all: true })
    const took = performance.now() - begin
    if (found.length < count) throw new Error(`${found.length} of ${count} containers are listed`)
    return took
  }
  return { name: `list@${count}`, sample }
}

function start(workbench: Workbench, count: number, engine: Engine): Promise<Subject> {
  return startImage(workbench, `start@${count}`, 'busybox', ['/bin/true'], engine)
}
