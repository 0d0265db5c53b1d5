import { hasProgram } from '../has-program.js'
import { placed } from '../place.js'
import { require } from '../unavailable.js'

const NAMESPACES = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--net', '--ipc', '--uts', '--cgroup']

/** util-linux's unshare: all namespaces and another root, and nothing that takes a right away. */
export const unshare = placed({
  name: 'unshare',
  summary: 'unshare with seven namespaces and --root, no seccomp, all capabilities within',
  async place(workbench) {
    require(hasProgram('unshare'), 'unshare is not installed (Debian: util-linux)')
    const root = await workbench.rootDirectory()
    return {
      driver: await workbench.driver(),
      command: async (words) => ['unshare', ...NAMESPACES, '--kill-child', `--root=${root}`, '--mount-proc', '--', ...words],
      writable: '/tmp',
      containers: 'unshare starts a program and none later',
    }
  },
})
