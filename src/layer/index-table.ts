/**
 * The index of a layer as columns in one run of bytes. The form on disk is the form in memory: loading is one read, a check and a set of
 * views.
 *
 * Inode n stands at place n-1 of its columns; 1 is the root. A directory's entries stand together, sorted by name. `first` and `count` are
 * a range of entries for a directory, of segments for a file, of heap bytes for a symlink, and major and minor for a device. The order of
 * bytes is the machine's, as the magic number shows.
 */
import { EngineError } from '../errors.js'
import { FILE_TYPES, type FileType } from '../fs/file-system.js'

/** File types by their number in the index. */
export const TYPES: readonly FileType[] = FILE_TYPES
/** Bits of `kind` beside the type. */
export const TYPE_MASK = 0x0f
/** Nothing of lower layers shows through the directory. */
export const OPAQUE = 0x10
/** The directory has no entry of its own in the tar. */
export const IMPLIED = 0x20
/** Set in `kind` beside the type of a file whose link count is that of its layer, where a stack of layers hides some of its names. */
export const HIDDEN_NAMES = 0x40

// Widest first, so that every column is aligned without padding.
const COLUMNS = {
  size: [Float64Array, 'inodes'],
  mtimeNs: [BigInt64Array, 'inodes'],
  atimeNs: [BigInt64Array, 'inodes'],
  segmentPosition: [Float64Array, 'segments'],
  segmentOffset: [Float64Array, 'segments'],
  segmentLength: [Float64Array, 'segments'],
  uid: [Uint32Array, 'inodes'],
  gid: [Uint32Array, 'inodes'],
  first: [Uint32Array, 'inodes'],
  count: [Uint32Array, 'inodes'],
  linkCount: [Uint32Array, 'inodes'],
  firstXattr: [Uint32Array, 'inodes'],
  xattrCount: [Uint32Array, 'inodes'],
  entryName: [Uint32Array, 'entries'],
  entryIno: [Uint32Array, 'entries'],
  whiteoutDirectory: [Uint32Array, 'whiteouts'],
  whiteoutName: [Uint32Array, 'whiteouts'],
  xattrName: [Uint32Array, 'xattrs'],
  xattrValue: [Uint32Array, 'xattrs'],
  xattrLength: [Uint32Array, 'xattrs'],
  mode: [Uint16Array, 'inodes'],
  kind: [Uint8Array, 'inodes'],
  entryNameLength: [Uint8Array, 'entries'],
  whiteoutNameLength: [Uint8Array, 'whiteouts'],
  xattrNameLength: [Uint8Array, 'xattrs'],
  heap: [Uint8Array, 'heapBytes'],
} as const

const COUNTS = ['inodes', 'entries', 'segments', 'whiteouts', 'xattrs', 'heapBytes'] as const
const MAGIC = 0x314c_4657 // "WFL1"
const HEADER_BYTES = 40

type ColumnName = keyof typeof COLUMNS

/** How many rows each kind of column has. */
export type IndexCounts = { readonly [Name in (typeof COUNTS)[number]]: number }

/** A layer's inode table, names and contents' places, without the contents. */
export type LayerIndex = {
  readonly [Name in ColumnName]: InstanceType<(typeof COLUMNS)[Name][0]>
} & {
  readonly counts: IndexCounts
  /** Size of the uncompressed tar that the segments are places in. */
  readonly tarBytes: number
  /** The whole as it is stored. */
  readonly bytes: Uint8Array
}

/** An index with room for `counts`, to be filled. */
export function allocateIndex(counts: IndexCounts, tarBytes: number): LayerIndex {
  const bytes = new Uint8Array(bytesFor(counts))
  const header = new Uint32Array(bytes.buffer, 0, HEADER_BYTES / 4)
  header[0] = MAGIC
  for (const [place, name] of COUNTS.entries()) header[place + 1] = counts[name]
  new Float64Array(bytes.buffer, 32, 1)[0] = tarBytes
  return viewIndex(bytes, counts, tarBytes)
}

/** Views of stored bytes, their size checked but not what they say. Throws INVALID_ARCHIVE. */
export function openIndex(stored: Uint8Array): LayerIndex {
  const bytes = stored.byteOffset % 8 === 0 ? stored : stored.slice()
  if (bytes.length < HEADER_BYTES) throw brokenIndex('it is too short')
  const header = new Uint32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4)
  if (header[0] !== MAGIC) throw brokenIndex('it has another form')
  const counts = Object.fromEntries(COUNTS.map((name, place) => [name, header[place + 1] ?? 0])) as IndexCounts
  if (bytesFor(counts) !== bytes.length) throw brokenIndex(`it has ${bytes.length} bytes and speaks of ${bytesFor(counts)}`)
  const tarBytes = new Float64Array(bytes.buffer, bytes.byteOffset + 32, 1)[0] ?? 0
  return viewIndex(bytes, counts, tarBytes)
}

/** A stored index that can't be used. */
export function brokenIndex(reason: string): EngineError {
  return new EngineError('INVALID_ARCHIVE', `the stored index of a layer is broken: ${reason}`, {
    hint: 'Remove the file named index in the layer’s folder; the layer is made again from its blob.',
  })
}

function bytesFor(counts: IndexCounts): number {
  return Object.values(COLUMNS).reduce((sum, [type, count]) => sum + type.BYTES_PER_ELEMENT * counts[count], HEADER_BYTES)
}

function viewIndex(bytes: Uint8Array, counts: IndexCounts, tarBytes: number): LayerIndex {
  let offset = bytes.byteOffset + HEADER_BYTES
  const columns = Object.entries(COLUMNS).map(([name, [type, count]]) => {
    const view = new type(bytes.buffer as ArrayBuffer, offset, counts[count])
    offset += type.BYTES_PER_ELEMENT * counts[count]
    return [name, view]
  })
  return { ...Object.fromEntries(columns), counts, tarBytes, bytes } as LayerIndex
}
