import { EngineError } from '../errors.js'
import type { LaunchOptions } from '../launcher/client.js'
import { assetPath, ownArchitecture, seccompAsset } from '../launcher/installation.js'
import type { ProfileEvidence } from '../runtime/receipt.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { ROOT_CAPABILITIES, rootCapabilities } from './capabilities.js'

/** The system call filter of one container. */
export interface GuestFilter {
  /** What the launcher is given of it; nothing where there is none. */
  readonly launch: Pick<LaunchOptions, 'seccompProgram' | 'seccompProgramPath'>
  /** Null unless it is the user's. */
  readonly profile: ProfileEvidence | null
}

/**
 * The filter that a spec asks for: the user's in place of ours, none, or ours, with what added capabilities are for. Throws
 * RUNTIME_UNAVAILABLE on a processor without one, INVALID_ARGUMENT for a profile under which nothing starts.
 *
 * What compiles is loaded when it is needed: most containers have the filter that lies there.
 */
export async function guestFilter(spec: ContainerSpec): Promise<GuestFilter> {
  const [architecture, asset] = [ownArchitecture(), seccompAsset()]
  if (architecture === null || asset === null)
    throw new EngineError('RUNTIME_UNAVAILABLE', `the native wall is not built for ${process.arch}`)
  const seccomp = spec.privileges?.seccomp
  if (seccomp === 'unconfined') return { launch: {}, profile: null }
  const capabilities = rootCapabilities(spec)
  if (seccomp !== undefined) {
    const { source, profile } = seccomp
    const { compileProfile } = await import('../launcher/profile-program.js')
    const { bytes, digest, unknownNames } = compileProfile(profile, { source, architecture, capabilities })
    return { launch: { seccompProgram: bytes }, profile: { source, digest, instructions: bytes.length / 8, unknownNames } }
  }
  const added = capabilities.filter((name) => !ROOT_CAPABILITIES.includes(name))
  if (added.length === 0) return { launch: { seccompProgramPath: assetPath(asset) }, profile: null }
  const { seccompProgram } = await import('../launcher/seccomp.js')
  return { launch: { seccompProgram: seccompProgram(architecture, added) }, profile: null }
}
