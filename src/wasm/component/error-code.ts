import { errnoNameOf, type WasiErrnoName } from '../preview1/errno.js'
import { Failure } from './trap.js'

/** Errors of preview1 as `wasi:filesystem/types.error-code` has them. */
const ERROR_CODES: Readonly<Record<WasiErrnoName, string>> = {
  E2BIG: 'invalid',
  EACCES: 'access',
  EAGAIN: 'would-block',
  EBADF: 'bad-descriptor',
  EBUSY: 'busy',
  EEXIST: 'exist',
  EFAULT: 'invalid',
  EFBIG: 'file-too-large',
  EILSEQ: 'illegal-byte-sequence',
  EINVAL: 'invalid',
  EIO: 'io',
  EISDIR: 'is-directory',
  ELOOP: 'loop',
  // There is none for descriptors that have run out.
  EMFILE: 'insufficient-memory',
  EMLINK: 'too-many-links',
  ENAMETOOLONG: 'name-too-long',
  ENOENT: 'no-entry',
  ENOMEM: 'insufficient-memory',
  ENOSPC: 'insufficient-space',
  ENOSYS: 'unsupported',
  ENOTCAPABLE: 'not-permitted',
  ENOTDIR: 'not-directory',
  ENOTEMPTY: 'not-empty',
  ENOTSOCK: 'bad-descriptor',
  ENOTSUP: 'unsupported',
  ENXIO: 'no-such-device',
  EOVERFLOW: 'overflow',
  EPERM: 'not-permitted',
  EPIPE: 'pipe',
  EROFS: 'read-only',
  ESPIPE: 'invalid-seek',
  EXDEV: 'cross-device',
}

/** The error code of what was thrown, or undefined when it is not one a guest may see. */
export function errorCodeOf(error: unknown): string | undefined {
  const name = errnoNameOf(error)
  return name === undefined ? undefined : ERROR_CODES[name]
}

/** Does something with files. Throws {@link Failure} with an error code for what fails there. */
export function withErrorCode<Result>(perform: () => Result): Result {
  try {
    return perform()
  } catch (error) {
    const code = errorCodeOf(error)
    throw code === undefined ? error : new Failure(code)
  }
}
