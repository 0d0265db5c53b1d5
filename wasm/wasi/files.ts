import { readInto, writeAll } from './console'
import { locate } from './path'
import {
  fd_close, fd_readdir, path_create_directory, path_filestat_get, path_link, path_open, path_readlink, path_remove_directory, path_rename,
  path_symlink, path_unlink_file,
} from './preview1'

/** `oflags` and `fdflags` of preview1. */
export const CREATE: i32 = 1
export const DIRECTORY: i32 = 2
export const EXCLUSIVE: i32 = 4
export const TRUNCATE: i32 = 8
export const APPEND: i32 = 1

/** `filetype` of preview1. */
export const TYPE_DIRECTORY: i32 = 3
export const TYPE_FILE: i32 = 4
export const TYPE_SYMLINK: i32 = 7

const RIGHTS_READ: u64 = (1 << 1) | (1 << 2) | (1 << 5) | (1 << 14) | (1 << 21)
const RIGHTS_WRITE: u64 = (1 << 6) | (1 << 8) | (1 << 22)

const result = memory.data(8)
const filestat = memory.data(64, 8)

/** Opens for reading, and for writing when `write`. Returns the descriptor or the negative errno. */
export function open(path: string, write: bool = false, openFlags: i32 = 0, descriptorFlags: i32 = 0): i32 {
  const at = locate(path)
  const rights = write ? RIGHTS_READ | RIGHTS_WRITE : RIGHTS_READ
  const errno = path_open(at.fd, 1, at.pointer, at.length, openFlags, rights, 0, descriptorFlags, result)
  return errno != 0 ? -(<i32>errno) : load<i32>(result)
}

/** Closes a descriptor. */
export function close(fd: i32): i32 {
  return fd_close(fd)
}

/** Contents of a file; `lastErrno` says what stopped it when the result is null. */
export function readFile(path: string): ArrayBuffer | null {
  const fd = open(path)
  if (fd < 0) {
    lastErrno = -fd
    return null
  }
  let bytes = new ArrayBuffer(65536)
  let length = 0
  for (;;) {
    if (length == bytes.byteLength) {
      const larger = new ArrayBuffer(length * 2)
      memory.copy(changetype<usize>(larger), changetype<usize>(bytes), length)
      bytes = larger
    }
    const read = readInto(fd, changetype<usize>(bytes) + length, bytes.byteLength - length)
    if (read < 0) {
      lastErrno = -read
      close(fd)
      return null
    }
    if (read == 0) break
    length += read
  }
  close(fd)
  return bytes.slice(0, length)
}

/** Errno of the last call here that returned null. */
export let lastErrno: i32 = 0

/** Writes a file whole; 0 or errno. */
export function writeFile(path: string, bytes: ArrayBuffer, append: bool = false): i32 {
  const fd = open(path, true, append ? CREATE : CREATE | TRUNCATE, append ? APPEND : 0)
  if (fd < 0) return -fd
  const errno = writeAll(fd, changetype<usize>(bytes), bytes.byteLength)
  close(fd)
  return errno
}

/** A name in a directory and its `TYPE_…`. */
export class Entry {
  constructor(
    readonly name: string,
    readonly type: i32,
  ) {}
}

/** Names in a directory without `.` and `..`; null and {@link lastErrno} when it cannot be read. */
export function readDirectory(path: string): Entry[] | null {
  const fd = open(path, false, DIRECTORY)
  if (fd < 0) {
    lastErrno = -fd
    return null
  }
  const entries: Entry[] = []
  const buffer = new ArrayBuffer(65536)
  const start = changetype<usize>(buffer)
  let cookie: u64 = 0
  for (;;) {
    const errno = fd_readdir(fd, start, buffer.byteLength, cookie, result)
    if (errno != 0) {
      lastErrno = errno
      close(fd)
      return null
    }
    const used = load<u32>(result)
    let offset: usize = 0
    while (offset + 24 <= used) {
      const length = load<u32>(start + offset, 16)
      if (offset + 24 + length > used) break
      const name = String.UTF8.decodeUnsafe(start + offset + 24, length)
      cookie = load<u64>(start + offset)
      if (name != '.' && name != '..') entries.push(new Entry(name, load<u8>(start + offset, 20)))
      offset += 24 + length
    }
    if (used < <u32>buffer.byteLength) break
  }
  close(fd)
  return entries
}

/** Type of what `path` names, or the negative errno. */
export function typeOf(path: string, follow: bool = true): i32 {
  const at = locate(path)
  const errno = path_filestat_get(at.fd, follow ? 1 : 0, at.pointer, at.length, filestat)
  return errno != 0 ? -(<i32>errno) : <i32>load<u8>(filestat, 16)
}

/** Bytes of what `path` names, or the negative errno. */
export function sizeOf(path: string): i64 {
  const at = locate(path)
  const errno = path_filestat_get(at.fd, 1, at.pointer, at.length, filestat)
  return errno != 0 ? -(<i64>errno) : load<i64>(filestat, 32)
}

/** Makes a directory; 0 or errno. */
export function makeDirectory(path: string): i32 {
  const at = locate(path)
  return path_create_directory(at.fd, at.pointer, at.length)
}

/** Removes a file; 0 or errno. */
export function unlink(path: string): i32 {
  const at = locate(path)
  return path_unlink_file(at.fd, at.pointer, at.length)
}

/** Removes an empty directory; 0 or errno. */
export function removeDirectory(path: string): i32 {
  const at = locate(path)
  return path_remove_directory(at.fd, at.pointer, at.length)
}

/** Renames; 0 or errno. */
export function rename(from: string, to: string): i32 {
  const old = locate(from)
  const target = locate(to)
  return path_rename(old.fd, old.pointer, old.length, target.fd, target.pointer, target.length)
}

/** Makes a second name; 0 or errno. */
export function link(existing: string, path: string): i32 {
  const old = locate(existing)
  const at = locate(path)
  return path_link(old.fd, 0, old.pointer, old.length, at.fd, at.pointer, at.length)
}

/** Makes a symlink that holds `target`; 0 or errno. */
export function symlink(target: string, path: string): i32 {
  const at = locate(path)
  const bytes = String.UTF8.encode(target)
  return path_symlink(changetype<usize>(bytes), bytes.byteLength, at.fd, at.pointer, at.length)
}

/** Target of a symlink; null and {@link lastErrno} when there is none. */
export function readLink(path: string): string | null {
  const at = locate(path)
  const buffer = new ArrayBuffer(4096)
  const errno = path_readlink(at.fd, at.pointer, at.length, changetype<usize>(buffer), buffer.byteLength, result)
  if (errno != 0) {
    lastErrno = errno
    return null
  }
  return String.UTF8.decodeUnsafe(changetype<usize>(buffer), load<u32>(result))
}
