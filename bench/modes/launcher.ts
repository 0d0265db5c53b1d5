import { launcherMissing } from '../../src/launcher/client.js'
import { chooseIdMap, type IdMap, singleIdMap } from '../../src/launcher/id-map.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import { encodePlan } from '../../src/launcher/protocol.js'
import { expectSuccess } from '../expect-success.js'
import { launcherPlan } from '../launcher-plan.js'
import type { Mode } from '../mode.js'
import { require } from '../unavailable.js'

const launcherUnder = (name: string, ids: string, idMap: () => IdMap): Mode => ({
  name,
  summary: `wolffia launcher, ${ids}: 7 namespaces, overlay, masks, capabilities, seccomp, Landlock`,
  async open(workbench, args) {
    require(launcherMissing() === null && seccompAsset() !== null, launcherMissing() ?? `no seccomp program for ${process.arch}`)
    const driver = await workbench.driver()
    const plan = await workbench.file(`${name}/plan`, encodePlan(await launcherPlan(workbench, args, idMap())))
    const [program, filter] = [assetPath('launcher'), assetPath(seccompAsset() ?? '')]
    return { name, sample: async () => expectSuccess(await driver.launch(program, plan, filter)) }
  },
})

/** wolffia's launcher alone, one-shot, single id, with the plan that the native wall makes for `run --rm`. */
export const launcher = launcherUnder('launcher', 'single id', singleIdMap)

/** The same under the id map that the command line chooses: a range, through newuidmap and newgidmap, where this user has one. */
export const launcherOwnMap = launcherUnder('launcher-own-map', "the command line's ids", () => chooseIdMap().map)
