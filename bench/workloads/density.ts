import type { Container, Engine } from '../../src/index.js'
import type { Subject } from '../measure.js'
import { requireWall } from '../require-wall.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

const COUNT = 1000
const QUICK_COUNT = 5
/** Started at once: more would only wait for each other. */
const TOGETHER = 8

/** A whole population from nothing: every container has its guest running when the last one has. */
export const density: Workload = {
  name: 'density',
  summary: '1,000 native containers of one image, until all of them run',
  unit: 'ms',
  axis: 'containers',
  rounds: 3,
  quickRounds: 1,
  async open(workbench) {
    const count = workbench.quick ? QUICK_COUNT : COUNT
    return [
      await orMissing(`one-shot@${count}`, () => population(workbench, `one-shot@${count}`, count, () => workbench.singleIdEngine())),
      await orMissing(`held@${count}`, () => population(workbench, `held@${count}`, count, () => workbench.heldEngine())),
    ]
  },
}

async function population(workbench: Workbench, name: string, count: number, open: () => Promise<Engine>): Promise<Subject> {
  const engine = await open()
  await requireWall(engine, 'native')
  const image = await workbench.busyboxImage()
  const command = ['/bin/sleep', '100000']
  const sample = async () => {
    const running: (Container & AsyncDisposable)[] = []
    try {
      const begin = performance.now()
      await together(count, async () => {
        const container = await engine.containers.create({ image, entrypoint: [], command, runtime: 'native', autoRemove: true })
        running.push(container)
        container.stdout?.resume()
        container.stderr?.resume()
        await container.start()
      })
      const took = performance.now() - begin
      if (running.some(({ status }) => status !== 'running')) throw new Error('a container of the population has ended')
      return took
    } finally {
      await together(running.length, async (at) => running[at]?.[Symbol.asyncDispose]())
    }
  }
  return { name, sample }
}

/** Does it so many times, a few at once. */
export async function together(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const one = async () => {
    for (let at = next++; at < count; at = next++) await work(at)
  }
  await Promise.all(Array.from({ length: TOGETHER }, one))
}
