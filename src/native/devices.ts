import type { Operation } from '../launcher/operations.js'
import { octal } from '../launcher/operations.js'

/** Devices of the host that hold nothing of it. Bound in one by one: a user namespace can make none. */
const NODES = ['null', 'zero', 'full', 'random', 'urandom']

/** As runc and every distribution has them (runtime-spec, config-linux.md, "Default Devices" and "Dev symbolic links"). */
const LINKS: readonly (readonly [string, string])[] = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/ptmx', 'pts/ptmx'],
]

/** A /dev of the container's own, with what programs expect there. */
export function deviceOperations({
  terminal,
  sharedMemory,
}: {
  readonly terminal: boolean
  /** Size of /dev/shm; null for none. */
  readonly sharedMemory: { readonly bytes: number; readonly inodes: number } | null
}): Operation[] {
  return [
    ['mount-tmpfs', '/dev', 64 * 1024, 1024, octal(0o755), 'nosuid,noexec'],
    // Not nodev: they are devices. Read-only keeps their modes and times, which are the host's, and no byte from being written to them.
    ...NODES.map((name): Operation => ['bind', `/dev/${name}`, `/dev/${name}`, 'ro,nosuid,noexec']),
    ...LINKS.map(([path, target]): Operation => ['symlink', path, target]),
    ['mount-devpts', '/dev/pts'],
    ...(sharedMemory === null
      ? []
      : [['mount-tmpfs', '/dev/shm', sharedMemory.bytes, sharedMemory.inodes, octal(0o1777), 'nosuid,nodev,noexec'] as const]),
    ['mount-mqueue', '/dev/mqueue'],
    // The host's own /dev/tty would tell when others type (inotify sees each use of the node): the guest's terminal stands for it.
    ...(terminal ? ['/dev/console', '/dev/tty'].map((path): Operation => ['mount-console', path]) : []),
  ]
}
