import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Index } from '../src/oci/image-spec.js'
import { seededBytes } from './seeded-bytes.js'
import type { Workbench } from './workbench.js'

/** A system as an image of one layer, in the forms that unpackers read. */
export interface PackedSystem {
  /** For files of the run's folder. */
  readonly name: string
  readonly tarPath: string
  /** Name in the engine. */
  readonly reference: string
  /** An OCI layout whose one name is `system`. */
  readonly layoutPath: string
}

/** How large a system is. */
export interface SystemSize {
  readonly files: number
  readonly megabytes: number
}

const QUICK_SHARE = 5
const FOLDERS = 250
/** Files of a distribution, as parts of their sum: most are small, some are large. */
const SIZES = [600, 1200, 4000, 9000, 20_000, 60_000, 200_000]
const SIZES_SUM = SIZES.reduce((sum, size) => sum + size)

/** Makes it once for a run; with `--quick` a fifth of it. */
export function packedSystem(workbench: Workbench, size: SystemSize): Promise<PackedSystem> {
  const name = `system-${size.files}-${size.megabytes}`
  return workbench.once(name, async () => {
    const tree = join(workbench.directory, name)
    const count = workbench.quick ? size.files / QUICK_SHARE : size.files
    // A quick run has fewer files, each as long.
    const scale = (size.megabytes * 1e6 * SIZES.length) / (size.files * SIZES_SUM)
    for (let number = 0; number < count; number++) {
      const folder = join(tree, 'usr/lib', `package-${number % FOLDERS}`)
      if (number < FOLDERS) await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `file-${number}`), seededBytes(Math.round((SIZES[number % SIZES.length] ?? 0) * scale), number))
    }
    const tarPath = join(workbench.directory, `${name}.tar`)
    await promisify(execFile)('tar', ['-C', tree, '--owner=0', '--group=0', '-cf', tarPath, '.'])
    await rm(tree, { recursive: true })
    const engine = await workbench.engine()
    const { id } = await engine.images.import(tarPath, { reference: name })
    return { name, tarPath, reference: name, layoutPath: await layoutOf(join(workbench.directory, `${name}-layout`), engine.home, id) }
  })
}

/** A layout over the engine's blobs with a name that umoci takes. */
async function layoutOf(layoutPath: string, home: string, digest: string): Promise<string> {
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
