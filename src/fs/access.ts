import type { Stat } from './file-system.js'

/** Who asks, as the kernel's fsuid, fsgid and supplementary groups. */
export interface Credentials {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
}

/** Read permission, to be combined with the others by `|`. */
export const READ = 4
/** Write permission. */
export const WRITE = 2
/** Execute permission; for a directory, search. */
export const EXECUTE = 1

const SETGID = 0o2000

type Owned = Pick<Stat, 'mode' | 'uid' | 'gid' | 'type'>

/**
 * Whether `credentials` may do all of `wanted` by the permission bits: the owner's for the owner, else the group's for its members, else
 * the others'. uid 0 may do everything, but execute a file only where some execute bit is set (capabilities DAC_OVERRIDE).
 */
export function mayAccess(stat: Owned, { uid, gid, additionalGids }: Credentials, wanted: number): boolean {
  if (uid === 0) return (wanted & EXECUTE) === 0 || stat.type === 'directory' || (stat.mode & 0o111) !== 0
  let bits = stat.mode
  if (stat.uid === uid) bits >>= 6
  else if (stat.gid === gid || additionalGids.includes(stat.gid)) bits >>= 3
  return (bits & wanted) === wanted
}

/** Whether an entry may be removed from a directory or renamed: in a sticky one only by the owner of either, or uid 0. */
export function mayRemove(directory: Owned, entry: Owned, credentials: Credentials): boolean {
  if (!mayAccess(directory, credentials, WRITE | EXECUTE)) return false
  const sticky = (directory.mode & 0o1000) !== 0
  return !sticky || credentials.uid === 0 || credentials.uid === directory.uid || credentials.uid === entry.uid
}

/** Whose a new entry of a directory is: of the group of a setgid one (mkdir(2), open(2)), else its maker's. */
export function ownerOfNew(
  directory: Pick<Stat, 'mode' | 'gid'>,
  { uid, gid }: Credentials,
): { readonly uid: number; readonly gid: number } {
  return { uid, gid: (directory.mode & SETGID) === 0 ? gid : directory.gid }
}

/** Mode of a new directory in another: setgid goes on below a setgid one, and no other such bit is given at once (mkdir(2)). */
export function modeOfNewDirectory(parent: Pick<Stat, 'mode'>, mode: number): number {
  return (mode & 0o1777) | (parent.mode & SETGID)
}
