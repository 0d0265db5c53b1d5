/**
 * A guest's binary before anything of it runs: what it is, what it imports, and how much it may ever grow.
 *
 * Maxima of memories and tables are written into the binary itself, so that the engine enforces them: `resourceLimits` of a worker
 * do not reach linear memory, and a table that grows too far would abort the process (V8).
 */
import { EngineError } from '../errors.js'
import { BinaryReader, HAS_MAXIMUM, type Limits, malformed } from './binary-reader.js'
import { type FunctionType, greatestFunctionCost } from './function-cost.js'
import { PREVIEW1, PREVIEW1_NAMES } from './preview1/names.js'
import { SPAWN_FIELD, SPAWN_MODULE } from './thread-names.js'

/** Bytes of a page of linear memory. */
export const WASM_PAGE_BYTES = 65_536

/** How far a module may grow. */
export interface ModuleLimits {
  readonly memoryPages: number
  readonly tableElements: number
}

/** A module whose growth is bounded. */
export interface PreparedModule {
  /** The binary to compile: the given one, or a copy with lower maxima. */
  readonly bytes: Uint8Array
  /** `module.name` of every import, each once, in order. */
  readonly imports: readonly string[]
  /** Which of V8's compilers it is safe and worth while to give it to. */
  readonly compiler: 'baseline' | 'both' | 'optimizing'
  /** The most pages all memories together can have. */
  readonly memoryPagesMaximum: number
  /** The most elements all tables together can have. */
  readonly tableElementsMaximum: number
  /** What its memories and tables have from the beginning. */
  readonly minimum: ModuleLimits
  /** The memory that it imports to share with other threads; null for none. */
  readonly sharedMemory: SharedMemoryLimits | null
}

/** Pages of a memory that is made for a module. */
export interface SharedMemoryLimits {
  readonly initial: number
  readonly maximum: number
}

/** What a module is to be. */
export interface ModulePurpose {
  /** It may have threads. */
  readonly isProgram: boolean
  /** What it may import besides preview1, as `module.name`. */
  readonly provided: ReadonlySet<string>
  /** It is one of a component's, which gives it what it imports, whatever that is. */
  readonly isLinked?: boolean
}

const PROGRAM: ModulePurpose = { isProgram: true, provided: new Set() }

/** The largest module that is read; the largest known programs of WASI have 50 MiB. */
export const MAXIMUM_MODULE_BYTES = 256 * 2 ** 20

/**
 * V8 compiles a module twice: at once by its baseline compiler, then hot functions again, but never one that is still running. A
 * program that spends its time in one long loop so stays at a fifth of its speed. Modules up to this size are compiled well at
 * once instead; larger ones would keep the user waiting (26 MB: 12 s).
 */
const OPTIMIZED_AT_ONCE_BYTES = 512 * 1024
/** The optimising compiler takes up to 250 bytes for each unit of a function's cost. CPython's costliest has 290,000. */
const OPTIMIZED_COST = 1_000_000
/** The baseline compiler takes up to 30. */
const GREATEST_COST = 10_000_000

/** Throws LIMIT_EXCEEDED for a file that is too large to be read as a module. */
export function assertModuleSize(size: number): void {
  if (size > MAXIMUM_MODULE_BYTES)
    throw new EngineError('LIMIT_EXCEEDED', `the program has ${size} bytes; a module has at most ${MAXIMUM_MODULE_BYTES}`, {
      data: { size, limit: MAXIMUM_MODULE_BYTES },
    })
}

/** Numbers of the sections that are looked into. */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const
// The JavaScript API's own limits (Wasm JS API, "Implementation-defined Limits").
const MAXIMUM_ENTRIES = 100_000
const MAXIMUM_FUNCTIONS = 1_000_000
const FUNCTION_TYPE = 0x60
const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const
const SHARED = 2
const IS_64_BIT = 4

/** Parses and bounds a module. Throws COMMAND_NOT_EXECUTABLE for what cannot run here, LIMIT_EXCEEDED for what starts too large. */
export function prepareModule(bytes: Uint8Array, limits: ModuleLimits, purpose: ModulePurpose = PROGRAM): PreparedModule {
  assertCoreModule(bytes)
  const parts: Uint8Array[] = []
  /** What stands before it is in the parts. */
  let kept = 0
  let imports: readonly string[] = []
  let sharedMemory: SharedMemoryLimits | null = null
  let types: readonly FunctionType[] = []
  let imported: readonly number[] = []
  let functions: readonly number[] = []
  let functionCost = 0
  const bound = new Bounds(limits)
  const rewrite = (id: number, at: number, end: number, contents: readonly number[]) => {
    parts.push(bytes.subarray(kept, at), section(id, contents))
    kept = end
  }
  for (const { id, at, contents, end } of sectionsOf(bytes)) {
    if (id === SECTION.type) types = readTypes(contents())
    else if (id === SECTION.import) {
      const read = readImports(contents(), purpose)
      imports = read.names
      imported = read.functions
      if (read.sharedMemory !== null) sharedMemory = bound.sharedMemory(read.sharedMemory)
    } else if (id === SECTION.function) functions = readFunctions(contents())
    else if (id === SECTION.code) functionCost = greatestFunctionCost(contents(), { types, imported, functions }, OPTIMIZED_COST)
    else if (id === SECTION.table) rewrite(id, at, end, bound.tables(contents()))
    else if (id === SECTION.memory) rewrite(id, at, end, bound.memories(contents()))
  }
  if (functionCost > GREATEST_COST)
    throw new EngineError('LIMIT_EXCEEDED', `compiling a function of the module could take gigabytes (${functionCost} live values)`, {
      hint: 'Split it: it has too many branches for so many locals.',
      data: { cost: functionCost, limit: GREATEST_COST },
    })
  return {
    compiler: functionCost > OPTIMIZED_COST ? 'baseline' : bytes.length > OPTIMIZED_AT_ONCE_BYTES ? 'both' : 'optimizing',
    bytes: bound.changed ? concatenate([...parts, bytes.subarray(kept)]) : bytes,
    imports,
    memoryPagesMaximum: bound.memoryPages,
    tableElementsMaximum: bound.tableElements,
    minimum: { memoryPages: bound.minimumPages, tableElements: bound.minimumElements },
    sharedMemory,
  }
}

interface Section {
  readonly id: number
  readonly at: number
  readonly end: number
  readonly contents: () => BinaryReader
}

/** Every section but the custom ones, of which a file may consist: millions of them must cost no more than their bytes. */
export function* sectionsOf(bytes: Uint8Array): Generator<Section> {
  const reader = new BinaryReader(bytes, 8)
  const seen = new Set<number>()
  while (reader.position < bytes.length) {
    const at = reader.position
    const id = reader.byte()
    const size = reader.u32()
    const start = reader.position
    const end = start + size
    if (end > bytes.length) throw malformed('a section is longer than the file')
    reader.position = end
    if (id === SECTION.custom) continue
    if (seen.has(id)) throw malformed('a section comes twice')
    seen.add(id)
    yield { id, at, end, contents: () => new BinaryReader(bytes.subarray(0, end), start) }
  }
}

/** Throws COMMAND_NOT_EXECUTABLE for what is no module of WebAssembly 1.0, by what it is. */
export function assertCoreModule(bytes: Uint8Array): void {
  const isWasm = bytes.length >= 8 && bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d
  if (!isWasm)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the program is not a WebAssembly module: it does not begin with \\0asm', {
      hint: 'Run it with --runtime native if it is a Linux program.',
    })
  if (bytes[6] === 1)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the program is a WebAssembly component, and a core module is wanted', {
      hint: 'Run it as a container, or build it for the target wasm32-wasip1 (wasi_snapshot_preview1).',
    })
  if (bytes[4] !== 1 || bytes[5] !== 0 || bytes[7] !== 0)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the program is WebAssembly of an unknown version', {
      data: { version: [...bytes.subarray(4, 8)] },
    })
}

/**
 * Functions are the only types taken: structs and arrays live in JavaScript's heap, where no maximum of the module's bounds them.
 * Throws COMMAND_NOT_EXECUTABLE, whether this V8 would run them or not.
 */
function readTypes(reader: BinaryReader): readonly FunctionType[] {
  const types: FunctionType[] = []
  for (let count = reader.u32(); count > 0; count--) {
    if (reader.byte() !== FUNCTION_TYPE) throw collected()
    types.push({ parameters: readValueTypes(reader), results: readValueTypes(reader) })
    if (types.length > MAXIMUM_FUNCTIONS) throw malformed(`it has more than ${MAXIMUM_FUNCTIONS} types`)
  }
  return types
}

/** A module with types that are no functions. */
export function collected(): EngineError {
  return new EngineError('COMMAND_NOT_EXECUTABLE', 'the module has garbage-collected objects, whose memory this wall cannot bound', {
    hint: 'Build it for linear memory.',
  })
}

/** How many there are. */
function readValueTypes(reader: BinaryReader): number {
  const total = reader.u32()
  for (let count = total; count > 0; count--) reader.valueType()
  return total
}

function readFunctions(reader: BinaryReader): number[] {
  const functions: number[] = []
  for (let count = reader.u32(); count > 0; count--) {
    functions.push(reader.u32())
    if (functions.length > MAXIMUM_FUNCTIONS) throw malformed(`it has more than ${MAXIMUM_FUNCTIONS} functions`)
  }
  return functions
}

/** Throws COMMAND_NOT_EXECUTABLE for an import that nothing here provides, with what would. */
function checkImport(module: string, field: string, provided: ReadonlySet<string>): void {
  const name = `${module}.${field}`
  if ((module === PREVIEW1 && PREVIEW1_NAMES.has(field)) || provided.has(name)) return
  const hint = HINTS.find(([pattern]) => pattern.test(name))?.[1]
  throw new EngineError('COMMAND_NOT_EXECUTABLE', `the module imports ${name}, which this wall does not provide`, {
    hint: hint ?? `It provides ${[PREVIEW1, ...provided].join(', ')} and nothing else.`,
    data: { import: name },
  })
}

/** Nobody makes a memory for a module but one for its threads, whatever name it is imported by. */
function unprovidedMemory(module: string, field: string): EngineError {
  const name = `${module}.${field}`
  return new EngineError('COMMAND_NOT_EXECUTABLE', `the module imports ${name} as a memory, which this wall does not provide`, {
    hint: 'A memory is only imported to be shared by threads (wasi-threads); let the module have one of its own.',
    data: { import: name },
  })
}

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^wasi_unstable\./, 'That is preview 0 of WASI; build it with a toolchain of 2020 or later.'],
  [/^wasi\.thread-spawn$/, 'That is wasi-threads, which only a program has; build it for the target wasm32-wasip1 without threads.'],
  [/^wasi:/, 'That is preview 2 of WASI; build it for the target wasm32-wasip1.'],
  [/^(go|gojs)\./, "That is Go's target for browsers; build it with GOOS=wasip1 GOARCH=wasm."],
  [/^env\.(emscripten|_?invoke|__syscall)/, 'That is Emscripten for browsers; build it with -sSTANDALONE_WASM or with wasi-sdk.'],
  [/^wbg\.|^__wbindgen/, 'That is wasm-bindgen for browsers; build it for the target wasm32-wasip1.'],
]

/** Names of all imports, each once, and types of the functions among them. Throws at the first name that nothing here provides. */
function readImports(
  reader: BinaryReader,
  purpose: ModulePurpose,
): { readonly names: readonly string[]; readonly functions: number[]; readonly sharedMemory: Limits | null } {
  const names = new Set<string>()
  const functions: number[] = []
  const provided = purpose.isProgram ? new Set([...purpose.provided, `${SPAWN_MODULE}.${SPAWN_FIELD}`]) : purpose.provided
  let sharedMemory: Limits | null = null
  for (let count = reader.u32(); count > 0; count--) {
    const [module, field] = [reader.name(), reader.name()]
    names.add(`${module}.${field}`)
    const kind = reader.byte()
    if (kind === EXTERNAL.memory) {
      const limits = reader.limits()
      // Whatever it is called: it is made for the module.
      if (purpose.isLinked === true) continue
      if (!purpose.isProgram || (limits.flags & SHARED) === 0) throw unprovidedMemory(module, field)
      if (sharedMemory !== null) throw malformed('it imports more than one memory')
      sharedMemory = limits
      continue
    }
    if (purpose.isLinked !== true) checkImport(module, field, provided)
    if (functions.length > MAXIMUM_FUNCTIONS) throw malformed(`it imports more than ${MAXIMUM_FUNCTIONS} functions`)
    if (kind === EXTERNAL.function) functions.push(reader.u32())
    else if (kind === EXTERNAL.table) {
      reader.referenceType()
      reader.limits()
    } else if (kind === EXTERNAL.global) {
      reader.valueType()
      reader.byte()
    } else if (kind === EXTERNAL.tag) {
      reader.byte()
      reader.u32()
    } else throw malformed('an import of an unknown kind')
  }
  if (purpose.isLinked !== true && sharedMemory === null && names.has(`${SPAWN_MODULE}.${SPAWN_FIELD}`))
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module asks for threads and imports no memory that they could share', {
      hint: 'Link it with --import-memory --shared-memory --max-memory=….',
    })
  return { names: [...names], functions, sharedMemory }
}

/** Rewrites table and memory sections within what is left of the limits, which hold for all of a kind together. */
class Bounds {
  memoryPages = 0
  tableElements = 0
  minimumPages = 0
  minimumElements = 0
  changed = false
  readonly #limits: ModuleLimits
  /** Pages of the memory that is made for it. */
  #imported = 0

  constructor(limits: ModuleLimits) {
    this.#limits = limits
  }

  /** The memory to make for a module that imports one. */
  sharedMemory({ flags, minimum, maximum }: Limits): SharedMemoryLimits {
    const limit = this.#limits.memoryPages
    if ((flags & IS_64_BIT) !== 0 || maximum === undefined || maximum < minimum)
      throw new EngineError(
        'COMMAND_NOT_EXECUTABLE',
        'the module imports a memory that nobody can make for it: of 64 bits, or without a maximum',
      )
    if (minimum > limit)
      throw new EngineError('LIMIT_EXCEEDED', `the module starts with ${minimum} pages of memory, more than its limit of ${limit}`, {
        hint: 'Raise --memory.',
      })
    this.#imported = Math.min(maximum, limit)
    this.memoryPages = this.#imported
    return { initial: minimum, maximum: this.#imported }
  }

  memories(reader: BinaryReader): number[] {
    const memories = readList(reader, () => ({ type: [] as number[], limits: reader.limits() }))
    const { encoded, total, minimum } = this.#bound(memories, this.#limits.memoryPages - this.#imported, 'pages of memory')
    this.memoryPages = this.#imported + total
    this.minimumPages = minimum
    return encoded
  }

  tables(reader: BinaryReader): number[] {
    const tables = readList(reader, () => ({ type: reader.referenceType(), limits: reader.limits() }))
    const { encoded, total, minimum } = this.#bound(tables, this.#limits.tableElements, 'table elements')
    this.tableElements = total
    this.minimumElements = minimum
    return encoded
  }

  /** Every one keeps its minimum; what is left above them goes to the first that may grow. */
  #bound(entries: readonly { readonly type: readonly number[]; readonly limits: Limits }[], limit: number, unit: string) {
    const minimum = entries.reduce((sum, { limits }) => sum + limits.minimum, 0)
    if (entries.some(({ limits }) => (limits.flags & (SHARED | IS_64_BIT)) !== 0))
      throw new EngineError(
        'COMMAND_NOT_EXECUTABLE',
        'the module has a shared or 64-bit memory of its own, which preview1 has no place for',
        {
          hint: 'A memory that threads share is imported (--import-memory); or build it for the target wasm32-wasip1 without threads.',
        },
      )
    if (minimum > limit)
      throw new EngineError('LIMIT_EXCEEDED', `the module starts with ${minimum} ${unit}, more than its limit of ${limit}`, {
        hint: unit === 'table elements' ? 'Raise the limit tableElements.' : 'Raise --memory.',
      })
    const encoded = encodeU32(entries.length)
    let left = limit - minimum
    let total = 0
    for (const { type, limits } of entries) {
      const growth = Math.min(left, Math.max(0, (limits.maximum ?? Number.POSITIVE_INFINITY) - limits.minimum))
      const maximum = limits.minimum + growth
      left -= growth
      total += maximum
      this.changed ||= maximum !== limits.maximum
      encoded.push(...type, limits.flags | HAS_MAXIMUM, ...encodeU32(limits.minimum), ...encodeU32(maximum))
    }
    return { encoded, total, minimum }
  }
}

function readList<Entry>(reader: BinaryReader, read: () => Entry): Entry[] {
  const entries: Entry[] = []
  const total = reader.u32()
  if (total > MAXIMUM_ENTRIES) throw malformed(`it has ${total} tables or memories`)
  while (entries.length < total) entries.push(read())
  return entries
}

function section(id: number, contents: readonly number[]): Uint8Array {
  return Uint8Array.from([id, ...encodeU32(contents.length)].concat(contents))
}

function encodeU32(value: number): number[] {
  const bytes: number[] = []
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0))
    value = Math.floor(value / 128)
  } while (value > 0)
  return bytes
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
