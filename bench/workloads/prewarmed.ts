import type { Engine } from '../../src/index.js'
import type { Subject } from '../measure.js'
import { requireWall } from '../require-wall.js'
import { orMissing, type Workload } from '../workload.js'

/** A container of hello.wasm in a sandbox that waits for it, until its first output is here and until its end; and in a cold one. */
export const prewarmed: Workload = {
  name: 'prewarmed',
  summary: 'hello.wasm from create, in a prewarmed sandbox',
  unit: 'ms',
  rounds: 40,
  quickRounds: 6,
  open: async (workbench) => {
    const subject = (name: string, isPrewarmed: boolean, figure: keyof Times) =>
      orMissing(name, async (): Promise<Subject> => {
        const engine = await workbench.engine()
        await requireWall(engine, 'wasm')
        const image = await workbench.moduleImage('hello')
        return { name, sample: async () => (await timesOf(engine, image, isPrewarmed))[figure] }
      })
    return [
      await subject('to output', true, 'output'),
      await subject('to end', true, 'end'),
      await subject('cold, to output', false, 'output'),
      await subject('cold, to end', false, 'end'),
    ]
  },
}

interface Times {
  readonly output: number
  readonly end: number
}

async function timesOf(engine: Engine, image: string, isPrewarmed: boolean): Promise<Times> {
  // Closed each time: neither another that is made in its place nor one that waits takes part in what is measured.
  await using _kept = isPrewarmed ? await engine.containers.prewarm({ image, autoRemove: true }) : null
  const start = performance.now()
  let output = Number.NaN
  const container = await engine.containers.create({ image, runtime: 'wasm', autoRemove: true })
  container.stdout?.once('data', () => {
    output = performance.now() - start
  })
  container.stderr?.resume()
  await container.start()
  const { exitCode } = await container.wait()
  if (exitCode !== 0) throw new Error(`ended with ${exitCode}`)
  return { output, end: performance.now() - start }
}
