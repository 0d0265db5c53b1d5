/**
 * Instructions as the instrumentation sees them: where each ends, and what it does to the flow of control. Every instruction of WebAssembly
 * 2.0 is known, with tail calls, both kinds of exception handling, atomics and multiple memories; any other is refused by name.
 */
import { EngineError } from '../../errors.js'
import type { BinaryReader } from '../binary-reader.js'

/** Opcodes that the instrumentation acts on. Those behind a prefix have it in front: 0xfc0b is the eleventh behind 0xfc. */
export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  throwRef: 0x0a,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  delegate: 0x18,
  catchAll: 0x19,
  drop: 0x1a,
  tryTable: 0x1f,
  globalGet: 0x23,
  globalSet: 0x24,
  memoryGrow: 0x40,
  memoryInit: 0xfc08,
  memoryCopy: 0xfc0a,
  memoryFill: 0xfc0b,
  tableInit: 0xfc0c,
  tableCopy: 0xfc0e,
  tableGrow: 0xfc0f,
  tableFill: 0xfc11,
} as const

/** What the opcodes behind 0xfd begin at. */
export const VECTOR = 0xfd000
const ATOMIC = 0xfe000
const BULK = 0xfc00
const EMPTY_BLOCK = 0x40
const BULK_IMMEDIATES: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1]

/** An instruction, but for where it stands. */
export interface Instruction {
  readonly opcode: number
  /** Where it may go: depths as a branch counts them, those of a `try_table` from outside of it. */
  readonly labels: readonly number[]
}

const NO_LABELS: readonly number[] = []

/** Reads one instruction. Throws COMMAND_NOT_EXECUTABLE for one that is not known here. */
export function readInstruction(reader: BinaryReader): Instruction {
  const first = reader.byte()
  if (first === 0xfc) return plain(BULK + readBulk(reader))
  if (first === 0xfd) return plain(VECTOR + readVector(reader))
  if (first === 0xfe) return plain(ATOMIC + readAtomic(reader))
  const labels = readImmediates(first, reader)
  return { opcode: first, labels }
}

function plain(opcode: number): Instruction {
  return { opcode, labels: NO_LABELS }
}

function readImmediates(opcode: number, reader: BinaryReader): readonly number[] {
  if (opcode >= 0x45 && opcode <= 0xc4) return NO_LABELS
  if (opcode >= 0x28 && opcode <= 0x3e) {
    readMemoryArgument(reader)
    return NO_LABELS
  }
  if (opcode >= 0x20 && opcode <= 0x26) {
    reader.u32()
    return NO_LABELS
  }
  switch (opcode) {
    case OP.br:
    case OP.brIf:
      return [reader.u32()]
    case OP.brTable:
      return Array.from({ length: labelCount(reader) }, () => reader.u32())
    case OP.block:
    case OP.loop:
    case OP.if:
    case OP.try:
      readBlockType(reader)
      return NO_LABELS
    case OP.tryTable:
      readBlockType(reader)
      return readCatches(reader)
    case OP.callIndirect:
    case OP.returnCallIndirect:
      reader.u32()
      reader.u32()
      return NO_LABELS
    case 0x41: // i32.const
    case 0x42: // i64.const
    case 0xd0: // ref.null
      reader.skipLeb()
      return NO_LABELS
    case 0x43: // f32.const
      reader.position += 4
      return NO_LABELS
    case 0x44: // f64.const
      reader.position += 8
      return NO_LABELS
    case 0x1c: // select, with its types
      for (let count = reader.u32(); count > 0; count--) reader.valueType()
      return NO_LABELS
    case OP.call:
    case OP.returnCall:
    case OP.throw:
    case OP.rethrow:
    case OP.catch:
    case OP.delegate:
    case 0x3f: // memory.size
    case OP.memoryGrow:
    case 0xd2: // ref.func
      reader.u32()
      return NO_LABELS
    case OP.unreachable:
    case OP.nop:
    case OP.else:
    case OP.end:
    case OP.return:
    case OP.throwRef:
    case OP.catchAll:
    case OP.drop:
    case 0x1b: // select
    case 0xd1: // ref.is_null
      return NO_LABELS
    default:
      throw unknown(opcode)
  }
}

function labelCount(reader: BinaryReader): number {
  const count = reader.u32() + 1
  // V8's limit, and less than what would take memory before it is read.
  if (count > MOST_LABELS) throw new EngineError('COMMAND_NOT_EXECUTABLE', `the module has a br_table of ${count} labels`)
  return count
}

const MOST_LABELS = 65_521

function readCatches(reader: BinaryReader): readonly number[] {
  const labels: number[] = []
  for (let count = reader.u32(); count > 0; count--) {
    if (reader.byte() < 2) reader.u32()
    labels.push(reader.u32())
  }
  return labels
}

function readBlockType(reader: BinaryReader): void {
  const first = reader.peek()
  if (first === EMPTY_BLOCK) reader.byte()
  else if ((first & 0xc0) === 0x40) reader.valueType()
  else reader.skipLeb()
}

function readMemoryArgument(reader: BinaryReader): void {
  // Bit 6 of the alignment announces a memory's index (multiple memories).
  if ((reader.u32() & 64) !== 0) reader.u32()
  reader.skipLeb()
}

function readBulk(reader: BinaryReader): number {
  const opcode = reader.u32()
  const count = BULK_IMMEDIATES[opcode]
  if (count === undefined) throw unknown(0xfc, opcode)
  for (let left = count; left > 0; left--) reader.u32()
  return opcode
}

function readVector(reader: BinaryReader): number {
  const opcode = reader.u32()
  if (opcode > 0xff)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module has relaxed SIMD, which gives different results on different machines', {
      hint: 'Build it without -mrelaxed-simd, or run it without fuel and not deterministically.',
      data: { opcode: `0xfd ${opcode}` },
    })
  if (opcode <= 11 || opcode === 92 || opcode === 93) readMemoryArgument(reader)
  else if (opcode <= 13) reader.position += 16
  else if (opcode >= 21 && opcode <= 34) reader.position++
  else if (opcode >= 84 && opcode <= 91) {
    readMemoryArgument(reader)
    reader.position++
  }
  return opcode
}

function readAtomic(reader: BinaryReader): number {
  const opcode = reader.u32()
  if (opcode === 3) reader.position++
  else if (opcode <= 0x4e) readMemoryArgument(reader)
  else throw unknown(0xfe, opcode)
  return opcode
}

function unknown(...opcode: readonly number[]): EngineError {
  const text = opcode.map((byte) => `0x${byte.toString(16)}`).join(' ')
  return new EngineError('COMMAND_NOT_EXECUTABLE', `the module has an instruction that cannot be given fuel: ${text}`, {
    hint: 'Build it without proposals that are not part of WebAssembly 2.0, or run it without fuel and not deterministically.',
    data: { opcode: text },
  })
}
