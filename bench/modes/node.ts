import { expectSuccess } from '../expect-success.js'
import type { Mode } from '../mode.js'

/** Node doing nothing: what every command line written in JavaScript costs before it has done anything. */
export const node: Mode = {
  name: 'node',
  summary: 'node -e 0',
  async open(workbench) {
    const driver = await workbench.driver()
    return { name: this.name, sample: async () => expectSuccess(await driver.run(process.execPath, ['-e', '0'])) }
  },
}
