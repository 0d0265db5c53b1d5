/**
 * What V8's compilers may need for a function, told from its code before they see it.
 *
 * Both compilers keep a copy of the locals and of the operand stack wherever control can go on, and free none before the function is done:
 * a few kilobytes of nested loops over some thousand locals become gigabytes, outside every limit on memory. So the cost of a function is
 * the sum of what is live at each place where control parts or meets.
 */
import { EngineError } from '../errors.js'
import type { BinaryReader } from './binary-reader.js'

/** Parameters and results of a function type. */
export interface FunctionType {
  readonly parameters: number
  readonly results: number
}

/** What the code of a module refers to. */
export interface CodeContext {
  readonly types: readonly FunctionType[]
  /** Type of each imported function, whose numbers come first, and of each of the module's own. */
  readonly imported: readonly number[]
  readonly functions: readonly number[]
}

/** A block that is open: the stack below it, and what it leaves there. */
interface Block {
  readonly base: number
  readonly type: FunctionType
}

const VOID: FunctionType = { parameters: 0, results: 0 }
const VALUE: FunctionType = { parameters: 0, results: 1 }

/** Numeric instructions that take one value and give one; the others between 0x45 and 0xc4 take two. */
const UNARY: readonly (readonly [first: number, last: number])[] = [
  [0x45, 0x45],
  [0x50, 0x50],
  [0x67, 0x69],
  [0x79, 0x7b],
  [0x8b, 0x91],
  [0x99, 0x9f],
  [0xa7, 0xc4],
]

/** Immediates (each an index) and effect on the stack of the instructions behind 0xfc, from 8 on. */
const BULK: readonly (readonly [immediates: number, effect: number])[] = [
  [2, -3],
  [1, 0],
  [2, -3],
  [1, -3],
  [2, -3],
  [1, 0],
  [2, -3],
  [1, -1],
  [1, 1],
  [1, -3],
]

/**
 * Cost of the costliest function of a code section, when it is more than `least`. Functions that are too short for that are not read.
 * Throws COMMAND_NOT_EXECUTABLE for code that cannot be read.
 */
export function greatestFunctionCost(reader: BinaryReader, context: CodeContext, least: number): number {
  // One instruction pushes the results of a call or, where it catches, the parameters of a tag.
  const mostPushed = context.types.reduce((most, { parameters, results }) => Math.max(most, parameters, results), 1)
  let greatest = 0
  const total = reader.u32()
  for (let place = 0; place < total; place++) {
    const size = reader.u32()
    const end = reader.position + size
    const scan = new FunctionScan(reader, context, context.functions[place] ?? -1)
    const locals = scan.readLocals()
    // What pushes a value has two bytes, what branches one at least: their product is greatest when they share the code.
    if (size * (locals + (size * mostPushed) / 4) > least) greatest = Math.max(greatest, scan.readCode(end))
    reader.position = end
  }
  return greatest
}

class FunctionScan {
  readonly #reader: BinaryReader
  readonly #context: CodeContext
  readonly #type: FunctionType
  #locals = 0
  #height = 0
  #cost = 0
  /** Code that is never reached is not compiled. */
  #isDead = false
  readonly #blocks: Block[] = []

  constructor(reader: BinaryReader, context: CodeContext, typeIndex: number) {
    this.#reader = reader
    this.#context = context
    this.#type = context.types[typeIndex] ?? VOID
  }

  /** How many there are, parameters included. */
  readLocals(): number {
    const reader = this.#reader
    this.#locals = this.#type.parameters
    for (let groups = reader.u32(); groups > 0; groups--) {
      this.#locals += reader.u32()
      reader.valueType()
    }
    return this.#locals
  }

  /** The cost of what follows, to the function's end. */
  readCode(end: number): number {
    const reader = this.#reader
    this.#blocks.push({ base: 0, type: { parameters: 0, results: this.#type.results } })
    while (reader.position < end && this.#blocks.length > 0) this.#instruction(reader.byte())
    return this.#cost
  }

  #instruction(opcode: number): void {
    if (opcode >= 0x45 && opcode <= 0xc4) this.#move(UNARY.some(([first, last]) => opcode >= first && opcode <= last) ? 0 : -1)
    else if (opcode >= 0x20 && opcode <= 0x26) this.#indexed([1, -1, 0, 1, -1, 0, -2][opcode - 0x20] ?? 0)
    else if (opcode >= 0x28 && opcode <= 0x3e) this.#memory(opcode >= 0x36 ? -2 : 0)
    else if (opcode >= 0x3f && opcode <= 0x44) this.#constant(opcode)
    else if (opcode === 0x1a) this.#move(-1)
    else if (opcode === 0x1b) this.#move(-2)
    else if (opcode === 0x1c) {
      for (let count = this.#reader.u32(); count > 0; count--) this.#reader.valueType()
      this.#move(-2)
    } else if (opcode === 0xd1) this.#move(0)
    else if (opcode === 0xd0 || opcode === 0xd2) this.#indexed(1)
    else if (opcode === 0xfc) this.#bulk(this.#reader.u32())
    else if (opcode === 0xfd) this.#vector(this.#reader.u32())
    else if (opcode === 0xfe) this.#atomic(this.#reader.u32())
    else if (opcode > 0x01) this.#control(opcode)
    else if (opcode === 0x00) this.#die()
  }

  #control(opcode: number): void {
    const reader = this.#reader
    switch (opcode) {
      case 0x04: // if
        this.#move(-1)
        this.#open()
        return
      case 0x02: // block
      case 0x03: // loop
      case 0x06: // try
        this.#open()
        return
      case 0x1f: // try_table
        this.#open()
        for (let count = reader.u32(); count > 0; count--) {
          if (reader.byte() < 2) reader.u32()
          reader.u32()
          this.#count()
        }
        return
      case 0x05: // else
      case 0x19: // catch_all
        this.#middle(0)
        return
      case 0x07: // catch
        reader.u32()
        this.#middle(this.#mostParameters())
        return
      case 0x0b: // end
        this.#close()
        return
      case 0x18: // delegate
        reader.u32()
        this.#close()
        return
      case 0x0d: // br_if
        reader.u32()
        this.#move(-1)
        this.#count()
        return
      case 0x0e: // br_table
        for (let count = reader.u32() + 1; count > 0; count--) {
          reader.u32()
          this.#count()
        }
        this.#die()
        return
      case 0x0c: // br
      case 0x08: // throw
      case 0x09: // rethrow
      case 0x12: // return_call
        reader.u32()
        this.#count()
        this.#die()
        return
      case 0x13: // return_call_indirect
        reader.u32()
        reader.u32()
        this.#die()
        return
      case 0x0a: // throw_ref
      case 0x0f: // return
        this.#count()
        this.#die()
        return
      case 0x10: // call
        this.#call(this.#typeOf(reader.u32()))
        return
      case 0x11: // call_indirect
        this.#move(-1)
        this.#call(reader.u32())
        reader.u32()
        return
      default:
        throw unknown(opcode)
    }
  }

  #open(): void {
    const type = this.#blockType()
    this.#blocks.push({ base: Math.max(0, this.#height - type.parameters), type })
    this.#count()
  }

  #middle(added: number): void {
    const block = this.#blocks.at(-1)
    this.#count()
    this.#revive((block?.base ?? 0) + (block?.type.parameters ?? 0) + added)
  }

  #close(): void {
    const block = this.#blocks.pop()
    this.#revive((block?.base ?? 0) + (block?.type.results ?? 0))
    this.#count()
  }

  #revive(height: number): void {
    this.#isDead = false
    this.#height = height
  }

  #die(): void {
    this.#isDead = true
    this.#height = this.#blocks.at(-1)?.base ?? 0
  }

  /** Another copy of what is live. Dead code counts as well: what is open in it is closed later. */
  #count(): void {
    this.#cost += this.#locals + this.#height
  }

  #move(effect: number): void {
    if (!this.#isDead) this.#height = Math.max(0, this.#height + effect)
  }

  #typeOf(place: number): number | undefined {
    const { imported, functions } = this.#context
    return imported[place] ?? functions[place - imported.length]
  }

  #call(typeIndex: number | undefined): void {
    const { parameters, results } = this.#context.types[typeIndex ?? -1] ?? VOID
    this.#move(results - parameters)
  }

  #indexed(effect: number): void {
    this.#reader.u32()
    this.#move(effect)
  }

  #memory(effect: number): void {
    const reader = this.#reader
    // Bit 6 of the alignment announces a memory's index (multiple memories).
    if ((reader.u32() & 64) !== 0) reader.u32()
    reader.skipLeb()
    this.#move(effect)
  }

  #constant(opcode: number): void {
    if (opcode === 0x43) this.#reader.position += 4
    else if (opcode === 0x44) this.#reader.position += 8
    else this.#reader.skipLeb()
    // memory.grow takes a value and gives one.
    this.#move(opcode === 0x40 ? 0 : 1)
  }

  #bulk(opcode: number): void {
    if (opcode < 8) return
    const known = BULK[opcode - 8]
    if (known === undefined) throw unknown(0xfc, opcode)
    for (let count = known[0]; count > 0; count--) this.#reader.u32()
    this.#move(known[1])
  }

  /** Where an instruction of many takes less from the stack than most, all are taken for it: the height is never too low. */
  #vector(opcode: number): void {
    if (opcode <= 11) this.#memory(opcode === 11 ? -2 : 0)
    else if (opcode <= 13) {
      this.#reader.position += 16
      this.#move(opcode === 12 ? 1 : -1)
    } else if (opcode >= 21 && opcode <= 34) this.#reader.position++
    else if (opcode >= 84 && opcode <= 91) {
      this.#memory(opcode >= 88 ? -2 : -1)
      this.#reader.position++
    } else if (opcode === 92 || opcode === 93) this.#memory(0)
    else if (opcode > 0x1ff) throw unknown(0xfd, opcode)
  }

  #atomic(opcode: number): void {
    if (opcode === 3) this.#reader.position++
    else if (opcode <= 0x4e) this.#memory(0)
    else throw unknown(0xfe, opcode)
  }

  /** A tag has at most as many parameters as the type with most. */
  #mostParameters(): number {
    return this.#context.types.reduce((most, { parameters }) => Math.max(most, parameters), 0)
  }

  #blockType(): FunctionType {
    const first = this.#reader.peek()
    if (first === 0x40) {
      this.#reader.byte()
      return VOID
    }
    // One byte of a negative number is a value type; a reference to a heap type has more.
    if ((first & 0xc0) === 0x40) {
      this.#reader.valueType()
      return VALUE
    }
    return this.#context.types[this.#reader.u32()] ?? VOID
  }
}

function unknown(...opcode: readonly number[]): EngineError {
  const text = opcode.map((byte) => `0x${byte.toString(16)}`).join(' ')
  return new EngineError('COMMAND_NOT_EXECUTABLE', `the module has an instruction that this wall does not know: ${text}`, {
    hint: 'Build it without proposals that are not part of WebAssembly 2.0.',
    data: { opcode: text },
  })
}
