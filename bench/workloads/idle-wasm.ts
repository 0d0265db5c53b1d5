import { readdirSync, readFileSync } from 'node:fs'
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

function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const parent = /^PPid:\s+(\d+)/m.exec(textOf(`/proc/${name}/status`))?.[1]
      return parent === undefined ? [] : [{ pid: Number(name), parent: Number(parent) }]
    })
  const below = (ancestor: number): number[] =>
    parents.filter(({ parent }) => parent === ancestor).flatMap((child) => [child.pid, ...below(child.pid)])
  return below(pid)
}

function proportionalMib(pid: number): number {
  const pages = /^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1]
  // A process in a user namespace of its own may not be looked into from outside; its resident set is then more than its share.
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/status`))?.[1]
  return Number(pages ?? resident ?? 0) / 1024
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
