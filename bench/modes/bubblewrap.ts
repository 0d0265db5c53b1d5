import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import type { Mode } from '../mode.js'
import { require } from '../unavailable.js'

/** bubblewrap with all its namespaces; it has no overlay, no masks and no seccomp program of its own. */
export const bubblewrap: Mode = {
  name: 'bubblewrap',
  summary: 'bwrap --unshare-all, no seccomp',
  async open(workbench, args) {
    require(hasProgram('bwrap'), 'bubblewrap is not installed (Debian: bubblewrap)')
    const driver = await workbench.driver()
    const root = await workbench.rootDirectory()
    const words = ['--unshare-all', '--die-with-parent', '--bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--', ...args]
    return { name: this.name, sample: async () => expectSuccess(await driver.run('bwrap', words)) }
  },
}
