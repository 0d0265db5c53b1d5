import { ErrnoError, type ErrnoName } from '../../fs/errno.js'

/** Error numbers of preview1 (typenames.witx, `errno`): its own, not Linux's. */
export const WASI_ERRNO = {
  SUCCESS: 0,
  E2BIG: 1,
  EACCES: 2,
  EAGAIN: 6,
  EBADF: 8,
  EBUSY: 10,
  EEXIST: 20,
  EFAULT: 21,
  EFBIG: 22,
  EILSEQ: 25,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  EMLINK: 34,
  ENAMETOOLONG: 37,
  ENOENT: 44,
  ENOMEM: 48,
  ENOSPC: 51,
  ENOSYS: 52,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  ENOTSOCK: 57,
  ENOTSUP: 58,
  ENXIO: 60,
  EOVERFLOW: 61,
  EPERM: 63,
  EPIPE: 64,
  EROFS: 69,
  ESPIPE: 70,
  EXDEV: 75,
  ENOTCAPABLE: 76,
} as const

/** Name of an error that a preview1 call can answer with. */
export type WasiErrnoName = Exclude<keyof typeof WASI_ERRNO, 'SUCCESS'>

/** A preview1 call that fails for a reason of its own, not the file tree's. */
export class WasiError extends Error {
  override readonly name = 'WasiError'
  readonly code: WasiErrnoName

  constructor(code: WasiErrnoName) {
    super(code)
    this.code = code
  }
}

/** How a file tree's errors read in preview1. */
const FROM_FILE_TREE: Readonly<Record<ErrnoName, WasiErrnoName>> = {
  EPERM: 'EPERM',
  ENOENT: 'ENOENT',
  EIO: 'EIO',
  EBADF: 'EBADF',
  EACCES: 'EACCES',
  EBUSY: 'EBUSY',
  EEXIST: 'EEXIST',
  EXDEV: 'EXDEV',
  ENOTDIR: 'ENOTDIR',
  EISDIR: 'EISDIR',
  EINVAL: 'EINVAL',
  EMFILE: 'EMFILE',
  EFBIG: 'EFBIG',
  ENOSPC: 'ENOSPC',
  ESPIPE: 'ESPIPE',
  EROFS: 'EROFS',
  EMLINK: 'EMLINK',
  EPIPE: 'EPIPE',
  ENAMETOOLONG: 'ENAMETOOLONG',
  ENOTEMPTY: 'ENOTEMPTY',
  ELOOP: 'ELOOP',
  ENODATA: 'EINVAL',
  EILSEQ: 'EILSEQ',
  EOVERFLOW: 'EOVERFLOW',
  ENOTSUP: 'ENOTSUP',
}

/** The number for a caught error, or undefined when it is not one a guest may see. */
export function errnoOf(error: unknown): number | undefined {
  const name = errnoNameOf(error)
  return name === undefined ? undefined : WASI_ERRNO[name]
}

/** The name of a caught error, or undefined when it is not one a guest may see. */
export function errnoNameOf(error: unknown): WasiErrnoName | undefined {
  if (error instanceof WasiError) return error.code
  if (error instanceof ErrnoError) return FROM_FILE_TREE[error.code]
  return undefined
}
