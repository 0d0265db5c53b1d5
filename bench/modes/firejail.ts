import { hasProgram } from '../has-program.js'
import { placed } from '../place.js'
import { require } from '../unavailable.js'

const FLAGS = ['--quiet', '--noprofile', '--net=none', '--seccomp', '--caps.drop=all', '--nonewprivs', '--nogroups', '--private-dev']

/** firejail with its default seccomp list. Its --chroot is for root alone on most hosts, so the program sees the host's root. */
export const firejail = placed({
  name: 'firejail',
  summary: 'firejail --seccomp --caps.drop=all --net=none, the root of the host',
  setUpBy: 'root, for its setuid bit',
  async place(workbench) {
    require(hasProgram('firejail'), 'firejail is not installed (Debian: firejail)')
    const driver = await workbench.driver()
    const root = await workbench.rootDirectory()
    const command = (words: readonly string[]) => ['firejail', ...FLAGS, '--', `${root}${words[0]}`, ...words.slice(1)] as const
    const { exitCode } = await driver.run('firejail', [...FLAGS, '--', 'true'])
    require(exitCode === 0, `firejail ended with ${exitCode}`)
    return {
      driver,
      command: async (words) => command(words),
      writable: await workbench.directoryOf('firejail'),
      containers: 'firejail starts a program; what joins one later is a sandbox of its own',
    }
  },
})
