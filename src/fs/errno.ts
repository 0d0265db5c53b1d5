/** Errors of a file tree, by their POSIX names. The numbers are Linux's; WASI has its own (`wasm/preview1`). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EILSEQ: 84,
  EOVERFLOW: 75,
  ENOTSUP: 95,
} as const

/** Name of an errno that `fs/` throws. */
export type ErrnoName = keyof typeof ERRNO

/** A failed file-tree call: what Linux would have answered. */
export class ErrnoError extends Error {
  override readonly name = 'ErrnoError'
  /** Symbolic name, such as `ENOENT`; `code` as Node's own errors have it. */
  readonly code: ErrnoName

  constructor(code: ErrnoName, detail?: string) {
    super(detail === undefined ? code : `${code}: ${detail}`)
    this.code = code
  }

  /** Linux's number. */
  get errno(): number {
    return ERRNO[this.code]
  }
}
