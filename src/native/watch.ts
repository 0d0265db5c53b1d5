/**
 * Which system calls of a guest are told of, and how. Refused ones are told by the filter in force, whose answer the watcher gives; allowed
 * ones by a second filter below it, which can refuse nothing and whose answer lets nothing through that the first does not: the kernel takes the
 * strictest of both, and a refusal is stricter than telling.
 *
 * What the kernel itself refuses once the filter has let a call through (permissions, capabilities, Landlock, read-only mounts, masks) is not
 * seen here.
 */
import { constants } from 'node:os'
import { EngineError } from '../errors.js'
import { ownArchitecture } from '../launcher/installation.js'
import type { Operation } from '../launcher/operations.js'
import { NEEDED } from '../launcher/profile-program.js'
import type { WatchedEvent } from '../launcher/protocol.js'
import { ARCHITECTURES } from '../launcher/seccomp.js'
import { SYSCALLS, type SyscallName } from '../launcher/syscalls.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { SystemCallReport, SystemCallWatch } from '../runtime/system-calls.js'

/** Calls of which paths are told, with the places of those. */
const PATHS: Readonly<Partial<Record<SyscallName, string>>> = {
  ...shaped('p-----', 'access acct chdir chmod chown chroot creat lchown link mkdir mknod open quotactl readlink rename rmdir stat lstat'),
  ...shaped('p-----', 'swapon swapoff symlink truncate umount2 unlink uselib setxattr getxattr removexattr statfs delete_module fsopen'),
  ...shaped('-p----', 'faccessat faccessat2 fchmodat fchownat mkdirat mknodat name_to_handle_at newfstatat open_tree openat openat2'),
  ...shaped('-p----', 'readlinkat statx unlinkat utimensat inotify_add_watch fspick mount_setattr finit_module fanotify_mark'),
  mount: 'pp-v--',
  pivot_root: 'pp----',
  move_mount: '-p-p--',
  renameat: '-p-p--',
  renameat2: '-p-p--',
  linkat: '-p-p--',
  symlinkat: 'p-p---',
  add_key: 'pp----',
  request_key: 'pp----',
}

/** Arguments that filters look at: those of {@link VALUES} are what a learned profile has to say. */
export const VALUES: Readonly<Partial<Record<SyscallName, string>>> = {
  socket: 'vvv---',
  socketpair: 'v-----',
  clone: 'v-----',
  personality: 'v-----',
  fcntl: '-v----',
  ioctl: '-v----',
}

/** Calls that write to a path, whatever becomes of it afterwards. `mknod` and links of other places are as rare as they look. */
const WRITTEN: Readonly<Partial<Record<SyscallName, string>>> = {
  ...shaped('p-----', 'creat mkdir mknod rmdir unlink truncate'),
  ...shaped('-p----', 'mkdirat mknodat unlinkat'),
  open: 'pw----',
  openat: '-pw---',
  rename: 'pp----',
  renameat: '-p-p--',
  renameat2: '-p-p--',
  link: '-p----',
  linkat: '---p--',
  symlink: '-p----',
  symlinkat: '--p---',
}

const MORE_VALUES: Readonly<Partial<Record<SyscallName, string>>> = {
  unshare: 'v-----',
  setns: '-v----',
  keyctl: 'v-----',
  bpf: 'v-----',
  prctl: 'v-----',
  perf_event_open: '------',
}

/** What no program runs without: not worth a question each. The launcher itself makes them before anybody answers. */
export const UNTOLD = [...NEEDED, 'exit', 'exit_group', 'rt_sigreturn'] as const satisfies readonly SyscallName[]

/** The operation that a plan needs for it. Throws INVALID_ARGUMENT where there is no filter. */
export function watchOperation(watch: SystemCallWatch, spec: ContainerSpec): Operation {
  const seccomp = spec.privileges?.seccomp
  if (seccomp === 'unconfined')
    throw new EngineError('INVALID_ARGUMENT', 'without a system call filter there is nothing to watch', {
      hint: 'Leave out --privileged and --security-opt seccomp=unconfined.',
    })
  if (watch === 'allowed' && seccomp !== undefined)
    throw new EngineError('INVALID_ARGUMENT', "what a program needs is learned under wolffia's own filter, not under a profile", {
      hint: 'Leave out --security-opt seccomp=FILE.',
    })
  const shapes = watch === 'refused' ? { ...PATHS, ...VALUES, ...MORE_VALUES } : { ...WRITTEN, ...VALUES }
  const written = Object.entries(shapes).flatMap(([name, shape]) => {
    const number = numberOf(name as SyscallName)
    return number === null ? [] : [`${number}:${shape}`]
  })
  const untold = watch === 'refused' ? [] : UNTOLD.flatMap((name) => numberOf(name) ?? [])
  return ['seccomp-watch', watch, untold.join(' '), written.join(' ')]
}

/** What the launcher has told, by names. Null for one that said nothing: the watcher was gone, or could not end. */
export function systemCallReport(watched: SystemCallWatch, event: WatchedEvent | null): SystemCallReport | null {
  if (event === null) return null
  return {
    watched,
    calls: event.calls.map(({ number, errno, count, values, paths }) => {
      return {
        call: NAMES.get(number) ?? `syscall ${number}`,
        number,
        errno: watched === 'allowed' ? null : errnoName(errno),
        values,
        paths,
        count,
      }
    }),
    more: event.more,
  }
}

function shaped(shape: string, names: string): Partial<Record<SyscallName, string>> {
  return Object.fromEntries(names.split(' ').map((name) => [name, shape]))
}

function numberOf(name: SyscallName): number | null {
  const architecture = ownArchitecture()
  return architecture === null ? null : (SYSCALLS[name]?.[ARCHITECTURES[architecture].column] ?? null)
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.keys(SYSCALLS).flatMap((name): [number, string][] => {
    const number = numberOf(name as SyscallName)
    return number === null ? [] : [[number, name]]
  }),
)

function errnoName(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? OTHER_ERRNOS[errno] ?? `errno ${errno}`
}

/** Those that Node has no name for. */
const OTHER_ERRNOS: Readonly<Record<number, string>> = { 0: 'success', 93: 'EPROTONOSUPPORT', 97: 'EAFNOSUPPORT' }
