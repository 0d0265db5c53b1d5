import { fd_write, fd_read } from './preview1'

const iovec = memory.data(8)
const count = memory.data(8)

/** Writes all of `length` bytes; returns 0 or the errno that stopped it. */
export function writeAll(fd: i32, pointer: usize, length: usize): i32 {
  while (length > 0) {
    store<u32>(iovec, <u32>pointer)
    store<u32>(iovec, <u32>length, 4)
    const errno = fd_write(fd, iovec, 1, count)
    if (errno != 0) return errno
    const written = load<u32>(count)
    pointer += written
    length -= written
  }
  return 0
}

/** Writes text as UTF-8 to a descriptor; returns 0 or the errno that stopped it. */
export function writeText(fd: i32, text: string): i32 {
  const bytes = String.UTF8.encode(text)
  return writeAll(fd, changetype<usize>(bytes), bytes.byteLength)
}

/** A line on stdout. */
export function print(text: string): void {
  writeText(1, text + '\n')
}

/** A line on stderr. */
export function printError(text: string): void {
  writeText(2, text + '\n')
}

/** Reads at most `length` bytes; returns how many, 0 at the end, or the negative errno. */
export function readInto(fd: i32, pointer: usize, length: usize): i32 {
  store<u32>(iovec, <u32>pointer)
  store<u32>(iovec, <u32>length, 4)
  const errno = fd_read(fd, iovec, 1, count)
  return errno != 0 ? -(<i32>errno) : load<i32>(count)
}
