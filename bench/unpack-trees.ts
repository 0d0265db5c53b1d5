import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UnionFs } from '../src/fs/union-fs.js'
import { findImage } from '../src/image/find.js'
import { selectImage } from '../src/image/platform-select.js'
import { launcherMissing } from '../src/launcher/client.js'
import { singleIdMap } from '../src/launcher/id-map.js'
import { openStoredLayer } from '../src/rootfs/layer-stack.js'
import { ensureTrees } from '../src/rootfs/write-tree.js'
import { Store } from '../src/store/store.js'
import type { Subject } from './measure.js'
import type { PackedSystem } from './packed-system.js'
import { require } from './unavailable.js'
import type { Workbench } from './workbench.js'

/** Layers as the native wall writes them for the kernel's overlay: through the launcher, inside a user namespace. */
export async function unpackTrees(workbench: Workbench, { name, reference }: PackedSystem): Promise<Subject> {
  require(launcherMissing() === null, launcherMissing() ?? '')
  const store = await Store.open({ root: (await workbench.engine()).home })
  const { image } = await selectImage(store.layout, (await findImage(store, reference)).descriptor)
  const layers = await Promise.all((await image.layers()).map((layer) => store.layers.ensure(layer)))
  const directory = join(workbench.directory, `${name}-trees`)
  const merged = () => new UnionFs({ lowers: layers.map(openStoredLayer) })
  const sample = async () => {
    const start = performance.now()
    await ensureTrees({ directory, idMap: singleIdMap(), layers, merged })
    const durationMs = performance.now() - start
    // Under a single id every file is the user's own.
    await rm(directory, { recursive: true })
    return durationMs
  }
  return { name: 'trees', sample }
}
