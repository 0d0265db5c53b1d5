import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { promisify } from 'node:util'

/** What a figure depends on and its reader must know. */
export interface HostFacts {
  readonly kernel: string
  readonly cpu: string
  readonly cpuCount: number
  /** Null where the kernel does not say, as in most virtual machines. */
  readonly governor: string | null
  readonly memoryBytes: number
  readonly load1: number
  readonly node: string
  readonly v8: string
  readonly uid: number
  /** Vulnerability to what is done about it. */
  readonly mitigations: Readonly<Record<string, string>>
  /** Program to the first line of its version; null where it is missing. */
  readonly programs: Readonly<Record<string, string | null>>
  readonly takenAt: string
}

const PROGRAMS: readonly (readonly [string, ...string[]])[] = [
  ['bwrap', '--version'],
  ['crun', '--version'],
  ['runc', '--version'],
  ['podman', '--version'],
  ['qemu-system-x86_64', '--version'],
  ['umoci', '--version'],
  ['tar', '--version'],
  ['cc', '--version'],
  ['clang', '--version'],
]
const MITIGATIONS = ['meltdown', 'spectre_v1', 'spectre_v2', 'spec_store_bypass', 'mds', 'retbleed', 'srso']

/** Looks at the host. */
export async function hostFacts(): Promise<HostFacts> {
  const programs = await Promise.all(PROGRAMS.map(async ([program, ...args]) => [program, await firstLine(program, args)] as const))
  const mitigations = await Promise.all(
    MITIGATIONS.map(async (name) => [name, await text(`/sys/devices/system/cpu/vulnerabilities/${name}`)] as const),
  )
  return {
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpuCount: availableParallelism(),
    governor: await text('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    memoryBytes: totalmem(),
    load1: loadavg()[0] ?? 0,
    node: process.version,
    v8: process.versions.v8,
    uid: process.getuid?.() ?? -1,
    mitigations: Object.fromEntries(mitigations.flatMap(([name, value]) => (value === null ? [] : [[name, value]]))),
    programs: Object.fromEntries(programs),
    takenAt: new Date().toISOString(),
  }
}

async function text(path: string): Promise<string | null> {
  return readFile(path, 'utf8').then(
    (content) => content.trim(),
    () => null,
  )
}

async function firstLine(program: string, args: readonly string[]): Promise<string | null> {
  return promisify(execFile)(program, [...args]).then(
    ({ stdout }) => stdout.split('\n')[0]?.trim() ?? '',
    () => null,
  )
}
