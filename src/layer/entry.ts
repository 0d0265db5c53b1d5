import type { ByteString, DeviceNumber, FileType } from '../fs/file-system.js'
import { fromBytes } from '../fs/names.js'
import { BLOCK_BYTES, decodeHeader, malformed, type TarHeader } from './header.js'
import { limitExceeded } from './limits.js'
import { decodePax, type PaxRecord, paxNumber, paxTimeNs } from './pax.js'
import type { ByteSource } from './source.js'
import { oldGnuMap, paxMap, type Segment } from './sparse.js'
import { TarWindow } from './window.js'

/**
 * One entry of a tar, with everything that can stand about it in ustar, pax and GNU headers.
 *
 * Framed here and not by tar-stream, which takes the extension blocks of GNU's sparse entries for contents, decodes names and pax
 * values as UTF-8, goes on after the end-of-archive marker and must be handed every byte of every file.
 */
export interface TarEntry {
  /** As written: may be absolute, hold `..` or end in a slash. Judged by whoever places it in a tree. */
  readonly name: ByteString
  readonly type: FileType | 'hardlink'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Size of the file, holes included. */
  readonly size: number
  readonly segments: readonly Segment[]
  /** Where a symlink points, or the name of the entry that a hard link is another name of. */
  readonly target: ByteString
  readonly device: DeviceNumber | null
  readonly mtimeNs: bigint
  /** Null when the archive does not say. */
  readonly atimeNs: bigint | null
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>
  /** Where its header stands in the tar. */
  readonly headerOffset: number
}

/** Bounds on one entry. */
export interface EntryLimits {
  /** Size of one file with its holes: a sparse entry of a kilobyte can claim exabytes. */
  readonly fileBytes: number
}

// Long names and pax headers are read into memory whole.
const MAXIMUM_EXTENSION_BYTES = 1 << 20
/** The largest owner; one more means none. */
export const MAXIMUM_ID = 0xffff_fffe
const XATTR_PREFIX = 'SCHILY.xattr.'
const TYPES: Readonly<Record<string, FileType | 'hardlink'>> = {
  0: 'file',
  1: 'hardlink',
  2: 'symlink',
  3: 'character-device',
  4: 'block-device',
  5: 'directory',
  6: 'fifo',
  7: 'file',
  S: 'file',
}

/** Extension headers met since the last entry; they speak of the next one. */
interface Extensions {
  pax: readonly PaxRecord[] | null
  longName: ByteString | null
  longLink: ByteString | null
}

/**
 * Entries of an uncompressed tar in order, without their contents. The archive ends at two blocks of zeros or, as many writers leave it,
 * at the end of the file; global pax headers are skipped, as the engines that wrote today's images do. Throws INVALID_ARCHIVE,
 * LIMIT_EXCEEDED.
 */
export function* readEntries(source: ByteSource, limits: EntryLimits): Generator<TarEntry, void, undefined> {
  const tar = new TarWindow(source)
  let extensions: Extensions = { pax: null, longName: null, longLink: null }
  let offset = 0
  while (offset < tar.size) {
    const headerOffset = offset
    const header = decodeHeader(tar.bytes(offset, BLOCK_BYTES), offset)
    offset += BLOCK_BYTES
    if (header === null) {
      if (offset < tar.size && decodeHeader(tar.bytes(offset, BLOCK_BYTES), offset) !== null)
        throw malformed('an entry after the end-of-archive marker', offset)
      break
    }
    if (header.size < 0) throw malformed('negative size', headerOffset, header.name)
    if ('xXLKg'.includes(header.typeflag)) {
      readExtension(tar, header, offset, extensions)
      offset = skipContents(tar, offset, header.size)
      continue
    }
    const { entry, end } = readEntry(tar, header, headerOffset, extensions, limits)
    extensions = { pax: null, longName: null, longLink: null }
    yield entry
    offset = end
  }
  if (extensions.pax !== null || extensions.longName !== null || extensions.longLink !== null)
    throw malformed('an extension header without its entry', offset)
}

function skipContents(tar: TarWindow, offset: number, size: number): number {
  if (offset + size > tar.size) throw malformed('archive ends inside an entry', offset)
  // The filling of the last block may be missing: `umoci insert` ends its layers with the last byte of the last file.
  return offset + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
}

function readExtension(tar: TarWindow, header: TarHeader, offset: number, extensions: Extensions): void {
  if (header.typeflag === 'g') return
  if (header.size > MAXIMUM_EXTENSION_BYTES) throw malformed('oversize extension header', offset)
  const body = tar.bytes(offset, header.size)
  if (header.typeflag === 'L') extensions.longName = untilNul(body)
  else if (header.typeflag === 'K') extensions.longLink = untilNul(body)
  else extensions.pax = decodePax(body, offset)
}

function untilNul(body: Uint8Array): ByteString {
  const end = body.indexOf(0)
  return fromBytes(end === -1 ? body : body.subarray(0, end))
}

function readEntry(tar: TarWindow, header: TarHeader, headerOffset: number, extensions: Extensions, limits: EntryLimits) {
  const records = extensions.pax ?? []
  // A record without a value takes the field back (POSIX), except for an xattr, whose value may be empty.
  const pax = new Map(records.filter(({ value }) => value.length > 0).map((record) => [record.key, record]))
  const text = (key: string) => {
    const record = pax.get(key)
    return record === undefined ? undefined : fromBytes(record.value)
  }
  const number = (key: string, otherwise: number) => {
    const record = pax.get(key)
    return record === undefined ? otherwise : paxNumber(record, headerOffset)
  }
  const timeNs = (key: string) => {
    const record = pax.get(key)
    return record === undefined ? null : paxTimeNs(record, headerOffset)
  }
  const name = extensions.longName ?? text('GNU.sparse.name') ?? text('path') ?? header.name
  const target = extensions.longLink ?? text('linkpath') ?? header.linkName
  if (name.includes('\0') || target.includes('\0')) throw malformed('NUL in a name', headerOffset, name)
  const flagged = TYPES[header.typeflag]
  if (flagged === undefined) throw malformed(`unknown entry type ${JSON.stringify(header.typeflag)}`, headerOffset, name)
  // The original format had no type for directories.
  const type = flagged === 'file' && name.endsWith('/') ? 'directory' : flagged
  // Only files have contents; what others claim as their size is not in the archive (as Go's archive/tar reads it).
  const contents =
    flagged === 'file'
      ? locateContents(tar, header, records, headerOffset, number('size', header.size))
      : nothingAt(headerOffset + BLOCK_BYTES)
  const end = skipContents(tar, contents.offset, contents.packedBytes)
  const isFile = type === 'file'
  if (isFile && contents.size > limits.fileBytes)
    throw limitExceeded(
      `the archive holds a file of ${contents.size} bytes, more than ${limits.fileBytes}: ${name}`,
      'WOLFFIA_FILE_BYTES',
      { entry: name, size: contents.size, limit: limits.fileBytes },
    )
  const entry: TarEntry = {
    name,
    type,
    mode: header.mode & 0o7777,
    uid: checkId(number('uid', header.uid), headerOffset, name),
    gid: checkId(number('gid', header.gid), headerOffset, name),
    size: isFile ? contents.size : 0,
    segments: isFile ? contents.segments : [],
    target,
    device: type === 'character-device' || type === 'block-device' ? { major: header.major, minor: header.minor } : null,
    mtimeNs: timeNs('mtime') ?? BigInt(header.mtimeSeconds) * 1_000_000_000n,
    atimeNs: timeNs('atime'),
    xattrs: collectXattrs(records),
    headerOffset,
  }
  return { entry, end }
}

interface Contents {
  readonly size: number
  readonly segments: readonly Segment[]
  /** What the archive holds of it. */
  readonly offset: number
  readonly packedBytes: number
}

function nothingAt(offset: number): Contents {
  return { size: 0, segments: [], offset, packedBytes: 0 }
}

function locateContents(
  tar: TarWindow,
  header: TarHeader,
  records: readonly PaxRecord[],
  headerOffset: number,
  packedBytes: number,
): Contents {
  if (packedBytes < 0) throw malformed('negative size', headerOffset, header.name)
  const offset = headerOffset + BLOCK_BYTES
  if (header.typeflag === 'S') return { ...oldGnuMap(tar, headerOffset, packedBytes), packedBytes }
  const sparse = paxMap(tar, records, offset, packedBytes)
  if (sparse !== null) return { size: sparse.size, segments: sparse.segments, offset, packedBytes }
  return { size: packedBytes, segments: packedBytes === 0 ? [] : [{ position: 0, offset, length: packedBytes }], offset, packedBytes }
}

function checkId(id: number, offset: number, name: ByteString): number {
  if (id < 0 || id > MAXIMUM_ID) throw malformed(`owner ${id} is no id`, offset, name)
  return id
}

function collectXattrs(records: readonly PaxRecord[]): ReadonlyMap<ByteString, Uint8Array> {
  const xattrs = new Map<ByteString, Uint8Array>()
  for (const { key, value } of records) if (key.startsWith(XATTR_PREFIX)) xattrs.set(key.slice(XATTR_PREFIX.length), value)
  return xattrs
}
