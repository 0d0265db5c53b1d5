/** Capabilities by their numbers (linux/capability.h). */
const NUMBERS = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  LINUX_IMMUTABLE: 9,
  NET_BIND_SERVICE: 10,
  NET_BROADCAST: 11,
  NET_ADMIN: 12,
  NET_RAW: 13,
  IPC_LOCK: 14,
  IPC_OWNER: 15,
  SYS_MODULE: 16,
  SYS_RAWIO: 17,
  SYS_CHROOT: 18,
  SYS_PTRACE: 19,
  SYS_PACCT: 20,
  SYS_ADMIN: 21,
  SYS_BOOT: 22,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  SYS_TIME: 25,
  SYS_TTY_CONFIG: 26,
  MKNOD: 27,
  LEASE: 28,
  AUDIT_WRITE: 29,
  AUDIT_CONTROL: 30,
  SETFCAP: 31,
  MAC_OVERRIDE: 32,
  MAC_ADMIN: 33,
  SYSLOG: 34,
  WAKE_ALARM: 35,
  BLOCK_SUSPEND: 36,
  AUDIT_READ: 37,
  PERFMON: 38,
  BPF: 39,
  CHECKPOINT_RESTORE: 40,
} as const

/** Name of a capability without `CAP_`. */
export type CapabilityName = keyof typeof NUMBERS

/** All that the kernel has, in the order of their numbers. */
export const CAPABILITIES = Object.keys(NUMBERS) as readonly CapabilityName[]

/** `NET_ADMIN` of `cap_net_admin`; null for what is no capability. */
export function capabilityName(text: string): CapabilityName | null {
  const name = text.toUpperCase().replace(/^CAP_/, '')
  return Object.hasOwn(NUMBERS, name) ? (name as CapabilityName) : null
}

/** Bit mask of `names`, as the kernel writes sets. */
export function capabilityMask(names: readonly CapabilityName[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(NUMBERS[name])), 0n)
}
