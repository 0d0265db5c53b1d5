/**
 * Puts counting into a module that shares its fuel with others: the global is imported. That gives all its own globals a number more, in code and in
 * exports. The module's own code cannot name the import: it is validated as it came, before that is there.
 */
import type { BinaryReader } from '../binary-reader.js'
import { SECTION } from '../module.js'
import { ByteWriter } from './byte-writer.js'
import { assertNamesNoOwnGlobal } from './constant-expressions.js'
import type { Instrumentation } from './function-writer.js'
import { readOutline, writeCode } from './instrument.js'
import { EXTERNAL, editSections, freeName, readExport } from './sections.js'

/** What the imported global is called, in the module that an instrumented one says to import it from. */
export const FUEL_FIELD = 'fuel'

/** A module with what was put into it. */
export interface LinkedInstrumented {
  readonly bytes: Uint8Array
  /** Module of the import {@link FUEL_FIELD}, a global (i64, mutable); null where it has no fuel. */
  readonly fuelImport: string | null
}

const I64 = 0x7e
const MUTABLE = 1

/** As `instrument`, for one of several modules that are linked with each other. Throws as that does. */
export function instrumentLinked(bytes: Uint8Array, wanted: Instrumentation): LinkedInstrumented {
  const outline = readOutline(bytes)
  const { importedGlobals } = outline
  const code = (ownGlobalsFrom: number | null) =>
    [
      SECTION.code,
      (out: ByteWriter, whole: Uint8Array, reader: BinaryReader) =>
        writeCode(out, whole, reader, outline, { wanted, global: importedGlobals, ownGlobalsFrom }),
    ] as const
  if (!wanted.fuel)
    return { bytes: editSections(bytes, { additions: [], dropped: new Set(), rewritten: new Map([code(null)]) }), fuelImport: null }
  assertNamesNoOwnGlobal(bytes, importedGlobals)
  const fuelImport = freeName('wolffia:fuel', outline.importModules)
  const entry = new ByteWriter()
  for (const name of [fuelImport, FUEL_FIELD]) entry.sized(Buffer.from(name))
  entry.bytes([EXTERNAL.global, I64, MUTABLE])
  const edited = editSections(bytes, {
    additions: [{ section: SECTION.import, count: 1, bytes: entry.written() }],
    dropped: new Set(),
    rewritten: new Map([code(importedGlobals), [SECTION.export, (out, _whole, reader) => writeExports(out, reader, importedGlobals)]]),
  })
  return { bytes: edited, fuelImport }
}

function writeExports(out: ByteWriter, reader: BinaryReader, ownGlobalsFrom: number): void {
  const total = reader.u32()
  out.u32(total)
  for (let count = total; count > 0; count--) {
    const { name, kind, index } = readExport(reader)
    out.sized(Buffer.from(name))
    out.byte(kind)
    out.u32(kind === EXTERNAL.global && index >= ownGlobalsFrom ? index + 1 : index)
  }
}
