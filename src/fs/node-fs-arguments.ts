/** Arguments as `node:fs` takes them, and what it says of those that it does not take. */
import { constants } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ByteString } from './file-system.js'
import { fromBytes, fromUtf8 } from './names.js'
import { abortError, argumentTypeError, argumentValueError, rangeError } from './node-fs-error.js'
import type { OpenFlags } from './open-files.js'

/** A path: what is looked up, and what an error shows. */
export interface PathArgument {
  readonly bytes: ByteString
  readonly shown: string
}

/** A string is UTF-8, a Buffer the very bytes, a `file:` URL what it names. */
export function toPath(value: unknown, name = 'path'): PathArgument {
  const path = value instanceof URL ? fileURLToPath(value) : value
  if (typeof path === 'string') {
    if (path.includes('\0')) throw nulError(name, path)
    return { bytes: fromUtf8(path), shown: path }
  }
  if (!(path instanceof Uint8Array)) throw argumentTypeError(name, 'of type string or an instance of Buffer or URL', value)
  if (path.includes(0)) throw nulError(name, value)
  return { bytes: fromBytes(path), shown: Buffer.from(path).toString() }
}

function nulError(name: string, value: unknown): TypeError {
  return argumentValueError(name, value, 'must be a string, Uint8Array, or URL without null bytes')
}

/** Options given as an object or, where there is an encoding, as its name. */
export type OptionsArgument = Readonly<Record<string, unknown>>

/** The options object; a function in its place is a callback's, and a string the encoding. */
export function toOptions(value: unknown): OptionsArgument {
  if (value === null || value === undefined || typeof value === 'function') return {}
  const options = typeof value === 'string' ? { encoding: value } : value
  if (typeof options !== 'object') throw argumentTypeError('options', 'of type string or an instance of Object', value)
  const { encoding } = options as OptionsArgument
  if (encoding && encoding !== 'buffer' && !Buffer.isEncoding(String(encoding)))
    throw argumentValueError('encoding', encoding, 'is invalid encoding')
  const { signal } = options as OptionsArgument
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw argumentTypeError('options.signal', 'an instance of AbortSignal', signal)
  return options as OptionsArgument
}

/** Throws Node's AbortError for options with a signal that was aborted. */
export function assertNotAborted({ signal }: OptionsArgument): void {
  if (signal instanceof AbortSignal && signal.aborted) throw abortError(signal)
}

/** A name as Node gives it back: text, UTF-8 unless said, or with `buffer` its bytes. */
export function encodeName(name: ByteString, { encoding }: OptionsArgument): string | Buffer {
  const bytes = Buffer.from(name, 'latin1')
  if (encoding === 'buffer') return bytes
  return bytes.toString((encoding as BufferEncoding | null | undefined) ?? 'utf8')
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_SYNC } = constants
/** Node's words for flags (doc/api/fs.md, "File system flags"). */
const FLAG_WORDS: ReadonlyMap<string, number> = new Map([
  ...words(['r'], O_RDONLY),
  ...words(['rs', 'sr'], O_RDONLY | O_SYNC),
  ...words(['r+'], O_RDWR),
  ...words(['rs+', 'sr+'], O_RDWR | O_SYNC),
  ...words(['w'], O_TRUNC | O_CREAT | O_WRONLY),
  ...words(['wx', 'xw'], O_TRUNC | O_CREAT | O_WRONLY | O_EXCL),
  ...words(['w+'], O_TRUNC | O_CREAT | O_RDWR),
  ...words(['wx+', 'xw+'], O_TRUNC | O_CREAT | O_RDWR | O_EXCL),
  ...words(['a'], O_APPEND | O_CREAT | O_WRONLY),
  ...words(['ax', 'xa'], O_APPEND | O_CREAT | O_WRONLY | O_EXCL),
  ...words(['as', 'sa'], O_APPEND | O_CREAT | O_WRONLY | O_SYNC),
  ...words(['a+'], O_APPEND | O_CREAT | O_RDWR),
  ...words(['ax+', 'xa+'], O_APPEND | O_CREAT | O_RDWR | O_EXCL),
  ...words(['as+', 'sa+'], O_APPEND | O_CREAT | O_RDWR | O_SYNC),
])

function words(names: readonly string[], flags: number): (readonly [string, number])[] {
  return names.map((name) => [name, flags] as const)
}

/** Words or this machine's `O_` numbers; `r` unless said. */
export function toFlags(value: unknown, otherwise = 'r'): OpenFlags {
  const flags = value ?? otherwise
  if (typeof flags === 'number') return flagsOf(toInteger(flags, 'flags', INT32))
  const known = FLAG_WORDS.get(String(flags))
  if (typeof flags !== 'string' || known === undefined) throw argumentValueError('flags', flags)
  return flagsOf(known)
}

function flagsOf(flags: number): OpenFlags {
  const mode = flags & (O_WRONLY | O_RDWR)
  return {
    read: mode === O_RDONLY || mode === O_RDWR,
    write: mode === O_WRONLY || mode === O_RDWR,
    append: (flags & O_APPEND) !== 0,
    create: (flags & O_CREAT) !== 0,
    exclusive: (flags & O_EXCL) !== 0,
    truncate: (flags & O_TRUNC) !== 0,
    directory: (flags & O_DIRECTORY) !== 0,
    noFollow: (flags & O_NOFOLLOW) !== 0,
  }
}

const INT32 = { least: -0x8000_0000, most: 0x7fff_ffff }
const UINT32 = { least: 0, most: 0xffff_ffff }

/** A number or octal text. */
export function toMode(value: unknown, name: string, otherwise?: number): number {
  const mode = value ?? otherwise
  if (typeof mode !== 'string') return toInteger(mode, name, UINT32)
  if (!/^[0-7]+$/.test(mode)) throw argumentValueError(name, mode, 'must be a 32-bit unsigned integer or an octal string')
  return Number.parseInt(mode, 8)
}

/** A whole number between two. */
export function toInteger(value: unknown, name: string, { least, most }: { readonly least: number; readonly most: number }): number {
  if (typeof value !== 'number') throw argumentTypeError(name, 'of type number', value)
  if (!Number.isInteger(value)) throw rangeError(name, 'an integer', value)
  if (value < least || value > most) throw rangeError(name, `>= ${least} && <= ${most}`, value)
  return value
}

/** A file descriptor's number, whether one is open or not. */
export function toDescriptor(value: unknown): number {
  return toInteger(value, 'fd', { least: 0, most: INT32.most })
}

/** An owner's number; -1 leaves it as it is. */
export function toOwner(value: unknown, name: 'uid' | 'gid'): number | null {
  const owner = toInteger(value, name, { least: -1, most: UINT32.most })
  return owner === -1 || owner === UINT32.most ? null : owner
}

/** Where to read or write; null and -1 are where the last one ended. */
export function toPosition(value: unknown): number | null {
  if (value === null || value === undefined || value === -1 || value === -1n) return null
  const position = typeof value === 'bigint' ? Number(value) : value
  if (typeof position !== 'number') throw argumentTypeError('position', 'of type number or an instance of bigint', value)
  return toInteger(position, 'position', { least: -1, most: Number.MAX_SAFE_INTEGER })
}

/** Length of a file to be; a negative one is 0, as Node has it. */
export function toLength(value: unknown): number {
  return Math.max(0, toInteger(value ?? 0, 'len', { least: Number.MIN_SAFE_INTEGER, most: Number.MAX_SAFE_INTEGER }))
}

/** Seconds since the epoch, a number, its text, or a Date. */
export function toTimeNs(value: unknown): bigint {
  const milliseconds = value instanceof Date ? value.getTime() : Number(value) * 1000
  const isTime = value instanceof Date || typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')
  if (!isTime || Number.isNaN(milliseconds)) throw argumentTypeError('time', 'an instance of Date or of type Unix time in seconds', value)
  if (!Number.isFinite(milliseconds)) return BigInt(Date.now()) * 1_000_000n
  // A double holds a time of these days to the microsecond.
  return BigInt(Math.round(milliseconds * 1000)) * 1000n
}

/** The bytes of an array buffer's view. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

/** Bytes to be written. */
export function toBytesArgument(value: unknown, encoding: unknown, name = 'data'): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, (encoding as BufferEncoding | null | undefined) ?? 'utf8')
  if (ArrayBuffer.isView(value)) return bytesOf(value)
  throw argumentTypeError(name, 'of type string or an instance of Buffer, TypedArray, or DataView', value)
}

/** A buffer to be filled. */
export function toBuffer(value: unknown): ArrayBufferView {
  if (!ArrayBuffer.isView(value)) throw argumentTypeError('buffer', 'an instance of Buffer, TypedArray, or DataView', value)
  return value
}

/** Buffers for `readv` and `writev`. */
export function toBuffers(value: unknown): readonly ArrayBufferView[] {
  if (!Array.isArray(value) || !value.every((each) => ArrayBuffer.isView(each)))
    throw argumentTypeError('buffers', 'an instance of ArrayBufferView[]', value)
  return value
}
