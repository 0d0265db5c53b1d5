import { BinaryReader, malformed } from '../wasm/binary-reader.js'

/** A numeric type of WebAssembly's; `other` is one that no number of JavaScript's is: a vector, a reference. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'other'

/** What a function takes and gives. */
export interface Signature {
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
}

/** Functions of a module, by name. */
export interface ModuleFunctions {
  readonly exports: ReadonlyMap<string, Signature>
  /** `module.name` of each import; null for what is no function. */
  readonly imports: ReadonlyMap<string, Signature | null>
}

/** Those of a component, whose functions have types that no module's have. */
export const NO_FUNCTIONS: ModuleFunctions = { exports: new Map(), imports: new Map() }

const SECTION = { type: 1, import: 2, function: 3, export: 7 } as const
const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const
const VALUE_TYPES: Readonly<Record<number, ValueType>> = { 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64' }
/** Of functions and types that a module may have (Wasm JS API, "Implementation-defined Limits"). */
const MAXIMUM_ENTRIES = 1_000_000
/** Of values that all types together may take and give. Each is a byte of the module, and eight of this process's memory. */
const MAXIMUM_VALUES = 1_000_000
const NO_SIGNATURE: Signature = { parameters: [], results: [] }

/**
 * What a module's functions take and give, which V8 does not tell. The same bytes are bounded and compiled in the sandbox (`wasm/module`), which is
 * who judges them; here they are read only. Throws COMMAND_NOT_EXECUTABLE for what is no module.
 */
export function moduleFunctions(bytes: Uint8Array): ModuleFunctions {
  const sections = sectionsOf(bytes)
  const read = <Value>(id: number, of: (reader: BinaryReader) => Value): Value[] => {
    const reader = sections.get(id)
    return reader === undefined ? [] : list(reader, () => of(reader))
  }
  const left = { values: MAXIMUM_VALUES }
  const types = read(SECTION.type, (reader) => readType(reader, left))
  const signatureOf = (type: number) => types[type] ?? NO_SIGNATURE
  const imports = read(SECTION.import, readImport).map(({ name, type }) => [name, type === null ? null : signatureOf(type)] as const)
  const own = read(SECTION.function, (reader) => signatureOf(reader.u32()))
  const functions = [...imports.flatMap(([, signature]) => (signature === null ? [] : [signature])), ...own]
  const exports = read(SECTION.export, (reader) => ({ name: reader.name(), kind: reader.byte(), index: reader.u32() }))
  return {
    imports: new Map(imports),
    exports: new Map(
      exports.filter(({ kind }) => kind === EXTERNAL.function).map(({ name, index }) => [name, functions[index] ?? NO_SIGNATURE]),
    ),
  }
}

/** As WebAssembly's text format has it: `(i32, i32) -> i64`. */
export function signatureText({ parameters, results }: Signature): string {
  return `(${parameters.join(', ')}) -> ${results.length === 1 ? results[0] : `(${results.join(', ')})`}`
}

/** Whether a function can be given bytes: `(i32, i32) -> i64`, a pointer and a length, and both in one number. */
export function takesBytes(signature: Signature): boolean {
  return signatureText(signature) === '(i32, i32) -> i64'
}

function sectionsOf(bytes: Uint8Array): ReadonlyMap<number, BinaryReader> {
  const reader = new BinaryReader(bytes, 8)
  const sections = new Map<number, BinaryReader>()
  while (reader.position < bytes.length) {
    const id = reader.byte()
    const size = reader.u32()
    const start = reader.position
    if (start + size > bytes.length) throw malformed('a section is longer than the file')
    sections.set(id, new BinaryReader(bytes.subarray(0, start + size), start))
    reader.position = start + size
  }
  return sections
}

function readType(reader: BinaryReader, left: { values: number }): Signature {
  if (reader.byte() !== 0x60) throw malformed('a type that is no function')
  const readValueTypes = () =>
    list(reader, () => {
      if (--left.values < 0) throw malformed(`types of more than ${MAXIMUM_VALUES} values`)
      return VALUE_TYPES[reader.valueType()] ?? 'other'
    })
  return { parameters: readValueTypes(), results: readValueTypes() }
}

function readImport(reader: BinaryReader): { readonly name: string; readonly type: number | null } {
  const name = `${reader.name()}.${reader.name()}`
  const kind = reader.byte()
  if (kind === EXTERNAL.function) return { name, type: reader.u32() }
  if (kind === EXTERNAL.table) reader.referenceType()
  if (kind === EXTERNAL.table || kind === EXTERNAL.memory) reader.limits()
  else if (kind === EXTERNAL.global) {
    reader.valueType()
    reader.byte()
  } else if (kind === EXTERNAL.tag) {
    reader.byte()
    reader.u32()
  } else throw malformed('an import of an unknown kind')
  return { name, type: null }
}

function list<Value>(reader: BinaryReader, read: () => Value): Value[] {
  const total = reader.u32()
  if (total > MAXIMUM_ENTRIES) throw malformed(`a list of ${total}`)
  const values: Value[] = []
  while (values.length < total) values.push(read())
  return values
}
