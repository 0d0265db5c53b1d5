/**
 * Paths of /proc and /sys that belong to the kernel or the host and not to a namespace: procfs shows them to every mount of it.
 *
 * Where a kernel lacks one, there is nothing to hide and the launcher passes over it.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path/posix'

/** Hidden: a file reads as empty, a directory lists nothing. Each tells of the host or of other users' processes. */
export const MASKED_PATHS = [
  // Keys of every user in the same keyring quota; CVE-2016-0728 began with reading them.
  '/proc/keys',
  '/proc/key-users',
  // Addresses of the running kernel, which an exploit needs first.
  '/proc/kallsyms',
  '/proc/kcore',
  '/proc/kmsg',
  '/proc/iomem',
  '/proc/ioports',
  '/proc/modules',
  '/proc/vmallocinfo',
  '/proc/slabinfo',
  '/proc/pagetypeinfo',
  '/proc/kpagecount',
  '/proc/kpageflags',
  '/proc/kpagecgroup',
  // Names and timing of the host's processes: side channels of keystrokes and of other containers.
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/latency_stats',
  '/proc/interrupts',
  '/proc/softirqs',
  '/proc/pressure',
  // Counts of each interrupt, as in /proc/interrupts.
  '/sys/kernel/irq',
  // Hardware.
  '/proc/acpi',
  '/proc/asound',
  '/proc/scsi',
  '/proc/mtrr',
  '/proc/driver',
  '/sys/dev/block',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
  '/sys/devices/virtual/dmi',
  '/sys/kernel/debug',
  '/sys/kernel/tracing',
  '/sys/kernel/security',
  '/sys/kernel/vmcoreinfo',
  '/sys/kernel/notes',
] as const

const PROCESSORS = '/sys/devices/system/cpu'

/**
 * How often each processor of this host was too hot, which tells what others compute (GHSA-6fw5-f8r9-fgfm); a path for each, and none where
 * the processor does not say. `folder` lists the host's processors.
 */
export function thermalPaths(folder = PROCESSORS): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^cpu\d+$/.test(name) && existsSync(join(folder, name, 'thermal_throttle')))
      .map((name) => join(PROCESSORS, name, 'thermal_throttle'))
  } catch {
    return []
  }
}

/** Readable as far as the kernel lets them be, never written: settings and triggers that a namespaced root could reach. */
export const READ_ONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'] as const
