/**
 * The stream in which `tree-write` and `tree-read` carry a file tree; README.md has the byte layout. Pure: bytes in, bytes out.
 *
 * Names are bytes and so are latin1 byte strings here, one character a byte, as in `fs/`. Paths are relative, without `.`,
 * `..` or empty components; the tree's own root is the empty path. A parent comes before its children.
 */
import { EngineError } from '../errors.js'

/** Kind of an entry. */
export type EntryKind = 'directory' | 'file' | 'symlink' | 'hard-link' | 'fifo' | 'character-device' | 'block-device' | 'socket'

/** Kinds of entry, with their numbers in the stream. */
export const ENTRY_KINDS: Readonly<Record<EntryKind, number>> = {
  directory: 1,
  file: 2,
  symlink: 3,
  'hard-link': 4,
  fifo: 5,
  'character-device': 6,
  'block-device': 7,
  socket: 8,
}

/** One name in the tree and the attributes of its inode. A hard link's attributes are ignored: they are its target's. */
export interface TreeEntry {
  readonly kind: EntryKind
  /** Byte string. */
  readonly path: string
  /** Target of a symlink as it is to be read, or path of the earlier entry that a hard link names. Byte string, else empty. */
  readonly target?: string
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of a file; what no data record fills is a hole. */
  readonly size?: number
  readonly mtimeNs: bigint
  readonly atimeNs: bigint
  readonly device?: { readonly major: number; readonly minor: number }
  /** For `path-write`: the stream has no directory that it is in, so that its place may be reached through symlinks of the container's. */
  readonly loose?: boolean
}

/** Attributes that are set together. */
export type AttributeSet = 'mode' | 'owner' | 'times'

/** The same with their bits in the stream. */
const ATTRIBUTE_SETS: Readonly<Record<AttributeSet, number>> = { mode: 1, owner: 2, times: 4 }

/** What a stream consists of. Attributes and data belong to the entry before them. */
export type TreeRecord =
  | { readonly record: 'entry'; readonly entry: TreeEntry }
  /** For `path-write`: what bears the path is to be gone, with all below it. */
  | { readonly record: 'remove'; readonly path: string }
  /** For `path-write`: a file, directory or symlink stays what it is, with these attributes of the entry's. */
  | { readonly record: 'attributes'; readonly sets: readonly AttributeSet[]; readonly entry: TreeEntry }
  | { readonly record: 'xattr'; readonly name: string; readonly value: Uint8Array }
  /** Of `path-read`: where a file with holes has bytes, before them. */
  | { readonly record: 'segments'; readonly segments: readonly { readonly position: number; readonly length: number }[] }
  /** Bytes of the file from `offset` on. */
  | { readonly record: 'data'; readonly offset: number; readonly bytes: Uint8Array }
  /** Bytes of the file from `offset` on, taken from `tree-source` at `sourceOffset`: contents that never pass through this process. */
  | { readonly record: 'copy'; readonly offset: number; readonly sourceOffset: number; readonly length: number }
  /** Instead of an end: what kept the rest from being read. Only of a tree that is given back, whose reader has no other way to say it. */
  | { readonly record: 'broken'; readonly errno: number; readonly call: string; readonly argument: string }
  /** The last record; a stream without it is incomplete and fails. */
  | { readonly record: 'end' }

/** Longest payload of one record. */
export const MAXIMUM_RECORD_BYTES = 1024 * 1024 + 4096

const MAGIC = Buffer.from('WOLFTREE', 'latin1')
const HEADER_BYTES = 5
const ENTRY_BYTES = 56
const RECORD_TYPES = {
  entry: 0x45,
  remove: 0x52,
  attributes: 0x41,
  xattr: 0x58,
  segments: 0x53,
  data: 0x44,
  copy: 0x43,
  end: 0x46,
  broken: 0x42,
} as const
const KIND_NAMES = new Map(Object.entries(ENTRY_KINDS).map(([name, number]) => [number, name as EntryKind]))
const SEGMENT_BYTES = 16
const NANOSECONDS = 1_000_000_000n

/** The bytes that open a stream. */
export function treeStreamStart(): Buffer {
  return Buffer.from(MAGIC)
}

/** The bytes of one record. */
export function encodeTreeRecord(record: TreeRecord): Buffer {
  switch (record.record) {
    case 'entry':
      return encodeEntry(record.entry)
    case 'remove': {
      const path = Buffer.from(record.path, 'latin1')
      const bytes = framed(RECORD_TYPES.remove, path.length)
      path.copy(bytes, HEADER_BYTES)
      return bytes
    }
    case 'attributes': {
      const entry = encodeEntry(record.entry).subarray(HEADER_BYTES)
      const bytes = framed(RECORD_TYPES.attributes, 1 + entry.length)
      bytes[HEADER_BYTES] = record.sets.reduce((bits, set) => bits | ATTRIBUTE_SETS[set], 0)
      entry.copy(bytes, HEADER_BYTES + 1)
      return bytes
    }
    case 'xattr': {
      const name = Buffer.from(record.name, 'latin1')
      const bytes = framed(RECORD_TYPES.xattr, 2 + name.length + record.value.length)
      bytes.writeUInt16LE(name.length, HEADER_BYTES)
      name.copy(bytes, HEADER_BYTES + 2)
      bytes.set(record.value, HEADER_BYTES + 2 + name.length)
      return bytes
    }
    case 'segments': {
      const bytes = framed(RECORD_TYPES.segments, record.segments.length * SEGMENT_BYTES)
      for (const [index, { position, length }] of record.segments.entries()) {
        bytes.writeBigUInt64LE(BigInt(position), HEADER_BYTES + index * SEGMENT_BYTES)
        bytes.writeBigUInt64LE(BigInt(length), HEADER_BYTES + index * SEGMENT_BYTES + 8)
      }
      return bytes
    }
    case 'data': {
      const bytes = framed(RECORD_TYPES.data, 8 + record.bytes.length)
      bytes.writeBigUInt64LE(BigInt(record.offset), HEADER_BYTES)
      bytes.set(record.bytes, HEADER_BYTES + 8)
      return bytes
    }
    case 'copy': {
      const bytes = framed(RECORD_TYPES.copy, 24)
      bytes.writeBigUInt64LE(BigInt(record.offset), HEADER_BYTES)
      bytes.writeBigUInt64LE(BigInt(record.sourceOffset), HEADER_BYTES + 8)
      bytes.writeBigUInt64LE(BigInt(record.length), HEADER_BYTES + 16)
      return bytes
    }
    case 'broken': {
      const text = Buffer.from(`${record.call}\0${record.argument}`, 'latin1')
      const bytes = framed(RECORD_TYPES.broken, 4 + text.length)
      bytes.writeUInt32LE(record.errno, HEADER_BYTES)
      text.copy(bytes, HEADER_BYTES + 4)
      return bytes
    }
    case 'end':
      return framed(RECORD_TYPES.end, 0)
  }
}

function framed(type: number, length: number): Buffer {
  if (length > MAXIMUM_RECORD_BYTES) throw new EngineError('INTERNAL', `a tree record of ${length} bytes is too long`)
  const bytes = Buffer.alloc(HEADER_BYTES + length)
  bytes[0] = type
  bytes.writeUInt32LE(length, 1)
  return bytes
}

function encodeEntry(entry: TreeEntry): Buffer {
  const path = Buffer.from(entry.path, 'latin1')
  const target = Buffer.from(entry.target ?? '', 'latin1')
  if (path.length > 0xffff || target.length > 0xffff) throw new EngineError('INVALID_ARCHIVE', `name too long: ${entry.path.slice(0, 80)}…`)
  const bytes = framed(RECORD_TYPES.entry, ENTRY_BYTES + path.length + target.length)
  const at = HEADER_BYTES
  const [mtimeSeconds, mtimeNanoseconds] = splitTime(entry.mtimeNs)
  const [atimeSeconds, atimeNanoseconds] = splitTime(entry.atimeNs)
  bytes[at] = ENTRY_KINDS[entry.kind]
  bytes[at + 1] = entry.loose === true ? 1 : 0
  bytes.writeUInt16LE(entry.mode, at + 2)
  bytes.writeUInt32LE(entry.uid, at + 4)
  bytes.writeUInt32LE(entry.gid, at + 8)
  bytes.writeUInt16LE(path.length, at + 12)
  bytes.writeUInt16LE(target.length, at + 14)
  bytes.writeBigUInt64LE(BigInt(entry.size ?? 0), at + 16)
  bytes.writeBigInt64LE(mtimeSeconds, at + 24)
  bytes.writeBigInt64LE(atimeSeconds, at + 32)
  bytes.writeUInt32LE(mtimeNanoseconds, at + 40)
  bytes.writeUInt32LE(atimeNanoseconds, at + 44)
  bytes.writeUInt32LE(entry.device?.major ?? 0, at + 48)
  bytes.writeUInt32LE(entry.device?.minor ?? 0, at + 52)
  path.copy(bytes, at + ENTRY_BYTES)
  target.copy(bytes, at + ENTRY_BYTES + path.length)
  return bytes
}

/** Whole seconds rounded down, and the nanoseconds above them: times before 1970 have positive nanoseconds too. */
function splitTime(timeNs: bigint): [bigint, number] {
  const nanoseconds = ((timeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS
  return [(timeNs - nanoseconds) / NANOSECONDS, Number(nanoseconds)]
}

/** Reads a stream piece by piece, however it is cut. Throws INVALID_ARCHIVE for bytes that are no stream. */
export class TreeStreamDecoder {
  #pending: Buffer = Buffer.alloc(0)
  #started = false
  #ended = false

  /** Records that are whole once `chunk` has been added. */
  push(chunk: Uint8Array): TreeRecord[] {
    const records: TreeRecord[] = []
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk])
    let at = 0
    if (!this.#started) {
      if (this.#pending.length < MAGIC.length) return records
      if (!this.#pending.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed('it does not begin as one')
      this.#started = true
      at = MAGIC.length
    }
    while (this.#pending.length - at >= HEADER_BYTES) {
      const length = this.#pending.readUInt32LE(at + 1)
      if (length > MAXIMUM_RECORD_BYTES) throw malformed(`a record of ${length} bytes`)
      if (this.#pending.length - at < HEADER_BYTES + length) break
      if (this.#ended) throw malformed('something follows its end')
      const record = decodeRecord(this.#pending[at] ?? 0, this.#pending.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length))
      this.#ended = record.record === 'end'
      at += HEADER_BYTES + length
      records.push(record)
    }
    this.#pending = this.#pending.subarray(at)
    return records
  }

  /** To be called when no more bytes come. Throws INVALID_ARCHIVE when the end record has not been seen. */
  finish(): void {
    if (!this.#ended || this.#pending.length > 0) throw malformed('it ends too early')
  }
}

function decodeRecord(type: number, payload: Buffer): TreeRecord {
  switch (type) {
    case RECORD_TYPES.entry:
      return { record: 'entry', entry: decodeEntry(payload) }
    case RECORD_TYPES.remove:
      return { record: 'remove', path: payload.toString('latin1') }
    case RECORD_TYPES.attributes: {
      const bits = payload[0] ?? 0
      const sets = (Object.keys(ATTRIBUTE_SETS) as AttributeSet[]).filter((set) => (bits & ATTRIBUTE_SETS[set]) !== 0)
      return { record: 'attributes', sets, entry: decodeEntry(payload.subarray(1)) }
    }
    case RECORD_TYPES.xattr: {
      const end = payload.length < 2 ? Number.POSITIVE_INFINITY : 2 + payload.readUInt16LE(0)
      if (end > payload.length) throw malformed('an attribute that is cut short')
      return { record: 'xattr', name: payload.toString('latin1', 2, end), value: Uint8Array.from(payload.subarray(end)) }
    }
    case RECORD_TYPES.segments:
      if (payload.length % SEGMENT_BYTES !== 0) throw malformed('a list of segments that is cut short')
      return {
        record: 'segments',
        segments: Array.from({ length: payload.length / SEGMENT_BYTES }, (_, index) => ({
          position: Number(payload.readBigUInt64LE(index * SEGMENT_BYTES)),
          length: Number(payload.readBigUInt64LE(index * SEGMENT_BYTES + 8)),
        })),
      }
    case RECORD_TYPES.data:
      if (payload.length < 8) throw malformed('data without an offset')
      return { record: 'data', offset: Number(payload.readBigUInt64LE(0)), bytes: payload.subarray(8) }
    case RECORD_TYPES.copy:
      if (payload.length !== 24) throw malformed('a copy record of a wrong length')
      return {
        record: 'copy',
        offset: Number(payload.readBigUInt64LE(0)),
        sourceOffset: Number(payload.readBigUInt64LE(8)),
        length: Number(payload.readBigUInt64LE(16)),
      }
    case RECORD_TYPES.broken: {
      const end = payload.indexOf(0, 4)
      if (end < 0) throw malformed('a failure without a call')
      const [call, argument] = [payload.toString('latin1', 4, end), payload.toString('latin1', end + 1)]
      return { record: 'broken', errno: payload.readUInt32LE(0), call, argument }
    }
    case RECORD_TYPES.end:
      return { record: 'end' }
    default:
      throw malformed(`a record of the unknown type ${type}`)
  }
}

function decodeEntry(payload: Buffer): TreeEntry {
  const kind = KIND_NAMES.get(payload[0] ?? 0)
  if (payload.length < ENTRY_BYTES || kind === undefined) throw malformed('an entry of no known kind')
  const pathEnd = ENTRY_BYTES + payload.readUInt16LE(12)
  const targetEnd = pathEnd + payload.readUInt16LE(14)
  if (targetEnd !== payload.length) throw malformed('an entry whose names have a wrong length')
  return {
    kind,
    path: payload.toString('latin1', ENTRY_BYTES, pathEnd),
    target: payload.toString('latin1', pathEnd, targetEnd),
    mode: payload.readUInt16LE(2),
    uid: payload.readUInt32LE(4),
    gid: payload.readUInt32LE(8),
    size: Number(payload.readBigUInt64LE(16)),
    mtimeNs: payload.readBigInt64LE(24) * NANOSECONDS + BigInt(payload.readUInt32LE(40)),
    atimeNs: payload.readBigInt64LE(32) * NANOSECONDS + BigInt(payload.readUInt32LE(44)),
    device: { major: payload.readUInt32LE(48), minor: payload.readUInt32LE(52) },
  }
}

function malformed(why: string): EngineError {
  return new EngineError('INVALID_ARCHIVE', `not a whole tree stream: ${why}`)
}
