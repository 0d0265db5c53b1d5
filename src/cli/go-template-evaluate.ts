import type { Template } from './go-template.js'
import { CallError, type ParameterType, type TemplateFunction } from './go-template-functions.js'
import { commandText, type FieldNode, nodeText, type Operand, type Pipeline, type PipelineCommand } from './go-template-node.js'
import { templateError } from './go-template-reader.js'
import { GoFloat, isTruthy, kindOf, memberOf, typeNameOf } from './go-template-value.js'

/** How a template is run. */
export interface RunOptions {
  readonly functions?: Readonly<Record<string, TemplateFunction>>
  /** Changes what each action prints, not the text around it: to keep control characters from a terminal. */
  readonly shown?: (text: string) => string
}

/** Where the run is, for errors. */
export interface Here {
  readonly at: number
  readonly text: () => string
}

/** The argument that a pipeline hands on; none for its first command. */
type Final = readonly [unknown] | null

/** Values of what stands in a template's actions, and the variables they are kept in. */
export class Evaluator {
  protected here: Here = { at: 0, text: () => '' }
  protected variables: { readonly name: string; value: unknown }[]

  constructor(
    readonly template: Template,
    readonly part: string,
    data: unknown,
    readonly options: Required<RunOptions>,
  ) {
    this.variables = [{ name: '$', value: data }]
  }

  /** Value of a pipeline, which its variables have then. */
  protected pipeline(pipeline: Pipeline, dot: unknown): unknown {
    this.#go(pipeline)
    let final: Final = null
    for (const command of pipeline.commands) final = [this.#command(command, dot, final) ?? undefined]
    const value = final?.[0]
    for (const { name } of pipeline.variables) this.set(name, value, pipeline.assigns)
    return value
  }

  #command(command: PipelineCommand, dot: unknown, final: Final): unknown {
    const [first, ...rest] = command
    switch (first.kind) {
      case 'field':
        return this.#field(first, dot, rest, final)
      case 'function':
        this.#go(first)
        return this.#function(first.name, command, dot, rest, final)
      case 'pipeline':
        this.#assertNoArguments(first, rest, final)
        return this.pipeline(first, dot)
    }
    this.#go(first)
    this.#assertNoArguments(first, rest, final)
    if (first.kind === 'nil') throw this.error('nil is not a command')
    return this.#operand(first, dot)
  }

  /** Value of an operand that has no arguments. */
  #operand(operand: Operand, dot: unknown): unknown {
    this.#go(operand)
    switch (operand.kind) {
      case 'dot':
        return dot
      case 'nil':
        return null
      case 'variable':
        return this.#variable(operand.name).value
      case 'field':
        return this.#field(operand, dot, [], null)
      case 'function':
        return this.#function(operand.name, [operand], dot, [], null)
      case 'pipeline':
        return this.pipeline(operand, dot)
      default:
        return operand.value
    }
  }

  #field(node: FieldNode, dot: unknown, rest: readonly Operand[], final: Final): unknown {
    this.#go(node)
    if (node.of?.kind === 'nil') throw this.error(`indirection through explicit nil in ${nodeText(node)}`)
    // As in Go: an error about a field of parentheses tells where in them the value came from.
    let receiver = node.of === null ? dot : this.#operand(node.of, dot)
    if (node.of?.kind === 'variable') this.#go(node)
    for (const [at, name] of node.names.entries()) {
      const isLast = at === node.names.length - 1
      receiver = this.#member(receiver, name, { node, dot, isFirst: at === 0, rest: isLast ? rest : [], final: isLast ? final : null })
    }
    return receiver
  }

  #member(
    receiver: unknown,
    name: string,
    { node, dot, isFirst, rest, final }: { node: FieldNode; dot: unknown; isFirst: boolean; rest: readonly Operand[]; final: Final },
  ): unknown {
    const kind = kindOf(receiver)
    const hasArguments = rest.length > 0 || final !== null
    if (receiver === undefined) {
      // Of a key that a map does not have: that is no error, and neither is what would be below it.
      if (!isFirst || node.of === null) return undefined
      throw this.error(`nil data; no entry for key ${JSON.stringify(name)}`)
    }
    if (kind === 'struct') {
      const member = memberOf(receiver, name)
      if (typeof member === 'function') return this.#method(name, member.bind(receiver), node, dot, rest, final)
      if (member !== undefined && hasArguments) throw this.error(`${name} has arguments but cannot be invoked as function`)
      if (member !== undefined) return member
      throw this.error(`can't evaluate field ${name} in type ${typeNameOf(receiver)}`)
    }
    if (kind === 'nil') throw this.error(`nil pointer evaluating interface {}.${name}`)
    if (kind !== 'map' && kind !== 'record')
      throw this.error(`can't evaluate field ${name} in type ${isFirst ? typeNameOf(receiver) : 'interface {}'}`)
    if (hasArguments) throw this.error(`${name} is not a method but has arguments`)
    const member = memberOf(receiver, name)
    if (member === undefined && kind === 'record') throw this.error(`map has no entry for key ${JSON.stringify(name)}`)
    return member
  }

  #method(
    name: string,
    method: (...values: readonly unknown[]) => unknown,
    node: FieldNode,
    dot: unknown,
    rest: readonly Operand[],
    final: Final,
  ): unknown {
    const parameters = Array.from({ length: method.length }, (): ParameterType => 'string')
    const values = this.#arguments(name, { parameters, call: method }, dot, rest, final)
    this.#go(node)
    return method(...values)
  }

  #function(name: string, command: PipelineCommand, dot: unknown, rest: readonly Operand[], final: Final): unknown {
    const called = this.options.functions[name] as TemplateFunction
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, called, dot, rest, final)
    const values = this.#arguments(name, called, dot, rest, final)
    try {
      return (called.call as (...values: readonly unknown[]) => unknown)(...values)
    } catch (error) {
      if (!(error instanceof CallError)) throw error
      this.here = { at: command[0].at, text: () => commandText(command) }
      throw this.error(`error calling ${name}: ${error.message}`)
    }
  }

  #shortCircuit(name: string, called: TemplateFunction, dot: unknown, rest: readonly Operand[], final: Final): unknown {
    this.#assertCount(name, called, rest, final)
    let value: unknown
    for (const operand of rest) {
      value = this.#operand(operand, dot)
      if (isTruthy(value) === (name === 'or')) return value
    }
    return final === null ? value : final[0]
  }

  #arguments(name: string, called: TemplateFunction, dot: unknown, rest: readonly Operand[], final: Final): readonly unknown[] {
    this.#assertCount(name, called, rest, final)
    const typeAt = (at: number) => called.parameters[Math.min(at, called.parameters.length - 1)] ?? 'any'
    const values = rest.map((operand, at) => this.#argument(operand, dot, typeAt(at)))
    return final === null ? values : [...values, this.#asType(final[0], typeAt(values.length))]
  }

  #assertCount(name: string, { parameters, isVariadic = false }: TemplateFunction, rest: readonly Operand[], final: Final): void {
    const given = rest.length + (final === null ? 0 : 1)
    const least = parameters.length - (isVariadic ? 1 : 0)
    if (isVariadic ? given >= least : given === least) return
    throw this.error(
      `wrong number of args for ${name}: want ${isVariadic ? 'at least ' : ''}${least} got ${isVariadic ? rest.length : given}`,
    )
  }

  #argument(operand: Operand, dot: unknown, type: ParameterType): unknown {
    this.#go(operand)
    if (operand.kind === 'nil' && (type === 'string' || type === 'int')) throw this.error(`cannot assign nil to ${type}`)
    if (['string', 'bool', 'number'].includes(operand.kind) && type !== 'any') {
      const value = this.#operand(operand, dot)
      if (kindOf(value) === type) return value
      if (type === 'int' && value instanceof GoFloat && Number.isInteger(value.value)) return value.value
      if (type === '[]string') throw this.error(`can't handle ${nodeText(operand)} for arg of type ${type}`)
      throw this.error(`expected ${type === 'int' ? 'integer' : type}; found ${nodeText(operand)}`)
    }
    return this.#asType(this.#operand(operand, dot), type)
  }

  #asType(value: unknown, type: ParameterType): unknown {
    const kind = kindOf(value)
    if (type === 'any') return value ?? null
    if (type === '[]string') {
      if (kind === 'nil') return []
      if (Array.isArray(value) && value.every((element) => typeof element === 'string')) return value
    }
    if (kind === 'nil') throw this.error(`invalid value; expected ${type}`)
    if (kind !== type) throw this.error(`wrong type for value; expected ${type}; got ${typeNameOf(value)}`)
    return value
  }

  #assertNoArguments(first: Operand, rest: readonly Operand[], final: Final): void {
    if (rest.length > 0 || final !== null) throw this.error(`can't give argument to non-function ${nodeText(first)}`)
  }

  #variable(name: string): { value: unknown } {
    const found = this.variables.findLast((variable) => variable.name === name)
    if (found === undefined) throw this.error(`undefined variable: ${name}`)
    return found
  }

  /** A variable is made, or gets another value. */
  protected set(name: string, value: unknown, assigns: boolean): void {
    if (assigns) this.#variable(name).value = value
    else this.variables.push({ name, value })
  }

  /** Variables that the action makes are gone after it. */
  protected scoped<T>(action: () => T): T {
    const known = this.variables.length
    const result = action()
    this.variables.length = known
    return result
  }

  #go(node: Operand): void {
    this.here = { at: node.at, text: () => nodeText(node) }
  }

  /** An error that says where the run is. */
  protected error(message: string) {
    const before = this.template.source.slice(0, this.here.at)
    const line = before.split('\n').length
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1))
    return templateError(`template: :${line}:${column}: executing ${JSON.stringify(this.part)} at <${this.here.text()}>: ${message}`)
  }
}
