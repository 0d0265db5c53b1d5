/**
 * The records of a tree stream as a tar, as they come: nothing is held but the entry under way. The launcher says of each file first what a tar says
 * first (`path-read`); of one that shrinks while it is read the rest is zeros, and what it gains is left out.
 */
import type { ByteString, FileSegment } from '../fs/file-system.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import { ARCHIVE_END, type FileHead, type PackEntry, packEntry, packFileHead } from '../layer/pack.js'
import { below, isKeptXattr } from './tree-records.js'

const ZEROS = new Uint8Array(64 * 1024)

/** `name` is what the tree's root is called in the tar; empty for the root of an archive. */
export async function* recordTar(records: AsyncIterable<TreeRecord>, name: ByteString): AsyncGenerator<Uint8Array, void, undefined> {
  let open: OpenEntry | null = null
  for await (const record of records) {
    if (record.record === 'xattr') open?.addXattr(record.name, record.value)
    else if (record.record === 'segments') open?.setSegments(record.segments)
    else if (record.record === 'data') yield* open?.data(record.offset, record.bytes) ?? []
    else {
      yield* open?.end() ?? []
      open = record.record === 'entry' ? new OpenEntry(record.entry, name) : null
    }
  }
  yield ARCHIVE_END
}

/** The entry under way. */
class OpenEntry {
  readonly #entry: TreeEntry
  readonly #name: ByteString
  readonly #xattrs = new Map<ByteString, Uint8Array>()
  #segments: readonly FileSegment[] | null = null
  /** Of a file once its bytes begin. */
  #file: FileHead | null = null
  /** Where the next byte to be written stands in the file: in which of its segments. */
  #at = { segment: 0, position: 0 }

  constructor(entry: TreeEntry, name: ByteString) {
    this.#entry = entry
    this.#name = name
  }

  addXattr(name: ByteString, value: Uint8Array): void {
    if (isKeptXattr(name)) this.#xattrs.set(name, value)
  }

  setSegments(segments: readonly FileSegment[]): void {
    this.#segments = segments
  }

  *data(offset: number, bytes: Uint8Array): Generator<Uint8Array> {
    yield* this.#begin()
    yield* this.#fillUntil(offset)
    for (let used = 0; used < bytes.length; ) {
      const segment = this.#file?.segments[this.#at.segment]
      if (segment === undefined) return
      const position = Math.max(segment.position, this.#at.position)
      // What lies between segments was a hole when the file was looked at.
      used = Math.max(used, position - offset)
      const count = Math.min(bytes.length - used, segment.position + segment.length - position)
      if (count <= 0) {
        if (used >= bytes.length) return
        this.#at = { segment: this.#at.segment + 1, position }
        continue
      }
      yield bytes.subarray(used, used + count)
      used += count
      this.#advance(position + count)
    }
  }

  *end(): Generator<Uint8Array> {
    if (this.#entry.kind !== 'file') {
      yield* packEntry(packEntryOf(this.#entry, this.#name, this.#xattrs))
      return
    }
    yield* this.#begin()
    yield* this.#fillUntil(Number.POSITIVE_INFINITY)
    const padding = this.#file?.padding ?? 0
    if (padding > 0) yield ZEROS.subarray(0, padding)
  }

  *#begin(): Generator<Uint8Array> {
    if (this.#file !== null) return
    const segments = this.#segments
    this.#file = packFileHead(packEntryOf(this.#entry, this.#name, this.#xattrs), {
      size: this.#entry.size ?? 0,
      ...(segments === null ? {} : { segments: () => segments }),
    })
    yield* this.#file.head
  }

  /** Zeros for what of the segments lies before a position of the file and has not come. */
  *#fillUntil(position: number): Generator<Uint8Array> {
    const segments = this.#file?.segments ?? []
    for (let segment = segments[this.#at.segment]; segment !== undefined; segment = segments[this.#at.segment]) {
      const from = Math.max(segment.position, this.#at.position)
      const end = segment.position + segment.length
      const to = Math.min(end, position)
      for (let at = from; at < to; at += ZEROS.length) yield ZEROS.subarray(0, Math.min(ZEROS.length, to - at))
      if (to < end) {
        this.#at.position = Math.max(from, to)
        return
      }
      this.#at = { segment: this.#at.segment + 1, position: end }
    }
  }

  #advance(position: number): void {
    const segment = this.#file?.segments[this.#at.segment]
    const isWhole = segment !== undefined && position >= segment.position + segment.length
    this.#at = { segment: this.#at.segment + (isWhole ? 1 : 0), position }
  }
}

function packEntryOf(entry: TreeEntry, name: ByteString, xattrs: ReadonlyMap<ByteString, Uint8Array>): PackEntry {
  const { kind, mode, uid, gid, mtimeNs, device = null, target = '' } = entry
  const inside = (path: ByteString) => (path === '' ? name : below(name, path))
  const attributes = { path: inside(entry.path), mode, uid, gid, mtimeNs }
  if (kind === 'hard-link') return { ...attributes, type: 'hardlink', target: inside(target) }
  if (kind === 'symlink') return { ...attributes, type: kind, target }
  if (kind === 'file' || kind === 'directory') return { ...attributes, type: kind, xattrs }
  return { ...attributes, type: kind, device }
}
