/** What is added to a module's sections, and what is taken out of it; all else is copied as it is. */
import type { BinaryReader, Limits } from '../binary-reader.js'
import { SECTION, sectionsOf } from '../module.js'
import { ByteWriter } from './byte-writer.js'

/** Kinds of what a module imports or exports. */
export const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const
/** Sections in the order in which they come; the tags' and the data count's have numbers that say something else. */
const ORDER: readonly number[] = [
  1,
  SECTION.import,
  3,
  4,
  5,
  13,
  SECTION.global,
  SECTION.export,
  SECTION.start,
  SECTION.element,
  12,
  SECTION.code,
  11,
]

/** Entries for the end of a section that is a list, which is made where there is none. */
export interface Addition {
  readonly section: number
  readonly count: number
  readonly bytes: Uint8Array
}

/** How a module is changed. */
export interface SectionEdits {
  /** In the order of their sections. */
  readonly additions: readonly Addition[]
  /** Sections that are left out. */
  readonly dropped: ReadonlySet<number>
  /** What writes the contents of a section anew, by its number. `bytes` end with it, `reader` is at its first. */
  readonly rewritten?: ReadonlyMap<number, (out: ByteWriter, bytes: Uint8Array, reader: BinaryReader) => void>
}

/** The module with these changes. */
export function editSections(bytes: Uint8Array, { additions, dropped, rewritten = new Map() }: SectionEdits): Uint8Array {
  const out = new ByteWriter()
  const left = [...additions]
  let copied = 0
  const addBefore = (id: number, at: number): void => {
    out.bytes(bytes.subarray(copied, at))
    copied = at
    while (left[0] !== undefined && ORDER.indexOf(left[0].section) < ORDER.indexOf(id)) writeList(out, left.shift(), null)
  }
  for (const { id, at, end, contents } of sectionsOf(bytes)) {
    addBefore(id, at)
    if (left[0]?.section === id) writeList(out, left.shift(), { bytes: bytes.subarray(0, end), reader: contents() })
    else if (rewritten.has(id)) {
      const section = new ByteWriter()
      rewritten.get(id)?.(section, bytes.subarray(0, end), contents())
      out.byte(id)
      out.sized(section.written())
    } else if (!dropped.has(id)) continue
    copied = end
  }
  out.bytes(bytes.subarray(copied))
  for (const addition of left) writeList(out, addition, null)
  return out.written().slice()
}

/** A section that is a list, with more at its end. */
function writeList(
  out: ByteWriter,
  addition: Addition | undefined,
  before: { readonly bytes: Uint8Array; readonly reader: BinaryReader } | null,
): void {
  if (addition === undefined) return
  const list = new ByteWriter()
  list.u32((before?.reader.u32() ?? 0) + addition.count)
  if (before !== null) list.bytes(before.bytes.subarray(before.reader.position))
  list.bytes(addition.bytes)
  out.byte(addition.section)
  out.sized(list.written())
}

/** One more name for something. */
export interface ExportEntry {
  readonly name: string
  readonly kind: number
  readonly index: number
}

/** Exports, to be added. */
export function exportAddition(entries: readonly ExportEntry[]): Addition {
  const list = new ByteWriter()
  for (const { name, kind, index } of entries) {
    list.sized(Buffer.from(name))
    list.byte(kind)
    list.u32(index)
  }
  return { section: SECTION.export, count: entries.length, bytes: list.written() }
}

/** `wanted`, or like it, which no export is called. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted
  while (taken.has(name)) name += '+'
  return name
}

/** The entries of a section that is a list. */
export function readList<Entry>(reader: BinaryReader, read: (reader: BinaryReader) => Entry): Entry[] {
  const entries: Entry[] = []
  for (let count = reader.u32(); count > 0; count--) entries.push(read(reader))
  return entries
}

/** One entry of the export section. */
export function readExport(reader: BinaryReader): ExportEntry {
  return { name: reader.name(), kind: reader.byte(), index: reader.u32() }
}

/** What is told of imports while they are read. */
export interface ImportObserver {
  /** Of each the module that it comes from. */
  readonly from?: (module: string) => unknown
  /** Of each table how large it is. */
  readonly table?: (limits: Limits) => void
}

/** Kinds of what is imported, in order. `memory` reads each memory. */
export function importKinds(
  reader: BinaryReader,
  memory: (reader: BinaryReader) => void,
  { from = () => {}, table = () => {} }: ImportObserver = {},
): number[] {
  return readList(reader, () => {
    from(reader.name())
    reader.name()
    const kind = reader.byte()
    if (kind === EXTERNAL.memory) memory(reader)
    else if (kind === EXTERNAL.table) {
      reader.valueType()
      table(reader.limits())
    } else if (kind === EXTERNAL.global) {
      reader.valueType()
      reader.byte()
    } else {
      if (kind === EXTERNAL.tag) reader.byte()
      reader.u32()
    }
    return kind
  })
}
