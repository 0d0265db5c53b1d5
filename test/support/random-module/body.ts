/** Random code of one function, every way that control can take among it. */
import { ByteWriter } from '../../../src/wasm/instrument/byte-writer.js'
import type { Random } from '../soak.js'
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, PLAIN, type Signature, V128, type ValueType } from './types.js'

/** What code of a module may name. */
export interface Names {
  readonly types: readonly Signature[]
  /** Types of all functions, imported ones first. */
  readonly functions: readonly number[]
  readonly globals: readonly { readonly type: ValueType; readonly isMutable: boolean }[]
  readonly tables: readonly ValueType[]
  readonly hasMemory: boolean
  readonly dataSegments: number
  readonly elementSegments: readonly ValueType[]
  /** Types of its tags; with any, it throws and catches. */
  readonly tags: readonly number[]
  /** i32: what stops it, at zero. */
  readonly guard: number
  /** i64: what it counts by itself. */
  readonly counter: number
  /** Whether it counts. */
  readonly counts: boolean
}

interface Label {
  readonly types: readonly ValueType[]
}

const EMPTY_BLOCK = 0x40
const FREE: ReadonlySet<number> = new Set([0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0b, 0x0f, 0x18, 0x19, 0x1a])
/** Division, and floats that no integer has room for. */
const TRAPPING: ReadonlySet<number> = new Set([
  0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0xa8, 0xa9, 0xaa, 0xab, 0xae, 0xaf, 0xb0, 0xb1,
])

/** Writes one function's code. With `counts`, each instruction is preceded by what adds its cost to the counter: the slow, sure way. */
export class Body {
  readonly #names: Names
  readonly #random: Random
  readonly #locals: readonly ValueType[]
  readonly #results: readonly ValueType[]
  readonly #scratch: number
  readonly #labels: Label[]
  readonly #out = new ByteWriter()
  /** Does little that traps, so that it comes to its end. */
  readonly #isTame: boolean
  #left = 60

  /** `locals` are parameters first; one more i32 behind them, `scratch`, is for the counting. */
  constructor(names: Names, random: Random, locals: readonly ValueType[], results: readonly ValueType[]) {
    this.#names = names
    this.#random = random
    this.#locals = locals
    this.#results = results
    this.#scratch = locals.length
    this.#labels = [{ types: results }]
    this.#isTame = random.below(3) > 0
  }

  write(): Uint8Array {
    this.#count(1)
    this.#guard()
    this.#sequence(this.#results, 4)
    this.#op(0x0b)
    return this.#out.written().slice()
  }

  /** Statements, then what gives these values. */
  #sequence(types: readonly ValueType[], depth: number): void {
    for (let left = this.#random.below(4); left > 0; left--) this.#statement(depth)
    if (types.length > 1 && this.#random.below(4) === 0) {
      const type = this.#names.types.findIndex((each) => each.parameters.length === 0 && sameTypes(each.results, types))
      if (type >= 0) {
        this.#block(depth, types, () => this.#number(type, true))
        return
      }
    }
    for (const type of types) this.#value(type, depth)
  }

  #value(type: ValueType, depth: number): void {
    if (depth <= 0 || this.#left-- <= 0) {
      this.#leaf(type)
      return
    }
    const choice = this.#random.below(14)
    if (choice === 0) {
      this.#leaf(type)
      return
    }
    if (choice === 1) {
      this.#block(depth, [type], () => this.#out.byte(type))
      return
    }
    if (choice === 2) {
      this.#value(I32, depth - 1)
      this.#op(0x04, type)
      this.#inside([type], () => {
        this.#sequence([type], depth - 1)
        this.#op(0x05)
        this.#sequence([type], depth - 1)
        this.#op(0x0b)
      })
      return
    }
    if (choice === 3) {
      this.#value(type, depth - 1)
      this.#value(type, depth - 1)
      this.#value(I32, depth - 1)
      // Numbers may be selected without their type.
      if (type === FUNCREF || type === EXTERNREF || this.#random.below(2) === 0) this.#op(0x1c, 1, type)
      else this.#op(0x1b)
      return
    }
    if (choice === 4 && this.#call(type, depth)) return
    if (choice === 5 && this.#names.tags.length > 0) {
      this.#try(type, depth)
      return
    }
    if (choice === 6 && this.#load(type, depth)) return
    if (choice === 7 && this.#random.below(3) === 0) {
      // What comes behind is never reached, and has to be valid all the same.
      this.#leave(depth)
      this.#value(type, depth - 1)
      return
    }
    if (choice === 8) {
      // A branch that is not taken leaves its values.
      const label = this.#labels.findLastIndex(({ types }) => types.length === 1 && types[0] === type)
      if (label >= 0) {
        this.#value(type, depth - 1)
        this.#value(I32, depth - 1)
        this.#op(0x0d, this.#labels.length - 1 - label)
        return
      }
    }
    const plain = PLAIN.get(type)
    if (plain === undefined) {
      this.#leaf(type)
      return
    }
    const { code, takes } = this.#random.pick(plain)
    if (this.#isTame && TRAPPING.has(code[0] ?? 0)) {
      this.#leaf(type)
      return
    }
    for (const take of takes) this.#value(take, depth - 1)
    this.#op(...code)
  }

  #leaf(type: ValueType): void {
    const local = this.#random.pick([...this.#locals.keys(), -1])
    if (local >= 0 && this.#locals[local] === type) {
      this.#op(0x20, local)
      return
    }
    const global = this.#random.pick([...this.#names.globals.keys(), -1])
    if (global >= 0 && this.#names.globals[global]?.type === type) {
      this.#op(0x23, global)
      return
    }
    const table = this.#names.tables.indexOf(type)
    if (table >= 0 && this.#random.below(3) === 0) {
      this.#small(12)
      this.#op(0x25, table)
      return
    }
    if (type === I32) this.#random.below(2) === 0 ? this.#small(8) : this.#op(0x41, ...this.#leb32())
    else if (type === I64) this.#op(0x42, ...this.#leb32())
    else if (type === F32) this.#op(0x43, ...this.#random.bytes(4))
    else if (type === F64) this.#op(0x44, ...this.#random.bytes(8))
    else if (type === V128) this.#op(0xfd, 12, ...this.#random.bytes(16))
    else if (type === FUNCREF && this.#random.below(3) > 0) this.#op(0xd2, this.#random.below(this.#names.functions.length))
    else this.#op(0xd0, type)
  }

  #statement(depth: number): void {
    if (depth <= 0 || this.#left-- <= 0) {
      this.#op(0x01)
      return
    }
    const next = depth - 1
    switch (this.#random.below(15)) {
      case 0: {
        this.#value(this.#random.pick([I32, I64, F64, V128, FUNCREF, EXTERNREF]), next)
        this.#op(0x1a)
        return
      }
      case 1:
      case 2: {
        if (this.#locals.length === 0) {
          this.#op(0x01)
          return
        }
        const local = this.#random.below(this.#locals.length)
        this.#value(this.#locals[local] as ValueType, next)
        if (this.#random.below(3) > 0) {
          this.#op(0x21, local)
          return
        }
        this.#op(0x22, local)
        this.#op(0x1a)
        return
      }
      case 3: {
        const changing = [...this.#names.globals.entries()].filter(([, { isMutable }]) => isMutable)
        if (changing.length === 0) {
          this.#op(0x01)
          return
        }
        const [global, { type }] = this.#random.pick(changing)
        this.#value(type, next)
        this.#op(0x24, global)
        return
      }
      case 4:
        this.#store(next)
        return
      case 5:
        this.#block(depth, [], () => this.#out.byte(EMPTY_BLOCK))
        return
      case 6:
      case 7:
        this.#loop(depth)
        return
      case 8: {
        this.#value(I32, next)
        this.#op(0x04, EMPTY_BLOCK)
        this.#inside([], () => {
          this.#statement(next)
          if (this.#random.below(2) === 0) {
            this.#op(0x05)
            this.#statement(next)
          }
          this.#op(0x0b)
        })
        return
      }
      case 9:
      case 10: {
        const label = this.#labels.findLastIndex(({ types }) => types.length === 0)
        if (label < 0) {
          this.#op(0x01)
          return
        }
        this.#value(I32, next)
        this.#op(0x0d, this.#labels.length - 1 - label)
        return
      }
      case 11:
        this.#bulk(next)
        return
      case 12: {
        const { functions, types } = this.#names
        const called = this.#random.below(functions.length)
        const signature = types[functions[called] ?? 0] as Signature
        for (const type of signature.parameters) this.#value(type, next - 1)
        this.#op(0x10, called)
        for (const _ of signature.results) this.#op(0x1a)
        return
      }
      case 13:
        if (this.#random.below(4) > 0) {
          this.#op(0x01)
          return
        }
        // Behind it only what is never reached, up to the end of the block.
        this.#value(I32, next)
        this.#op(0x04, EMPTY_BLOCK)
        this.#inside([], () => {
          this.#leave(next)
          this.#statement(next)
          this.#op(0x0b)
        })
        return
      default:
        this.#op(0x01)
        return
    }
  }

  #block(depth: number, types: readonly ValueType[], type: () => void): void {
    this.#op(0x02)
    type()
    this.#inside(types, () => {
      this.#sequence(types, depth - 1)
      this.#op(0x0b)
    })
  }

  /** With parameters, where a type of the module's allows for them. */
  #loop(depth: number): void {
    const typed = this.#names.types.findIndex(({ parameters, results }) => parameters.length > 0 && sameTypes(parameters, results))
    const types = typed >= 0 && this.#random.below(2) === 0 ? (this.#names.types[typed]?.parameters ?? []) : []
    for (const type of types) this.#value(type, depth - 2)
    this.#op(0x03)
    if (types.length > 0) this.#number(typed, true)
    else this.#out.byte(EMPTY_BLOCK)
    this.#inside(types, () => {
      this.#guard()
      for (let left = 1 + this.#random.below(3); left > 0; left--) this.#statement(depth - 1)
      this.#value(I32, depth - 1)
      if (this.#isTame) {
        // Another one each time.
        this.#op(0x23, ...leb(this.#names.guard))
        this.#op(0x71)
        this.#op(0x41, 3)
        this.#op(0x71)
      }
      this.#op(0x0d, 0)
      this.#op(0x0b)
    })
    for (const _ of types) this.#op(0x1a)
  }

  #try(type: ValueType, depth: number): void {
    const { tags, types } = this.#names
    this.#op(0x06, type)
    this.#inside([type], () => {
      this.#sequence([type], depth - 1)
      if (this.#random.below(4) === 0) {
        this.#op(0x18, this.#random.below(this.#labels.length - 1))
        return
      }
      for (const [tag, signature] of tags.entries()) {
        if (this.#random.below(2) === 0) continue
        this.#op(0x07, tag)
        for (const _ of types[signature]?.parameters ?? []) this.#op(0x1a)
        if (this.#random.below(5) === 0) this.#op(0x09, 0)
        this.#value(type, depth - 1)
      }
      if (this.#random.below(2) === 0) {
        this.#op(0x19)
        this.#value(type, depth - 1)
      }
      this.#op(0x0b)
    })
  }

  /** Goes elsewhere, in one of the ways there are. */
  #leave(depth: number): void {
    const { tags, types, functions, tables } = this.#names
    const next = depth - 1
    switch (this.#isTame ? 1 + this.#random.below(6) : this.#random.below(7)) {
      case 0:
        this.#op(0x00)
        return
      case 1: {
        for (const type of this.#results) this.#value(type, next)
        this.#op(0x0f)
        return
      }
      case 2: {
        const label = this.#random.below(this.#labels.length)
        for (const type of this.#labels[this.#labels.length - 1 - label]?.types ?? []) this.#value(type, next)
        this.#op(0x0c, label)
        return
      }
      case 3: {
        const wanted = this.#random.pick(this.#labels).types
        const labels = [...this.#labels.keys()]
          .filter((place) => sameTypes(this.#labels[place]?.types ?? [], wanted))
          .map((place) => this.#labels.length - 1 - place)
        for (const type of wanted) this.#value(type, next)
        this.#value(I32, next)
        this.#op(0x0e, labels.length, ...labels, this.#random.pick(labels))
        return
      }
      case 4: {
        if (tags.length === 0) {
          this.#op(0x00)
          return
        }
        const tag = this.#random.below(tags.length)
        for (const type of types[tags[tag] ?? 0]?.parameters ?? []) this.#value(type, next)
        this.#op(0x08, tag)
        return
      }
      default: {
        const fitting = [...functions.keys()].filter((place) => sameTypes(types[functions[place] ?? 0]?.results ?? [], this.#results))
        if (fitting.length === 0) {
          this.#op(0x00)
          return
        }
        const called = this.#random.pick(fitting)
        for (const type of types[functions[called] ?? 0]?.parameters ?? []) this.#value(type, next - 1)
        const table = tables.indexOf(FUNCREF)
        if (table < 0 || this.#random.below(2) === 0) {
          this.#op(0x12, called)
          return
        }
        this.#small(6)
        this.#op(0x13, functions[called] ?? 0, table)
        return
      }
    }
  }

  #call(type: ValueType, depth: number): boolean {
    const { functions, types, tables } = this.#names
    const fitting = [...functions.keys()].filter((place) => sameTypes(types[functions[place] ?? 0]?.results ?? [], [type]))
    if (fitting.length === 0) return false
    const called = this.#random.pick(fitting)
    for (const each of types[functions[called] ?? 0]?.parameters ?? []) this.#value(each, depth - 2)
    const table = tables.indexOf(FUNCREF)
    if (table < 0 || this.#random.below(this.#isTame ? 8 : 2) > 0) this.#op(0x10, called)
    else {
      this.#small(6)
      this.#op(0x11, functions[called] ?? 0, table)
    }
    return true
  }

  #load(type: ValueType, depth: number): boolean {
    const loads = new Map<ValueType, readonly number[][]>([
      [I32, [[0x28], [0x2c], [0x2d], [0x2e], [0x2f], [0xfe, 0x1e], [0xfe, 0x10]]],
      [I64, [[0x29], [0x30], [0x33], [0x35], [0xfe, 0x1f]]],
      [F32, [[0x2a]]],
      [F64, [[0x2b]]],
      [
        V128,
        [
          [0xfd, 0],
          [0xfd, 1],
          [0xfd, 7],
          [0xfd, 0x5c],
        ],
      ],
    ]).get(type)
    if (!this.#names.hasMemory || loads === undefined) return false
    const code = this.#random.pick(loads)
    if (code[0] === 0xfe && this.#isTame) this.#op(0x41, 8)
    else this.#small(4096)
    if (code[0] !== 0xfe) this.#op(...code, 0, ...this.#offset())
    else {
      // Atomic: aligned as they are wide.
      const isRead = code[1] === 0x10
      if (!isRead) this.#value(type, depth - 1)
      this.#op(...code, type === I32 ? 2 : 3, 0)
    }
    return true
  }

  #store(depth: number): void {
    if (!this.#names.hasMemory) {
      this.#op(0x01)
      return
    }
    this.#small(4096)
    const [type, code] = this.#random.pick<[ValueType, number[]]>([
      [I32, [0x36]],
      [I64, [0x37]],
      [I32, [0x3a]],
      [I64, [0x3e]],
      [V128, [0xfd, 0x0b]],
    ])
    this.#value(type, depth)
    this.#op(...code, 0, ...this.#offset())
  }

  /** What costs by its length, that being the last thing it takes. */
  #bulk(depth: number): void {
    const { hasMemory, dataSegments, elementSegments, tables } = this.#names
    const choice = this.#random.below(9)
    const table = tables.length === 0 ? -1 : this.#random.below(tables.length)
    const type = tables[table] ?? FUNCREF
    if (choice < 4 && hasMemory) {
      if (choice === 0) {
        this.#small(5)
        this.#lengthy(0, 0x40, 0)
        this.#op(0x1a)
        return
      }
      if (choice === 1 && dataSegments > 0) {
        const segment = this.#random.below(dataSegments)
        if (this.#random.below(4) === 0) {
          this.#op(0xfc, 9, segment)
          return
        }
        this.#smalls(2048, 4, 8)
        this.#lengthy(6, 0xfc, 8, segment, 0)
        return
      }
      this.#small(2048)
      if (choice === 2) this.#value(I32, depth)
      else this.#small(2048)
      this.#small(3000)
      choice === 2 ? this.#lengthy(6, 0xfc, 11, 0) : this.#lengthy(6, 0xfc, 10, 0, 0)
      return
    }
    if (table < 0) {
      this.#op(0x01)
      return
    }
    if (choice === 4) {
      this.#small(12)
      this.#value(type, depth)
      this.#op(0x26, table)
      return
    }
    if (choice === 5) {
      this.#value(type, depth)
      this.#small(4)
      this.#lengthy(0, 0xfc, 15, table)
      this.#op(0x1a)
      return
    }
    if (choice === 6) {
      this.#small(6)
      this.#value(type, depth)
      this.#small(6)
      this.#lengthy(0, 0xfc, 17, table)
      return
    }
    const segment = elementSegments.indexOf(type)
    if (choice === 7 && segment >= 0) {
      if (this.#random.below(4) === 0) {
        this.#op(0xfc, 13, segment)
        return
      }
      this.#smalls(6, 3, 3)
      this.#lengthy(0, 0xfc, 12, segment, table)
      return
    }
    this.#smalls(6, 6, 4)
    this.#lengthy(0, 0xfc, 14, table, table)
  }

  #smalls(...bounds: readonly number[]): void {
    for (const bound of bounds) this.#small(bound)
  }

  #inside(types: readonly ValueType[], write: () => void): void {
    this.#labels.push({ types })
    write()
    this.#labels.pop()
  }

  /** Stops at zero, so that all ends by itself. */
  #guard(): void {
    const { guard } = this.#names
    this.#op(0x23, ...leb(guard))
    this.#op(0x45)
    this.#op(0x04, EMPTY_BLOCK)
    this.#op(0x00)
    this.#op(0x0b)
    this.#op(0x23, ...leb(guard))
    this.#op(0x41, 1)
    this.#op(0x6b)
    this.#op(0x24, ...leb(guard))
  }

  #small(bound: number): void {
    this.#op(0x41, ...leb(this.#random.below(bound), 64))
  }

  #leb32(): number[] {
    const value = this.#random.below(2 ** 32) | 0
    const bytes: number[] = []
    let rest = value
    for (; rest < -64 || rest > 63; rest >>= 7) bytes.push((rest & 127) | 128)
    return [...bytes, rest & 127]
  }

  #offset(): number[] {
    return !this.#isTame && this.#random.below(20) === 0 ? leb(2 ** 32 - 1) : leb(this.#random.below(200))
  }

  /** A number as it is written, at times with more bytes than it needs. */
  #number(value: number, isSigned = false): void {
    this.#out.bytes(leb(value, isSigned ? 64 : 128))
  }

  #lengthy(shift: number, ...code: readonly number[]): void {
    if (this.#names.counts) {
      const { counter } = this.#names
      this.#out.bytes([0x22, ...leb(this.#scratch), 0x23, ...leb(counter), 0x20, ...leb(this.#scratch), 0xad])
      this.#out.bytes([0x42, shift, 0x88, 0x7c, 0x24, ...leb(counter)])
    }
    this.#op(...code)
  }

  #op(...code: readonly number[]): void {
    if (!FREE.has(code[0] ?? 0)) this.#count(1)
    this.#out.bytes(code)
  }

  #count(cost: number): void {
    const { counter, counts } = this.#names
    if (counts) this.#out.bytes([0x23, ...leb(counter), 0x42, cost, 0x7c, 0x24, ...leb(counter)])
  }
}

/** LEB128 of a number that is not negative; `below` is 64 for a signed type. */
export function leb(value: number, below = 128): number[] {
  return value < below ? [value] : [(value & 127) | 128, ...leb(Math.floor(value / 128), below)]
}

function sameTypes(left: readonly ValueType[], right: readonly ValueType[]): boolean {
  return left.length === right.length && left.every((type, place) => type === right[place])
}
