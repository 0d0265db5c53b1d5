/**
 * A module that begins where an instance of it has come to: what of its memory has changed follows its own data, its globals begin with the values
 * that they had, and what has initialised it is gone. Any engine runs it (github.com/bytecodealliance/wizer makes the like).
 */
import { type BinaryReader, HAS_MAXIMUM } from '../binary-reader.js'
import { SECTION } from '../module.js'
import { ByteWriter } from './byte-writer.js'
import { readGlobal } from './reveal.js'
import { type Addition, EXTERNAL, editSections, readExport, readList } from './sections.js'

/** What an instance has become since it was made; numbers of globals in the order of those that can be set. */
export interface InstanceState {
  readonly memoryPages: number
  /** Where the changed blocks of memory begin, in bytes, and how long each is. */
  readonly blocks: readonly { readonly at: number; readonly length: number }[]
  /** What they hold, one after the other. */
  readonly contents: Uint8Array
  readonly globals: readonly (number | bigint)[]
}

const CONSTANT = { 127: 0x41, 126: 0x42, 125: 0x43, 124: 0x44 } as const
const END = 0x0b
const ACTIVE = 0

/** `bytes` are valid and their state can be kept (`reveal`). Functions that are called `unwanted` are exported no more. */
export function withState(bytes: Uint8Array, state: InstanceState, unwanted: ReadonlySet<string>): Uint8Array {
  const data = dataAddition(state)
  return editSections(bytes, {
    additions: data.count === 0 ? [] : [data],
    dropped: new Set([SECTION.start]),
    rewritten: new Map([
      [SECTION.memory, (out, _whole, reader) => writeMemory(out, reader, state.memoryPages)],
      [SECTION.global, (out, whole, reader) => writeGlobals(out, whole, reader, state.globals)],
      [SECTION.export, (out, whole, reader) => writeExports(out, whole, reader, unwanted)],
      [SECTION.dataCount, (out, _whole, reader) => out.u32(reader.u32() + data.count)],
    ]),
  })
}

function dataAddition({ blocks, contents }: InstanceState): Addition {
  const segments = new ByteWriter()
  let taken = 0
  for (const { at, length } of blocks) {
    segments.u32(ACTIVE)
    writeConstant(segments, 0x7f, at)
    segments.sized(contents.subarray(taken, taken + length))
    taken += length
  }
  return { section: SECTION.data, count: blocks.length, bytes: segments.written() }
}

function writeMemory(out: ByteWriter, reader: BinaryReader, pages: number): void {
  const memories = readList(reader, () => reader.limits())
  out.u32(memories.length)
  for (const { flags, minimum, maximum } of memories) {
    out.byte(flags)
    out.u32(Math.max(minimum, pages))
    if ((flags & HAS_MAXIMUM) !== 0) out.u32(maximum ?? 0)
  }
}

function writeGlobals(out: ByteWriter, bytes: Uint8Array, reader: BinaryReader, values: readonly (number | bigint)[]): void {
  const left = [...values]
  const total = reader.u32()
  out.u32(total)
  for (let place = 0; place < total; place++) {
    const start = reader.position
    const { type, isMutable } = readGlobal(reader)
    if (!isMutable) out.bytes(bytes.subarray(start, reader.position))
    else {
      out.bytes([type, 1])
      writeConstant(out, type, left.shift() ?? 0)
    }
  }
}

/** An expression that gives a number of this type. */
function writeConstant(out: ByteWriter, type: number, value: number | bigint): void {
  out.byte(CONSTANT[type as keyof typeof CONSTANT])
  if (type === 0x7f) out.signed(BigInt.asIntN(32, BigInt(value)))
  else if (type === 0x7e) out.signed(BigInt.asIntN(64, BigInt(value)))
  else {
    const bytes = type === 0x7d ? new Float32Array([Number(value)]) : new Float64Array([Number(value)])
    out.bytes(new Uint8Array(bytes.buffer))
  }
  out.byte(END)
}

function writeExports(out: ByteWriter, bytes: Uint8Array, reader: BinaryReader, unwanted: ReadonlySet<string>): void {
  const entries = readList(reader, () => {
    const start = reader.position
    const { name, kind } = readExport(reader)
    return { isUnwanted: kind === EXTERNAL.function && unwanted.has(name), bytes: bytes.subarray(start, reader.position) }
  }).filter(({ isUnwanted }) => !isUnwanted)
  out.u32(entries.length)
  for (const entry of entries) out.bytes(entry.bytes)
}
