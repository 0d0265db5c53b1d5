import { readFileSync } from 'node:fs'

const MOUNT = /^\S+ (\S*\/unified) cgroup2 /m

/** Where the v2 hierarchy of a hybrid host is mounted; null on a host that has one hierarchy. crun, runc and podman refuse the former. */
export function hybridMountPoint(mounts = readFileSync('/proc/mounts', 'utf8')): string | null {
  return MOUNT.exec(mounts)?.[1] ?? null
}

/**
 * What to put in front of a program so that it sees no hybrid cgroups: a user namespace with a mount namespace in which an empty
 * tmpfs covers the v2 hierarchy. An ordinary user may do that. The program is then root of that namespace and nests its own
 * in it. Null where it is not needed.
 */
export function coveredCgroupCommand(): readonly [string, ...string[]] | null {
  const mountPoint = hybridMountPoint()
  if (mountPoint === null) return null
  const script = 'mount -t tmpfs none "$0" && exec "$@"'
  return ['unshare', '--user', '--map-root-user', '--map-auto', '--mount', 'sh', '-c', script, mountPoint]
}

/** What podman sets for itself when it has entered its user namespace: told so, it stays in the one made by {@link coveredCgroupCommand}. */
export function rootlessEnvironment(): Readonly<Record<string, string>> {
  return {
    _CONTAINERS_USERNS_CONFIGURED: 'done',
    _CONTAINERS_ROOTLESS_UID: String(process.getuid?.()),
    _CONTAINERS_ROOTLESS_GID: String(process.getgid?.()),
  }
}
