import { join } from 'node:path'
import { expectSuccess } from '../expect-success.js'
import type { Mode } from '../mode.js'
import { packageRoot } from '../workbench.js'

/** wolffia's command line: `run --rm`, native wall. */
export const commandLine: Mode = {
  name: 'command-line',
  summary: 'wolffia run --rm',
  async open(workbench, args) {
    const driver = await workbench.driver()
    const image = await workbench.busyboxImage()
    const words = [join(packageRoot, 'dist/cli.cjs'), 'run', '--rm', '--runtime', 'native', image, ...args]
    const home = `WOLFFIA_HOME=${(await workbench.engine()).home}`
    return { name: this.name, sample: async () => expectSuccess(await driver.run('env', [home, process.execPath, '--', ...words])) }
  },
}
