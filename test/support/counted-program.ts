/**
 * Random programs with an interpreter of their own, which counts what it executes one instruction at a time: the model that fuel is held
 * against. Each is a function of one number that always ends.
 */

/** A statement; expressions are those of `Expression`. Locals are 0 to 3, labels are by depth. */
type Statement =
  | { readonly kind: 'set'; readonly local: number; readonly value: Expression }
  | { readonly kind: 'drop'; readonly value: Expression }
  | { readonly kind: 'store'; readonly value: Expression }
  | { readonly kind: 'block'; readonly body: readonly Statement[] }
  | { readonly kind: 'repeat'; readonly counter: number; readonly times: number; readonly body: readonly Statement[] }
  | {
      readonly kind: 'if'
      readonly condition: Expression
      readonly chosen: readonly Statement[]
      readonly otherwise: readonly Statement[] | null
    }
  | { readonly kind: 'break-if'; readonly depth: number; readonly condition: Expression }
  | { readonly kind: 'break'; readonly depth: number }
  | { readonly kind: 'table'; readonly depths: readonly number[]; readonly index: Expression }
  | { readonly kind: 'return'; readonly value: Expression }
  | { readonly kind: 'nop' }
  | { readonly kind: 'fill'; readonly length: number }

type Expression =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'local'; readonly local: number }
  | {
      readonly kind: 'binary'
      readonly operator: 'add' | 'sub' | 'mul' | 'xor' | 'lt_s'
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly kind: 'load' }
  /** Calls the function with the next number, so that calls end. */
  | { readonly kind: 'call'; readonly indirect: boolean; readonly argument: Expression }

/** A program: its functions, of which each calls only the next. */
export type CountedProgram = readonly (readonly Statement[])[]

const VARIABLES = 3
/** Locals 4 and on count loops, one for each depth. */
const FIRST_COUNTER = 3
const DEEPEST = 4

/** A program by its seed. */
export function randomProgram(seed: number): CountedProgram {
  const random = generator(seed)
  return Array.from({ length: 3 }, (_, place) => new Maker(random, place < 2).body(0, 0))
}

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
}

class Maker {
  readonly #random: (below: number) => number
  readonly #calls: boolean

  constructor(random: (below: number) => number, calls: boolean) {
    this.#random = random
    this.#calls = calls
  }

  /** `labels` can be branched to, besides the function's own. */
  body(depth: number, labels: number): Statement[] {
    return Array.from({ length: 1 + this.#random(4) }, () => this.#statement(depth, labels))
  }

  #statement(depth: number, labels: number): Statement {
    const kind = this.#random(depth >= DEEPEST ? 5 : 13)
    switch (kind) {
      case 0:
      case 1:
        return { kind: 'set', local: this.#random(VARIABLES), value: this.#expression(0) }
      case 2:
        return this.#random(2) === 0 ? { kind: 'nop' } : { kind: 'drop', value: this.#expression(0) }
      case 3:
        return { kind: 'store', value: this.#expression(0) }
      case 4:
        return labels === 0 ? { kind: 'fill', length: this.#random(5000) } : this.#leave(labels)
      case 5:
      case 6:
        return { kind: 'block', body: this.body(depth + 1, labels + 1) }
      case 7:
      case 8:
        return { kind: 'repeat', counter: FIRST_COUNTER + depth, times: 1 + this.#random(4), body: this.body(depth + 1, labels + 2) }
      case 9:
      case 10:
        return {
          kind: 'if',
          condition: this.#expression(0),
          chosen: this.body(depth + 1, labels + 1),
          otherwise: this.#random(2) === 0 ? null : this.body(depth + 1, labels + 1),
        }
      case 11:
        return { kind: 'set', local: this.#random(VARIABLES), value: { kind: 'load' } }
      default:
        return this.#random(12) === 0 ? { kind: 'return', value: this.#expression(0) } : { kind: 'drop', value: this.#expression(0) }
    }
  }

  #leave(labels: number): Statement {
    const depth = () => this.#random(labels)
    switch (this.#random(4)) {
      case 0:
        return { kind: 'break', depth: depth() }
      case 1:
        return { kind: 'table', depths: Array.from({ length: 1 + this.#random(4) }, depth), index: this.#expression(0) }
      default:
        return { kind: 'break-if', depth: depth(), condition: this.#expression(0) }
    }
  }

  #expression(depth: number): Expression {
    const kind = this.#random(depth > 2 ? 2 : 6)
    if (kind === 0) return { kind: 'constant', value: this.#random(1000) - 500 }
    if (kind === 1) return { kind: 'local', local: this.#random(VARIABLES) }
    if (kind === 2) return { kind: 'load' }
    if (kind === 3 && this.#calls) return { kind: 'call', indirect: this.#random(2) === 0, argument: this.#expression(depth + 1) }
    const operator = (['add', 'sub', 'mul', 'xor', 'lt_s'] as const)[this.#random(5)] ?? 'add'
    return { kind: 'binary', operator, left: this.#expression(depth + 1), right: this.#expression(depth + 1) }
  }
}

/** The module in the text format: `run` is the first function, and memory is one page. Labels of loops guard themselves: a branch to one counts. */
export function textOf(program: CountedProgram): string {
  const functions = program.map((body, place) => {
    const locals = Array.from({ length: FIRST_COUNTER + DEEPEST + 1 - 1 }, () => 'i32').join(' ')
    return `(func $f${place} ${place === 0 ? '(export "run")' : ''} (param i32) (result i32) (local ${locals})
      ${body.map((each) => statementText(each, place)).join('\n')} local.get 0)`
  })
  return `(module (type $t (func (param i32) (result i32))) (memory (export "memory") 1)
    (table funcref (elem ${program.map((_, place) => `$f${place}`).join(' ')})) ${functions.join('\n')})`
}

function statementText(statement: Statement, place: number): string {
  const list = (body: readonly Statement[]) => body.map((each) => statementText(each, place)).join('\n')
  const value = (expression: Expression) => expressionText(expression, place)
  switch (statement.kind) {
    case 'set':
      return `${value(statement.value)} local.set ${statement.local}`
    case 'drop':
      return `${value(statement.value)} drop`
    case 'store':
      return `i32.const 8 ${value(statement.value)} i32.store`
    case 'block':
      return `block\n${list(statement.body)}\nend`
    case 'repeat':
      // The counter is looked at first: whoever branches to the loop from inside takes one of its rounds.
      return `i32.const ${statement.times} local.set ${statement.counter} block loop
        local.get ${statement.counter} i32.eqz br_if 1
        local.get ${statement.counter} i32.const 1 i32.sub local.set ${statement.counter}
        ${list(statement.body)} br 0 end end`
    case 'if':
      return `${value(statement.condition)} if\n${list(statement.chosen)}\n${statement.otherwise === null ? '' : `else\n${list(statement.otherwise)}\n`}end`
    case 'break-if':
      return `${value(statement.condition)} br_if ${statement.depth}`
    case 'break':
      return `br ${statement.depth}`
    case 'table':
      return `${value(statement.index)} br_table ${statement.depths.join(' ')}`
    case 'return':
      return `${value(statement.value)} return`
    case 'nop':
      return 'nop'
    case 'fill':
      return `i32.const 16 i32.const 7 i32.const ${statement.length} memory.fill`
  }
}

function expressionText(expression: Expression, place: number): string {
  switch (expression.kind) {
    case 'constant':
      return `i32.const ${expression.value}`
    case 'local':
      return `local.get ${expression.local}`
    case 'load':
      return 'i32.const 8 i32.load'
    case 'binary':
      return `${expressionText(expression.left, place)} ${expressionText(expression.right, place)} i32.${expression.operator}`
    case 'call':
      return `${expressionText(expression.argument, place)} ${
        expression.indirect ? `i32.const ${place + 1} call_indirect (type $t)` : `call $f${place + 1}`
      }`
  }
}

/** What a program gives, and how many instructions it takes. */
export interface Counted {
  readonly result: number
  readonly cost: number
}

/** Interprets a program. */
export function interpret(program: CountedProgram, argument: number): Counted {
  const machine = new Machine(program)
  return { result: machine.call(0, argument), cost: machine.cost }
}

/** Where control goes on: after the statement, out of so many labels, or out of the function. */
type Flow =
  | { readonly kind: 'next' }
  | { readonly kind: 'break'; readonly depth: number }
  | { readonly kind: 'return'; readonly value: number }

const NEXT: Flow = { kind: 'next' }

class Machine {
  cost = 0
  #word = 0
  readonly #program: CountedProgram

  constructor(program: CountedProgram) {
    this.#program = program
  }

  call(place: number, argument: number): number {
    this.cost++
    const locals = [argument, ...Array.from({ length: FIRST_COUNTER + DEEPEST }, () => 0)]
    const flow = this.#list(this.#program[place] ?? [], place, locals)
    if (flow.kind === 'return') return flow.value
    // local.get 0
    this.cost++
    return locals[0] ?? 0
  }

  #list(body: readonly Statement[], place: number, locals: number[]): Flow {
    for (const statement of body) {
      const flow = this.#statement(statement, place, locals)
      if (flow.kind !== 'next') return flow
    }
    return NEXT
  }

  #statement(statement: Statement, place: number, locals: number[]): Flow {
    const value = (expression: Expression) => this.#value(expression, place, locals)
    switch (statement.kind) {
      case 'nop':
        return NEXT
      case 'set':
        locals[statement.local] = value(statement.value)
        this.cost++
        return NEXT
      case 'drop':
        value(statement.value)
        return NEXT
      case 'store':
        this.cost += 2
        this.#word = value(statement.value)
        return NEXT
      case 'fill':
        this.cost += 4 + Math.floor(statement.length / 64)
        return NEXT
      case 'block':
        return left(this.#list(statement.body, place, locals), 1)
      case 'repeat':
        return this.#repeat(statement, place, locals)
      case 'if': {
        const chosen = value(statement.condition) !== 0 ? statement.chosen : (statement.otherwise ?? [])
        this.cost++
        return left(this.#list(chosen, place, locals), 1)
      }
      case 'break-if': {
        const goes = value(statement.condition) !== 0
        this.cost++
        return goes ? { kind: 'break', depth: statement.depth } : NEXT
      }
      case 'break':
        this.cost++
        return { kind: 'break', depth: statement.depth }
      case 'table': {
        const index = value(statement.index) >>> 0
        this.cost++
        return { kind: 'break', depth: statement.depths[Math.min(index, statement.depths.length - 1)] ?? 0 }
      }
      case 'return':
        return { kind: 'return', value: value(statement.value) }
    }
  }

  #repeat({ counter, times, body }: Extract<Statement, { kind: 'repeat' }>, place: number, locals: number[]): Flow {
    this.cost += 2
    locals[counter] = times
    for (;;) {
      this.cost += 3
      if (locals[counter] === 0) return NEXT
      this.cost += 4
      locals[counter] = ((locals[counter] ?? 0) - 1) | 0
      const flow = this.#list(body, place, locals)
      if (flow.kind === 'next') this.cost++
      else if (flow.kind === 'return' || flow.depth > 0) return left(flow, 2)
    }
  }

  #value(expression: Expression, place: number, locals: readonly number[]): number {
    switch (expression.kind) {
      case 'constant':
        this.cost++
        return expression.value
      case 'local':
        this.cost++
        return locals[expression.local] ?? 0
      case 'load':
        this.cost += 2
        return this.#word
      case 'binary': {
        const [leftValue, rightValue] = [this.#value(expression.left, place, locals), this.#value(expression.right, place, locals)]
        this.cost++
        return OPERATORS[expression.operator](leftValue, rightValue)
      }
      case 'call': {
        const argument = this.#value(expression.argument, place, locals)
        this.cost += expression.indirect ? 2 : 1
        return this.call(place + 1, argument)
      }
    }
  }
}

/** A branch from inside so many labels: one that ends at the last of them goes on behind it. */
function left(flow: Flow, labels: number): Flow {
  if (flow.kind !== 'break') return flow
  return flow.depth < labels ? NEXT : { kind: 'break', depth: flow.depth - labels }
}

const OPERATORS: Readonly<Record<'add' | 'sub' | 'mul' | 'xor' | 'lt_s', (left: number, right: number) => number>> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  xor: (a, b) => a ^ b,
  lt_s: (a, b) => (a < b ? 1 : 0),
}
