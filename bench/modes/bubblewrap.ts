import { bubblewrapWords } from '../bubblewrap-words.js'
import { hasProgram } from '../has-program.js'
import { placed } from '../place.js'
import { require } from '../unavailable.js'

/** bubblewrap with all its namespaces; it has no overlay, no masks and no seccomp program of its own. */
export const bubblewrap = placed({
  name: 'bubblewrap',
  summary: 'bwrap --unshare-all, no seccomp',
  async place(workbench) {
    require(hasProgram('bwrap'), 'bubblewrap is not installed (Debian: bubblewrap)')
    const root = await workbench.rootDirectory()
    return {
      driver: await workbench.driver(),
      command: async (words) => ['bwrap', ...bubblewrapWords(root), ...words],
      writable: '/tmp',
      containers: 'bwrap starts a program and none later',
    }
  },
})
