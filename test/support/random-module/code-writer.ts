/** Code as it is written, which counts its own cost where it is asked to: the slow, sure way. */
import { ByteWriter } from '../../../src/wasm/instrument/byte-writer.js'
import type { Random } from '../soak.js'
import { EMPTY_BLOCK, type Names } from './names.js'

/** Opcodes without a cost (`src/wasm/README.md`, "Fuel"). */
const FREE: ReadonlySet<number> = new Set([0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0b, 0x0f, 0x18, 0x19, 0x1a])

/** Writes instructions. With `counts`, each is preceded by what adds its cost to the counter. */
export class CodeWriter {
  readonly #names: Names
  readonly #random: Random
  /** A local for the counting: i32. */
  readonly #scratch: number
  readonly #out = new ByteWriter()

  constructor(names: Names, random: Random, scratch: number) {
    this.#names = names
    this.#random = random
    this.#scratch = scratch
  }

  /** All of it. */
  written(): Uint8Array {
    return this.#out.written().slice()
  }

  /** One byte that is no instruction: a block's type. */
  byte(value: number): void {
    this.#out.byte(value)
  }

  /** One instruction, with what belongs to it. */
  op(...code: readonly number[]): void {
    if (!FREE.has(code[0] ?? 0)) this.count(1)
    this.#out.bytes(code)
  }

  /** A cost of something else. */
  count(cost: number): void {
    const { counter, counts } = this.#names
    if (counts) this.#out.bytes([0x23, ...leb(counter), 0x42, cost, 0x7c, 0x24, ...leb(counter)])
  }

  /** What costs by its length, that being the last thing it takes. */
  lengthy(shift: number, ...code: readonly number[]): void {
    if (this.#names.counts) {
      const { counter } = this.#names
      this.#out.bytes([0x22, ...leb(this.#scratch), 0x23, ...leb(counter), 0x20, ...leb(this.#scratch), 0xad])
      this.#out.bytes([0x42, shift, 0x88, 0x7c, 0x24, ...leb(counter)])
    }
    this.op(...code)
  }

  /** Stops at zero, so that all ends by itself. */
  guard(): void {
    const { guard } = this.#names
    this.op(0x23, ...leb(guard))
    this.op(0x45)
    this.op(0x04, EMPTY_BLOCK)
    this.op(0x00)
    this.op(0x0b)
    this.op(0x23, ...leb(guard))
    this.op(0x41, 1)
    this.op(0x6b)
    this.op(0x24, ...leb(guard))
  }

  /** An i32 below `bound`. */
  small(bound: number): void {
    this.op(0x41, ...leb(this.#random.below(bound), 64))
  }

  smalls(...bounds: readonly number[]): void {
    for (const bound of bounds) this.small(bound)
  }

  /** A number without an instruction of its own. */
  number(value: number, isSigned = false): void {
    this.#out.bytes(leb(value, isSigned ? 64 : 128))
  }
}

/** LEB128 of a number that is not negative; `below` is 64 for a signed type. */
export function leb(value: number, below = 128): number[] {
  return value < below ? [value] : [(value & 127) | 128, ...leb(Math.floor(value / 128), below)]
}
