import { closeSync, openSync, readSync } from 'node:fs'

/** What the dynamic linker needs to know of a file (System V ABI, "Program Header" and "Dynamic Section"). */
export interface DynamicInfo {
  /** Path of the dynamic linker; null for libraries and static programs. */
  readonly interpreter: string | null
  /** The name by which others need this library; null when it has none. */
  readonly soname: string | null
  /** Names of the libraries it needs. */
  readonly needed: readonly string[]
}

const PT_LOAD = 1
const PT_DYNAMIC = 2
const PT_INTERP = 3
const DT_NEEDED = 1
const DT_STRTAB = 5
const DT_STRSZ = 10
const DT_SONAME = 14

/** Reads a 64-bit little-endian ELF file. Null when it is none. */
export function readDynamicInfo(path: string): DynamicInfo | null {
  const descriptor = openSync(path, 'r')
  const read = (offset: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset))
  }
  try {
    const header = read(0, 64)
    if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return null
    const entrySize = header.readUInt16LE(54)
    const table = read(number64(header, 32), entrySize * header.readUInt16LE(56))
    const segments = Array.from({ length: header.readUInt16LE(56) }, (_, index) => {
      const at = index * entrySize
      const [offset, address, size] = [number64(table, at + 8), number64(table, at + 16), number64(table, at + 32)]
      return { type: table.readUInt32LE(at), offset, address, size }
    })
    const interpreter = segments.find(({ type }) => type === PT_INTERP)
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC)
    const fileOffset = (address: number): number => {
      const holder = segments.find((each) => each.type === PT_LOAD && address >= each.address && address < each.address + each.size)
      return holder === undefined ? 0 : address - holder.address + holder.offset
    }
    const tags = dynamic === undefined ? [] : dynamicTags(read(dynamic.offset, dynamic.size))
    const value = (tag: number): number => tags.find(([each]) => each === tag)?.[1] ?? 0
    const strings = read(fileOffset(value(DT_STRTAB)), value(DT_STRSZ))
    const soname = value(DT_SONAME)
    return {
      interpreter: interpreter === undefined ? null : cString(read(interpreter.offset, interpreter.size), 0),
      soname: soname === 0 ? null : cString(strings, soname),
      needed: tags.filter(([tag]) => tag === DT_NEEDED).map(([, offset]) => cString(strings, offset)),
    }
  } finally {
    closeSync(descriptor)
  }
}

function dynamicTags(bytes: Buffer): (readonly [tag: number, value: number])[] {
  return Array.from({ length: Math.floor(bytes.length / 16) }, (_, index) => [number64(bytes, index * 16), number64(bytes, index * 16 + 8)])
}

function number64(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64LE(offset))
}

function cString(bytes: Buffer, offset: number): string {
  const end = bytes.indexOf(0, offset)
  return bytes.toString('latin1', offset, end < 0 ? bytes.length : end)
}
