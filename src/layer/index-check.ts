import { brokenIndex, IMPLIED, type LayerIndex, OPAQUE, TYPE_MASK, TYPES } from './index-table.js'

const FILE = TYPES.indexOf('file')
const DIRECTORY = TYPES.indexOf('directory')
const SYMLINK = TYPES.indexOf('symlink')
const SLASH = 0x2f
const DOT = 0x2e

/**
 * Checks that every reference of an index stays inside it and that its directories form a tree, so that nothing which uses it must.
 * Throws INVALID_ARCHIVE.
 */
export function checkIndex(index: LayerIndex): void {
  const { inodes } = index.counts
  if (inodes < 1 || ((index.kind[0] ?? 0) & TYPE_MASK) !== DIRECTORY) throw brokenIndex('it has no root')
  if (!Number.isSafeInteger(index.tarBytes) || index.tarBytes < 0) throw brokenIndex('the size of its tar is none')
  // How often an inode is named. A directory once and the root never, so what can be reached from it has no cycles.
  const names = new Uint32Array(inodes)
  for (let place = 0; place < inodes; place++) checkInode(index, place, names)
  for (let place = 0; place < inodes; place++) {
    const isDirectory = ((index.kind[place] ?? 0) & TYPE_MASK) === DIRECTORY
    if (names[place] !== (isDirectory ? Number(place > 0) : index.linkCount[place]) || (!isDirectory && names[place] === 0))
      throw brokenIndex(`inode ${place + 1} has a wrong number of names`)
  }
  checkWhiteouts(index)
  for (let place = 0; place < index.counts.xattrs; place++) {
    checkRange(index.xattrName[place], index.xattrNameLength[place], index.heap.length, 'xattr name')
    checkRange(index.xattrValue[place], index.xattrLength[place], index.heap.length, 'xattr value')
  }
}

function checkInode(index: LayerIndex, place: number, names: Uint32Array): void {
  const kind = index.kind[place] ?? 0
  const type = kind & TYPE_MASK
  const first = index.first[place] ?? 0
  const count = index.count[place] ?? 0
  if (type >= TYPES.length || (kind & ~(TYPE_MASK | OPAQUE | IMPLIED)) !== 0 || (index.mode[place] ?? 0) > 0o7777)
    throw brokenIndex(`inode ${place + 1} is of no known type`)
  const size = index.size[place] ?? 0
  if (!Number.isSafeInteger(size) || size < 0) throw brokenIndex(`inode ${place + 1} has no size`)
  checkRange(index.firstXattr[place], index.xattrCount[place], index.counts.xattrs, 'xattrs')
  if (type === DIRECTORY) {
    checkRange(first, count, index.counts.entries, 'entries')
    for (let entry = first; entry < first + count; entry++) checkEntry(index, entry, entry === first, names)
  } else if (type === SYMLINK) checkRange(first, count, index.heap.length, 'symlink target')
  else if (type === FILE) checkSegments(index, first, count, size)
}

function checkEntry(index: LayerIndex, entry: number, isFirst: boolean, names: Uint32Array): void {
  const start = index.entryName[entry] ?? 0
  const length = index.entryNameLength[entry] ?? 0
  checkName(index, start, length)
  const previous = entry - 1
  if (!isFirst && compareNames(index, index.entryName[previous] ?? 0, index.entryNameLength[previous] ?? 0, start, length) >= 0)
    throw brokenIndex('names are not in order')
  const child = (index.entryIno[entry] ?? 0) - 1
  if (child < 0 || child >= index.counts.inodes) throw brokenIndex('an entry names no inode')
  names[child] = (names[child] ?? 0) + 1
}

function checkName({ heap }: LayerIndex, start: number, length: number): void {
  checkRange(start, length, heap.length, 'name')
  const dots = (length === 1 && heap[start] === DOT) || (length === 2 && heap[start] === DOT && heap[start + 1] === DOT)
  if (length === 0 || dots) throw brokenIndex('a name is none')
  for (let at = start; at < start + length; at++) if (heap[at] === SLASH || heap[at] === 0) throw brokenIndex('a name is none')
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
  checkRange(first, count, index.counts.segments, 'segments')
  let end = 0
  for (let segment = first; segment < first + count; segment++) {
    const position = index.segmentPosition[segment] ?? -1
    const offset = index.segmentOffset[segment] ?? -1
    const length = index.segmentLength[segment] ?? -1
    const whole = Number.isSafeInteger(position) && Number.isSafeInteger(offset) && Number.isSafeInteger(length)
    if (!whole || position < end || length <= 0 || offset < 0 || position + length > size || offset + length > index.tarBytes)
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

function checkRange(first: number | undefined, count: number | undefined, limit: number, what: string): void {
  if ((first ?? 0) + (count ?? 0) > limit) throw brokenIndex(`its ${what} lie outside`)
}
