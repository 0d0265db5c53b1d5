import type { Context } from './context.js'
import { boundedTime, type TimeChange } from './descriptor.js'
import { WasiError } from './errno.js'
import { FDFLAGS_ALL, FSTFLAGS, FSTFLAGS_ALL } from './flags.js'
import type { HostClock } from './host.js'
import { PRESTAT_SIZE, writeFdstat, writeFilestat } from './layouts.js'
import { decodeRights, RIGHTS } from './rights.js'

const PREOPENTYPE_DIR = 0
const ADVICE_LAST = 5

/** `fd_*`: what can be done with an open descriptor. */
export function fdFunctions({ memory, table, host }: Context) {
  return {
    fd_advise(fd: number, _offset: bigint, _length: bigint, advice: number): void {
      const descriptor = table.with(fd, 0)
      if (advice < 0 || advice > ADVICE_LAST) throw new WasiError('EINVAL')
      if ((descriptor.rightsBase & RIGHTS.fdAdvise) === 0) throw new WasiError('EBADF')
    },
    fd_allocate(fd: number, offset: bigint, length: bigint): void {
      table.with(fd, RIGHTS.fdAllocate).allocate(fileOffset(offset, 'EFBIG'), fileOffset(length, 'EFBIG'))
    },
    fd_close: (fd: number): void => table.close(fd),
    fd_datasync(fd: number): void {
      table.with(fd, RIGHTS.fdDatasync)
    },
    fd_sync(fd: number): void {
      table.with(fd, RIGHTS.fdSync)
    },
    fd_fdstat_get: (fd: number, pointer: number): void => writeFdstat(memory(), pointer, fdstat(fd)),
    fd_fdstat_set_flags(fd: number, flags: number): void {
      const descriptor = table.with(fd, RIGHTS.fdFdstatSetFlags)
      if ((flags & ~FDFLAGS_ALL) !== 0) throw new WasiError('EINVAL')
      descriptor.flags = flags
    },
    fd_fdstat_set_rights(fd: number, base: bigint, inheriting: bigint): void {
      const descriptor = table.get(fd)
      const rightsBase = decodeRights(base)
      const rightsInheriting = decodeRights(inheriting)
      if (rightsBase === null || (rightsBase & ~descriptor.rightsBase) !== 0) throw new WasiError('ENOTCAPABLE')
      if (rightsInheriting === null || (rightsInheriting & ~descriptor.rightsInheriting) !== 0) throw new WasiError('ENOTCAPABLE')
      descriptor.rightsBase = rightsBase
      descriptor.rightsInheriting = rightsInheriting
    },
    fd_filestat_get(fd: number, pointer: number): void {
      writeFilestat(memory(), pointer, table.with(fd, RIGHTS.fdFilestatGet).filestat())
    },
    fd_filestat_set_size(fd: number, size: bigint): void {
      table.with(fd, RIGHTS.fdFilestatSetSize).setSize(fileOffset(size, 'EFBIG'))
    },
    fd_filestat_set_times(fd: number, atime: bigint, mtime: bigint, flags: number): void {
      table.with(fd, RIGHTS.fdFilestatSetTimes).setTimes(timeChange(host.clock, atime, mtime, flags))
    },
    fd_read(fd: number, iovs: number, count: number, readPointer: number): void {
      const descriptor = table.with(fd, RIGHTS.fdRead)
      const buffers = memory().buffers(iovs, count)
      memory().u32(readPointer)
      memory().setU32(readPointer, descriptor.read(buffers))
    },
    fd_pread(fd: number, iovs: number, count: number, offset: bigint, readPointer: number): void {
      const descriptor = table.with(fd, RIGHTS.fdRead | RIGHTS.fdSeek)
      const buffers = memory().buffers(iovs, count)
      memory().u32(readPointer)
      memory().setU32(readPointer, descriptor.readAt(buffers, fileOffset(offset, 'EINVAL')))
    },
    fd_write(fd: number, iovs: number, count: number, writtenPointer: number): void {
      const descriptor = table.with(fd, RIGHTS.fdWrite)
      const buffers = memory().buffers(iovs, count)
      memory().u32(writtenPointer)
      memory().setU32(writtenPointer, descriptor.write(buffers))
    },
    fd_pwrite(fd: number, iovs: number, count: number, offset: bigint, writtenPointer: number): void {
      const descriptor = table.with(fd, RIGHTS.fdWrite | RIGHTS.fdSeek)
      const buffers = memory().buffers(iovs, count)
      memory().u32(writtenPointer)
      memory().setU32(writtenPointer, descriptor.writeAt(buffers, fileOffset(offset, 'EFBIG')))
    },
    fd_prestat_get(fd: number, pointer: number): void {
      const { preopenName } = table.get(fd)
      if (preopenName === null) throw new WasiError('EBADF')
      const view = memory().struct(pointer, PRESTAT_SIZE)
      view.setUint8(0, PREOPENTYPE_DIR)
      view.setUint32(4, preopenName.length, true)
    },
    fd_prestat_dir_name(fd: number, pointer: number, length: number): void {
      const { preopenName } = table.get(fd)
      if (preopenName === null) throw new WasiError('EBADF')
      if (length >>> 0 < preopenName.length) throw new WasiError('ENAMETOOLONG')
      const target = memory().bytes(pointer, preopenName.length)
      for (let index = 0; index < target.length; index++) target[index] = preopenName.charCodeAt(index)
    },
    fd_readdir(fd: number, buffer: number, length: number, cookie: bigint, usedPointer: number): void {
      const descriptor = table.with(fd, RIGHTS.fdReaddir)
      const into = memory().bytes(buffer, length)
      memory().u32(usedPointer)
      const first = fileOffset(cookie, 'EINVAL')
      memory().setU32(usedPointer, descriptor.listing(first).copyTo(into, first))
    },
    fd_renumber: (from: number, to: number): void => table.renumber(from, to),
    fd_seek(fd: number, offset: bigint, whence: number, pointer: number): void {
      // Asking where one stands needs only the right to tell.
      const descriptor = table.with(fd, offset === 0n && whence === 1 ? RIGHTS.fdTell : RIGHTS.fdSeek)
      if (offset > BigInt(Number.MAX_SAFE_INTEGER) || offset < -BigInt(Number.MAX_SAFE_INTEGER)) throw new WasiError('EINVAL')
      memory().u64(pointer)
      memory().setU64(pointer, BigInt(descriptor.seek(Number(offset), whence)))
    },
    fd_tell(fd: number, pointer: number): void {
      memory().u64(pointer)
      memory().setU64(pointer, BigInt(table.with(fd, RIGHTS.fdTell).seek(0, 1)))
    },
  }

  function fdstat(fd: number) {
    const descriptor = table.get(fd)
    return {
      filetype: descriptor.filetype,
      flags: descriptor.flags,
      rightsBase: descriptor.rightsBase,
      rightsInheriting: descriptor.rightsInheriting,
    }
  }
}

/** A `filesize` of the guest's as a number. Beyond 2^53 nothing here has a byte: `errno`. */
export function fileOffset(value: bigint, errno: 'EINVAL' | 'EFBIG'): number {
  const unsigned = BigInt.asUintN(64, value)
  if (unsigned > BigInt(Number.MAX_SAFE_INTEGER)) throw new WasiError(errno)
  return Number(unsigned)
}

/** `fstflags` and two timestamps as a change. Throws EINVAL for flags that contradict each other. */
export function timeChange(clock: HostClock, atime: bigint, mtime: bigint, flags: number): TimeChange {
  const contradiction = (value: number, now: number): boolean => (flags & value) !== 0 && (flags & now) !== 0
  if ((flags & ~FSTFLAGS_ALL) !== 0) throw new WasiError('EINVAL')
  if (contradiction(FSTFLAGS.atim, FSTFLAGS.atimNow) || contradiction(FSTFLAGS.mtim, FSTFLAGS.mtimNow)) throw new WasiError('EINVAL')
  const now = clock.realtimeNs()
  return {
    ...((flags & FSTFLAGS.atim) !== 0 ? { atimeNs: boundedTime(BigInt.asUintN(64, atime)) } : {}),
    ...((flags & FSTFLAGS.atimNow) !== 0 ? { atimeNs: now } : {}),
    ...((flags & FSTFLAGS.mtim) !== 0 ? { mtimeNs: boundedTime(BigInt.asUintN(64, mtime)) } : {}),
    ...((flags & FSTFLAGS.mtimNow) !== 0 ? { mtimeNs: now } : {}),
  }
}
