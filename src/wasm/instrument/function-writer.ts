import { BinaryReader, malformed } from '../binary-reader.js'
import type { ByteWriter } from './byte-writer.js'
import { type FunctionPlan, INSERT, planFunction } from './function-plan.js'

/** What instrumentation is to do. */
export interface Instrumentation {
  /** Whether instructions are charged. */
  readonly fuel: boolean
  /** Whether each NaN that arithmetic makes becomes the canonical one, whose bits are the same on every machine. */
  readonly canonicalNan: boolean
  /** Where a function counts: in the global, in a local that it writes back at calls, or in a local if it has a loop. The last unless said. */
  readonly counting?: 'global' | 'local' | 'loops'
}

/** What is put into functions, and how globals are numbered there. */
export interface FunctionGlobals {
  readonly wanted: Instrumentation
  /** Number of the global that holds the fuel. */
  readonly global: number
  /** From this number on globals have one more than in the code as it came; null where they keep theirs. */
  readonly ownGlobalsFrom: number | null
}

/** What a function is beside its code. */
export interface FunctionShape {
  readonly parameters: number
  readonly results: number
  /** The type of its result, as it is written, where it has one. */
  readonly resultType: readonly number[]
}

const I32 = 0x7f
const I64 = 0x7e
const EMPTY_BLOCK = 0x40
const CODE = {
  unreachable: 0x00,
  block: 0x02,
  if: 0x04,
  end: 0x0b,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i64Const: 0x42,
  i64LtS: 0x53,
  i64Sub: 0x7d,
  i64ShrU: 0x88,
  i64ExtendI32U: 0xad,
} as const

/** By place in `NAN_TYPES`: the type of a local, the constant, the comparison with itself, and the choice between the two. */
const CANONICAL = [
  { type: 0x7d, constant: [0x43, 0, 0, 0xc0, 0x7f], equal: [0x5b], choose: [CODE.select] },
  { type: 0x7c, constant: [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f], equal: [0x61], choose: [CODE.select] },
  { type: 0x7b, constant: [0xfd, 12, ...lanes([0, 0, 0xc0, 0x7f])], equal: [0xfd, 0x41], choose: [0xfd, 0x52] },
  { type: 0x7b, constant: [0xfd, 12, ...lanes([0, 0, 0, 0, 0, 0, 0xf8, 0x7f])], equal: [0xfd, 0x47], choose: [0xfd, 0x52] },
] as const

function lanes(lane: readonly number[]): number[] {
  return Array.from({ length: 16 / lane.length }, () => lane).flat()
}

/** Writes functions again, with what is put into them. */
export class FunctionWriter {
  readonly #wanted: Instrumentation
  readonly #global: number
  readonly #ownGlobalsFrom: number | null
  /** Locals that the present function has got. */
  #added: number[] = []
  #firstAdded = 0

  constructor({ wanted, global, ownGlobalsFrom }: FunctionGlobals) {
    this.#wanted = wanted
    this.#global = global
    this.#ownGlobalsFrom = ownGlobalsFrom
  }

  /** Reads the body at the reader, its locals first, and writes it. */
  write(code: Uint8Array, reader: BinaryReader, shape: FunctionShape, out: ByteWriter): void {
    const groupsAt = reader.position
    const groups = reader.u32()
    const listAt = reader.position
    let locals = shape.parameters
    for (let count = groups; count > 0; count--) {
      locals += reader.u32()
      reader.valueType()
    }
    const start = reader.position
    if (start < groupsAt) throw malformed('a function is longer than the file')
    const plan = planFunction(new BinaryReader(code, start))
    const isLocal = this.#countsLocally(plan, shape)
    this.#firstAdded = locals
    this.#added = this.#localsFor(plan)
    out.u32(groups + this.#added.length)
    out.bytes(code.subarray(listAt, start))
    for (const type of this.#added) out.bytes([1, type])
    const isWrapped = isLocal && plan.branchesToEnd
    if (isLocal) {
      this.#reload(out)
      if (isWrapped) {
        out.byte(CODE.block)
        if (shape.results === 1) out.bytes(shape.resultType)
        else out.byte(EMPTY_BLOCK)
      }
    }
    let copied = start
    for (const [place, at] of plan.at.entries()) {
      out.bytes(code.subarray(copied, at))
      copied = at
      if (plan.kind[place] === INSERT.renumber) {
        copied = this.#renumber(code, at, out)
        continue
      }
      this.#insert(plan.kind[place] ?? 0, plan.amount[place] ?? 0, isLocal, out)
    }
    out.bytes(code.subarray(copied, plan.end))
    if (isWrapped) out.byte(CODE.end)
    if (isLocal) this.#flush(out)
    out.byte(CODE.end)
  }

  /** A local lives in a register; but it is to be written back wherever others count, and read again where an exception lands. */
  #countsLocally({ hasLoop, catches, branchesToEnd }: FunctionPlan, { results }: FunctionShape): boolean {
    const { fuel, counting = 'loops' } = this.#wanted
    if (!fuel || catches || counting === 'global') return false
    // What leads several values to its end would need a type of its own.
    if (branchesToEnd && results > 1) return false
    return counting === 'local' || hasLoop
  }

  /** Writes an instruction that names a global. Returns where it ends in the code as it came. */
  #renumber(code: Uint8Array, at: number, out: ByteWriter): number {
    const reader = new BinaryReader(code, at)
    const opcode = reader.byte()
    const index = reader.u32()
    this.#op(opcode, this.#ownGlobalsFrom !== null && index >= this.#ownGlobalsFrom ? index + 1 : index, out)
    return reader.position
  }

  /** Types of the locals that the insertions use, each once. */
  #localsFor({ kind, amount }: FunctionPlan): number[] {
    const { fuel, canonicalNan } = this.#wanted
    const types = new Set<number>()
    if (fuel) types.add(I64)
    for (const [place, each] of kind.entries())
      if (each === INSERT.chargeLength && fuel) types.add(I32)
      else if (each === INSERT.canonical && canonicalNan) types.add(CANONICAL[amount[place] ?? 0]?.type ?? 0)
    return [...types]
  }

  #local(type: number): number {
    return this.#firstAdded + this.#added.indexOf(type)
  }

  #insert(kind: number, amount: number, isLocal: boolean, out: ByteWriter): void {
    if (kind === INSERT.canonical) {
      if (this.#wanted.canonicalNan) this.#canonical(amount, out)
      return
    }
    if (!this.#wanted.fuel) return
    if (kind === INSERT.charge) {
      if (amount > 0) this.#charge(isLocal, out, () => this.#constant(amount, out))
    } else if (kind === INSERT.chargeAndCheck) {
      // Also of a loop whose beginning costs nothing.
      this.#charge(isLocal, out, () => this.#constant(amount, out))
      this.#check(isLocal, out)
    } else if (kind === INSERT.chargeLength) {
      const length = this.#local(I32)
      this.#op(CODE.localTee, length, out)
      this.#charge(isLocal, out, () => {
        this.#op(CODE.localGet, length, out)
        out.byte(CODE.i64ExtendI32U)
        if (amount === 0) return
        this.#constant(amount, out)
        out.byte(CODE.i64ShrU)
      })
      this.#check(isLocal, out)
    } else if (!isLocal) return
    else if (kind === INSERT.flush) this.#flush(out)
    else this.#reload(out)
  }

  /** Takes what `amount` puts on the stack from the fuel. */
  #charge(isLocal: boolean, out: ByteWriter, amount: () => void): void {
    if (isLocal) this.#op(CODE.localGet, this.#local(I64), out)
    else this.#op(CODE.globalGet, this.#global, out)
    amount()
    out.byte(CODE.i64Sub)
    if (isLocal) this.#op(CODE.localSet, this.#local(I64), out)
    else this.#op(CODE.globalSet, this.#global, out)
  }

  /** Traps below zero. */
  #check(isLocal: boolean, out: ByteWriter): void {
    if (isLocal) this.#op(CODE.localGet, this.#local(I64), out)
    else this.#op(CODE.globalGet, this.#global, out)
    out.bytes([CODE.i64Const, 0, CODE.i64LtS, CODE.if, EMPTY_BLOCK])
    // The host tells from it why the guest trapped.
    if (isLocal) this.#flush(out)
    out.bytes([CODE.unreachable, CODE.end])
  }

  #canonical(place: number, out: ByteWriter): void {
    const kind = CANONICAL[place]
    if (kind === undefined) return
    const local = this.#local(kind.type)
    this.#op(CODE.localTee, local, out)
    out.bytes(kind.constant)
    this.#op(CODE.localGet, local, out)
    this.#op(CODE.localGet, local, out)
    out.bytes(kind.equal)
    out.bytes(kind.choose)
  }

  #flush(out: ByteWriter): void {
    this.#op(CODE.localGet, this.#local(I64), out)
    this.#op(CODE.globalSet, this.#global, out)
  }

  #reload(out: ByteWriter): void {
    this.#op(CODE.globalGet, this.#global, out)
    this.#op(CODE.localSet, this.#local(I64), out)
  }

  #constant(value: number, out: ByteWriter): void {
    out.byte(CODE.i64Const)
    out.positive(value)
  }

  #op(opcode: number, immediate: number, out: ByteWriter): void {
    out.byte(opcode)
    out.u32(immediate)
  }
}
