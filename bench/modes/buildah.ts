import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import { type HostCommand, placed } from '../place.js'
import { require } from '../unavailable.js'

/** A step of a build, as buildah runs one: `buildah run` in a working container. */
export const buildah = placed({
  name: 'buildah',
  summary: 'buildah run, crun, no network',
  async place(workbench) {
    require(hasProgram('buildah'), 'buildah is not installed')
    const driver = await workbench.peerDriver()
    const folder = await workbench.directoryOf('buildah')
    const own: HostCommand = ['buildah', '--root', `${folder}/root`, '--runroot', `${folder}/run`, '--storage-driver', 'overlay']
    const [program, ...words] = own
    workbench.atEnd(async () => void (await driver.run('rm', ['-rf', folder])))
    expectSuccess(await driver.run(program, [...words, 'from', '--name', 'bench', 'scratch']))
    expectSuccess(await driver.run(program, [...words, 'add', 'bench', await workbench.rootTar(), '/']))
    const run = ['run', '--isolation', 'oci', '--runtime', 'crun', '--network', 'none']
    return {
      driver,
      command: async (args) => [...own, ...run, 'bench', '--', ...args],
      writable: '/tmp',
      containers: 'buildah runs a step and leaves nothing running',
    }
  },
})
