/**
 * How a tree becomes a layer's tar: ustar headers, pax records as bytes where ustar has no room (long or binary names, xattrs, large
 * numbers, times finer than a second), entries in the order given. The same entries make the same bytes.
 *
 * A file with holes is written without them, in GNU's sparse format 1.0, which every reader of pax that unpacks images knows; one without
 * is an ordinary entry.
 */
import { EngineError } from '../errors.js'
import type { ByteString, DeviceNumber, FileSegment, FileType } from '../fs/file-system.js'
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
  /** Where there are bytes, in order; the rest are holes. Absent: everywhere. */
  segments?(): Iterable<FileSegment>
}

const CHUNK_BYTES = 65_536
/** A smaller hole costs less than its place in a map. */
const SMALLEST_HOLE_BYTES = 4096
/** Go's archive/tar, in all engines, reads a map of at most a mebibyte. */
const MAXIMUM_SEGMENTS = 32_768
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
  for (const entry of entries) yield* packEntry(entry)
  yield ARCHIVE_END
}

/** One entry of a tar that is put together by the caller. */
export function* packEntry(entry: PackEntry): Generator<Uint8Array, void, undefined> {
  const { type, contents } = entry
  if (type === 'file' && contents !== undefined) yield* packFile(entry, contents)
  else if (type !== 'socket') yield* packHeaders(entry, TYPEFLAGS[type], 0)
}

/** What a tar ends with. */
export const ARCHIVE_END: Uint8Array = new Uint8Array(2 * BLOCK_BYTES)

function* packFile(entry: PackEntry, contents: Contents): Generator<Uint8Array> {
  const { head, segments, padding } = packFileHead(entry, contents)
  yield* head
  yield* packContents(entry.path, contents, segments)
  if (padding > 0) yield new Uint8Array(padding)
}

/** A file of which the bytes come from elsewhere: what stands before them, which of them are written, and the zeros behind them. */
export interface FileHead {
  readonly head: readonly Uint8Array[]
  readonly segments: readonly FileSegment[]
  readonly padding: number
}

/** For who writes the bytes of a file's segments himself. */
export function packFileHead(entry: PackEntry, contents: Pick<Contents, 'size' | 'segments'>): FileHead {
  const segments = dataOf(contents)
  if (segments === null)
    return {
      head: [...packHeaders(entry, TYPEFLAGS.file, contents.size)],
      segments: contents.size === 0 ? [] : [{ position: 0, length: contents.size }],
      padding: paddingOf(contents.size),
    }
  const map = encodeSparseMap(segments)
  const dataBytes = segments.reduce((sum, { length }) => sum + length, 0)
  return {
    head: [...packHeaders(entry, TYPEFLAGS.file, map.length + dataBytes, contents.size), map],
    segments,
    padding: paddingOf(dataBytes),
  }
}

function paddingOf(bytes: number): number {
  return (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES
}

/**
 * The parts of a file to be written when it has holes, the last one at its end and perhaps empty, as GNU tar marks where a file ends; null
 * when it has none. The smallest holes are filled when there are more than a map may hold.
 */
function dataOf({ size, segments }: Pick<Contents, 'size' | 'segments'>): readonly FileSegment[] | null {
  if (segments === undefined) return null
  let found = joined(segments(), SMALLEST_HOLE_BYTES)
  for (let hole = 2 * SMALLEST_HOLE_BYTES; found.length > MAXIMUM_SEGMENTS; hole *= 2) found = joined(found, hole)
  const last = found.at(-1)
  const end = last === undefined ? 0 : last.position + last.length
  if (last !== undefined && size - end < SMALLEST_HOLE_BYTES) found[found.length - 1] = { ...last, length: size - last.position }
  else if (size - end >= SMALLEST_HOLE_BYTES) found.push({ position: size, length: 0 })
  const [first] = found
  return first === undefined || (first.position === 0 && first.length === size) ? null : found
}

/** Segments with the holes between them that are smaller than `hole`, in whole blocks: GNU tar pads each of them to one. */
function joined(segments: Iterable<FileSegment>, hole: number): FileSegment[] {
  const found: FileSegment[] = []
  let [start, end] = [0, 0]
  for (const { position, length } of segments) {
    if (position - end >= hole) {
      if (end > start) found.push({ position: start, length: end - start })
      start = position - (position % BLOCK_BYTES)
    }
    end = Math.ceil((position + length) / BLOCK_BYTES) * BLOCK_BYTES
  }
  if (end > start) found.push({ position: start, length: end - start })
  return found
}

function encodeSparseMap(segments: readonly FileSegment[]): Uint8Array {
  return padded(toBytes([`${segments.length}\n`, ...segments.map(({ position, length }) => `${position}\n${length}\n`)].join('')))
}

/** `sparseBytes` is the size of a file with its holes, when `size` is what is written of it. */
function* packHeaders(entry: PackEntry, typeflag: string, size: number, sparseBytes?: number): Generator<Uint8Array> {
  const name = entry.path === '' ? './' : entry.type === 'directory' ? `${entry.path}/` : entry.path
  const target = entry.target ?? ''
  const sparse = sparseBytes === undefined ? [] : sparseRecords(name, sparseBytes)
  // Who does not know the format finds the packed contents under another name.
  const ustarName = sparseBytes === undefined ? name : `GNUSparseFile.0/${name.slice(name.lastIndexOf('/') + 1)}`.slice(0, 100)
  const records = [...sparse, ...paxRecords(entry, ustarName, target, size)]
  if (records.length > 0) {
    const body = encodePax(records)
    yield encodeHeader({ ...entry, mode: 0o644, uid: 0, gid: 0 }, 'x', 'PaxHeaders/entry', '', body.length)
    yield padded(body)
  }
  yield encodeHeader(entry, typeflag, ustarName, target, size)
}

function* packContents(path: ByteString, { read }: Contents, segments: readonly FileSegment[]): Generator<Uint8Array> {
  for (const { position: start, length } of segments)
    for (let position = start; position < start + length; ) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, start + length - position))
      const count = read(chunk, position)
      if (count === 0) throw new EngineError('INTERNAL', `${path} became shorter while it was packed`)
      yield chunk.subarray(0, count)
      position += count
    }
}

function sparseRecords(name: ByteString, realBytes: number): readonly PaxRecord[] {
  const records = { major: '1', minor: '0', name, realsize: String(realBytes) }
  return Object.entries(records).map(([key, value]) => ({ key: `GNU.sparse.${key}`, value: toBytes(value) }))
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
