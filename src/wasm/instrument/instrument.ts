/**
 * Puts counting into a module: a global that holds what it may still spend, and code that takes from it. What comes out behaves as what went
 * in, until the fuel is spent.
 *
 * The global and the start function, which becomes one that the host calls, are exported under names that the module has not. The guest's own code
 * cannot name them: it is validated as it came, before they are there.
 */
import { EngineError } from '../../errors.js'
import { type BinaryReader, malformed } from '../binary-reader.js'
import { SECTION, sectionsOf } from '../module.js'
import { ByteWriter } from './byte-writer.js'
import { type FunctionShape, FunctionWriter, type Instrumentation } from './function-writer.js'

/** A module with what was put into it. */
export interface InstrumentedModule {
  readonly bytes: Uint8Array
  /** Names of what the host needs of it; null where it has no fuel. */
  readonly fuel: FuelExports | null
}

/** What a module with fuel exports besides its own. */
export interface FuelExports {
  /** Name of the global that holds the fuel (i64, mutable, 0 at first). */
  readonly global: string
  /** Name of what was its start function, to be called when there is fuel; null for none. */
  readonly start: string | null
}

const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const
const I64 = 0x7e
const SHARED = 2
/** Sections in the order in which they come; the tags' and the data count's have numbers that say something else. */
const ORDER: readonly number[] = [1, 2, 3, 4, 5, 13, SECTION.global, SECTION.export, SECTION.start, 9, 12, SECTION.code, 11]

/**
 * Throws COMMAND_NOT_EXECUTABLE for a module that is not valid, that has instructions which are not known, or that shares its memory with
 * other threads.
 */
export function instrument(bytes: Uint8Array, wanted: Instrumentation): InstrumentedModule {
  if (!WebAssembly.validate(bytes)) throw malformed('this V8 finds it invalid')
  const outline = readOutline(bytes)
  const fuel = wanted.fuel
    ? {
        global: freeName('wolffia:fuel', outline.exports),
        start: outline.start === null ? null : freeName('wolffia:start', outline.exports),
      }
    : null
  const out = new ByteWriter()
  let copied = 0
  const additions: { readonly id: number; readonly count: number; readonly bytes: Uint8Array }[] =
    fuel === null
      ? []
      : [
          { id: SECTION.global, count: 1, bytes: Uint8Array.from([I64, 1, 0x42, 0, 0x0b]) },
          { id: SECTION.export, count: fuel.start === null ? 1 : 2, bytes: exportsOf(fuel, outline) },
        ]
  const addBefore = (id: number, at: number): void => {
    out.bytes(bytes.subarray(copied, at))
    copied = at
    while (additions[0] !== undefined && ORDER.indexOf(additions[0].id) < ORDER.indexOf(id)) writeList(out, additions.shift(), null)
  }
  for (const { id, at, end, contents } of sectionsOf(bytes)) {
    addBefore(id, at)
    if (additions[0]?.id === id) writeList(out, additions.shift(), { bytes: bytes.subarray(0, end), reader: contents() })
    else if (id === SECTION.code) writeCode(out, bytes.subarray(0, end), contents(), outline, wanted)
    else if (id !== SECTION.start || fuel === null) continue
    copied = end
  }
  out.bytes(bytes.subarray(copied))
  for (const addition of additions) writeList(out, addition, null)
  return { bytes: out.written().slice(), fuel }
}

/** A section that is a list, with more at its end. */
function writeList(
  out: ByteWriter,
  addition: { readonly id: number; readonly count: number; readonly bytes: Uint8Array } | undefined,
  before: { readonly bytes: Uint8Array; readonly reader: BinaryReader } | null,
): void {
  if (addition === undefined) return
  const list = new ByteWriter()
  list.u32((before?.reader.u32() ?? 0) + addition.count)
  if (before !== null) list.bytes(before.bytes.subarray(before.reader.position))
  list.bytes(addition.bytes)
  out.byte(addition.id)
  out.sized(list.written())
}

function writeCode(out: ByteWriter, bytes: Uint8Array, reader: BinaryReader, outline: Outline, wanted: Instrumentation): void {
  const writer = new FunctionWriter(wanted, outline.globals)
  const section = new ByteWriter()
  const body = new ByteWriter()
  const total = reader.u32()
  section.u32(total)
  for (let place = 0; place < total; place++) {
    const size = reader.u32()
    const end = reader.position + size
    body.clear()
    writer.write(bytes.subarray(0, end), reader, outline.types[outline.functions[place] ?? -1] ?? NO_SHAPE, body)
    section.sized(body.written())
    reader.position = end
  }
  out.byte(SECTION.code)
  out.sized(section.written())
}

const NO_SHAPE: FunctionShape = { parameters: 0, results: 0, resultType: [] }

function exportsOf({ global, start }: FuelExports, outline: Outline): Uint8Array {
  const list = new ByteWriter()
  const add = (name: string, kind: number, index: number): void => {
    list.sized(Buffer.from(name))
    list.byte(kind)
    list.u32(index)
  }
  add(global, EXTERNAL.global, outline.globals)
  if (start !== null && outline.start !== null) add(start, EXTERNAL.function, outline.start)
  return list.written()
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted
  while (taken.has(name)) name += '+'
  return name
}

/** What of a module its code refers to. */
interface Outline {
  readonly types: readonly FunctionShape[]
  /** Types of its own functions. */
  readonly functions: readonly number[]
  /** How many globals there are, imported ones included. */
  readonly globals: number
  readonly exports: ReadonlySet<string>
  readonly start: number | null
}

/** Of a module that is valid. */
function readOutline(bytes: Uint8Array): Outline {
  let types: readonly FunctionShape[] = []
  let functions: readonly number[] = []
  let globals = 0
  let exports: ReadonlySet<string> = new Set()
  let start: number | null = null
  for (const { id, contents, end } of sectionsOf(bytes)) {
    if (id === SECTION.type) types = readShapes(contents(), bytes.subarray(0, end))
    else if (id === SECTION.import) globals += countImportedGlobals(contents())
    else if (id === SECTION.function) functions = readList(contents(), (reader) => reader.u32())
    else if (id === SECTION.memory) readList(contents(), readMemory)
    else if (id === SECTION.global) globals += contents().u32()
    else if (id === SECTION.export) exports = new Set(readList(contents(), readExport))
    else if (id === SECTION.start) start = contents().u32()
  }
  return { types, functions, globals, exports, start }
}

function readList<Entry>(reader: BinaryReader, read: (reader: BinaryReader) => Entry): Entry[] {
  const entries: Entry[] = []
  for (let count = reader.u32(); count > 0; count--) entries.push(read(reader))
  return entries
}

function readShapes(reader: BinaryReader, bytes: Uint8Array): FunctionShape[] {
  return readList(reader, () => {
    if (reader.byte() !== 0x60) throw malformed('a type that is no function')
    const parameters = readList(reader, () => reader.valueType()).length
    let resultAt = reader.position
    const results = readList(reader, () => {
      resultAt = reader.position
      return reader.valueType()
    }).length
    return { parameters, results, resultType: results === 1 ? [...bytes.subarray(resultAt, reader.position)] : [] }
  })
}

function countImportedGlobals(reader: BinaryReader): number {
  const kinds = readList(reader, () => {
    reader.name()
    reader.name()
    const kind = reader.byte()
    if (kind === EXTERNAL.memory) readMemory(reader)
    else if (kind === EXTERNAL.table) {
      reader.valueType()
      reader.limits()
    } else if (kind === EXTERNAL.global) {
      reader.valueType()
      reader.byte()
    } else {
      if (kind === EXTERNAL.tag) reader.byte()
      reader.u32()
    }
    return kind
  })
  return kinds.filter((kind) => kind === EXTERNAL.global).length
}

/** Threads of one guest would each have fuel of their own, and race for what they share. */
function readMemory(reader: BinaryReader): void {
  if ((reader.limits().flags & SHARED) !== 0)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module shares its memory with threads, which have neither fuel nor an order', {
      hint: 'Build it for the target wasm32-wasip1 without threads, or run it without fuel and not deterministically.',
    })
}

function readExport(reader: BinaryReader): string {
  const name = reader.name()
  reader.byte()
  reader.u32()
  return name
}
