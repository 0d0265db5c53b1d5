import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import type { Mode } from '../mode.js'
import { writeBundle } from '../oci-bundle.js'
import { require } from '../unavailable.js'

/** crun on an OCI bundle: the namespaces of `crun spec --rootless`, a network namespace, and podman's seccomp profile. */
export const crun: Mode = {
  name: 'crun',
  summary: 'crun run, rootless, with a network namespace and seccomp',
  async open(workbench, args) {
    require(hasProgram('crun'), 'crun is not installed')
    const driver = await workbench.peerDriver()
    const bundle = await writeBundle(workbench, 'crun', args)
    const state = await workbench.file('crun/state/.keep', '').then((path) => path.slice(0, -'/.keep'.length))
    const words = ['--root', state, '--cgroup-manager=disabled', 'run', '--bundle', bundle, `wolffia-bench-${process.pid}`]
    return { name: this.name, sample: async () => expectSuccess(await driver.run('crun', words)) }
  },
}
