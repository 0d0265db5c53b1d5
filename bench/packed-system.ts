import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Index } from '../src/oci/image-spec.js'
import { seededBytes } from './seeded-bytes.js'
import type { Workbench } from './workbench.js'

/** A system as an image of one layer, in the forms that unpackers read. */
export interface PackedSystem {
  readonly tarPath: string
  /** Name in the engine. */
  readonly reference: string
  /** An OCI layout whose one name is `system`. */
  readonly layoutPath: string
}

const FILES = 5000
const QUICK_FILES = 1000
/** Files of a distribution: most are small, some are large. */
const SIZES = [600, 1200, 4000, 9000, 20_000, 60_000, 200_000]

/** Makes it once for a run. */
export function packedSystem(workbench: Workbench): Promise<PackedSystem> {
  return workbench.once('packed system', async () => {
    const tree = join(workbench.directory, 'system')
    const count = workbench.quick ? QUICK_FILES : FILES
    for (let number = 0; number < count; number++) {
      const folder = join(tree, 'usr/lib', `package-${number % 250}`)
      if (number < 250) await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `file-${number}`), seededBytes(SIZES[number % SIZES.length] ?? 0, number))
    }
    const tarPath = join(workbench.directory, 'system.tar')
    await promisify(execFile)('tar', ['-C', tree, '--owner=0', '--group=0', '-cf', tarPath, '.'])
    const engine = await workbench.engine()
    const { id } = await engine.images.import(tarPath, { reference: 'system' })
    return { tarPath, reference: 'system', layoutPath: await layoutOf(workbench, engine.home, id) }
  })
}

/** A layout over the engine's blobs with a name that umoci takes. */
async function layoutOf(workbench: Workbench, home: string, digest: string): Promise<string> {
  const layoutPath = join(workbench.directory, 'layout')
  await mkdir(layoutPath)
  await symlink(join(home, 'blobs'), join(layoutPath, 'blobs'))
  await writeFile(join(layoutPath, 'oci-layout'), await readFile(join(home, 'oci-layout')))
  const index = JSON.parse(await readFile(join(home, 'index.json'), 'utf8')) as Index
  const manifests = index.manifests
    .filter((manifest) => manifest.digest === digest)
    .map((manifest) => ({ ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'system' } }))
  await writeFile(join(layoutPath, 'index.json'), JSON.stringify({ ...index, manifests }))
  return layoutPath
}
