import { descendants, proportionalMib } from '../process-memory.js'
import { guestImage } from '../timed-guest.js'
import { require } from '../unavailable.js'
import { orMissing, type Workload } from '../workload.js'

const SETTLE_MS = 400

/** What a Wasm container that waits takes of the machine: the proportional set size of its processes, the launcher's included. */
export const idleWasm: Workload = {
  name: 'idle-wasm',
  summary: 'memory of a waiting Wasm container in a process of its own (PSS)',
  unit: 'MiB',
  rounds: 8,
  quickRounds: 2,
  open: async (workbench) => [
    await orMissing('wasm', async () => {
      const engine = await workbench.engine()
      const image = await guestImage(workbench, 'wait')
      const sample = async () => {
        const before = new Set(descendants(process.pid))
        await using container = await engine.containers.create({ image, runtime: 'wasm', openStdin: true, autoRemove: true })
        await container.start()
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
        const own = descendants(process.pid).filter((pid) => !before.has(pid))
        require(own.length > 0, 'the container has no process of its own')
        return own.reduce((sum, pid) => sum + proportionalMib(pid), 0)
      }
      return { name: 'wasm', sample }
    }),
  ],
}
