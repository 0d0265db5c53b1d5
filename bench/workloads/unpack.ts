import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import type { Subject } from '../measure.js'
import { type PackedSystem, packedSystem, type SystemSize } from '../packed-system.js'
import { podmanWords } from '../podman-words.js'
import { require } from '../unavailable.js'
import { unpackTrees } from '../unpack-trees.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

/** A system as one uncompressed layer, unpacked below the run's folder; removed outside the clock. */
function unpackOf(name: string, size: SystemSize): Workload {
  return {
    name,
    summary: `a layer of ${size.megabytes} MB and ${size.files.toLocaleString('en')} files, uncompressed`,
    unit: 'ms',
    rounds: 12,
    quickRounds: 2,
    async open(workbench) {
      const system = await packedSystem(workbench, size)
      return [
        await orMissing('tar', async () => tar(workbench, system)),
        await orMissing('trees', () => unpackTrees(workbench, system)),
        await orMissing('umoci', async () => umoci(workbench, system)),
        await orMissing('podman', () => podmanLoad(workbench, system)),
      ]
    },
  }
}

/** What the targets name. */
export const unpack = unpackOf('unpack', { files: 5000, megabytes: 200 })

/** How it grows: with the bytes of as many files, and with the files of as many bytes. */
export const unpackBySize: readonly Workload[] = [
  ...[2, 20, 200].map((megabytes) => unpackOf(`unpack-${megabytes}-mb`, { files: 100, megabytes })),
  ...[5000, 50_000].map((files) => unpackOf(`unpack-${files}-files`, { files, megabytes: 20 })),
]

function tar(workbench: Workbench, { name, tarPath }: PackedSystem): Subject {
  const place = join(workbench.directory, `${name}-tar`)
  const sample = async () => {
    await mkdir(place)
    const driver = await workbench.driver()
    const durationMs = expectSuccess(await driver.run('tar', ['-C', place, '-xf', tarPath]))
    await rm(place, { recursive: true })
    return durationMs
  }
  return { name: 'tar', sample }
}

function umoci(workbench: Workbench, { name, layoutPath }: PackedSystem): Subject {
  require(hasProgram('umoci'), 'umoci is not installed')
  const place = join(workbench.directory, `${name}-umoci`)
  const sample = async () => {
    const driver = await workbench.driver()
    const durationMs = expectSuccess(await driver.run('umoci', ['unpack', '--rootless', '--image', `${layoutPath}:system`, place]))
    await rm(place, { recursive: true })
    return durationMs
  }
  return { name: 'umoci', sample }
}

async function podmanLoad(workbench: Workbench, { name, layoutPath }: PackedSystem): Promise<Subject> {
  require(hasProgram('podman'), 'podman is not installed')
  const archive = join(workbench.directory, `${name}-archive.tar`)
  await promisify(execFile)('tar', ['-C', layoutPath, '-chf', archive, '.'])
  const words = await podmanWords(workbench)
  const driver = await workbench.peerDriver()
  workbench.atEnd(async () => void (await driver.run('rm', ['-rf', join(workbench.directory, 'podman')])))
  const sample = async () => {
    const durationMs = expectSuccess(await driver.run('podman', [...words, 'load', '-i', archive]))
    expectSuccess(await driver.run('podman', [...words, 'rmi', '--all', '--force']))
    return durationMs
  }
  return { name: 'podman', sample }
}
