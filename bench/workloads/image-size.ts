import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { layerImage } from '../layer-image.js'
import { startImage } from '../modes/library.js'
import { seededBytes } from '../seeded-bytes.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

const LARGE_FILES = 200
const FILE_BYTES = 2 ** 20
const LAYERS = 100

/** The same program from a small image, a large one, and one of many layers: through the library, trees unpacked before. */
export const imageSize: Workload = {
  name: 'image-size',
  summary: 'busybox true from images of 2 MB, 200 MB and 100 layers',
  unit: 'ms',
  rounds: 60,
  quickRounds: 4,
  async open(workbench) {
    return [
      await orMissing('small', async () => startImage(workbench, 'small', await workbench.busyboxImage())),
      await orMissing('large', async () => startImage(workbench, 'large', await largeImage(workbench))),
      await orMissing('100-layers', async () => startImage(workbench, '100-layers', await layerImage(workbench, LAYERS))),
    ]
  },
}

/** busybox and 200 MB that it does not touch. */
async function largeImage(workbench: Workbench): Promise<string> {
  const extra = join(workbench.directory, 'extra')
  await mkdir(join(extra, 'opt'), { recursive: true })
  for (let number = 0; number < LARGE_FILES; number++) await writeFile(join(extra, `opt/file-${number}`), seededBytes(FILE_BYTES, number))
  const tar = join(workbench.directory, 'large.tar')
  const words = ['--owner=0', '--group=0', '-cf', tar, '-C', await workbench.rootDirectory(), '.', '-C', extra, './opt']
  await promisify(execFile)('tar', words)
  await (await workbench.engine()).images.import(tar, { reference: 'large' })
  return 'large'
}
