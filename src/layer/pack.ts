/**
 * How a tree becomes a layer's tar: ustar headers, pax records as bytes where ustar has no room (long or binary names, xattrs, large
 * numbers, times finer than a second), entries in the order given. The same entries make the same bytes.
 */
import { EngineError } from '../errors.js'
import type { ByteString, DeviceNumber, FileType } from '../fs/file-system.js'
import { toBytes } from '../fs/names.js'
import { BLOCK_BYTES } from './header.js'
import { encodePax, formatPaxTime, type PaxRecord } from './pax.js'

/** One entry to be written. */
export interface PackEntry {
  /** From the root, without a leading slash; empty for the root. */
  readonly path: ByteString
  readonly type: FileType | 'hardlink'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeNs: bigint
  /** Of a symlink; or the path of the entry that a hard link is another name of. */
  readonly target?: ByteString
  readonly device?: DeviceNumber | null
  readonly xattrs?: ReadonlyMap<ByteString, Uint8Array>
  /** Contents of a file. */
  readonly contents?: Contents
}

/** Contents of a file, read as they are written. */
export interface Contents {
  readonly size: number
  /** Fills `buffer` from `position`; returns the bytes read. */
  read(buffer: Uint8Array, position: number): number
}

const CHUNK_BYTES = 65_536
const TYPEFLAGS: Readonly<Record<Exclude<PackEntry['type'], 'socket'>, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}

/** The tar of `entries`, in pieces. Sockets are left out: no tar can hold them. */
export function* packTar(entries: Iterable<PackEntry>): Generator<Uint8Array, void, undefined> {
  for (const entry of entries) {
    if (entry.type === 'socket') continue
    yield* packHeaders(entry, TYPEFLAGS[entry.type])
    if (entry.type === 'file' && entry.contents !== undefined) yield* packContents(entry.path, entry.contents)
  }
  yield new Uint8Array(2 * BLOCK_BYTES)
}

function* packHeaders(entry: PackEntry, typeflag: string): Generator<Uint8Array> {
  const size = entry.type === 'file' ? (entry.contents?.size ?? 0) : 0
  const name = entry.path === '' ? './' : entry.type === 'directory' ? `${entry.path}/` : entry.path
  const target = entry.target ?? ''
  const records = paxRecords(entry, name, target, size)
  if (records.length > 0) {
    const body = encodePax(records)
    yield encodeHeader({ ...entry, mode: 0o644, uid: 0, gid: 0 }, 'x', 'PaxHeaders/entry', '', body.length)
    yield padded(body)
  }
  yield encodeHeader(entry, typeflag, name, target, size)
}

function* packContents(path: ByteString, { size, read }: Contents): Generator<Uint8Array> {
  for (let position = 0; position < size; ) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, size - position))
    const count = read(chunk, position)
    if (count === 0) throw new EngineError('INTERNAL', `${path} became shorter while it was packed`)
    yield chunk.subarray(0, count)
    position += count
  }
  const padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
  if (padding > 0) yield new Uint8Array(padding)
}

function paxRecords(entry: PackEntry, name: ByteString, target: ByteString, size: number): readonly PaxRecord[] {
  const records: PaxRecord[] = []
  const add = (key: ByteString, value: ByteString | Uint8Array) =>
    records.push({ key, value: typeof value === 'string' ? toBytes(value) : value })
  // Binary names go as they are and without `hdrcharset`, which the engines and GNU tar don't know.
  if (name.length > 100) add('path', name)
  if (target.length > 100) add('linkpath', target)
  if (!fitsOctal(size, 11)) add('size', String(size))
  if (!fitsOctal(entry.uid, 7)) add('uid', String(entry.uid))
  if (!fitsOctal(entry.gid, 7)) add('gid', String(entry.gid))
  if (entry.mtimeNs % 1_000_000_000n !== 0n || !fitsOctal(secondsOf(entry.mtimeNs), 11)) add('mtime', formatPaxTime(entry.mtimeNs))
  for (const [key, value] of [...(entry.xattrs ?? [])].sort(([left], [right]) => (left < right ? -1 : 1))) add(`SCHILY.xattr.${key}`, value)
  return records
}

function encodeHeader(entry: PackEntry, typeflag: string, name: ByteString, target: ByteString, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES)
  const put = (start: number, text: ByteString, length: number) => block.set(toBytes(text.slice(0, length)), start)
  // A number without room stands in a pax record, which goes before this field.
  const putOctal = (start: number, value: number, digits: number) =>
    put(start, (fitsOctal(value, digits) ? value : 0).toString(8).padStart(digits, '0'), digits)
  put(0, name, 100)
  putOctal(100, entry.mode, 7)
  putOctal(108, entry.uid, 7)
  putOctal(116, entry.gid, 7)
  putOctal(124, size, 11)
  putOctal(136, secondsOf(entry.mtimeNs), 11)
  put(156, typeflag, 1)
  put(157, target, 100)
  put(257, 'ustar\x0000', 8)
  putOctal(329, entry.device?.major ?? 0, 7)
  putOctal(337, entry.device?.minor ?? 0, 7)
  put(148, '        ', 8)
  const checksum = block.reduce((sum, byte) => sum + byte, 0)
  put(148, `${checksum.toString(8).padStart(6, '0')}\0 `, 8)
  return block
}

function padded(body: Uint8Array): Uint8Array {
  const blocks = new Uint8Array(Math.ceil(body.length / BLOCK_BYTES) * BLOCK_BYTES)
  blocks.set(body)
  return blocks
}

function secondsOf(timeNs: bigint): number {
  return Number((timeNs - (((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n)
}

function fitsOctal(value: number, digits: number): boolean {
  return value >= 0 && value < 8 ** digits
}
