/** Random modules that are valid: sections of every kind, in every number, around random code. */
import { ByteWriter } from '../../../src/wasm/instrument/byte-writer.js'
import { type Random, randomFrom } from '../soak.js'
import { Body } from './body.js'
import { leb } from './code-writer.js'
import type { Names } from './names.js'
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, SCALARS, type Signature, V128, VALUES, type ValueType } from './types.js'

/** One random module. */
export interface RandomModule {
  readonly bytes: Uint8Array
  /** Exported functions that JavaScript can call, with what they take. */
  readonly functions: readonly { readonly name: string; readonly parameters: readonly ValueType[] }[]
  /** Whether it throws and catches. */
  readonly throws: boolean
}

/** How often a function or a loop may begin in one call. */
export const GUARD = 400
const COUNTED_TYPE: Signature = { parameters: [I32], results: [I32] }

/**
 * The module of a seed. With `counts`, the same one that counts its cost in the global `counter` by itself, before each instruction. Before each
 * call its global `guard` is to be set to {@link GUARD}; it traps at zero.
 */
export function randomModule(seed: number, { counts }: { readonly counts: boolean }): RandomModule {
  return new ModuleMaker(randomFrom(seed), counts).make()
}

class ModuleMaker {
  readonly #random: Random
  readonly #counts: boolean
  readonly #sections: Uint8Array[] = []

  constructor(random: Random, counts: boolean) {
    this.#random = random
    this.#counts = counts
  }

  make(): RandomModule {
    const random = this.#random
    const pick = (from: readonly ValueType[], most: number) => Array.from({ length: random.below(most + 1) }, () => random.pick(from))
    const types: Signature[] = [
      COUNTED_TYPE,
      { parameters: [], results: [] },
      { parameters: [I32, I64], results: [I32, I64] },
      ...Array.from({ length: random.below(6) }, () => ({ parameters: pick(VALUES, 3), results: pick(VALUES, 3) })),
      // A tag's and a block's.
      { parameters: [I32], results: [] },
      { parameters: [], results: [I32, F64] },
    ]
    const imported = Array.from({ length: random.below(3) }, () => 0)
    const own = Array.from({ length: 1 + random.below(5) }, () => random.below(types.length - 2))
    const functions = [...imported, ...own]
    const isMemoryImported = random.below(3) === 0
    const hasMemory = random.below(5) > 0
    const isTableImported = random.below(4) === 0
    const tables = [FUNCREF, EXTERNREF, FUNCREF].slice(0, random.below(4)) as ValueType[]
    const tags = random.below(3) === 0 ? [types.length - 2, 1] : []
    const importedGlobals = [{ type: I32 as ValueType, isMutable: false }].slice(0, random.below(2))
    const ownGlobals = Array.from({ length: random.below(6) }, () => ({ type: random.pick(VALUES), isMutable: random.below(3) > 0 }))
    const globals = [...importedGlobals, ...ownGlobals]
    const elementKinds = tables.length === 0 ? [] : Array.from({ length: random.below(4) }, () => random.below(5))
    const dataSegments = hasMemory ? random.below(4) : 0
    const names: Names = {
      types,
      functions,
      globals,
      tables,
      hasMemory,
      dataSegments,
      elementSegments: elementKinds.map(() => FUNCREF),
      tags,
      guard: globals.length,
      counter: globals.length + 1,
      counts: this.#counts,
    }
    this.#section(1, types, ({ parameters, results }, out) => {
      out.byte(0x60)
      for (const list of [parameters, results]) out.sized(Uint8Array.from(list))
    })
    const memory = [1, ...leb(1), ...leb(6)]
    const table = (type: ValueType) => [type, 1, ...leb(8), ...leb(14)]
    this.#section(
      2,
      [
        ...imported.map((type) => ['call', [0, type]] as const),
        ...(hasMemory && isMemoryImported ? [['memory', [2, ...memory]] as const] : []),
        ...(tables[0] !== undefined && isTableImported ? [['table', [1, ...table(tables[0])]] as const] : []),
        ...importedGlobals.map(({ type }) => ['base', [3, type, 0]] as const),
      ],
      ([name, description], out) => {
        out.sized(Buffer.from('env'))
        out.sized(Buffer.from(name))
        out.bytes(description)
      },
    )
    this.#section(3, own, (type, out) => out.u32(type))
    this.#section(4, tables.slice(isTableImported ? 1 : 0), (type, out) => out.bytes(table(type)))
    this.#section(5, hasMemory && !isMemoryImported ? [memory] : [], (each, out) => out.bytes(each))
    this.#section(13, tags, (type, out) => out.bytes([0, type]))
    const counted = [
      [I32, 1, 0x41, ...leb(GUARD, 64)],
      [I64, 1, 0x42, 0],
    ]
    const begin = (type: ValueType) => this.#constant(type, importedGlobals.length > 0, functions.length)
    this.#section(6, [...ownGlobals.map(({ type, isMutable }) => [type, isMutable ? 1 : 0, ...begin(type)]), ...counted], (global, out) =>
      out.bytes([...global, 0x0b]),
    )
    const callable = own.flatMap((type, place) => {
      const { parameters, results } = types[type] as Signature
      return [...parameters, ...results].includes(V128) ? [] : [{ name: `f${place}`, parameters, index: imported.length + place }]
    })
    this.#section(
      7,
      [
        ...callable.map(({ name, index }) => [name, 0, index] as const),
        ...tables.map((_, index) => [`table${index}`, 1, index] as const),
        ...(hasMemory ? [['memory', 2, 0] as const] : []),
        ...globals.flatMap(({ type }, index) => (type === V128 ? [] : [[`global${index}`, 3, index] as const])),
        ['guard', 3, names.guard] as const,
        ['counter', 3, names.counter] as const,
      ],
      ([name, kind, index], out) => {
        out.sized(Buffer.from(name))
        out.bytes([kind, ...leb(index)])
      },
    )
    const starting = functions.indexOf(1)
    if (starting >= 0 && random.below(2) === 0) this.#raw(8, leb(starting))
    this.#section(9, [...elementKinds, 3], (kind, out) => this.#element(kind, tables, functions.length, out))
    if (hasMemory) this.#raw(12, leb(dataSegments))
    this.#section(10, own, (type, out) => {
      const { parameters, results } = types[type] as Signature
      const locals = Array.from({ length: random.below(5) }, () => random.pick(VALUES))
      const body = new ByteWriter()
      body.u32(locals.length + 1)
      for (const local of [...locals, I32]) body.bytes([1, local])
      body.bytes(new Body(names, random, [...parameters, ...locals], results).write())
      out.sized(body.written())
    })
    this.#section(11, Array(dataSegments).fill(0), (_, out) => {
      const kind = random.below(3)
      out.u32(kind)
      if (kind === 2) out.u32(0)
      if (kind !== 1) out.bytes([0x41, ...leb(random.below(4096), 64), 0x0b])
      out.sized(random.bytes(random.below(40)))
    })
    return {
      bytes: concatenated([Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), ...this.#sections, ...this.#customs()]),
      functions: callable,
      throws: tags.length > 0,
    }
  }

  /** Every way to write a segment of functions. */
  #element(kind: number, tables: readonly ValueType[], functions: number, out: ByteWriter): void {
    const random = this.#random
    const isEverything = kind === 3
    const members = isEverything ? [...Array(functions).keys()] : Array.from({ length: random.below(4) }, () => random.below(functions))
    const at = [0x41, ...leb(random.below(6), 64), 0x0b]
    const funcTable = tables.indexOf(FUNCREF)
    if (kind === 0 && tables[0] === FUNCREF) out.bytes([0, ...at])
    else if (kind === 1 || (kind === 0 && funcTable < 0)) out.bytes([1, 0])
    else if (kind === 2 && funcTable >= 0) out.bytes([6, funcTable, ...at, FUNCREF])
    else if (kind === 3) out.bytes([3, 0])
    else out.bytes([5, FUNCREF])
    const isExpressions = !(isEverything || kind === 1 || kind === 0) || (kind === 0 && tables[0] !== FUNCREF && funcTable >= 0)
    out.u32(members.length)
    for (const member of members) {
      if (!isExpressions) out.u32(member)
      else out.bytes(random.below(3) === 0 ? [0xd0, FUNCREF, 0x0b] : [0xd2, member, 0x0b])
    }
  }

  #constant(type: ValueType, hasBase: boolean, functions: number): number[] {
    const random = this.#random
    const number = () => leb(random.below(2 ** 31), 64)
    if (type === I32 && hasBase && random.below(2) === 0) return [0x23, 0, 0x41, ...number(), random.pick([0x6a, 0x6b, 0x6c])]
    if (type === I32) return [0x41, ...number()]
    if (type === I64) return [0x42, ...number(), 0x42, ...number(), 0x7c]
    if (type === F32) return [0x43, ...random.bytes(4)]
    if (type === F64) return [0x44, ...random.bytes(8)]
    if (type === V128) return [0xfd, 12, ...random.bytes(16)]
    return type === FUNCREF && random.below(2) === 0 ? [0xd2, random.below(functions)] : [0xd0, type]
  }

  /** A section that is a list; one that is empty may be left out. */
  #section<Entry>(id: number, entries: readonly Entry[], write: (entry: Entry, out: ByteWriter) => void): void {
    if (entries.length === 0 && this.#random.below(4) > 0) return
    const out = new ByteWriter()
    out.bytes(this.#long(entries.length))
    for (const entry of entries) write(entry, out)
    this.#raw(id, out.written())
  }

  #raw(id: number, contents: Uint8Array | readonly number[]): void {
    this.#sections.push(...this.#customs(), Uint8Array.from([id, ...this.#long(contents.length), ...contents]))
  }

  #customs(): Uint8Array[] {
    return Array.from({ length: Math.max(0, this.#random.below(6) - 3) }, () => {
      const name = Buffer.from(this.#random.pick(['name', 'producers', 'x', '', 'sourceMappingURL', 'dylink.0']))
      const contents = [...leb(name.length), ...name, ...this.#random.bytes(this.#random.below(20))]
      return Uint8Array.from([0, ...leb(contents.length), ...contents])
    })
  }

  /** A number that may have more bytes than it needs. */
  #long(value: number): number[] {
    if (this.#random.below(3) > 0) return leb(value)
    return [0, 7, 14, 21, 28].map((shift) => ((value >>> shift) & 127) | (shift < 28 ? 128 : 0))
  }
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Arguments that a function of these types can be called with. */
export function randomArguments(parameters: readonly ValueType[], random: Random): unknown[] {
  return parameters.map((type) => {
    if (type === I64) return BigInt(random.below(2 ** 32)) * BigInt(random.below(2 ** 31))
    if (SCALARS.includes(type)) return random.below(3) === 0 ? random.below(20) : random.below(2 ** 32) - 2 ** 31
    return null
  })
}
