/** Flags and enumerations of preview1 (typenames.witx), by their names there. */

/** `filetype`. */
export const FILETYPE = {
  unknown: 0,
  blockDevice: 1,
  characterDevice: 2,
  directory: 3,
  regularFile: 4,
  socketDgram: 5,
  socketStream: 6,
  symbolicLink: 7,
} as const

/** `fdflags`. */
export const FDFLAGS = { append: 1, dsync: 2, nonblock: 4, rsync: 8, sync: 16 } as const
export const FDFLAGS_ALL = 31

/** `oflags`. */
export const OFLAGS = { creat: 1, directory: 2, excl: 4, trunc: 8 } as const
export const OFLAGS_ALL = 15

/** `lookupflags`. */
export const LOOKUPFLAGS = { symlinkFollow: 1 } as const

/** `fstflags`. */
export const FSTFLAGS = { atim: 1, atimNow: 2, mtim: 4, mtimNow: 8 } as const
export const FSTFLAGS_ALL = 15

/** `whence`. */
export const WHENCE = { set: 0, cur: 1, end: 2 } as const

/** `eventtype`. */
export const EVENTTYPE = { clock: 0, fdRead: 1, fdWrite: 2 } as const

/** `subclockflags`. */
export const SUBCLOCKFLAGS = { abstime: 1 } as const

/** `clockid`. */
export const CLOCKID = { realtime: 0, monotonic: 1, processCputime: 2, threadCputime: 3 } as const
