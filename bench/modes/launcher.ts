import { join } from 'node:path'
import { UnionFs } from '../../src/fs/union-fs.js'
import { findImage } from '../../src/image/find.js'
import { selectImage } from '../../src/image/platform-select.js'
import { launcherMissing } from '../../src/launcher/client.js'
import { chooseIdMap, type IdMap, singleIdMap } from '../../src/launcher/id-map.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import type { Plan } from '../../src/launcher/operations.js'
import { encodePlan } from '../../src/launcher/protocol.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import type { KernelLayers } from '../../src/rootfs/overlay.js'
import { ensureTrees } from '../../src/rootfs/write-tree.js'
import { Store } from '../../src/store/store.js'
import { expectSuccess } from '../expect-success.js'
import { launcherPlan } from '../launcher-plan.js'
import type { Mode } from '../mode.js'
import { require } from '../unavailable.js'
import type { Workbench } from '../workbench.js'

const launcherOf = (name: string, ids: string, plan: (workbench: Workbench, args: readonly string[]) => Promise<Plan>): Mode => ({
  name,
  summary: `wolffia launcher, ${ids}: 7 namespaces, overlay, masks, capabilities, seccomp, Landlock`,
  async open(workbench, args) {
    require(launcherMissing() === null && seccompAsset() !== null, launcherMissing() ?? `no seccomp program for ${process.arch}`)
    const driver = await workbench.driver()
    const file = await workbench.file(`${name}/plan`, encodePlan(await plan(workbench, args)))
    const [program, filter] = [assetPath('launcher'), assetPath(seccompAsset() ?? '')]
    return { name, sample: async () => expectSuccess(await driver.launch(program, file, filter)) }
  },
})

/** wolffia's launcher alone, one-shot, single id, with the plan that the native wall makes for `run --rm`. */
export const launcher = launcherOf('launcher', 'single id', (workbench, args) => launcherPlan(workbench, args, { idMap: singleIdMap() }))

/** The same by a range of ids, through newuidmap and newgidmap. */
export const launcherRange = launcherOf('launcher-range', 'a range of ids', (workbench, args) => {
  const { map, reason } = chooseIdMap()
  require(reason === null, reason ?? '')
  return launcherPlan(workbench, args, { idMap: map })
})

/** The same below a holder, with the layers in its memory. */
export const launcherHeld = launcherOf('launcher-held', 'a range of ids below a holder', async (workbench, args) => {
  const { idMap, living } = await workbench.holder()
  const layers = await heldLayers(workbench, idMap)
  require(layers.memory?.identity === living.identity, 'the layers do not fit into the memory of the holder')
  return launcherPlan(workbench, args, { idMap, layers })
})

/** The same under whatever the command line chooses: below a holder where this user has a range of ids. */
export const launcherOwnMap: Mode = {
  ...launcherHeld,
  name: 'launcher-own-map',
  summary: "wolffia launcher, the command line's ids",
  open: async (workbench, args) => ({
    ...(await (chooseIdMap().reason === null ? launcherHeld : launcher).open(workbench, args)),
    name: 'launcher-own-map',
  }),
}

/** The layers of busybox, unpacked into the holder's memory. */
async function heldLayers(workbench: Workbench, idMap: IdMap): Promise<KernelLayers> {
  const reference = await workbench.busyboxImage()
  const store = await Store.open({ root: (await workbench.engine()).home })
  const { image } = await selectImage(store.layout, (await findImage(store, reference)).descriptor)
  const layers = await Promise.all((await image.layers()).map((layer) => store.layers.ensure(layer)))
  const merged = () => new UnionFs({ lowers: layers.map(openStoredLayer) })
  return ensureTrees({ directory: join(workbench.directory, 'held-trees'), idMap, layers, merged })
}
