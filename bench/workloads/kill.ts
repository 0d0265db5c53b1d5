import type { CreateOptions } from '../../src/index.js'
import type { Subject } from '../measure.js'
import { requireWall } from '../require-wall.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

/** `(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))`, by hand. */
const LOOP_MODULE = Buffer.from(
  '0061736d0100000001040160000003020100050301000107130206' + '6d656d6f72790200' + '065f73746172740000' + '0a09010700' + '03400c000b0b',
  'hex',
)
const RUNNING_MS = 60

/** From kill to the end of a guest that loops without a call, all of it gone. */
export const kill: Workload = {
  name: 'kill',
  summary: 'kill of a looping guest, from the call to its end',
  unit: 'ms',
  rounds: 30,
  quickRounds: 4,
  async open(workbench) {
    return [
      await orMissing('native', async () =>
        subject(workbench, 'native', {
          image: await workbench.busyboxImage(),
          entrypoint: [],
          command: ['/bin/sh', '-c', 'while :; do :; done'],
        }),
      ),
      await orMissing('wasm', async () => {
        await (await workbench.engine()).images.import(await workbench.file('loop.wasm', LOOP_MODULE), { reference: 'loop' })
        return subject(workbench, 'wasm', { image: 'loop' })
      }),
    ]
  },
}

async function subject(workbench: Workbench, runtime: 'native' | 'wasm', options: CreateOptions): Promise<Subject> {
  const engine = await workbench.engine()
  await requireWall(engine, runtime)
  const sample = async () => {
    await using container = await engine.containers.create({ ...options, runtime, autoRemove: true })
    await container.start()
    await new Promise((resolve) => setTimeout(resolve, RUNNING_MS))
    const start = performance.now()
    await container.kill()
    const { signal } = await container.wait()
    if (signal !== 'SIGKILL') throw new Error(`ended by ${signal}`)
    return performance.now() - start
  }
  return { name: runtime, sample }
}
