/** Random code that reads, writes, fills, copies and grows memories and tables. */
import type { Random } from '../soak.js'
import { type CodeWriter, leb } from './code-writer.js'
import type { Names } from './names.js'
import { F32, F64, FUNCREF, I32, I64, V128, type ValueType } from './types.js'

/** What {@link MemoryCode} is a part of. */
export interface MemoryCodeParts {
  readonly names: Names
  readonly random: Random
  readonly code: CodeWriter
  /** Does little that traps. */
  readonly isTame: boolean
  /** Writes what gives a value. */
  readonly value: (type: ValueType, depth: number) => void
}

/** Writes them. */
export class MemoryCode {
  readonly #names: Names
  readonly #random: Random
  readonly #code: CodeWriter
  readonly #isTame: boolean
  readonly #value: (type: ValueType, depth: number) => void

  constructor({ names, random, code, isTame, value }: MemoryCodeParts) {
    this.#names = names
    this.#random = random
    this.#code = code
    this.#isTame = isTame
    this.#value = value
  }

  /** False where nothing of this type can be read. */
  load(type: ValueType, depth: number): boolean {
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
    if (code[0] === 0xfe && this.#isTame) this.#code.op(0x41, 8)
    else this.#code.small(4096)
    if (code[0] !== 0xfe) this.#code.op(...code, 0, ...this.#offset())
    else {
      // Atomic: aligned as they are wide.
      const isRead = code[1] === 0x10
      if (!isRead) this.#value(type, depth - 1)
      this.#code.op(...code, type === I32 ? 2 : 3, 0)
    }
    return true
  }

  store(depth: number): void {
    if (!this.#names.hasMemory) {
      this.#code.op(0x01)
      return
    }
    this.#code.small(4096)
    const [type, code] = this.#random.pick<[ValueType, number[]]>([
      [I32, [0x36]],
      [I64, [0x37]],
      [I32, [0x3a]],
      [I64, [0x3e]],
      [V128, [0xfd, 0x0b]],
    ])
    this.#value(type, depth)
    this.#code.op(...code, 0, ...this.#offset())
  }

  /** What costs by its length, that being the last thing it takes. */
  bulk(depth: number): void {
    const { hasMemory, dataSegments, elementSegments, tables } = this.#names
    const choice = this.#random.below(9)
    const table = tables.length === 0 ? -1 : this.#random.below(tables.length)
    const type = tables[table] ?? FUNCREF
    if (choice < 4 && hasMemory) {
      if (choice === 0) {
        this.#code.small(5)
        this.#code.lengthy(0, 0x40, 0)
        this.#code.op(0x1a)
        return
      }
      if (choice === 1 && dataSegments > 0) {
        const segment = this.#random.below(dataSegments)
        if (this.#random.below(4) === 0) {
          this.#code.op(0xfc, 9, segment)
          return
        }
        this.#code.smalls(2048, 4, 8)
        this.#code.lengthy(6, 0xfc, 8, segment, 0)
        return
      }
      this.#code.small(2048)
      if (choice === 2) this.#value(I32, depth)
      else this.#code.small(2048)
      this.#code.small(3000)
      choice === 2 ? this.#code.lengthy(6, 0xfc, 11, 0) : this.#code.lengthy(6, 0xfc, 10, 0, 0)
      return
    }
    if (table < 0) {
      this.#code.op(0x01)
      return
    }
    if (choice === 4) {
      this.#code.small(12)
      this.#value(type, depth)
      this.#code.op(0x26, table)
      return
    }
    if (choice === 5) {
      this.#value(type, depth)
      this.#code.small(4)
      this.#code.lengthy(0, 0xfc, 15, table)
      this.#code.op(0x1a)
      return
    }
    if (choice === 6) {
      this.#code.small(6)
      this.#value(type, depth)
      this.#code.small(6)
      this.#code.lengthy(0, 0xfc, 17, table)
      return
    }
    const segment = elementSegments.indexOf(type)
    if (choice === 7 && segment >= 0) {
      if (this.#random.below(4) === 0) {
        this.#code.op(0xfc, 13, segment)
        return
      }
      this.#code.smalls(6, 3, 3)
      this.#code.lengthy(0, 0xfc, 12, segment, table)
      return
    }
    this.#code.smalls(6, 6, 4)
    this.#code.lengthy(0, 0xfc, 14, table, table)
  }

  #offset(): number[] {
    return !this.#isTame && this.#random.below(20) === 0 ? leb(2 ** 32 - 1) : leb(this.#random.below(200))
  }
}
