import { join } from 'node:path'
import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import type { Mode } from '../mode.js'
import { podmanWords } from '../podman-words.js'
import { require } from '../unavailable.js'

/** podman with crun, overlay storage and no network but loopback: as near to `wolffia run --rm` as its words allow. */
export const podman: Mode = {
  name: 'podman',
  summary: 'podman run --rm --network none',
  async open(workbench, args) {
    require(hasProgram('podman'), 'podman is not installed')
    const driver = await workbench.peerDriver()
    const words = await podmanWords(workbench)
    const imported = await driver.run('podman', [...words, 'import', await workbench.rootTar(), 'localhost/busybox'])
    require(imported.exitCode === 0, `podman import ended with ${imported.exitCode}`)
    const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096']
    const run = [...words, 'run', '--rm', '--network=none', '--cgroups=disabled', ...limits, 'localhost/busybox', ...args]
    workbench.atEnd(async () => void (await driver.run('rm', ['-rf', join(workbench.directory, 'podman')])))
    return { name: this.name, sample: async () => expectSuccess(await driver.run('podman', run)) }
  },
}
