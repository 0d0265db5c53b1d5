/**
 * The processes of a container, and what they use, as /proc tells: without a cgroup, what a process has used that has ended counts only
 * where its parent has waited for it.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { totalmem } from 'node:os'
import { ownGroupLimit, ownGroupMemory } from './control-groups.js'

/** What all processes of a container use together. */
export interface Usage {
  /** When it was looked. */
  readonly atMs: number
  /** Processor time since each began, with that of children they have waited for. */
  readonly cpuMs: number
  /**
   * Of a container in a memory group of its own what that counts, files in memory included and those that could be dropped at once left out, as
   * docker has it. Elsewhere each page that several share counts in parts (proportional set size); the resident set where the kernel does not tell.
   */
  readonly memoryBytes: number
  /** What it may use: what its own memory group allows, its limit, else the memory of this machine. */
  readonly memoryLimitBytes: number
  /** Of its own network interfaces but loopback; none for one that has the host's. */
  readonly network: { readonly receivedBytes: number; readonly sentBytes: number }
  /** From and to disks. */
  readonly block: { readonly readBytes: number; readonly writtenBytes: number }
  /** Processes and threads. */
  readonly tasks: number
}

interface ProcessStat {
  readonly pid: number
  readonly parent: number
  readonly ticks: number
  readonly threads: number
  readonly residentPages: number
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_MS = 10
const PAGE_BYTES = 4096

/**
 * Host pids of all processes of a container, of which `guest` is one: those of its pid namespace, and whatever these have begun. Where it
 * has no namespace of its own, the guest and what it has begun.
 */
export function guestPids(guest: number): readonly number[] {
  return guestStats(guest).map(({ pid }) => pid)
}

function guestStats(guest: number): readonly ProcessStat[] {
  const namespace = pidNamespace(guest)
  const own = namespace === pidNamespace('self') ? null : namespace
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : []))
  const inside = new Set(all.filter(({ pid }) => pid === guest || (own !== null && pidNamespace(pid) === own)).map(({ pid }) => pid))
  // Children may have lower numbers than their parents, once numbers have begun anew.
  for (let before = -1; before !== inside.size; ) {
    before = inside.size
    for (const { pid, parent } of all) if (inside.has(parent)) inside.add(pid)
  }
  return all.filter(({ pid }) => inside.has(pid))
}

/** What the processes of a container use, of which `guest` is one. */
export function readUsage(guest: number, { memoryBytes }: { readonly memoryBytes?: number | undefined }): Usage {
  const processes = guestStats(guest)
  const sum = (value: (process: ProcessStat) => number) => processes.reduce((total, process) => total + value(process), 0)
  return {
    atMs: performance.now(),
    cpuMs: sum(({ ticks }) => ticks) * TICK_MS,
    memoryBytes: ownGroupMemory(guest) ?? sum(memoryOf),
    memoryLimitBytes: ownGroupLimit(guest) ?? memoryBytes ?? totalmem(),
    network: networkOf(guest),
    block: { readBytes: sum(({ pid }) => blockBytes(pid, 'read_bytes')), writtenBytes: sum(({ pid }) => blockBytes(pid, 'write_bytes')) },
    tasks: sum(({ threads }) => threads),
  }
}

function pidNamespace(pid: number | 'self'): string | null {
  return link(pid, 'pid')
}

function link(pid: number | 'self', name: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/${name}`)
  } catch {
    return null
  }
}

/** Text of a file of a process; empty when that has ended, or may not be looked at. */
function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}

/** Fields are counted from behind the program's name, which may hold anything (proc_pid_stat(5)). */
function statOf(pid: number): ProcessStat | null {
  const text = textOf(pid, 'stat')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if (fields.length < 22) return null
  const number = (place: number) => Number(fields[place - 3])
  const ticks = number(14) + number(15) + number(16) + number(17)
  return { pid, parent: number(4), ticks, threads: number(20), residentPages: number(24) }
}

function memoryOf({ pid, residentPages }: ProcessStat): number {
  const proportional = /^Pss:\s+(\d+) kB/m.exec(textOf(pid, 'smaps_rollup'))?.[1]
  return proportional === undefined ? residentPages * PAGE_BYTES : Number(proportional) * 1024
}

function blockBytes(pid: number, field: 'read_bytes' | 'write_bytes'): number {
  return Number(new RegExp(`^${field}: (\\d+)`, 'm').exec(textOf(pid, 'io'))?.[1] ?? 0)
}

function networkOf(guest: number): Usage['network'] {
  const bytes = { receivedBytes: 0, sentBytes: 0 }
  if (link(guest, 'net') === link('self', 'net')) return bytes
  // Two lines of headings; behind the colon eight fields of what was received and then of what was sent (proc_pid_net(5)).
  for (const line of textOf(guest, 'net/dev').split('\n').slice(2)) {
    const [name = '', fields = ''] = line.split(':')
    const counts = fields.trim().split(/\s+/).map(Number)
    if (name.trim() === 'lo' || counts.length < 9) continue
    bytes.receivedBytes += counts[0] ?? 0
    bytes.sentBytes += counts[8] ?? 0
  }
  return bytes
}
