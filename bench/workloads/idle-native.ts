import { spawn } from 'node:child_process'
import { bubblewrapWords } from '../bubblewrap-words.js'
import { hasProgram } from '../has-program.js'
import { idleCrun, idlePodman } from '../idle-peers.js'
import { commandOf, descendants, parentOf, proportionalMib } from '../process-memory.js'
import { require } from '../unavailable.js'
import { orMissing, type Workload } from '../workload.js'

const SETTLE_MS = 300
const GUEST = 'sleep 1000'

/** What stays beside the guest of a container that runs by itself: its supervisor, its init. The guest's own memory is not counted. */
export const idleNative: Workload = {
  name: 'idle-native',
  summary: 'memory beside the guest of a detached native container (PSS)',
  unit: 'MiB',
  rounds: 8,
  quickRounds: 2,
  open: async (workbench) => [
    await orMissing('wolffia', async () => {
      const engine = await workbench.engine()
      const image = await workbench.busyboxImage()
      const sample = async () => {
        const container = await engine.containers.define({ image, runtime: 'native', command: ['/bin/sleep', '1000'] })
        await container.start()
        await settle()
        // The guest is the child of its init, and that of its launcher.
        const guest = container.summary().pid ?? 0
        const init = parentOf(guest)
        const memory = proportionalMib(init) + proportionalMib(parentOf(init))
        await container.remove({ force: true })
        return memory
      }
      return { name: 'wolffia', sample }
    }),
    await orMissing('bubblewrap', async () => {
      require(hasProgram('bwrap'), 'bubblewrap is not installed (Debian: bubblewrap)')
      const root = await workbench.rootDirectory()
      const words = [...bubblewrapWords(root), ...GUEST.split(' ')]
      const sample = async () => {
        const child = spawn('bwrap', words, { stdio: 'ignore' })
        await settle()
        const all = [child.pid ?? 0, ...descendants(child.pid ?? 0)]
        const memory = all.filter((pid) => commandOf(pid).join(' ') !== GUEST).reduce((sum, pid) => sum + proportionalMib(pid), 0)
        child.kill('SIGKILL')
        return memory
      }
      return { name: 'bubblewrap', sample }
    }),
    await orMissing('crun', () => idleCrun(workbench, settle)),
    await orMissing('podman', () => idlePodman(workbench, settle)),
  ],
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
}
