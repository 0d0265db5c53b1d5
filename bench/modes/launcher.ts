import { launcherMissing } from '../../src/launcher/client.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import { encodePlan } from '../../src/launcher/protocol.js'
import { expectSuccess } from '../expect-success.js'
import { launcherPlan } from '../launcher-plan.js'
import type { Mode } from '../mode.js'
import { require } from '../unavailable.js'

/** wolffia's launcher alone, one-shot, single id, with the plan that the native wall makes for `run --rm`. */
export const launcher: Mode = {
  name: 'launcher',
  summary: 'wolffia launcher: 7 namespaces, overlay, masks, capabilities, seccomp, Landlock',
  async open(workbench, args) {
    require(launcherMissing() === null && seccompAsset() !== null, launcherMissing() ?? `no seccomp program for ${process.arch}`)
    const driver = await workbench.driver()
    const plan = await workbench.file('launcher/plan', encodePlan(await launcherPlan(workbench, args)))
    const [program, filter] = [assetPath('launcher'), assetPath(seccompAsset() ?? '')]
    return { name: this.name, sample: async () => expectSuccess(await driver.launch(program, plan, filter)) }
  },
}
