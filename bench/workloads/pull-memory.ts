import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layeredImages } from '../layered-images.js'
import { localRegistry } from '../local-registry.js'
import { packageRoot } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

const LOOK_EVERY_MS = 10

/** The most memory that `wolffia pull` takes, for a layer of one gigabyte and for one of a twentieth. */
export const pullMemory: Workload = {
  name: 'pull-memory',
  summary: 'most memory of a pull of one layer (resident)',
  unit: 'MiB',
  rounds: 3,
  quickRounds: 1,
  axis: 'MB of the layer',
  async open(workbench) {
    const { host } = await localRegistry(workbench, 'pull-memory')
    return Promise.all(
      [50, 1000].map((megabytes) =>
        orMissing(`wolffia@${megabytes}`, async () => {
          const image = `${host}/bench/mb-${megabytes}:1`
          const engine = await workbench.engine()
          await layeredImages(workbench, image.replace(/:1$/, ''), { layers: 1, megabytes })
          await engine.images.push(image)
          const environment = { ...process.env, WOLFFIA_HOME: await workbench.directoryOf('pull-memory-home') }
          const wolffia = (...words: string[]) => peakOf([join(packageRoot, 'dist/cli.cjs'), ...words], environment)
          const sample = async () => {
            const mebibytes = await wolffia('pull', '-q', image)
            await wolffia('rmi', image)
            return mebibytes
          }
          return { name: `wolffia@${megabytes}`, sample }
        }),
      ),
    )
  },
}

/** Runs Node and gives the most of memory that was resident, in MiB. */
async function peakOf(words: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, words, { stdio: 'ignore', env })
  let peak = 0
  const look = setInterval(() => {
    try {
      peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? peak)
    } catch {
      // It has just ended.
    }
  }, LOOK_EVERY_MS)
  const [code] = await once(child, 'close')
  clearInterval(look)
  if (code !== 0) throw new Error(`wolffia ended with ${code}`)
  return peak / 1024
}
