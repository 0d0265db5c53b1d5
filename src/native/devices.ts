import type { Operation } from '../launcher/operations.js'
import { octal } from '../launcher/operations.js'

/** Devices of the host that hold nothing of it. Bound in one by one: a user namespace can make none. */
const NODES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

/** As runc and every distribution has them (runtime-spec, config-linux.md, "Default Devices" and "Dev symbolic links"). */
const LINKS: readonly (readonly [string, string])[] = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/ptmx', 'pts/ptmx'],
]

const SHARED_MEMORY_BYTES = 64 * 1024 * 1024
const SHARED_MEMORY_INODES = 16 * 1024

/** A /dev of the container's own, with what programs expect there. */
export function deviceOperations({
  terminal,
  ownSharedMemory,
}: {
  readonly terminal: boolean
  readonly ownSharedMemory: boolean
}): Operation[] {
  return [
    ['mount-tmpfs', '/dev', 64 * 1024, 1024, octal(0o755), 'nosuid,noexec'],
    // noexec and nosuid, but not nodev: they are devices.
    ...NODES.map((name): Operation => ['bind', `/dev/${name}`, `/dev/${name}`, 'nosuid,noexec']),
    ...LINKS.map(([path, target]): Operation => ['symlink', path, target]),
    ['mount-devpts', '/dev/pts'],
    ...(ownSharedMemory
      ? [['mount-tmpfs', '/dev/shm', SHARED_MEMORY_BYTES, SHARED_MEMORY_INODES, octal(0o1777), 'nosuid,nodev,noexec'] as const]
      : []),
    ['mount-mqueue', '/dev/mqueue'],
    ...(terminal ? [['mount-console', '/dev/console'] as const] : []),
  ]
}
