/** Capabilities by their numbers (linux/capability.h); only those that a guest may hold. */
const NUMBERS = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_BIND_SERVICE: 10,
  SYS_CHROOT: 18,
  AUDIT_WRITE: 29,
  SETFCAP: 31,
} as const

/** Name of a capability without `CAP_`. */
export type CapabilityName = keyof typeof NUMBERS

/**
 * What root in a container may do: docker's default set, so that package managers and servers work, but for two.
 *
 * - `NET_RAW` opens packet and raw sockets, the way into most of the kernel's network holes that a namespace does not close, and lets a
 *   container forge packets on a bridge. `ping` does without it (`net.ipv4.ping_group_range`).
 * - `MKNOD` does nothing in a user namespace but for the whiteout 0:0, which an overlay in the guest's own tree would read as a deletion.
 *
 * All of them act in the container's user namespace alone.
 */
export const ROOT_CAPABILITIES = Object.keys(NUMBERS) as readonly CapabilityName[]

/** Bit mask of `names`, as the kernel writes sets. */
export function capabilityMask(names: readonly CapabilityName[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(NUMBERS[name])), 0n)
}

/** The set of a guest that runs as `uid`: none but for root, which is what execve would leave it under no_new_privs. */
export function guestCapabilities(uid: number): bigint {
  return capabilityMask(uid === 0 ? ROOT_CAPABILITIES : [])
}
