import type { Mode } from '../mode.js'
import { requireWall } from '../require-wall.js'

/** wolffia's Wasm wall through the library: a fresh sandbox process for each run. */
export const sandbox: Mode = {
  name: 'sandbox',
  summary: 'engine.containers.create … wait, Wasm wall in a process of its own',
  async open(workbench) {
    const engine = await workbench.engine()
    await requireWall(engine, 'wasm')
    const image = await workbench.moduleImage('hello')
    const sample = async () => {
      const start = performance.now()
      const container = await engine.containers.create({ image, runtime: 'wasm', autoRemove: true })
      container.stdout?.resume()
      container.stderr?.resume()
      await container.start()
      const { exitCode } = await container.wait()
      if (exitCode !== 0) throw new Error(`ended with ${exitCode}`)
      return performance.now() - start
    }
    return { name: this.name, sample }
  },
}
