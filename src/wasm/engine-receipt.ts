import { EngineError } from '../errors.js'
import type { Receipt, WasmEvidence } from '../runtime/receipt.js'
import type { ContainerSpec } from '../runtime/spec.js'

/**
 * The receipt with the engine's evidence. The module's digest is compared from outside: this process reads the same file of the
 * image for itself. Throws SANDBOX_FAILED where the two disagree.
 */
export function completedReceipt(receipt: Receipt, wasm: WasmEvidence, moduleDigest: string | null, spec: ContainerSpec): Receipt {
  const { process, limits, deterministic, recording } = spec
  const { env } = process
  const isReproducible = deterministic !== undefined || recording !== undefined
  const checks = {
    ...receipt.crossCheck,
    ...(moduleDigest === null ? {} : { moduleDigest: moduleDigest === wasm.moduleDigest }),
    environment: JSON.stringify(wasm.environment) === JSON.stringify(env),
    ...(limits.fuel === undefined ? {} : { fuel: wasm.instrumented?.includes('fuel') === true }),
    ...(isReproducible ? { canonicalNan: wasm.instrumented?.includes('canonical-nan') === true } : {}),
  }
  const failed = Object.entries(checks).filter(([, agrees]) => !agrees)
  if (failed.length > 0)
    throw new EngineError('SANDBOX_FAILED', `the sandbox shows something else than this process sees: ${failed.map(([name]) => name)}`)
  const { kernel } = receipt
  const doubleWall = kernel?.namespaces.user.isolated === true && kernel.seccomp.mode === 2
  return { ...receipt, doubleWall, wasm, crossCheck: checks }
}
