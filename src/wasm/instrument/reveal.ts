/**
 * Gives names to what of a module's state has none, so that the host can read it and put it back: memory, tables, and the globals that change.
 * Its start function becomes one that the host calls. The guest's own code cannot name any of that, nor import it.
 */
import { EngineError } from '../../errors.js'
import type { BinaryReader } from '../binary-reader.js'
import { malformed } from '../binary-reader.js'
import { SECTION, sectionsOf } from '../module.js'
import { readConstant } from './constant-expressions.js'
import { EXTERNAL, type ExportEntry, editSections, exportAddition, freeName, importKinds, readExport, readList } from './sections.js'

/** Names of all that may change in an instance. */
export interface StateExports {
  /** Null for a module without one. */
  readonly memory: string | null
  readonly tables: readonly string[]
  /** Those that can be set. */
  readonly globals: readonly string[]
  /** What was its start function; null for none. */
  readonly start: string | null
}

/** A module, and the names that it has been given. */
export interface RevealedModule {
  readonly bytes: Uint8Array
  readonly state: StateExports
}

/** What of a global's type is a number: i32, i64, f32, f64. */
const NUMBERS: ReadonlySet<number> = new Set([0x7f, 0x7e, 0x7d, 0x7c])

/** Throws COMMAND_NOT_EXECUTABLE for a module that is not valid, NOT_BUILT for one whose state cannot be read. */
export function reveal(bytes: Uint8Array): RevealedModule {
  if (!WebAssembly.validate(bytes)) throw malformed('this V8 finds it invalid')
  const { tables, memories, globals, exports, start, imported } = readState(bytes)
  if (imported.memory + memories > 1) throw unkept('it has several memories')
  const taken = new Set(exports.map(({ name }) => name))
  const added: ExportEntry[] = []
  const nameOf = (kind: number, index: number, wanted: string): string => {
    const known = exports.find((each) => each.kind === kind && each.index === index)
    if (known !== undefined) return known.name
    const name = freeName(wanted, taken)
    added.push({ name, kind, index })
    return name
  }
  const changing = globals.flatMap(({ type, isMutable }, place) => (isMutable ? [{ type, index: imported.global + place }] : []))
  if (changing.some(({ type }) => !NUMBERS.has(type))) throw unkept('it has a global that changes and is no number')
  const state = {
    memory: imported.memory + memories === 0 ? null : nameOf(EXTERNAL.memory, 0, 'wolffia:memory'),
    tables: Array.from({ length: imported.table + tables }, (_, index) => nameOf(EXTERNAL.table, index, `wolffia:table:${index}`)),
    globals: changing.map(({ index }) => nameOf(EXTERNAL.global, index, `wolffia:global:${index}`)),
    start: start === null ? null : nameOf(EXTERNAL.function, start, 'wolffia:start'),
  }
  const additions = added.length === 0 ? [] : [exportAddition(added)]
  return { bytes: editSections(bytes, { additions, dropped: new Set([SECTION.start]) }), state }
}

/** A module of which no snapshot can be taken, with the reason. */
export function unkept(why: string): EngineError {
  return new EngineError('NOT_BUILT', `no snapshot can be taken of the module: ${why}`, { hint: 'Load it without snapshot.' })
}

interface StateOutline {
  readonly tables: number
  readonly memories: number
  readonly globals: readonly { readonly type: number; readonly isMutable: boolean }[]
  readonly exports: readonly ExportEntry[]
  readonly start: number | null
  readonly imported: { readonly table: number; readonly memory: number; readonly global: number }
}

/** Of a module that is valid. */
function readState(bytes: Uint8Array): StateOutline {
  let [tables, memories] = [0, 0]
  let globals: StateOutline['globals'] = []
  let exports: readonly ExportEntry[] = []
  let start: number | null = null
  let kinds: readonly number[] = []
  for (const { id, contents } of sectionsOf(bytes)) {
    if (id === SECTION.import) kinds = importKinds(contents(), (reader) => reader.limits())
    else if (id === SECTION.table) tables = contents().u32()
    else if (id === SECTION.memory) memories = contents().u32()
    else if (id === SECTION.global) globals = readList(contents(), readGlobal)
    else if (id === SECTION.export) exports = readList(contents(), readExport)
    else if (id === SECTION.start) start = contents().u32()
  }
  const count = (wanted: number) => kinds.filter((kind) => kind === wanted).length
  return {
    tables,
    memories,
    globals,
    exports,
    start,
    imported: { table: count(EXTERNAL.table), memory: count(EXTERNAL.memory), global: count(EXTERNAL.global) },
  }
}

/** A global's type, read up to the end of what it begins with. */
export function readGlobal(reader: BinaryReader): { readonly type: number; readonly isMutable: boolean } {
  const type = reader.valueType()
  const isMutable = reader.byte() === 1
  readConstant(reader, () => unkept('a global of it begins with what is not known'))
  return { type, isMutable }
}
