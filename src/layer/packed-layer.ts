import { ErrnoError } from '../fs/errno.js'
import type { ByteString, DirectoryEntry, FileType, Ino, Stat } from '../fs/file-system.js'
import type { LayerFileSystem } from '../fs/layer-file-system.js'
import { fromBytes } from '../fs/names.js'
import { brokenIndex, IMPLIED, type LayerIndex, OPAQUE, TYPE_MASK, TYPES } from './index-table.js'
import type { ByteSource } from './source.js'

const ROOT: Ino = 1
const NO_NAMES: ReadonlySet<ByteString> = new Set()

/** A run of a file's bytes: `length` of them at `position` in the file are those at `offset` in the tar. */
export interface Segment {
  readonly position: number
  readonly offset: number
  readonly length: number
}

/**
 * One layer as a read-only tree over its index and its uncompressed tar. Holds the index; contents are read from the tar when asked for,
 * holes are zeros. The tar must be the one that was indexed: its size is compared, its digest is the store's business.
 */
export class PackedLayer implements LayerFileSystem {
  readonly root = ROOT
  readonly #index: LayerIndex
  readonly #tar: ByteSource
  /** All names at once; a name is a slice of it. */
  readonly #names: ByteString
  readonly #whiteouts = new Map<Ino, Set<ByteString>>()

  /** Throws INVALID_ARCHIVE when the tar can't be the index's. */
  constructor(index: LayerIndex, tar: ByteSource) {
    if (tar.size !== index.tarBytes) throw brokenIndex(`its tar has ${tar.size} bytes, not ${index.tarBytes}`)
    this.#index = index
    this.#tar = tar
    this.#names = fromBytes(index.heap)
    for (let place = 0; place < index.counts.whiteouts; place++) {
      const directory = at(index.whiteoutDirectory, place)
      const names = this.#whiteouts.get(directory) ?? new Set()
      names.add(this.#text(at(index.whiteoutName, place), at(index.whiteoutNameLength, place)))
      this.#whiteouts.set(directory, names)
    }
  }

  /** Size of its tar. */
  get tarBytes(): number {
    return this.#index.tarBytes
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    const place = this.#directory(directory)
    let low = at(this.#index.first, place)
    let high = low + at(this.#index.count, place) - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const order = this.#compareEntry(middle, name)
      if (order === 0) return at(this.#index.entryIno, middle)
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }

  stat(ino: Ino): Stat {
    const index = this.#index
    const place = this.#place(ino)
    const type = typeAt(index, place)
    const isDevice = type === 'character-device' || type === 'block-device'
    const mtimeNs = index.mtimeNs[place] ?? 0n
    return {
      ino,
      type,
      mode: at(index.mode, place),
      uid: at(index.uid, place),
      gid: at(index.gid, place),
      linkCount: type === 'directory' ? 2 + this.#countSubdirectories(place) : at(index.linkCount, place),
      size: at(index.size, place),
      device: isDevice ? { major: at(index.first, place), minor: at(index.count, place) } : null,
      atimeNs: index.atimeNs[place] ?? 0n,
      mtimeNs,
      ctimeNs: mtimeNs,
    }
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    const index = this.#index
    const place = this.#directory(directory)
    const first = at(index.first, place)
    return Array.from({ length: at(index.count, place) }, (_, position) => {
      const entry = first + position
      const ino = at(index.entryIno, entry)
      return { name: this.#text(at(index.entryName, entry), at(index.entryNameLength, entry)), ino, type: typeAt(index, ino - 1) }
    })
  }

  readlink(ino: Ino): ByteString {
    const place = this.#place(ino)
    if (typeAt(this.#index, place) !== 'symlink') throw new ErrnoError('EINVAL', 'not a symlink')
    return this.#text(at(this.#index.first, place), at(this.#index.count, place))
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    const index = this.#index
    const place = this.#place(ino)
    const type = typeAt(index, place)
    if (type === 'directory') throw new ErrnoError('EISDIR')
    if (type !== 'file') throw new ErrnoError('EINVAL', `reading a ${type}`)
    const length = Math.min(buffer.length, at(index.size, place) - position)
    if (length <= 0) return 0
    const end = position + length
    let filled = position
    for (let segment = this.#firstSegment(place, position); segment < at(index.first, place) + at(index.count, place); segment++) {
      const start = at(index.segmentPosition, segment)
      if (start >= end) break
      const from = Math.max(start, position)
      const to = Math.min(start + at(index.segmentLength, segment), end)
      buffer.fill(0, filled - position, from - position)
      this.#readTar(buffer.subarray(from - position, to - position), at(index.segmentOffset, segment) + from - start)
      filled = to
    }
    buffer.fill(0, filled - position, length)
    return length
  }

  /** Where a file's bytes stand in the tar, in order; what lies between them is a hole. Empty for anything but a file. */
  *segments(ino: Ino): Generator<Segment> {
    const index = this.#index
    const place = this.#place(ino)
    if (typeAt(index, place) !== 'file') return
    const first = at(index.first, place)
    for (let segment = first; segment < first + at(index.count, place); segment++)
      yield {
        position: at(index.segmentPosition, segment),
        offset: at(index.segmentOffset, segment),
        length: at(index.segmentLength, segment),
      }
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    const index = this.#index
    const place = this.#place(ino)
    const first = at(index.firstXattr, place)
    const xattrs = new Map<ByteString, Uint8Array>()
    for (let xattr = first; xattr < first + at(index.xattrCount, place); xattr++) {
      const value = at(index.xattrValue, xattr)
      const name = this.#text(at(index.xattrName, xattr), at(index.xattrNameLength, xattr))
      xattrs.set(name, index.heap.slice(value, value + at(index.xattrLength, xattr)))
    }
    return xattrs
  }

  whiteouts(directory: Ino): ReadonlySet<ByteString> {
    return this.#whiteouts.get(directory) ?? NO_NAMES
  }

  isOpaque(directory: Ino): boolean {
    return (at(this.#index.kind, this.#place(directory)) & OPAQUE) !== 0
  }

  isImplied(directory: Ino): boolean {
    return (at(this.#index.kind, this.#place(directory)) & IMPLIED) !== 0
  }

  linkCount(file: Ino): number {
    return at(this.#index.linkCount, this.#place(file))
  }

  /** Closes the tar. */
  close(): void {
    this.#tar.close()
  }

  #place(ino: Ino): number {
    if (!(ino >= 1 && ino <= this.#index.counts.inodes)) throw new ErrnoError('ENOENT', `no inode ${ino}`)
    return ino - 1
  }

  #directory(ino: Ino): number {
    const place = this.#place(ino)
    if (typeAt(this.#index, place) !== 'directory') throw new ErrnoError('ENOTDIR')
    return place
  }

  #countSubdirectories(place: number): number {
    const index = this.#index
    const first = at(index.first, place)
    let count = 0
    for (let entry = first; entry < first + at(index.count, place); entry++)
      if (typeAt(index, at(index.entryIno, entry) - 1) === 'directory') count++
    return count
  }

  #text(start: number, length: number): ByteString {
    return this.#names.slice(start, start + length)
  }

  #compareEntry(entry: number, name: ByteString): number {
    const { heap } = this.#index
    const start = at(this.#index.entryName, entry)
    const length = at(this.#index.entryNameLength, entry)
    const shorter = Math.min(length, name.length)
    for (let position = 0; position < shorter; position++) {
      const difference = at(heap, start + position) - name.charCodeAt(position)
      if (difference !== 0) return difference
    }
    return length - name.length
  }

  // The first segment that ends after `position`.
  #firstSegment(place: number, position: number): number {
    let low = at(this.#index.first, place)
    let high = low + at(this.#index.count, place)
    while (low < high) {
      const middle = (low + high) >>> 1
      if (at(this.#index.segmentPosition, middle) + at(this.#index.segmentLength, middle) > position) high = middle
      else low = middle + 1
    }
    return low
  }

  #readTar(buffer: Uint8Array, offset: number): void {
    const count = this.#tar.read(buffer, offset)
    if (count < buffer.length) throw new ErrnoError('EIO', `the layer's tar ends at byte ${offset + count}`)
  }
}

function typeAt(index: LayerIndex, place: number): FileType {
  return TYPES[at(index.kind, place) & TYPE_MASK] ?? 'file'
}

// The index was checked as a whole, so no place is outside; the fallback is for the type checker.
function at(column: Float64Array | Uint32Array | Uint16Array | Uint8Array, place: number): number {
  return column[place] ?? 0
}
