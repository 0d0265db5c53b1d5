import { existsSync } from 'node:fs'
import { EngineError, type ErrorCode } from '../errors.js'
import { launcherMissing } from '../launcher/client.js'
import { assetPath, seccompAsset } from '../launcher/installation.js'
import { type Finding, obstacle, probeHost } from '../launcher/probe.js'
import type { ContainerSpec } from '../runtime/spec.js'

/** Whether a sandbox stands behind the native wall: where this host can make one, in any case or not at all, or never. */
export type NativeWall = 'auto' | 'required' | 'never'

const NODE_MAJOR = Number.parseInt(process.versions.node, 10)

/**
 * What the sandbox does without of Node, and this Node can do without: the newest have fetch in any case. None is a flag of V8's: with one, V8 takes nothing that was compiled for it before, neither
 * Node's own modules nor the sandbox's, and the start costs a sixth more. The sandbox sets those itself when it has come up.
 */
export const NODE_FLAGS: readonly string[] = ['--no-addons', '--no-deprecation', ...(NODE_MAJOR < 24 ? ['--no-experimental-fetch'] : [])]

/** Errors that a host may be the reason of. */
const NO_WALL: ReadonlySet<ErrorCode> = new Set(['LAUNCHER_FAILED', 'RUNTIME_UNAVAILABLE', 'UNSUPPORTED_BY_HOST'])

/** Starts a sandbox behind the native wall if there is one; else alone, unless that was ruled out. */
export async function startDoubleWalled<Started>(
  nativeWall: NativeWall,
  spec: ContainerSpec,
  { walled, alone }: { readonly walled: () => Promise<Started>; readonly alone: () => Started },
): Promise<Started> {
  if (nativeWall === 'never') return alone()
  const missing = noNativeWall()
  try {
    if (missing !== null) throw new EngineError('RUNTIME_UNAVAILABLE', `the native wall cannot stand around the sandbox: ${missing}`)
    return await walled()
  } catch (error) {
    if (nativeWall === 'required' || !(error instanceof EngineError) || !NO_WALL.has(error.code)) throw error
    // Asked only now, since it costs as much as a start: does this host allow no wall, or is this container at fault?
    if (missing === null && wallObstacle(await probeHost(), spec) === null) throw error
    return alone()
  }
}

/** What stands in the way of a wall around a sandbox, among the steps that one takes: it has no overlay, and mostly no terminal. */
export function wallObstacle(findings: readonly Finding[], { process: { terminal } }: ContainerSpec): string | null {
  return obstacle(findings.filter(({ name }) => name !== 'overlay on disk' && (terminal || name !== 'terminal')))
}

/** Why no native wall can be made around a sandbox here, or null. */
export function noNativeWall(): string | null {
  const seccomp = seccompAsset()
  if (seccomp === null || !existsSync(assetPath(seccomp))) return `it is not built for ${process.arch}`
  return launcherMissing()
}
