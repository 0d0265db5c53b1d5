import { MAXIMUM_FILE_BYTES } from '../fs/file-system.js'
import { MAXIMUM_ID } from './entry.js'
import { brokenIndex, HIDDEN_NAMES, IMPLIED, type LayerIndex, OPAQUE, TYPE_MASK, TYPES } from './index-table.js'
import { MAXIMUM_MAJOR, MAXIMUM_MINOR, MAXIMUM_PATH_BYTES, MAXIMUM_XATTR_BYTES } from './tree-builder.js'

const FILE = TYPES.indexOf('file')
const DIRECTORY = TYPES.indexOf('directory')
const SYMLINK = TYPES.indexOf('symlink')
const DEVICES: readonly number[] = [TYPES.indexOf('character-device'), TYPES.indexOf('block-device')]
const SLASH = 0x2f
const DOT = 0x2e

/**
 * Checks that every reference of an index stays inside it, that no row is anybody's twice, and that its directories form a tree no deeper than
 * a path is long, so that nothing which uses it must; what takes time by the product of two counts would be a bomb. Throws INVALID_ARCHIVE.
 */
export function checkIndex(index: LayerIndex): void {
  const { inodes } = index.counts
  if (inodes < 1 || ((index.kind[0] ?? 0) & TYPE_MASK) !== DIRECTORY) throw brokenIndex('it has no root')
  if (!isCount(index.tarBytes)) throw brokenIndex('the size of its tar is none')
  const seen = new Seen(inodes)
  for (let place = 0; place < inodes; place++) checkInode(index, place, seen)
  for (let place = 0; place < inodes; place++) {
    const isDirectory = ((index.kind[place] ?? 0) & TYPE_MASK) === DIRECTORY
    const names = seen.names[place] ?? 0
    const linkCount = isDirectory ? Number(place > 0) : (index.linkCount[place] ?? 0)
    const isWhole = ((index.kind[place] ?? 0) & HIDDEN_NAMES) === 0
    if ((isWhole ? names !== linkCount : names >= linkCount) || (!isDirectory && names === 0))
      throw brokenIndex(`inode ${place + 1} has a wrong number of names`)
  }
  checkWhiteouts(index)
  for (let place = 0; place < index.counts.xattrs; place++) checkXattr(index, place)
}

/** What has been met on the way through the inodes. */
class Seen {
  /** How often an inode is named: a directory once and the root never, so what can be reached from it has no cycles. */
  readonly names: Uint32Array
  /** Bytes of the path to each directory, a slash for each of its names; directories come before those in them. */
  readonly pathBytes: Uint16Array
  entries = 0
  segments = 0
  xattrs = 0

  constructor(inodes: number) {
    this.names = new Uint32Array(inodes)
    this.pathBytes = new Uint16Array(inodes)
  }

  /** The rows of an inode: each kind stands in the order of the inodes. */
  take(what: 'entries' | 'segments' | 'xattrs', first: number, count: number, limit: number): void {
    if (first !== this[what] && count > 0) throw brokenIndex(`its ${what} are out of order`)
    this[what] += count
    if (this[what] > limit) throw brokenIndex(`its ${what} lie outside`)
  }
}

function checkInode(index: LayerIndex, place: number, seen: Seen): void {
  const kind = index.kind[place] ?? 0
  const type = kind & TYPE_MASK
  const first = index.first[place] ?? 0
  const count = index.count[place] ?? 0
  if (type >= TYPES.length || (kind & ~(TYPE_MASK | OPAQUE | IMPLIED | HIDDEN_NAMES)) !== 0 || (index.mode[place] ?? 0) > 0o7777)
    throw brokenIndex(`inode ${place + 1} is of no known type`)
  if ((index.uid[place] ?? 0) > MAXIMUM_ID || (index.gid[place] ?? 0) > MAXIMUM_ID) throw brokenIndex(`inode ${place + 1} is nobody's`)
  const size = index.size[place] ?? 0
  if (!isCount(size) || size > MAXIMUM_FILE_BYTES) throw brokenIndex(`inode ${place + 1} has no size`)
  seen.take('xattrs', index.firstXattr[place] ?? 0, index.xattrCount[place] ?? 0, index.counts.xattrs)
  if (type === DIRECTORY) {
    seen.take('entries', first, count, index.counts.entries)
    for (let entry = first; entry < first + count; entry++) checkEntry(index, place, entry, entry === first, seen)
  } else if (type === SYMLINK) {
    if (count === 0 || count > MAXIMUM_PATH_BYTES || size !== count) throw brokenIndex(`inode ${place + 1} leads nowhere`)
    checkText(index, first, count, 'symlink target')
  } else if (type === FILE) {
    seen.take('segments', first, count, index.counts.segments)
    checkSegments(index, first, count, size)
  } else if (DEVICES.includes(type) && (first > MAXIMUM_MAJOR || count > MAXIMUM_MINOR))
    throw brokenIndex(`inode ${place + 1} is no device`)
}

function checkEntry(index: LayerIndex, directory: number, entry: number, isFirst: boolean, seen: Seen): void {
  const start = index.entryName[entry] ?? 0
  const length = index.entryNameLength[entry] ?? 0
  checkName(index, start, length)
  const previous = entry - 1
  if (!isFirst && compareNames(index, index.entryName[previous] ?? 0, index.entryNameLength[previous] ?? 0, start, length) >= 0)
    throw brokenIndex('names are not in order')
  const child = (index.entryIno[entry] ?? 0) - 1
  if (child < 0 || child >= index.counts.inodes) throw brokenIndex('an entry names no inode')
  const pathBytes = (seen.pathBytes[directory] ?? 0) + length
  if (pathBytes > MAXIMUM_PATH_BYTES) throw brokenIndex('it is deeper than a path is long')
  seen.names[child] = (seen.names[child] ?? 0) + 1
  if (((index.kind[child] ?? 0) & TYPE_MASK) !== DIRECTORY) return
  if (child <= directory) throw brokenIndex('a directory comes before the one it is in')
  seen.pathBytes[child] = pathBytes + 1
}

function checkName({ heap }: LayerIndex, start: number, length: number): void {
  checkRange(start, length, heap.length, 'name')
  const dots = (length === 1 && heap[start] === DOT) || (length === 2 && heap[start] === DOT && heap[start + 1] === DOT)
  if (length === 0 || dots) throw brokenIndex('a name is none')
  for (let at = start; at < start + length; at++) if (heap[at] === SLASH || heap[at] === 0) throw brokenIndex('a name is none')
}

function checkText({ heap }: LayerIndex, start: number, length: number, what: string): void {
  checkRange(start, length, heap.length, what)
  for (let at = start; at < start + length; at++) if (heap[at] === 0) throw brokenIndex(`a ${what} is none`)
}

function checkXattr(index: LayerIndex, place: number): void {
  const length = index.xattrNameLength[place] ?? 0
  if (length === 0 || (index.xattrLength[place] ?? 0) > MAXIMUM_XATTR_BYTES) throw brokenIndex('an xattr is none that a file can have')
  checkText(index, index.xattrName[place] ?? 0, length, 'xattr name')
  checkRange(index.xattrValue[place], index.xattrLength[place], index.heap.length, 'xattr value')
}

function compareNames({ heap }: LayerIndex, left: number, leftLength: number, right: number, rightLength: number): number {
  const shorter = Math.min(leftLength, rightLength)
  for (let at = 0; at < shorter; at++) {
    const difference = (heap[left + at] ?? 0) - (heap[right + at] ?? 0)
    if (difference !== 0) return difference
  }
  return leftLength - rightLength
}

function checkSegments(index: LayerIndex, first: number, count: number, size: number): void {
  let end = 0
  for (let segment = first; segment < first + count; segment++) {
    const position = index.segmentPosition[segment] ?? -1
    const offset = index.segmentOffset[segment] ?? -1
    const length = index.segmentLength[segment] ?? -1
    if (
      !isCount(position) ||
      !isCount(offset) ||
      !isCount(length) ||
      position < end ||
      length === 0 ||
      position + length > size ||
      offset + length > index.tarBytes
    )
      throw brokenIndex('contents lie outside the file or the tar')
    end = position + length
  }
}

function checkWhiteouts(index: LayerIndex): void {
  for (let place = 0; place < index.counts.whiteouts; place++) {
    const directory = (index.whiteoutDirectory[place] ?? 0) - 1
    if (directory < 0 || directory >= index.counts.inodes || ((index.kind[directory] ?? 0) & TYPE_MASK) !== DIRECTORY)
      throw brokenIndex('a whiteout stands in no directory')
    checkName(index, index.whiteoutName[place] ?? 0, index.whiteoutNameLength[place] ?? 0)
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function checkRange(first: number | undefined, count: number | undefined, limit: number, what: string): void {
  if ((first ?? 0) + (count ?? 0) > limit) throw brokenIndex(`its ${what} lie outside`)
}
