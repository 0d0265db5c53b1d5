/** Random code of one function, every way that control can take among it. */
import type { Random } from '../soak.js'
import { CodeWriter, leb } from './code-writer.js'
import { MemoryCode } from './memory-code.js'
import { EMPTY_BLOCK, type Names } from './names.js'
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, PLAIN, type Signature, V128, type ValueType } from './types.js'

interface Label {
  readonly types: readonly ValueType[]
}

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
  readonly #labels: Label[]
  readonly #code: CodeWriter
  readonly #memory: MemoryCode
  /** Does little that traps, so that it comes to its end. */
  readonly #isTame: boolean
  #left = 60

  /** `locals` are parameters first; one more i32 behind them, `scratch`, is for the counting. */
  constructor(names: Names, random: Random, locals: readonly ValueType[], results: readonly ValueType[]) {
    this.#names = names
    this.#random = random
    this.#locals = locals
    this.#results = results
    this.#code = new CodeWriter(names, random, locals.length)
    this.#labels = [{ types: results }]
    this.#isTame = random.below(3) > 0
    const value = (type: ValueType, depth: number) => this.#value(type, depth)
    this.#memory = new MemoryCode({ names, random, code: this.#code, isTame: this.#isTame, value })
  }

  write(): Uint8Array {
    this.#code.count(1)
    this.#code.guard()
    this.#sequence(this.#results, 4)
    this.#code.op(0x0b)
    return this.#code.written()
  }

  /** Statements, then what gives these values. */
  #sequence(types: readonly ValueType[], depth: number): void {
    for (let left = this.#random.below(4); left > 0; left--) this.#statement(depth)
    if (types.length > 1 && this.#random.below(4) === 0) {
      const type = this.#names.types.findIndex((each) => each.parameters.length === 0 && sameTypes(each.results, types))
      if (type >= 0) {
        this.#block(depth, types, () => this.#code.number(type, true))
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
      this.#block(depth, [type], () => this.#code.byte(type))
      return
    }
    if (choice === 2) {
      this.#value(I32, depth - 1)
      this.#code.op(0x04, type)
      this.#inside([type], () => {
        this.#sequence([type], depth - 1)
        this.#code.op(0x05)
        this.#sequence([type], depth - 1)
        this.#code.op(0x0b)
      })
      return
    }
    if (choice === 3) {
      this.#value(type, depth - 1)
      this.#value(type, depth - 1)
      this.#value(I32, depth - 1)
      // Numbers may be selected without their type.
      if (type === FUNCREF || type === EXTERNREF || this.#random.below(2) === 0) this.#code.op(0x1c, 1, type)
      else this.#code.op(0x1b)
      return
    }
    if (choice === 4 && this.#call(type, depth)) return
    if (choice === 5 && this.#names.tags.length > 0) {
      this.#try(type, depth)
      return
    }
    if (choice === 6 && this.#memory.load(type, depth)) return
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
        this.#code.op(0x0d, this.#labels.length - 1 - label)
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
    this.#code.op(...code)
  }

  #leaf(type: ValueType): void {
    const local = this.#random.pick([...this.#locals.keys(), -1])
    if (local >= 0 && this.#locals[local] === type) {
      this.#code.op(0x20, local)
      return
    }
    const global = this.#random.pick([...this.#names.globals.keys(), -1])
    if (global >= 0 && this.#names.globals[global]?.type === type) {
      this.#code.op(0x23, global)
      return
    }
    const table = this.#names.tables.indexOf(type)
    if (table >= 0 && this.#random.below(3) === 0) {
      this.#code.small(12)
      this.#code.op(0x25, table)
      return
    }
    if (type === I32) this.#random.below(2) === 0 ? this.#code.small(8) : this.#code.op(0x41, ...this.#leb32())
    else if (type === I64) this.#code.op(0x42, ...this.#leb32())
    else if (type === F32) this.#code.op(0x43, ...this.#random.bytes(4))
    else if (type === F64) this.#code.op(0x44, ...this.#random.bytes(8))
    else if (type === V128) this.#code.op(0xfd, 12, ...this.#random.bytes(16))
    else if (type === FUNCREF && this.#random.below(3) > 0) this.#code.op(0xd2, this.#random.below(this.#names.functions.length))
    else this.#code.op(0xd0, type)
  }

  #statement(depth: number): void {
    if (depth <= 0 || this.#left-- <= 0) {
      this.#code.op(0x01)
      return
    }
    const next = depth - 1
    switch (this.#random.below(15)) {
      case 0: {
        this.#value(this.#random.pick([I32, I64, F64, V128, FUNCREF, EXTERNREF]), next)
        this.#code.op(0x1a)
        return
      }
      case 1:
      case 2: {
        if (this.#locals.length === 0) {
          this.#code.op(0x01)
          return
        }
        const local = this.#random.below(this.#locals.length)
        this.#value(this.#locals[local] as ValueType, next)
        if (this.#random.below(3) > 0) {
          this.#code.op(0x21, local)
          return
        }
        this.#code.op(0x22, local)
        this.#code.op(0x1a)
        return
      }
      case 3: {
        const changing = [...this.#names.globals.entries()].filter(([, { isMutable }]) => isMutable)
        if (changing.length === 0) {
          this.#code.op(0x01)
          return
        }
        const [global, { type }] = this.#random.pick(changing)
        this.#value(type, next)
        this.#code.op(0x24, global)
        return
      }
      case 4:
        this.#memory.store(next)
        return
      case 5:
        this.#block(depth, [], () => this.#code.byte(EMPTY_BLOCK))
        return
      case 6:
      case 7:
        this.#loop(depth)
        return
      case 8: {
        this.#value(I32, next)
        this.#code.op(0x04, EMPTY_BLOCK)
        this.#inside([], () => {
          this.#statement(next)
          if (this.#random.below(2) === 0) {
            this.#code.op(0x05)
            this.#statement(next)
          }
          this.#code.op(0x0b)
        })
        return
      }
      case 9:
      case 10: {
        const label = this.#labels.findLastIndex(({ types }) => types.length === 0)
        if (label < 0) {
          this.#code.op(0x01)
          return
        }
        this.#value(I32, next)
        this.#code.op(0x0d, this.#labels.length - 1 - label)
        return
      }
      case 11:
        this.#memory.bulk(next)
        return
      case 12: {
        const { functions, types } = this.#names
        const called = this.#random.below(functions.length)
        const signature = types[functions[called] ?? 0] as Signature
        for (const type of signature.parameters) this.#value(type, next - 1)
        this.#code.op(0x10, called)
        for (const _ of signature.results) this.#code.op(0x1a)
        return
      }
      case 13:
        if (this.#random.below(4) > 0) {
          this.#code.op(0x01)
          return
        }
        // Behind it only what is never reached, up to the end of the block.
        this.#value(I32, next)
        this.#code.op(0x04, EMPTY_BLOCK)
        this.#inside([], () => {
          this.#leave(next)
          this.#statement(next)
          this.#code.op(0x0b)
        })
        return
      default:
        this.#code.op(0x01)
        return
    }
  }

  #block(depth: number, types: readonly ValueType[], type: () => void): void {
    this.#code.op(0x02)
    type()
    this.#inside(types, () => {
      this.#sequence(types, depth - 1)
      this.#code.op(0x0b)
    })
  }

  /** With parameters, where a type of the module's allows for them. */
  #loop(depth: number): void {
    const typed = this.#names.types.findIndex(({ parameters, results }) => parameters.length > 0 && sameTypes(parameters, results))
    const types = typed >= 0 && this.#random.below(2) === 0 ? (this.#names.types[typed]?.parameters ?? []) : []
    for (const type of types) this.#value(type, depth - 2)
    this.#code.op(0x03)
    if (types.length > 0) this.#code.number(typed, true)
    else this.#code.byte(EMPTY_BLOCK)
    this.#inside(types, () => {
      this.#code.guard()
      for (let left = 1 + this.#random.below(3); left > 0; left--) this.#statement(depth - 1)
      this.#value(I32, depth - 1)
      if (this.#isTame) {
        // Another one each time.
        this.#code.op(0x23, ...leb(this.#names.guard))
        this.#code.op(0x71)
        this.#code.op(0x41, 3)
        this.#code.op(0x71)
      }
      this.#code.op(0x0d, 0)
      this.#code.op(0x0b)
    })
    for (const _ of types) this.#code.op(0x1a)
  }

  #try(type: ValueType, depth: number): void {
    const { tags, types } = this.#names
    this.#code.op(0x06, type)
    this.#inside([type], () => {
      this.#sequence([type], depth - 1)
      if (this.#random.below(4) === 0) {
        this.#code.op(0x18, this.#random.below(this.#labels.length - 1))
        return
      }
      for (const [tag, signature] of tags.entries()) {
        if (this.#random.below(2) === 0) continue
        this.#code.op(0x07, tag)
        for (const _ of types[signature]?.parameters ?? []) this.#code.op(0x1a)
        if (this.#random.below(5) === 0) this.#code.op(0x09, 0)
        this.#value(type, depth - 1)
      }
      if (this.#random.below(2) === 0) {
        this.#code.op(0x19)
        this.#value(type, depth - 1)
      }
      this.#code.op(0x0b)
    })
  }

  /** Goes elsewhere, in one of the ways there are. */
  #leave(depth: number): void {
    const { tags, types, functions, tables } = this.#names
    const next = depth - 1
    switch (this.#isTame ? 1 + this.#random.below(6) : this.#random.below(7)) {
      case 0:
        this.#code.op(0x00)
        return
      case 1: {
        for (const type of this.#results) this.#value(type, next)
        this.#code.op(0x0f)
        return
      }
      case 2: {
        const label = this.#random.below(this.#labels.length)
        for (const type of this.#labels[this.#labels.length - 1 - label]?.types ?? []) this.#value(type, next)
        this.#code.op(0x0c, label)
        return
      }
      case 3: {
        const wanted = this.#random.pick(this.#labels).types
        const labels = [...this.#labels.keys()]
          .filter((place) => sameTypes(this.#labels[place]?.types ?? [], wanted))
          .map((place) => this.#labels.length - 1 - place)
        for (const type of wanted) this.#value(type, next)
        this.#value(I32, next)
        this.#code.op(0x0e, labels.length, ...labels, this.#random.pick(labels))
        return
      }
      case 4: {
        if (tags.length === 0) {
          this.#code.op(0x00)
          return
        }
        const tag = this.#random.below(tags.length)
        for (const type of types[tags[tag] ?? 0]?.parameters ?? []) this.#value(type, next)
        this.#code.op(0x08, tag)
        return
      }
      default: {
        const fitting = [...functions.keys()].filter((place) => sameTypes(types[functions[place] ?? 0]?.results ?? [], this.#results))
        if (fitting.length === 0) {
          this.#code.op(0x00)
          return
        }
        const called = this.#random.pick(fitting)
        for (const type of types[functions[called] ?? 0]?.parameters ?? []) this.#value(type, next - 1)
        const table = tables.indexOf(FUNCREF)
        if (table < 0 || this.#random.below(2) === 0) {
          this.#code.op(0x12, called)
          return
        }
        this.#code.small(6)
        this.#code.op(0x13, functions[called] ?? 0, table)
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
    if (table < 0 || this.#random.below(this.#isTame ? 8 : 2) > 0) this.#code.op(0x10, called)
    else {
      this.#code.small(6)
      this.#code.op(0x11, functions[called] ?? 0, table)
    }
    return true
  }

  #inside(types: readonly ValueType[], write: () => void): void {
    this.#labels.push({ types })
    write()
    this.#labels.pop()
  }

  #leb32(): number[] {
    const value = this.#random.below(2 ** 32) | 0
    const bytes: number[] = []
    let rest = value
    for (; rest < -64 || rest > 63; rest >>= 7) bytes.push((rest & 127) | 128)
    return [...bytes, rest & 127]
  }
}

function sameTypes(left: readonly ValueType[], right: readonly ValueType[]): boolean {
  return left.length === right.length && left.every((type, place) => type === right[place])
}
