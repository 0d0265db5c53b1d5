/**
 * Rights of preview1 (typenames.witx, `rights`): what may be done with a descriptor, and what with those opened through it.
 * They fit in 30 bits, so they are numbers here and 64-bit integers only where they cross to the guest.
 */
export const RIGHTS = {
  fdDatasync: 1 << 0,
  fdRead: 1 << 1,
  fdSeek: 1 << 2,
  fdFdstatSetFlags: 1 << 3,
  fdSync: 1 << 4,
  fdTell: 1 << 5,
  fdWrite: 1 << 6,
  fdAdvise: 1 << 7,
  fdAllocate: 1 << 8,
  pathCreateDirectory: 1 << 9,
  pathCreateFile: 1 << 10,
  pathLinkSource: 1 << 11,
  pathLinkTarget: 1 << 12,
  pathOpen: 1 << 13,
  fdReaddir: 1 << 14,
  pathReadlink: 1 << 15,
  pathRenameSource: 1 << 16,
  pathRenameTarget: 1 << 17,
  pathFilestatGet: 1 << 18,
  pathFilestatSetSize: 1 << 19,
  pathFilestatSetTimes: 1 << 20,
  fdFilestatGet: 1 << 21,
  fdFilestatSetSize: 1 << 22,
  fdFilestatSetTimes: 1 << 23,
  pathSymlink: 1 << 24,
  pathRemoveDirectory: 1 << 25,
  pathUnlinkFile: 1 << 26,
  pollFdReadwrite: 1 << 27,
  sockShutdown: 1 << 28,
  sockAccept: 1 << 29,
} as const

/** Every right there is. */
export const ALL_RIGHTS = (1 << 30) - 1

const R = RIGHTS

/** Rights that mean something for a regular file. */
export const FILE_RIGHTS =
  R.fdDatasync |
  R.fdRead |
  R.fdSeek |
  R.fdFdstatSetFlags |
  R.fdSync |
  R.fdTell |
  R.fdWrite |
  R.fdAdvise |
  R.fdAllocate |
  R.fdFilestatGet |
  R.fdFilestatSetSize |
  R.fdFilestatSetTimes |
  R.pollFdReadwrite

/** Rights that mean something for a directory. */
export const DIRECTORY_RIGHTS =
  R.fdFdstatSetFlags |
  R.fdSync |
  R.fdDatasync |
  R.pathCreateDirectory |
  R.pathCreateFile |
  R.pathLinkSource |
  R.pathLinkTarget |
  R.pathOpen |
  R.fdReaddir |
  R.pathReadlink |
  R.pathRenameSource |
  R.pathRenameTarget |
  R.pathFilestatGet |
  R.pathFilestatSetSize |
  R.pathFilestatSetTimes |
  R.fdFilestatGet |
  R.fdFilestatSetTimes |
  R.pathSymlink |
  R.pathRemoveDirectory |
  R.pathUnlinkFile

/** Rights that mean something for a pipe or terminal: no seeking, so that isatty(3) of wasi-libc works. */
export const STREAM_RIGHTS = R.fdRead | R.fdWrite | R.fdFdstatSetFlags | R.fdSync | R.fdDatasync | R.fdFilestatGet | R.pollFdReadwrite

/** Rights as the guest gives them; unknown bits make them more than any descriptor has. */
export function decodeRights(value: bigint): number | null {
  const unsigned = BigInt.asUintN(64, value)
  return unsigned > BigInt(ALL_RIGHTS) ? null : Number(unsigned)
}

/** Rights by which a file's contents or attributes change: none of them in a read-only tree. */
export const CHANGING_RIGHTS = R.fdWrite | R.fdAllocate | R.fdFilestatSetSize | R.fdFilestatSetTimes

/** What a preopened directory passes on: everything but sockets, of which there are none. */
export const PREOPEN_INHERITING = ALL_RIGHTS & ~(R.sockAccept | R.sockShutdown)
