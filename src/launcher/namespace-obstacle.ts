import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What of this host's settings keeps user namespaces from users: their number, a switch, or AppArmor; null where none of them does. */
export function namespaceObstacle(): 'number' | 'switch' | 'apparmor' | null {
  if (readSetting('user/max_user_namespaces') === '0') return 'number'
  if (readSetting('kernel/unprivileged_userns_clone') === '0') return 'switch'
  return readSetting('kernel/apparmor_restrict_unprivileged_userns') === '1' ? 'apparmor' : null
}

/** The setting that lets nobody here have a namespace of this kind, for being 0: `user.max_net_namespaces`; null where it does. */
export function namespaceBound(name: 'mount' | 'pid' | 'ipc' | 'uts' | 'net' | 'cgroup'): string | null {
  const file = `max_${name === 'mount' ? 'mnt' : name}_namespaces`
  return readSetting(`user/${file}`) === '0' ? `user.${file}` : null
}

/** Text of a file of /proc/sys, trimmed; null when there is none. */
function readSetting(path: string): string | null {
  try {
    return readFileSync(join('/proc/sys', path), 'utf8').trim()
  } catch {
    return null
  }
}
