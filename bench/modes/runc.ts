import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import type { Mode } from '../mode.js'
import { writeBundle } from '../oci-bundle.js'
import { require } from '../unavailable.js'

/** runc on the same bundle as crun. */
export const runc: Mode = {
  name: 'runc',
  summary: 'runc run, rootless, with a network namespace and seccomp',
  async open(workbench, args) {
    require(hasProgram('runc'), 'runc is not installed')
    const driver = await workbench.peerDriver()
    const bundle = await writeBundle(workbench, 'runc', args)
    const state = await workbench.file('runc/state/.keep', '').then((path) => path.slice(0, -'/.keep'.length))
    const words = ['--root', state, '--rootless=true', 'run', '--bundle', bundle, `wolffia-bench-${process.pid}`]
    return { name: this.name, sample: async () => expectSuccess(await driver.run('runc', words)) }
  },
}
