import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'
import { fromBytes } from '../fs/names.js'

/** Size of a tar block; headers are one block, contents are padded to whole ones. */
export const BLOCK_BYTES = 512

/** One header block of a tar (POSIX ustar, GNU, star or the original v7), fields as they stand. */
export interface TarHeader {
  readonly name: ByteString
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes that follow the header, as it claims. */
  readonly size: number
  readonly mtimeSeconds: number
  /** One character; NUL is given as `0`. */
  readonly typeflag: string
  readonly linkName: ByteString
  readonly major: number
  readonly minor: number
}

/** An archive that can't be read, with the place. */
export function malformed(reason: string, offset: number, entry?: ByteString): EngineError {
  const where = entry === undefined ? `at byte ${offset}` : `in entry ${JSON.stringify(entry)} at byte ${offset}`
  return new EngineError('INVALID_ARCHIVE', `malformed tar: ${reason} ${where}`, {
    data: { offset, ...(entry === undefined ? {} : { entry }) },
  })
}

/** Reads a header block found at byte `offset`; null for a block of zeros. Throws INVALID_ARCHIVE. */
export function decodeHeader(block: Uint8Array, offset: number): TarHeader | null {
  if (block.every((byte) => byte === 0)) return null
  verifyChecksum(block, offset)
  const magic = fromBytes(block.subarray(257, 265))
  const ustar = magic.startsWith('ustar\0')
  // star keeps times in the last bytes of the prefix and says so at the end of the block.
  const prefixLength = ustar ? (fromBytes(block.subarray(508, 512)) === 'tar\0' ? 131 : 155) : 0
  const prefix = text(block, 345, prefixLength)
  const name = text(block, 0, 100)
  const hasDevice = ustar || magic === 'ustar  \0'
  const typeflag = String.fromCharCode(block[156] || 0x30)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: decodeNumber(block, 100, 8, 'mode', offset),
    uid: decodeNumber(block, 108, 8, 'uid', offset),
    gid: decodeNumber(block, 116, 8, 'gid', offset),
    size: decodeNumber(block, 124, 12, 'size', offset),
    mtimeSeconds: decodeNumber(block, 136, 12, 'mtime', offset),
    typeflag,
    linkName: text(block, 157, 100),
    major: hasDevice ? decodeNumber(block, 329, 8, 'device', offset) : 0,
    minor: hasDevice ? decodeNumber(block, 337, 8, 'device', offset) : 0,
  }
}

/** A numeric field: octal digits between blanks, or GNU's base-256. Throws INVALID_ARCHIVE for anything else. */
export function decodeNumber(block: Uint8Array, start: number, length: number, field: string, offset: number): number {
  const first = block[start] ?? 0
  const value = (first & 0x80) !== 0 ? base256(block.subarray(start, start + length)) : octal(block.subarray(start, start + length))
  if (!Number.isSafeInteger(value)) throw malformed(`${field} is not a number`, offset)
  return value
}

function octal(field: Uint8Array): number {
  let start = 0
  let end = field.length
  while (start < end && isBlank(field[start])) start++
  while (end > start && isBlank(field[end - 1])) end--
  let value = 0
  for (let index = start; index < end; index++) {
    const digit = (field[index] ?? 0) - 0x30
    if (digit < 0 || digit > 7) return Number.NaN
    value = value * 8 + digit
  }
  return value
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0
}

function base256(field: Uint8Array): number {
  const negative = ((field[0] ?? 0) & 0x40) !== 0
  let value = 0
  for (let index = 0; index < field.length; index++) {
    const byte = index === 0 ? (field[0] ?? 0) & 0x7f : (field[index] ?? 0)
    value = value * 256 + (negative ? (index === 0 ? 0x7f : 0xff) - byte : byte)
  }
  return negative ? -value - 1 : value
}

function text(block: Uint8Array, start: number, length: number): ByteString {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return fromBytes(end === -1 ? field : field.subarray(0, end))
}

// The sum is taken with its own field as blanks; some old tars added signed bytes.
function verifyChecksum(block: Uint8Array, offset: number): void {
  let unsigned = 0
  let signed = 0
  for (let index = 0; index < BLOCK_BYTES; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0)
    unsigned += byte
    signed += byte > 127 ? byte - 256 : byte
  }
  const stored = decodeNumber(block, 148, 8, 'checksum', offset)
  if (stored !== unsigned && stored !== signed) throw malformed('wrong header checksum', offset)
}
