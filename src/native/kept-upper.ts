import { join } from 'node:path'

/** The upper directory that the native wall keeps in the folder of a container that is not ephemeral, once it has run. */
export function keptUpper(directory: string): string {
  return join(directory, 'native', 'upper')
}

/** Where the native wall mounts something of its own, for which it makes a place where an image has none. */
export const MOUNT_POINTS = ['/proc', '/sys', '/dev', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']
