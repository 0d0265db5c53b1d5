import type { CapabilityName } from '../launcher/capabilities.js'
import { CAPABILITIES } from '../launcher/capabilities.js'
import type { ContainerSpec } from '../runtime/spec.js'

/**
 * What root in a container may do: docker's default set, so that package managers and servers work, but for two.
 *
 * - `NET_RAW` opens packet and raw sockets, the way into most of the kernel's network holes that a namespace does not close, and lets a
 *   container forge packets on a bridge. `ping` does without it (`net.ipv4.ping_group_range`).
 * - `MKNOD` does nothing in a user namespace but for the whiteout 0:0, which an overlay in the guest's own tree would read as a deletion.
 *
 * All of them act in the container's user namespace alone, and so do those that `--cap-add` gives.
 */
export const ROOT_CAPABILITIES: readonly CapabilityName[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'AUDIT_WRITE',
  'SETFCAP',
]

/** What a container's root may do, by docker's rules: ALL added is all but those dropped by name, ALL dropped leaves those added by name. */
export function rootCapabilities({ privileges: { capAdd = [], capDrop = [] } = {} }: ContainerSpec): readonly CapabilityName[] {
  if (capAdd.includes('ALL')) return CAPABILITIES.filter((name) => !capDrop.includes(name))
  const base = capDrop.includes('ALL') ? [] : ROOT_CAPABILITIES.filter((name) => !capDrop.includes(name))
  return CAPABILITIES.filter((name) => base.includes(name) || capAdd.includes(name))
}

/** The sets of a guest. */
export interface GuestCapabilities {
  /** All that it or a program it executes may ever have. */
  readonly bounding: readonly CapabilityName[]
  /** Permitted and effective. */
  readonly held: readonly CapabilityName[]
}

/**
 * Those of a guest's user: none but root holds any, which is what execve would leave it, and what it could gain by a setuid program is
 * nothing under no_new_privs.
 */
export function guestCapabilities(spec: ContainerSpec): GuestCapabilities {
  const held = spec.process.user.uid === 0 ? rootCapabilities(spec) : []
  return { bounding: spec.privileges?.noNewPrivileges === false ? rootCapabilities(spec) : held, held }
}
