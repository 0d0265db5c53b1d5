import { EngineError } from '../errors.js'
import { groupLimits } from './control-groups.js'
import { crossCheck, failedChecks } from './cross-check.js'
import type { ReceiptTexts } from './kernel-evidence.js'
import { hostIdentity, kernelEvidence } from './kernel-evidence.js'
import type { Limits, LimitWays } from './limits.js'
import { limitEvidence } from './limits.js'
import type { IdMapEvidence, ProfileEvidence, Receipt, WasmEvidence } from './receipt.js'

/** What {@link collectReceipt} puts together. */
export interface ReceiptParts {
  readonly container: string
  readonly wall: string
  /**
   * The launcher's `receipt` event, the guest's pid as the host counts, and the map of the user namespace that its own is in, where that is not
   * the host's; null where no kernel wall stands.
   */
  readonly kernel: { readonly pid: number; readonly texts: ReceiptTexts; readonly outer?: IdMapEvidence | null } | null
  /** The Wasm engine's own account; null for a native guest. */
  readonly wasm: WasmEvidence | null
  /** The user's own filter; none unless said. */
  readonly seccompProfile?: ProfileEvidence | null
  readonly limits: Limits
  readonly ways: LimitWays
  /**
   * What was collected before its program ran, of one that runs already, though not for anybody: the texts from inside are the same and are not read
   * again. All outside is, but descriptors, since it has some of its own by now.
   */
  readonly early?: Receipt
}

/**
 * Makes the receipt of a guest that waits for its first instruction: evidence from inside, limits read from the evidence, everything
 * compared from outside. Throws LAUNCHER_FAILED when a comparison or a limit fails: such a guest must not start.
 */
export function collectReceipt({
  container,
  wall,
  kernel,
  wasm,
  seccompProfile = null,
  limits: asked,
  ways,
  early,
}: ReceiptParts): Receipt {
  const evidence = kernel === null ? null : (early?.kernel ?? kernelEvidence(kernel.texts, hostIdentity(), kernel.outer ?? null))
  const inGroups = kernel !== null && Object.keys(asked).some((key) => ways[key as keyof Limits] === 'cgroup')
  const limits = limitEvidence(asked, ways, evidence, inGroups ? groupLimits(kernel.pid) : null)
  const checks = {
    ...(kernel === null || evidence === null ? {} : crossCheck({ pid: kernel.pid, evidence, limits, isExecuted: early !== undefined })),
    // What the launcher was given is what it has set.
    ...(seccompProfile === null ? {} : { seccompProfile: evidence?.seccomp.instructions === seccompProfile.instructions }),
  }
  const failed = failedChecks(checks)
  if (failed.length > 0)
    throw new EngineError(
      'LAUNCHER_FAILED',
      `what the guest shows inside differs from what the kernel shows outside: ${failed.join(', ')}`,
      {
        hint: 'The guest was not started. If /proc is mounted with hidepid here, wolffia cannot check its containers from outside.',
        data: { failed },
      },
    )
  return {
    schema: 'wolffia.receipt/1',
    container,
    wall,
    doubleWall: wasm !== null && evidence?.namespaces.user.isolated === true && evidence.seccomp.mode === 2,
    kernel: evidence,
    seccompProfile,
    wasm,
    limits,
    crossCheck: checks,
  }
}
