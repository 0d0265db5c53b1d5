import type { Engine } from '../../src/index.js'
import type { Subject } from '../measure.js'
import type { Mode } from '../mode.js'
import { requireWall } from '../require-wall.js'
import type { Workbench } from '../workbench.js'

/** wolffia's library in a running Node, single id: create, start, wait, and the container removed. */
export const library: Mode = {
  name: 'library',
  summary: 'engine.containers.create … wait, native wall, single id',
  async open(workbench, args) {
    return startImage(workbench, this.name, await workbench.busyboxImage(), args)
  },
}

/** The same below a holder, with a range of ids. */
export const libraryHeld: Mode = {
  name: 'library-held',
  summary: 'engine.containers.create … wait, native wall, a range of ids below a holder',
  async open(workbench, args) {
    return startImage(workbench, this.name, await workbench.busyboxImage(), args, await workbench.heldEngine())
  },
}

/** Starts a program of an image through the library, start to exit. */
export async function startImage(
  workbench: Workbench,
  name: string,
  image: string,
  command = ['/bin/true'] as readonly string[],
  engine?: Engine,
): Promise<Subject> {
  engine ??= await workbench.singleIdEngine()
  await requireWall(engine, 'native')
  const sample = async () => {
    const start = performance.now()
    const container = await engine.containers.create({ image, entrypoint: [], command, runtime: 'native', autoRemove: true })
    container.stdout?.resume()
    container.stderr?.resume()
    await container.start()
    const { exitCode } = await container.wait()
    if (exitCode !== 0) throw new Error(`ended with ${exitCode}`)
    return performance.now() - start
  }
  return { name, sample }
}
