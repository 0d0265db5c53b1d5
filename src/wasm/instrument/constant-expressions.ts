import { EngineError } from '../../errors.js'
import type { BinaryReader } from '../binary-reader.js'
import { SECTION, sectionsOf } from '../module.js'
import { readList } from './sections.js'

const END = 0x0b
const GLOBAL_GET = 0x23
/** Bytes of what follows an instruction of a constant expression; null for a number that says its own length. */
const IMMEDIATES: ReadonlyMap<number, number | null> = new Map([
  [0x41, null],
  [0x42, null],
  [0x43, 4],
  [0x44, 8],
  [0xd0, null],
  [0xd2, null],
  // Sums and products of the same.
  ...[0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e].map((opcode) => [opcode, 0] as const),
])
const VECTOR = 0xfd
const VECTOR_BYTES = 16

/** Reads a constant expression to its end; `global` is told of each global that it names. Throws `unknown` for an instruction that is not known. */
export function readConstant(reader: BinaryReader, unknown: () => EngineError, global: (index: number) => void = () => {}): void {
  for (let opcode = reader.byte(); opcode !== END; opcode = reader.byte()) {
    if (opcode === GLOBAL_GET) global(reader.u32())
    else if (opcode === VECTOR) {
      reader.skipLeb()
      reader.position += VECTOR_BYTES
    } else {
      const bytes = IMMEDIATES.get(opcode)
      if (bytes === undefined) throw unknown()
      if (bytes === null) reader.skipLeb()
      else reader.position += bytes
    }
  }
}

/**
 * Makes sure that what a valid module begins with names none of its own globals, which have numbers from `imported` on, so that these can be numbered
 * anew. Throws COMMAND_NOT_EXECUTABLE.
 */
export function assertNamesNoOwnGlobal(bytes: Uint8Array, imported: number): void {
  const read = (reader: BinaryReader): void =>
    readConstant(reader, refusal, (index) => {
      if (index >= imported) throw refusal()
    })
  for (const { id, contents } of sectionsOf(bytes)) {
    if (id === SECTION.global)
      readList(contents(), (reader) => {
        reader.valueType()
        reader.byte()
        read(reader)
      })
    else if (id === SECTION.element) readList(contents(), (reader) => readElements(reader, read))
    else if (id === SECTION.data) readList(contents(), (reader) => readContents(reader, read))
  }
}

/** Core specification, "Element Section": what the bits of a segment's first number say. */
const ELEMENTS = { isNotActive: 1, hasTable: 2, hasExpressions: 4 } as const

function readElements(reader: BinaryReader, constant: (reader: BinaryReader) => void): void {
  const flags = reader.u32()
  const isActive = (flags & ELEMENTS.isNotActive) === 0
  if (isActive) {
    if ((flags & ELEMENTS.hasTable) !== 0) reader.u32()
    constant(reader)
  }
  const hasExpressions = (flags & ELEMENTS.hasExpressions) !== 0
  if (!isActive || (flags & ELEMENTS.hasTable) !== 0) {
    if (hasExpressions) reader.valueType()
    else reader.byte()
  }
  for (let count = reader.u32(); count > 0; count--) {
    if (hasExpressions) constant(reader)
    else reader.u32()
  }
}

function readContents(reader: BinaryReader, constant: (reader: BinaryReader) => void): void {
  const flags = reader.u32()
  if (flags === 2) reader.u32()
  if (flags !== 1) constant(reader)
  const size = reader.u32()
  reader.position += size
}

function refusal(): EngineError {
  return new EngineError(
    'COMMAND_NOT_EXECUTABLE',
    'a core module of the component begins with what cannot be given fuel: a global of its own',
    {
      hint: 'Run it without fuel, or build it for WebAssembly 2.0 without extended constant expressions.',
    },
  )
}
