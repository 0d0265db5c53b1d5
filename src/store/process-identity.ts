/**
 * Names a process so that nobody can be mistaken for it later: its pid, when it started, in which pid namespace, since which
 * boot. Locks and unfinished work carry this in their file names, so that what a killed process left is known to be left.
 */
import { readFileSync, readlinkSync } from 'node:fs'

/** `pid-start-namespace-boot`, safe as part of a file name. */
export type ProcessIdentity = string

/** Matches a {@link ProcessIdentity} at the start of a file name or after a dash. */
export const IDENTITY_PATTERN = '\\d+-\\d+-\\d+-[0-9a-f]{32}'

let own: ProcessIdentity | undefined

/** Identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return (own ??= `${process.pid}-${readStat('self')?.started ?? '0'}-${pidNamespace()}-${bootId()}`)
}

/**
 * Whether the process may still run. A process of another pid namespace can't be looked up from here and counts as alive; one
 * that is dead but not yet reaped counts as dead.
 */
export function mayBeAlive(identity: ProcessIdentity): boolean {
  const [pid, started, namespace, boot] = identity.split('-')
  if (pid === undefined || boot !== bootId()) return false
  if (namespace !== pidNamespace()) return true
  const stat = readStat(pid)
  return stat !== null && stat.started === started && !/[ZXx]/.test(stat.state)
}

/** Pid of the process, for messages. */
export function pidOf(identity: ProcessIdentity): number {
  return Number(identity.slice(0, identity.indexOf('-')))
}

/** When the process began, in clock ticks since boot, as /proc/PID/stat has it. */
export function startOf(identity: ProcessIdentity): string {
  return identity.split('-')[1] ?? ''
}

function readStat(pid: string): { state: string; started: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name stands in parentheses and may hold anything; fields are counted from behind it (proc_pid_stat(5)).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', started: fields[19] ?? '' }
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

let boot: string | undefined

/** Names what has run since the host was last booted: 32 hex digits. */
export function bootId(): string {
  return (boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim().replaceAll('-', ''))
}

let ownNamespace: string | undefined

function pidNamespace(): string {
  return (ownNamespace ??= readlinkSync('/proc/self/ns/pid').replace(/\D/g, ''))
}

/** Identity of another process that runs now, as this process counts pids; null when there is none. */
export function identityOf(pid: number): ProcessIdentity | null {
  const stat = readStat(String(pid))
  return stat === null ? null : `${pid}-${stat.started}-${pidNamespace()}-${bootId()}`
}
