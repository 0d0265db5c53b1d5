/**
 * Puts counting into a module: a global that holds what it may still spend, and code that takes from it. What comes out behaves as what went
 * in, until the fuel is spent.
 *
 * The global and the start function, which becomes one that the host calls, are exported under names that the module has not. The guest's own code
 * cannot name them: it is validated as it came, before they are there.
 */
import { EngineError } from '../../errors.js'
import { type BinaryReader, IS_64_BIT, type Limits, malformed, SHARED } from '../binary-reader.js'
import { collected, SECTION, sectionsOf } from '../module.js'
import { ByteWriter } from './byte-writer.js'
import { type FunctionGlobals, type FunctionShape, FunctionWriter, type Instrumentation } from './function-writer.js'
import { type Addition, EXTERNAL, editSections, exportAddition, freeName, importKinds, readExport, readList } from './sections.js'

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

const I64 = 0x7e

/**
 * Throws COMMAND_NOT_EXECUTABLE for a module that is not valid, that has instructions which are not known, or that shares its memory with
 * other threads.
 */
export function instrument(bytes: Uint8Array, wanted: Instrumentation): InstrumentedModule {
  const outline = readOutline(bytes)
  const fuel = wanted.fuel
    ? {
        global: freeName('wolffia:fuel', outline.exports),
        start: outline.start === null ? null : freeName('wolffia:start', outline.exports),
      }
    : null
  const additions: readonly Addition[] =
    fuel === null
      ? []
      : [
          { section: SECTION.global, count: 1, bytes: Uint8Array.from([I64, 1, 0x42, 0, 0x0b]) },
          exportAddition([
            { name: fuel.global, kind: EXTERNAL.global, index: outline.globals },
            ...(fuel.start === null || outline.start === null ? [] : [{ name: fuel.start, kind: EXTERNAL.function, index: outline.start }]),
          ]),
        ]
  const edited = editSections(bytes, {
    additions,
    dropped: fuel === null ? new Set() : new Set([SECTION.start]),
    rewritten: new Map([
      [
        SECTION.code,
        (out, whole, reader) => writeCode(out, whole, reader, outline, { wanted, global: outline.globals, ownGlobalsFrom: null }),
      ],
    ]),
  })
  return { bytes: edited, fuel }
}

/** Writes a code section with what is put into it. */
export function writeCode(out: ByteWriter, bytes: Uint8Array, reader: BinaryReader, outline: Outline, globals: FunctionGlobals): void {
  const writer = new FunctionWriter(globals)
  const body = new ByteWriter()
  const total = reader.u32()
  out.u32(total)
  for (let place = 0; place < total; place++) {
    const size = reader.u32()
    const end = reader.position + size
    body.clear()
    writer.write(bytes.subarray(0, end), reader, outline.types[outline.functions[place] ?? -1] ?? NO_SHAPE, body)
    out.sized(body.written())
    reader.position = end
  }
}

const NO_SHAPE: FunctionShape = { parameters: 0, results: 0, resultType: [] }

/** What of a module its code refers to. */
export interface Outline {
  readonly types: readonly FunctionShape[]
  /** Types of its own functions. */
  readonly functions: readonly number[]
  /** How many globals there are, imported ones included. */
  readonly globals: number
  readonly importedGlobals: number
  /** Names of the modules that it imports from. */
  readonly importModules: ReadonlySet<string>
  readonly exports: ReadonlySet<string>
  readonly start: number | null
}

/** Throws COMMAND_NOT_EXECUTABLE for a module that is not valid, or that shares its memory with other threads. */
export function readOutline(bytes: Uint8Array): Outline {
  if (!WebAssembly.validate(bytes)) throw malformed('this V8 finds it invalid')
  let types: readonly FunctionShape[] = []
  let functions: readonly number[] = []
  let [importedGlobals, globals] = [0, 0]
  const importModules = new Set<string>()
  let exports: ReadonlySet<string> = new Set()
  let start: number | null = null
  for (const { id, contents, end } of sectionsOf(bytes)) {
    if (id === SECTION.type) types = readShapes(contents(), bytes.subarray(0, end))
    else if (id === SECTION.import)
      importedGlobals = importKinds(contents(), readMemory, { table: assertNarrow, from: (name) => importModules.add(name) }).filter(
        (kind) => kind === EXTERNAL.global,
      ).length
    else if (id === SECTION.function) functions = readList(contents(), (reader) => reader.u32())
    else if (id === SECTION.table) readList(contents(), readTable)
    else if (id === SECTION.memory) readList(contents(), readMemory)
    else if (id === SECTION.global) globals = contents().u32()
    else if (id === SECTION.export) exports = new Set(readList(contents(), readExport).map(({ name }) => name))
    else if (id === SECTION.start) start = contents().u32()
  }
  return { types, functions, globals: importedGlobals + globals, importedGlobals, importModules, exports, start }
}

function readShapes(reader: BinaryReader, bytes: Uint8Array): FunctionShape[] {
  return readList(reader, () => {
    if (reader.byte() !== 0x60) throw collected()
    const parameters = readList(reader, () => reader.valueType()).length
    let resultAt = reader.position
    const results = readList(reader, () => {
      resultAt = reader.position
      return reader.valueType()
    }).length
    return { parameters, results, resultType: results === 1 ? [...bytes.subarray(resultAt, reader.position)] : [] }
  })
}

/** Of a table only what it holds and how much: what it begins with is copied. */
function readTable(reader: BinaryReader): void {
  reader.referenceType()
  assertNarrow(reader.limits())
}

/** Lengths that are charged are numbers of 32 bits. Throws COMMAND_NOT_EXECUTABLE for any other. */
function assertNarrow({ flags }: Limits): void {
  if ((flags & IS_64_BIT) !== 0)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module has a memory or table of 64 bits, whose lengths cannot be given fuel', {
      hint: 'Build it for the target wasm32-wasip1, or run it without fuel and not deterministically.',
    })
}

/** Threads of one guest would each have fuel of their own, and race for what they share. */
function readMemory(reader: BinaryReader): void {
  const limits = reader.limits()
  assertNarrow(limits)
  if ((limits.flags & SHARED) !== 0)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module shares its memory with threads, which have neither fuel nor an order', {
      hint: 'Build it for the target wasm32-wasip1 without threads, or run it without fuel and not deterministically.',
    })
}
