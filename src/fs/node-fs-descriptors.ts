/** The calls of `node:fs` on open files, and those that open one, use it, and close it. */
import { constants } from 'node:fs'
import {
  assertNotAborted,
  bytesOf,
  type OptionsArgument,
  toBuffer,
  toBuffers,
  toBytesArgument,
  toDescriptor,
  toFlags,
  toInteger,
  toLength,
  toMode,
  toOptions,
  toOwner,
  toPath,
  toPosition,
  toTimeNs,
} from './node-fs-arguments.js'
import { argumentTypeError, argumentValueError, asNode, type CallNames, nodeError, rangeError } from './node-fs-error.js'
import { BigIntStats, Stats } from './node-fs-stats.js'
import type { SystemCalls } from './system-calls.js'

/** What Node reads at most into one Buffer. */
const MAXIMUM_READ_BYTES = 2 ** 31 - 1
const NEW_FILE_MODE = 0o666
/** Of a buffer that `read` makes itself. */
const READ_BYTES = 16_384
/** A file of which nothing is said but where to write. */
const NEW_FILE = {
  write: true,
  read: false,
  append: false,
  create: true,
  exclusive: false,
  truncate: true,
  directory: false,
  noFollow: false,
}
const ONLY_READ = { ...NEW_FILE, read: true, write: false, create: false, truncate: false }
/** `COPYFILE_EXCL`, `COPYFILE_FICLONE`, `COPYFILE_FICLONE_FORCE`. */
const COPY_MODES = { least: 0, most: 7 }

/** What is read or written, and where. */
export interface Transfer {
  readonly descriptor: number
  /** As the caller gave it. */
  readonly buffer: unknown
  readonly bytes: Uint8Array
  readonly position: number | null
}

/** Each call by its name; what has no `Sync` in it there is the same call for all three forms. */
export type DescriptorCalls = ReturnType<typeof descriptorCalls>

export function descriptorCalls(calls: SystemCalls, dev: number) {
  const { files } = calls

  const open = (path: unknown, flags?: unknown, mode?: unknown): number => {
    const { bytes, shown } = toPath(path)
    const parsed = toFlags(flags)
    const bits = toMode(mode, 'mode', NEW_FILE_MODE)
    return asNode({ syscall: 'open', path: shown }, () => calls.open(bytes, parsed, bits))
  }
  const close = (fd: unknown): void => {
    const descriptor = toDescriptor(fd)
    asNode({ syscall: 'close' }, () => files.close(descriptor))
  }
  /** Of a path a file that is open meanwhile; a number is one that is open already. */
  const withFile = <T>(file: unknown, flags: unknown, mode: unknown, action: (descriptor: number) => T): T => {
    if (Number.isInteger(file)) return action(toDescriptor(file))
    const descriptor = open(file, flags, mode)
    try {
      return action(descriptor)
    } finally {
      files.close(descriptor)
    }
  }
  const onFile =
    <A extends readonly unknown[]>(syscall: string, action: (descriptor: number, ...rest: A) => void) =>
    (fd: unknown, ...rest: A): void => {
      const descriptor = toDescriptor(fd)
      asNode({ syscall }, () => action(descriptor, ...rest))
    }

  const readAll = (descriptor: number): Buffer => {
    const names: CallNames = { syscall: 'read' }
    const stat = asNode({ syscall: 'fstat' }, () => calls.fstat(descriptor))
    const { position, flags } = files.get(descriptor)
    if (!flags.read) throw nodeError('EBADF', names)
    if (stat.type === 'directory') throw nodeError('EISDIR', names)
    const size = Math.max(0, stat.size - position)
    if (size > MAXIMUM_READ_BYTES) {
      const error = new RangeError(`File size (${stat.size}) is greater than 2 GiB`)
      throw Object.assign(error, { code: 'ERR_FS_FILE_TOO_LARGE' })
    }
    const buffer = Buffer.alloc(size)
    return buffer.subarray(
      0,
      asNode(names, () => files.read(descriptor, buffer, null)),
    )
  }
  const writeAll = (descriptor: number, bytes: Uint8Array): void => {
    asNode({ syscall: 'write' }, () => files.write(descriptor, bytes, null))
  }

  const readFile = (file: unknown, options?: unknown): string | Buffer => {
    const parsed = toOptions(options)
    assertNotAborted(parsed)
    const bytes = withFile(file, parsed.flag, undefined, readAll)
    return parsed.encoding && parsed.encoding !== 'buffer' ? bytes.toString(parsed.encoding as BufferEncoding) : bytes
  }
  const put = (file: unknown, value: unknown, parsed: OptionsArgument, flag: string): void => {
    const bytes = toBytesArgument(value, parsed.encoding)
    assertNotAborted(parsed)
    withFile(file, parsed.flag ?? flag, parsed.mode, (descriptor) => writeAll(descriptor, bytes))
  }

  const copyFile = (from: unknown, to: unknown, mode?: unknown): void => {
    const source = toPath(from, 'src')
    const target = toPath(to, 'dest')
    const bits = toInteger(mode ?? 0, 'mode', COPY_MODES)
    const names = { syscall: 'copyfile', path: source.shown, dest: target.shown }
    if ((bits & constants.COPYFILE_FICLONE_FORCE) !== 0) throw nodeError('ENOTSUP', names)
    asNode(names, () => {
      const reader = calls.open(source.bytes, ONLY_READ, 0)
      try {
        const stat = calls.fstat(reader)
        if (stat.type === 'directory') throw nodeError('EISDIR', names)
        const exclusive = (bits & constants.COPYFILE_EXCL) !== 0
        // Not cut off before it is known to be another file.
        const writer = calls.open(target.bytes, { ...NEW_FILE, truncate: false, exclusive }, stat.mode)
        try {
          if (calls.fstat(writer).ino === stat.ino) return
          files.truncate(writer, 0)
          files.copy(reader, writer)
          calls.fchmod(writer, stat.mode)
        } finally {
          files.close(writer)
        }
      } finally {
        files.close(reader)
      }
    })
  }

  /** Buffer after buffer, until one is not filled or written whole. */
  const each = (
    syscall: string,
    action: (descriptor: number, bytes: Uint8Array, position: number | null) => number,
    { fd, buffers, position }: { readonly fd: unknown; readonly buffers: unknown; readonly position: unknown },
  ): number => {
    const descriptor = toDescriptor(fd)
    const all = toBuffers(buffers)
    const start = typeof position === 'number' ? toPosition(position) : null
    let total = 0
    asNode({ syscall }, () => {
      files.get(descriptor)
      for (const buffer of all) {
        const count = action(descriptor, bytesOf(buffer), start === null ? null : start + total)
        total += count
        if (count < buffer.byteLength) break
      }
    })
    return total
  }

  const transfer = {
    read: ({ descriptor, bytes, position }: Transfer): number => asNode({ syscall: 'read' }, () => files.read(descriptor, bytes, position)),
    write: ({ descriptor, bytes, position }: Transfer): number =>
      asNode({ syscall: 'write' }, () => files.write(descriptor, bytes, position)),
  }

  return {
    open,
    close,
    transfer,
    readv: (fd: unknown, buffers: unknown, position?: unknown) =>
      each('read', (descriptor, bytes, at) => files.read(descriptor, bytes, at), { fd, buffers, position }),
    writev: (fd: unknown, buffers: unknown, position?: unknown) =>
      each('write', (descriptor, bytes, at) => files.write(descriptor, bytes, at), { fd, buffers, position }),
    fstat: (fd: unknown, options?: unknown) => {
      const descriptor = toDescriptor(fd)
      const stat = asNode({ syscall: 'fstat' }, () => calls.fstat(descriptor))
      return toOptions(options).bigint === true ? new BigIntStats(stat, dev) : new Stats(stat, dev)
    },
    // All is in memory: there is nothing to wait for.
    fsync: onFile('fsync', (descriptor) => void files.get(descriptor)),
    fdatasync: onFile('fdatasync', (descriptor) => void files.get(descriptor)),
    ftruncate: (fd: unknown, length?: unknown) => {
      const size = toLength(length)
      onFile('ftruncate', (descriptor) => files.truncate(descriptor, size))(fd)
    },
    fchmod: (fd: unknown, mode: unknown) => {
      const bits = toMode(mode, 'mode')
      onFile('fchmod', (descriptor) => calls.fchmod(descriptor, bits))(fd)
    },
    fchown: (fd: unknown, uid: unknown, gid: unknown) => {
      const owner = { uid: toOwner(uid, 'uid'), gid: toOwner(gid, 'gid') }
      onFile('fchown', (descriptor) => calls.fchown(descriptor, owner))(fd)
    },
    futimes: (fd: unknown, atime: unknown, mtime: unknown) => {
      const times = { atimeNs: toTimeNs(atime), mtimeNs: toTimeNs(mtime) }
      onFile('futime', (descriptor) => calls.futimes(descriptor, times))(fd)
    },
    readFile,
    writeFile: (file: unknown, value: unknown, options?: unknown) => put(file, value, toOptions(options), 'w'),
    appendFile: (file: unknown, value: unknown, options?: unknown) => put(file, value, toOptions(options), 'a'),
    copyFile,
  }
}

/** `(fd, buffer, offset, length, position)`, `(fd, buffer, {…})` and, unless a buffer must be given, `(fd, {buffer, …})` and `(fd)`. */
export function readTransfer(args: readonly unknown[], { mustHaveBuffer }: { readonly mustHaveBuffer: boolean }): Transfer {
  const [fd, first, second, third, fourth] = args
  const descriptor = toDescriptor(fd)
  const isView = ArrayBuffer.isView(first) || mustHaveBuffer
  if (mustHaveBuffer && args.length === 3 && typeof second !== 'object' && second !== undefined)
    throw argumentTypeError('options', 'of type object', second)
  const options = (isView ? (typeof second === 'object' ? second : undefined) : first) as OptionsArgument | null | undefined
  const buffer = toBuffer(isView ? first : (options?.buffer ?? Buffer.alloc(READ_BYTES)))
  const { offset, length, position } = options ?? (isView ? { offset: second, length: third, position: fourth } : {})
  const bytes = part(buffer, offset, length)
  if (bytes.length > 0 || buffer.byteLength > 0 || length === 0) return { descriptor, buffer, bytes, position: toPosition(position) }
  throw argumentValueError('buffer', buffer, 'is empty and cannot be written')
}

/** `(fd, buffer, offset, length, position)`, `(fd, buffer, {…})` and `(fd, text, position, encoding)`. */
export function writeTransfer(args: readonly unknown[]): Transfer {
  const [fd, first, second, third, fourth] = args
  const descriptor = toDescriptor(fd)
  if (typeof first === 'string') {
    const { encoding = 'utf8' } = toOptions(third)
    return { descriptor, buffer: first, bytes: toBytesArgument(first, encoding), position: toPosition(second) }
  }
  if (!ArrayBuffer.isView(first))
    throw argumentTypeError('buffer', 'of type string or an instance of Buffer, TypedArray, or DataView', first)
  const options = typeof second === 'object' && second !== null ? (second as OptionsArgument) : null
  const { offset, length, position } = options ?? { offset: second, length: third, position: fourth }
  return { descriptor, buffer: first, bytes: part(first, offset, length), position: toPosition(position) }
}

function part(buffer: ArrayBufferView, offset: unknown, length: unknown): Uint8Array {
  const from = toInteger(offset ?? 0, 'offset', { least: 0, most: Number.MAX_SAFE_INTEGER })
  if (from > buffer.byteLength) throw rangeError('offset', `<= ${buffer.byteLength}`, from)
  const left = buffer.byteLength - from
  const count = toInteger(length ?? left, 'length', { least: 0, most: 2 ** 31 - 1 })
  if (count > left) throw rangeError('length', `<= ${left}`, count)
  return bytesOf(buffer).subarray(from, from + count)
}
