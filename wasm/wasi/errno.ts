/** Names of preview1's error numbers, in their order (typenames.witx, `errno`). */
const NAMES: StaticArray<string> = [
  'success', '2big', 'acces', 'addrinuse', 'addrnotavail', 'afnosupport', 'again', 'already', 'badf', 'badmsg', 'busy', 'canceled',
  'child', 'connaborted', 'connrefused', 'connreset', 'deadlk', 'destaddrreq', 'dom', 'dquot', 'exist', 'fault', 'fbig', 'hostunreach',
  'idrm', 'ilseq', 'inprogress', 'intr', 'inval', 'io', 'isconn', 'isdir', 'loop', 'mfile', 'mlink', 'msgsize', 'multihop', 'nametoolong',
  'netdown', 'netreset', 'netunreach', 'nfile', 'nobufs', 'nodev', 'noent', 'noexec', 'nolck', 'nolink', 'nomem', 'nomsg', 'noprotoopt',
  'nospc', 'nosys', 'notconn', 'notdir', 'notempty', 'notrecoverable', 'notsock', 'notsup', 'notty', 'nxio', 'overflow', 'ownerdead', 'perm',
  'pipe', 'proto', 'protonosupport', 'prototype', 'range', 'rofs', 'spipe', 'srch', 'stale', 'timedout', 'txtbsy', 'xdev', 'notcapable',
]

/** `ENOENT` for 44, and so on. */
export function errnoName(errno: i32): string {
  return errno >= 0 && errno < NAMES.length ? 'E' + NAMES[errno].toUpperCase() : 'E#' + errno.toString()
}
