import { fromBytes } from '../fs/names.js'
import { BLOCK_BYTES, decodeNumber, malformed } from './header.js'
import { type PaxRecord, paxNumber } from './pax.js'
import type { TarWindow } from './window.js'

/** A run of a file's bytes that are in the tar; what no segment covers is a hole and reads as zeros. */
export interface Segment {
  /** Where in the file. */
  readonly position: number
  /** Where in the uncompressed tar. */
  readonly offset: number
  readonly length: number
}

/** What is known about a sparse file once its map is read. */
export interface SparseMap {
  /** Size of the file with its holes. */
  readonly size: number
  readonly segments: readonly Segment[]
  /** Where the packed contents begin, after whatever part of the map stands between. */
  readonly offset: number
}

type Region = readonly [position: number, length: number]

const MAP_BYTES = 24
const MAXIMUM_MAP_BYTES = 8 << 20

/** The map of GNU's own format (typeflag `S`): four regions in the header, the rest in blocks after it that `size` does not count. */
export function oldGnuMap(tar: TarWindow, headerOffset: number, packedBytes: number): SparseMap {
  const header = tar.bytes(headerOffset, BLOCK_BYTES).slice()
  const regions: Region[] = []
  const size = decodeNumber(header, 483, 12, 'sparse size', headerOffset)
  collectRegions(header, 386, 4, headerOffset, regions)
  let offset = headerOffset + BLOCK_BYTES
  let more = header[482] !== 0
  while (more) {
    if (regions.length * MAP_BYTES > MAXIMUM_MAP_BYTES) throw malformed('sparse map is too long', headerOffset)
    const block = tar.bytes(offset, BLOCK_BYTES)
    collectRegions(block, 0, 21, offset, regions)
    more = block[504] !== 0
    offset += BLOCK_BYTES
  }
  return { size, offset, segments: placeRegions(regions, size, offset, packedBytes, headerOffset) }
}

function collectRegions(block: Uint8Array, start: number, count: number, offset: number, regions: Region[]): void {
  for (let index = 0; index < count; index++) {
    const at = start + index * MAP_BYTES
    if (block[at] === 0) return
    regions.push([decodeNumber(block, at, 12, 'sparse offset', offset), decodeNumber(block, at + 12, 12, 'sparse length', offset)])
  }
}

/** The map of the pax formats 0.0, 0.1 and 1.0, or null when the records speak of none. `offset` is where contents begin. */
export function paxMap(tar: TarWindow, records: readonly PaxRecord[], offset: number, packedBytes: number): SparseMap | null {
  const last = new Map(records.map((record) => [record.key, record]))
  const major = last.get('GNU.sparse.major')
  const minor = last.get('GNU.sparse.minor')
  const map = last.get('GNU.sparse.map')
  const sizeRecord = last.get('GNU.sparse.realsize') ?? last.get('GNU.sparse.size')
  const blocks = last.get('GNU.sparse.numblocks')
  if (sizeRecord === undefined) {
    // Readers take its size from where it suits them: of the entry, of its map, or not at all.
    if ([major, minor, map, blocks].some((record) => record !== undefined)) throw malformed('a sparse file without its size', offset)
    return null
  }
  const size = paxNumber(sizeRecord, offset)
  if (major !== undefined || minor !== undefined) {
    const version = `${major ? fromBytes(major.value) : ''}.${minor ? fromBytes(minor.value) : ''}`
    if (version === '1.0') return mapInContents(tar, size, offset, packedBytes)
    if (version !== '0.0' && version !== '0.1') throw malformed(`unknown sparse format ${version}`, offset)
  }
  if (map === undefined && blocks === undefined) return null
  const regions = map === undefined ? repeatedRecords(records, offset) : listInRecord(map, offset)
  return { size, offset, segments: placeRegions(regions, size, offset, packedBytes, offset) }
}

// 0.0: the records repeat, offset and length in turn.
function repeatedRecords(records: readonly PaxRecord[], offset: number): readonly Region[] {
  const regions: Region[] = []
  let position: number | null = null
  for (const record of records) {
    if (record.key === 'GNU.sparse.offset') position = paxNumber(record, offset)
    if (record.key !== 'GNU.sparse.numbytes') continue
    if (position === null) throw malformed('sparse length without its offset', offset)
    regions.push([position, paxNumber(record, offset)])
    position = null
  }
  return regions
}

// 0.1: one record, numbers between commas.
function listInRecord({ key, value }: PaxRecord, offset: number): readonly Region[] {
  const numbers = value.length === 0 ? [] : fromBytes(value).split(',')
  const regions: Region[] = []
  for (let index = 0; index < numbers.length; index += 2) {
    const pair = numbers.slice(index, index + 2)
    if (pair.length < 2 || !pair.every((number) => /^[0-9]{1,16}$/.test(number))) throw malformed(`broken ${key}`, offset)
    regions.push([Number(pair[0]), Number(pair[1])])
  }
  return regions
}

// 1.0: lines before the contents, padded to a block; the entry's size counts them.
function mapInContents(tar: TarWindow, size: number, offset: number, packedBytes: number): SparseMap {
  let position = offset
  const line = (): number => {
    let digits = ''
    for (;;) {
      if (position >= offset + packedBytes || position - offset > MAXIMUM_MAP_BYTES || digits.length > 16)
        throw malformed('broken sparse map', offset)
      const byte = tar.bytes(position++, 1)[0] ?? 0
      if (byte === 0x0a) break
      digits += String.fromCharCode(byte)
    }
    if (!/^[0-9]+$/.test(digits)) throw malformed('broken sparse map', offset)
    return Number(digits)
  }
  const count = line()
  // Not `Array.from`: the count may lie, the lines end where the contents do.
  const regions: Region[] = []
  for (let index = 0; index < count; index++) regions.push([line(), line()])
  const contents = offset + Math.ceil((position - offset) / BLOCK_BYTES) * BLOCK_BYTES
  const left = packedBytes - (contents - offset)
  return { size, offset: contents, segments: placeRegions(regions, size, contents, left, offset) }
}

function placeRegions(regions: readonly Region[], size: number, contents: number, packedBytes: number, at: number): readonly Segment[] {
  if (size < 0) throw malformed('negative sparse size', at)
  const segments: Segment[] = []
  let end = 0
  let used = 0
  for (const [position, length] of regions) {
    if (position < end || length < 0 || position + length > size) throw malformed('sparse regions overlap or leave the file', at)
    // The last region may be empty; it only marks the end of the file.
    if (length > 0) segments.push({ position, offset: contents + used, length })
    end = position + length
    used += length
  }
  if (used !== packedBytes) throw malformed(`sparse regions hold ${used} bytes, the entry ${packedBytes}`, at)
  return segments
}
