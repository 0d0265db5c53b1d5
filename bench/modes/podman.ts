import { join } from 'node:path'
import { hasProgram } from '../has-program.js'
import { type HostCommand, placed } from '../place.js'
import { podmanWords } from '../podman-words.js'
import { require } from '../unavailable.js'

const RUN = ['--network=none', '--cgroups=disabled', '--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096']

/** podman with crun, overlay storage and no network but loopback: as near to `wolffia run --rm` as its words allow. */
export const podman = placed({
  name: 'podman',
  summary: 'podman run --rm --network none',
  async place(workbench) {
    require(hasProgram('podman'), 'podman is not installed')
    const driver = await workbench.peerDriver()
    const podmanCommand: HostCommand = ['podman', ...(await podmanWords(workbench))]
    const [program, ...words] = podmanCommand
    workbench.atEnd(async () => void (await driver.run('rm', ['-rf', join(workbench.directory, 'podman')])))
    const { exitCode } = await driver.run(program, [...words, 'import', await workbench.rootTar(), 'localhost/busybox'])
    require(exitCode === 0, `podman import ended with ${exitCode}`)
    return {
      driver,
      command: async (args) => [...podmanCommand, 'run', '--rm', '-i', ...RUN, 'localhost/busybox', ...args],
      writable: '/tmp',
      containers: {
        start: async (name, args) => [...podmanCommand, 'run', '-d', '--name', name, ...RUN, 'localhost/busybox', ...args],
        exec: async (name, args) => [...podmanCommand, 'exec', name, ...args],
        remove: (name) => [...podmanCommand, 'rm', '--force', '--time', '0', name],
      },
    }
  },
})
