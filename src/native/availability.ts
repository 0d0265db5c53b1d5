import { launcherMissing } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'

/** Why the native wall cannot be used here, or null. */
export async function nativeUnavailable(_trees: string, _idMap: IdMap): Promise<string | null> {
  return launcherMissing()
}

/** Whether this host's tmpfs can carry an overlay's writable layer (user xattrs, Linux 6.6). */
export async function upperInMemory(_trees: string, _idMap: IdMap): Promise<boolean> {
  return true
}
