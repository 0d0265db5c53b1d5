import { hasProgram } from '../has-program.js'
import { placed } from '../place.js'
import { require } from '../unavailable.js'

const IMAGE = 'wolffia-bench'

/** Docker's command line and the daemon behind it. */
export const docker = placed({
  name: 'docker',
  summary: 'docker run --rm --network none',
  setUpBy: 'root, for the daemon',
  async place(workbench) {
    require(hasProgram('docker'), 'docker is not installed')
    const driver = await workbench.driver()
    require((await driver.run('docker', ['version'])).exitCode === 0, 'no daemon of docker answers this user')
    const { exitCode } = await driver.run('docker', ['import', await workbench.rootTar(), IMAGE])
    require(exitCode === 0, `docker import ended with ${exitCode}`)
    workbench.atEnd(async () => void (await driver.run('docker', ['rmi', '--force', IMAGE])))
    return {
      driver,
      command: async (words) => ['docker', 'run', '--rm', '-i', '--network=none', IMAGE, ...words],
      writable: '/tmp',
      foreignGuests: 'a guest is a child of the daemon’s, and root’s: this user cannot kill it',
      containers: {
        start: async (name, words) => ['docker', 'run', '-d', '-i', '--name', name, '--network=none', IMAGE, ...words],
        exec: async (name, words) => ['docker', 'exec', name, ...words],
        remove: (name) => ['docker', 'rm', '--force', name],
      },
    }
  },
})
