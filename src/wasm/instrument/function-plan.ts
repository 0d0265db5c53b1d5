/**
 * What is to be put into a function, told from one reading of its code.
 *
 * Code falls into segments: runs of instructions that are executed all or not at all, as long as none traps or throws. A segment is charged at its
 * beginning, for all that it holds. It ends where control can part (`br_if`, `if`, what never goes on) or meet (the beginning of a loop, the end of
 * a block that something branches to). Whether there was enough is asked at the beginning of functions and loops alone: between two of them no
 * more is executed than a function is long, and asked everywhere it doubles the work of the optimising compiler.
 */
import type { BinaryReader } from '../binary-reader.js'
import { OP, readInstruction, VECTOR } from './instructions.js'

/** What an insertion is. */
export const INSERT = {
  /** Takes `amount` from the fuel. */
  charge: 0,
  /** The same, and traps where it was too little. */
  chargeAndCheck: 1,
  /** Takes the number on top of the stack, shifted right by `amount` bits, and traps where it was too little. */
  chargeLength: 2,
  /** The function's own count becomes everyone's: before a call and at a return. */
  flush: 3,
  /** And the other way round, after a call. */
  reload: 4,
  /** NaNs on top of the stack become one NaN; `amount` is a place in {@link NAN_TYPES}. */
  canonical: 5,
  /** No insertion: what stands here names a global. */
  renumber: 6,
} as const

/** Insertions into one function, in the order of their places. */
export interface FunctionPlan {
  readonly at: readonly number[]
  readonly kind: readonly number[]
  readonly amount: readonly number[]
  /** Where the `end` of the function stands. */
  readonly end: number
  /** It has a loop, so it may take most of its fuel by itself. */
  readonly hasLoop: boolean
  /** It catches exceptions: control comes back to it from elsewhere. */
  readonly catches: boolean
  /** Something branches to its end. */
  readonly branchesToEnd: boolean
}

/** Kinds of value that are made canonical. */
export const NAN_TYPES = ['f32', 'f64', 'f32x4', 'f64x2'] as const

/** Instructions without a cost: they only give the code its form, or nothing comes after them. */
const FREE: ReadonlySet<number> = new Set([
  OP.unreachable,
  OP.nop,
  OP.block,
  OP.loop,
  OP.else,
  OP.try,
  OP.tryTable,
  OP.catch,
  OP.catchAll,
  OP.delegate,
  OP.end,
  OP.return,
  OP.drop,
])
/** By opcode, how many units of their length one of fuel stands for, as a power of two: 64 bytes of memory, one element, one page. */
const LENGTH_SHIFTS: ReadonlyMap<number, number> = new Map([
  [OP.memoryInit, 6],
  [OP.memoryCopy, 6],
  [OP.memoryFill, 6],
  [OP.tableInit, 0],
  [OP.tableCopy, 0],
  [OP.tableFill, 0],
  [OP.tableGrow, 0],
  [OP.memoryGrow, 0],
])
const ENTRY_COST = 1

/** Reads a function's code to its end. */
export function planFunction(reader: BinaryReader): FunctionPlan {
  return new Planner(reader).plan()
}

interface Block {
  readonly isLoop: boolean
  /** Something branches to it, or it is an `if`. */
  isTarget: boolean
}

class Planner {
  readonly #reader: BinaryReader
  readonly #at: number[] = []
  readonly #kind: number[] = []
  readonly #amount: number[] = []
  readonly #blocks: Block[] = [{ isLoop: false, isTarget: false }]
  /** Place of the charge of the present segment. */
  #segment = 0
  /** Code that is never reached is left as it is; so many blocks are open in it. */
  #isDead = false
  #deadBlocks = 0
  #hasLoop = false
  #catches = false

  constructor(reader: BinaryReader) {
    this.#reader = reader
  }

  plan(): FunctionPlan {
    const [outermost] = this.#blocks
    this.#begin(this.#reader.position, INSERT.chargeAndCheck)
    this.#cost(ENTRY_COST)
    let at = this.#reader.position
    for (;;) {
      const { opcode, labels } = readInstruction(this.#reader)
      if (opcode === OP.globalGet || opcode === OP.globalSet) this.#insert(at, INSERT.renumber)
      if (this.#isDead) this.#passDead(opcode)
      else this.#pass(opcode, labels, at)
      if (this.#blocks.length === 0) break
      at = this.#reader.position
    }
    return {
      at: this.#at,
      kind: this.#kind,
      amount: this.#amount,
      end: at,
      hasLoop: this.#hasLoop,
      catches: this.#catches,
      branchesToEnd: outermost?.isTarget ?? false,
    }
  }

  #passDead(opcode: number): void {
    if (opensBlock(opcode)) {
      // A function that catches is treated as one wherever that stands.
      if (opcode === OP.try || opcode === OP.tryTable) this.#catches = true
      this.#deadBlocks++
    } else if (opcode === OP.end || opcode === OP.delegate) {
      if (this.#deadBlocks > 0) this.#deadBlocks--
      else this.#close()
    } else if (this.#deadBlocks === 0 && (opcode === OP.else || opcode === OP.catch || opcode === OP.catchAll)) this.#middle()
  }

  #pass(opcode: number, labels: readonly number[], at: number): void {
    if (!FREE.has(opcode)) this.#cost(1)
    for (const label of labels) this.#target(label)
    const after = this.#reader.position
    switch (opcode) {
      case OP.loop:
        this.#hasLoop = true
        this.#blocks.push({ isLoop: true, isTarget: false })
        this.#begin(after, INSERT.chargeAndCheck)
        return
      case OP.if:
        this.#blocks.push({ isLoop: false, isTarget: true })
        this.#begin(after)
        return
      case OP.try:
        this.#catches = true
        // Control comes to its end from its catches too.
        this.#blocks.push({ isLoop: false, isTarget: true })
        return
      case OP.tryTable:
        this.#catches = true
        this.#blocks.push({ isLoop: false, isTarget: false })
        return
      case OP.block:
        this.#blocks.push({ isLoop: false, isTarget: false })
        return
      case OP.else:
      case OP.catch:
      case OP.catchAll:
        this.#middle()
        return
      case OP.end:
      case OP.delegate:
        this.#close()
        return
      case OP.brIf:
        this.#begin(after)
        return
      case OP.return:
      case OP.throw:
      case OP.rethrow:
      case OP.throwRef:
      case OP.returnCall:
      case OP.returnCallIndirect:
        this.#insert(at, INSERT.flush)
        this.#die()
        return
      case OP.unreachable:
      case OP.br:
      case OP.brTable:
        this.#die()
        return
      case OP.call:
      case OP.callIndirect:
        this.#insert(at, INSERT.flush)
        this.#insert(after, INSERT.reload)
        return
      default:
        this.#passPlain(opcode, at, after)
    }
  }

  #passPlain(opcode: number, at: number, after: number): void {
    const shift = LENGTH_SHIFTS.get(opcode)
    if (shift !== undefined) this.#insert(at, INSERT.chargeLength, shift)
    const type = nanTypeOf(opcode)
    if (type >= 0) this.#insert(after, INSERT.canonical, type)
  }

  /** `else` and the like: what comes before them does not lead there. */
  #middle(): void {
    this.#isDead = false
    this.#begin(this.#reader.position)
  }

  #close(): void {
    const block = this.#blocks.pop()
    if (this.#blocks.length === 0) return
    if (!this.#isDead && (block?.isLoop || !block?.isTarget)) return
    this.#isDead = false
    this.#begin(this.#reader.position)
  }

  #target(label: number): void {
    const block = this.#blocks[this.#blocks.length - 1 - label]
    if (block !== undefined) block.isTarget = true
  }

  #begin(at: number, kind: number = INSERT.charge): void {
    this.#segment = this.#kind.length
    this.#insert(at, kind)
  }

  #cost(cost: number): void {
    this.#amount[this.#segment] = (this.#amount[this.#segment] ?? 0) + cost
  }

  #die(): void {
    this.#isDead = true
    this.#deadBlocks = 0
  }

  #insert(at: number, kind: number, amount = 0): void {
    this.#at.push(at)
    this.#kind.push(kind)
    this.#amount.push(amount)
  }
}

function opensBlock(opcode: number): boolean {
  return opcode === OP.block || opcode === OP.loop || opcode === OP.if || opcode === OP.try || opcode === OP.tryTable
}

/** Place in {@link NAN_TYPES} of what an instruction gives if that can be a NaN of its own making; -1 for all others. */
function nanTypeOf(opcode: number): number {
  if ((opcode >= 0x8d && opcode <= 0x97) || opcode === 0xb6) return 0
  if ((opcode >= 0x9b && opcode <= 0xa5) || opcode === 0xbb) return 1
  const vector = opcode - VECTOR
  if ((vector >= 0x67 && vector <= 0x6a) || (vector >= 0xe3 && vector <= 0xe9) || vector === 0x5e) return 2
  if (vector === 0x74 || vector === 0x75 || vector === 0x7a || vector === 0x94 || (vector >= 0xef && vector <= 0xf5) || vector === 0x5f)
    return 3
  return -1
}
