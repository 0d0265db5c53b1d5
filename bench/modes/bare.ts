import { join } from 'node:path'
import { expectSuccess } from '../expect-success.js'
import type { Mode } from '../mode.js'

/** Nothing: the program is a child of the driver. */
export const bare: Mode = {
  name: 'bare',
  summary: 'no wall: posix_spawn in the driver',
  async open(workbench, [program = '', ...args]) {
    const driver = await workbench.driver()
    const path = join(await workbench.rootDirectory(), program)
    return { name: this.name, sample: async () => expectSuccess(await driver.run(path, args)) }
  },
}
