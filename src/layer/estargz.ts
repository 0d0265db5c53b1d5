/**
 * Layers with a seekable index: eStargz (containerd/stargz-snapshotter, docs/estargz.md). Such a layer is a tar.gz whose contents stand in gzip
 * members of their own, and whose last entry, the table of contents, says where. Here that table becomes an index like any layer's
 * (`layer/index`), over a tar that holds the contents alone, one chunk after the other: its bytes can come in any order.
 *
 * The table is whoever built the layer's word. Its digest stands in the manifest, and each chunk's digest in it; what both say is checked by
 * whoever fetches.
 */
import { EngineError } from '../errors.js'
import type { ByteString, FileType } from '../fs/file-system.js'
import { fromUtf8 } from '../fs/names.js'
import { type Digest, isDigest } from '../oci/digest.js'
import type { TarEntry } from './entry.js'
import { flatten } from './flatten.js'
import type { LayerIndex } from './index-table.js'
import { DEFAULT_DECOMPRESSION_LIMITS, DEFAULT_INDEX_LIMITS, type IndexLimits, limitExceeded } from './limits.js'
import { TreeBuilder } from './tree-builder.js'

/** Annotation of a layer's descriptor: the digest of its table of contents. */
export const TOC_DIGEST_ANNOTATION = 'containerd.io/snapshot/stargz/toc.digest'
/** Bytes at the end of a layer that say where its table of contents begins. */
export const FOOTER_BYTES = 51
/** The table's name as an entry of the tar. */
export const TOC_NAME = 'stargz.index.json'
/** The longest table that is read. */
export const MAXIMUM_TOC_BYTES = 64 * 2 ** 20

/** A piece of the contents. */
export interface Chunk {
  /** Where it stands among the contents, and how long it is. */
  readonly offset: number
  readonly size: number
  /** Bytes of the blob that hold it: whole gzip members, from the first that has a byte of it up to the next chunk's. */
  readonly blobStart: number
  readonly blobEnd: number
  /** Bytes of what these members unpack to that stand before it. */
  readonly skip: number
  /** Of its {@link size} bytes. */
  readonly digest: Digest
}

/** A layer that can be read anywhere. */
export interface SeekableLayer {
  readonly index: LayerIndex
  /** In the order of the contents, without gaps. */
  readonly chunks: readonly Chunk[]
  /** Bytes of all contents. */
  readonly size: number
  /** For each file, the chunks that it consists of: where they begin and end in {@link chunks}. In the order of the contents. */
  readonly files: readonly { readonly first: number; readonly end: number }[]
}

/**
 * Where the table of contents begins, by the last {@link FOOTER_BYTES} of a blob: an empty gzip member with a subfield `SG`. Null for a
 * layer that has none.
 */
export function tocOffset(footer: Uint8Array): number | null {
  const view = new DataView(footer.buffer, footer.byteOffset, footer.byteLength)
  const hasExtra = footer.length === FOOTER_BYTES && footer[0] === 0x1f && footer[1] === 0x8b && footer[2] === 8 && footer[3] === 4
  if (!hasExtra || view.getUint16(10, true) !== 26 || footer[12] !== 0x53 || footer[13] !== 0x47 || view.getUint16(14, true) !== 22)
    return null
  const [, digits] = /^([0-9a-f]{16})STARGZ$/.exec(new TextDecoder('latin1').decode(footer.subarray(16, 38))) ?? []
  const offset = digits === undefined ? Number.NaN : Number.parseInt(digits, 16)
  return Number.isSafeInteger(offset) ? offset : null
}

/**
 * Reads a table of contents. `tocStart` is where it begins in the blob: no chunk lies behind it. Throws INVALID_ARCHIVE, UNSAFE_PATH,
 * LIMIT_EXCEEDED.
 */
export function readToc(json: Uint8Array, tocStart: number, limits: Partial<IndexLimits> = {}): SeekableLayer {
  const bounds = { ...DEFAULT_INDEX_LIMITS, ...limits }
  const toc = parsed(json)
  if (toc.version !== 1) throw broken(`it is of version ${JSON.stringify(toc.version)}`)
  if (!Array.isArray(toc.entries)) throw broken('it has no entries')
  if (toc.entries.length > bounds.entries)
    throw limitExceeded(`the table of contents has more than ${bounds.entries} entries`, 'WOLFFIA_LAYER_ENTRIES', { limit: bounds.entries })
  const reader = new TocReader(bounds, tocStart)
  for (const entry of toc.entries) reader.add(isRecord(entry) ? entry : {})
  return reader.finish()
}

/** A chunk as the table has it: the end of its members is known when all are. */
type OpenChunk = Omit<Chunk, 'blobEnd'>

type Member = Readonly<Record<string, unknown>>

class TocReader {
  readonly #tree: TreeBuilder
  readonly #chunks: OpenChunk[] = []
  readonly #files: { first: number; end: number }[] = []
  /** The file whose chunks are coming, and what of it has come. */
  #open: { readonly entry: Member; readonly size: number; readonly first: number; readonly start: number; bytes: number } | null = null
  #size = 0

  constructor(
    private readonly bounds: IndexLimits,
    private readonly tocStart: number,
  ) {
    this.#tree = new TreeBuilder(bounds)
  }

  add(entry: Member): void {
    const { type, name } = entry
    if (type === 'chunk') {
      this.#addChunk(entry)
      return
    }
    this.#close()
    if (type !== 'reg') {
      this.#tree.add(tarEntry(entry, [], 0))
      return
    }
    const size = count(entry.size ?? 0, 'size')
    if (size > this.bounds.fileBytes)
      throw limitExceeded(`${JSON.stringify(name)} claims ${size} bytes`, 'WOLFFIA_FILE_BYTES', { limit: this.bounds.fileBytes })
    this.#open = { entry, size, first: this.#chunks.length, start: this.#size, bytes: 0 }
    if (size > 0) this.#addChunk(entry)
  }

  finish(): SeekableLayer {
    this.#close()
    const starts = [...new Set(this.#chunks.map(({ blobStart }) => blobStart))].sort((left, right) => left - right)
    const ends = new Map(starts.map((start, place) => [start, starts[place + 1] ?? this.tocStart]))
    return {
      index: flatten(this.#tree.root, this.#size),
      chunks: this.#chunks.map((chunk) => ({ ...chunk, blobEnd: ends.get(chunk.blobStart) ?? this.tocStart })),
      files: this.#files,
      size: this.#size,
    }
  }

  #addChunk(entry: Member): void {
    const file = this.#open
    if (file === null) throw broken(`a chunk of ${JSON.stringify(entry.name)} belongs to no file`)
    if (entry.name !== file.entry.name) throw broken(`a chunk of ${JSON.stringify(entry.name)} stands among those of another file`)
    const rest = file.size - file.bytes
    // The last one, and a file's only one, may leave out how long it is.
    const size = count(entry.chunkSize ?? 0, 'chunkSize') || rest
    const blobStart = count(entry.offset ?? 0, 'offset')
    const digest = entry.chunkDigest ?? (size === file.size ? entry.digest : undefined)
    if (count(entry.chunkOffset ?? 0, 'chunkOffset') !== file.bytes || size > rest || size === 0)
      throw broken(`the chunks of ${JSON.stringify(entry.name)} do not follow each other`)
    if (!isDigest(digest)) throw broken(`a chunk of ${JSON.stringify(entry.name)} has no digest`)
    if (blobStart >= this.tocStart) throw broken(`${JSON.stringify(entry.name)} stands behind the table of contents`)
    if (this.#chunks.length >= this.bounds.segments)
      throw limitExceeded('the table of contents has too many chunks', 'WOLFFIA_LAYER_ENTRIES', { limit: this.bounds.segments })
    const skip = count(entry.innerOffset ?? 0, 'innerOffset')
    this.#chunks.push({ offset: this.#size, size, blobStart, skip, digest })
    this.#size += size
    file.bytes += size
    const most = DEFAULT_DECOMPRESSION_LIMITS.maximumBytes
    if (this.#size > most)
      throw limitExceeded(`the files of the layer have more than ${most} bytes`, 'WOLFFIA_ARCHIVE_BYTES', { limit: most })
  }

  /** The file whose chunks have come takes its place in the tree. */
  #close(): void {
    const file = this.#open
    if (file === null) return
    this.#open = null
    const { entry, size, first, start, bytes } = file
    if (bytes !== size) throw broken(`${JSON.stringify(entry.name)} has chunks of ${bytes} bytes, and should have ${size}`)
    if (size > 0) this.#files.push({ first, end: this.#chunks.length })
    this.#tree.add(tarEntry(entry, size === 0 ? [] : [{ position: 0, offset: start, length: size }], size))
  }
}

const TYPES: Readonly<Record<string, FileType | 'hardlink'>> = {
  dir: 'directory',
  reg: 'file',
  symlink: 'symlink',
  hardlink: 'hardlink',
  char: 'character-device',
  block: 'block-device',
  fifo: 'fifo',
}

function tarEntry(entry: Member, segments: TarEntry['segments'], size: number): TarEntry {
  const type = Object.hasOwn(TYPES, String(entry.type)) ? TYPES[String(entry.type)] : undefined
  const name = text(entry.name, 'name')
  if (type === undefined) throw broken(`${JSON.stringify(entry.name)} is of type ${JSON.stringify(entry.type)}`)
  const isDevice = type === 'character-device' || type === 'block-device'
  return {
    name,
    type,
    mode: count(entry.mode ?? 0, 'mode') & 0o7777,
    uid: count(entry.uid ?? 0, 'uid'),
    gid: count(entry.gid ?? 0, 'gid'),
    size,
    segments,
    target: entry.linkName === undefined ? '' : text(entry.linkName, 'linkName'),
    device: isDevice ? { major: count(entry.devMajor ?? 0, 'devMajor'), minor: count(entry.devMinor ?? 0, 'devMinor') } : null,
    mtimeNs: time(entry.modtime),
    atimeNs: null,
    xattrs: new Map(
      Object.entries(isRecord(entry.xattrs) ? entry.xattrs : {}).map(([key, value]) => [fromUtf8(key), bytesOf(value)] as const),
    ),
    headerOffset: 0,
  }
}

function parsed(json: Uint8Array): Member {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
  } catch (cause) {
    throw broken('it is no JSON', cause)
  }
  if (!isRecord(value)) throw broken('it is no object')
  return value
}

function isRecord(value: unknown): value is Member {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function count(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw broken(`${name} is ${JSON.stringify(value)}`)
  return value
}

function text(value: unknown, name: string): ByteString {
  if (typeof value !== 'string' || value.includes('\0')) throw broken(`${name} is ${JSON.stringify(value)}`)
  return fromUtf8(value)
}

function bytesOf(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw broken('an xattr is no text in base64')
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0))
}

/** RFC 3339, to the second or finer; the beginning of time where none is given. */
function time(value: unknown): bigint {
  if (value === undefined || value === '') return 0n
  const milliseconds = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (!Number.isFinite(milliseconds)) throw broken(`modtime is ${JSON.stringify(value)}`)
  const [, fraction = ''] = /\.(\d+)/.exec(String(value)) ?? []
  return BigInt(Math.floor(milliseconds / 1000)) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9))
}

function broken(reason: string, cause?: unknown): EngineError {
  return new EngineError('INVALID_ARCHIVE', `the layer's table of contents cannot be used: ${reason}`, {
    cause,
    hint: 'Pull the image whole: leave --lazy out.',
  })
}
