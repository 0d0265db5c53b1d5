/** Runs a template over a value. Errors are Go's: `template: :1:2: executing "" at <.Nosuch>: map has no entry for key "Nosuch"`. */
import type { Template } from './go-template.js'
import { Evaluator, type Here, type RunOptions } from './go-template-evaluate.js'
import { FUNCTIONS } from './go-template-functions.js'
import { type Pipeline, type Statement, statementText } from './go-template-node.js'
import { valueText } from './go-template-printf.js'
import { entriesOf, isTruthy, kindOf, typeNameOf } from './go-template-value.js'

/** What the template makes of a value. Throws INVALID_ARGUMENT in the words docker has. */
export function runTemplate(template: Template, data: unknown, options: RunOptions = {}): string {
  const run = new Run(template, '', data, { functions: options.functions ?? FUNCTIONS, shown: options.shown ?? ((text) => text) }, 0)
  run.statements(template.parts.get('') ?? [], data)
  return run.output
}

/** A loop is left or goes on. */
type Jump = 'break' | 'continue' | null

const MAXIMUM_DEPTH = 1000

class Run extends Evaluator {
  output = ''

  constructor(
    template: Template,
    part: string,
    data: unknown,
    options: Required<RunOptions>,
    readonly depth: number,
  ) {
    super(template, part, data, options)
  }

  statements(statements: readonly Statement[], dot: unknown): Jump {
    for (const statement of statements) {
      const jump = this.#statement(statement, dot)
      if (jump !== null) return jump
    }
    return null
  }

  #statement(statement: Statement, dot: unknown): Jump {
    if (statement.kind === 'text') {
      this.output += statement.text
      return null
    }
    const here: Here = { at: statement.at, text: () => statementText(statement) }
    this.here = here
    switch (statement.kind) {
      case 'action': {
        const value = this.pipeline(statement.pipeline, dot)
        if (statement.pipeline.variables.length > 0) return null
        this.here = here
        if (kindOf(value) === 'func') throw this.error(`can't print ${statementText(statement)} of type ${typeNameOf(value)}`)
        this.output += this.options.shown(kindOf(value) === 'nil' ? '<no value>' : valueText(value))
        return null
      }
      case 'break':
      case 'continue':
        return statement.kind
      case 'template':
        this.#call(statement.name, statement.pipeline, dot)
        return null
      case 'range':
        return this.scoped(() => this.#range(statement.pipeline, statement.body, statement.otherwise, dot))
      default:
        return this.scoped(() => {
          const value = this.pipeline(statement.pipeline, dot)
          if (isTruthy(value)) return this.statements(statement.body, statement.kind === 'with' ? value : dot)
          return this.statements(statement.otherwise, dot)
        })
    }
  }

  #range(pipeline: Pipeline, body: readonly Statement[], otherwise: readonly Statement[], dot: unknown): Jump {
    const { variables, assigns } = pipeline
    const value = this.pipeline({ ...pipeline, variables: [] }, dot)
    let isEmpty = true
    for (const [key, element] of this.#elements(value)) {
      isEmpty = false
      const jump = this.scoped(() => {
        const values = variables.length > 1 ? [key, element] : [element]
        for (const [at, { name }] of variables.entries()) this.set(name, values[at], assigns)
        return this.statements(body, element)
      })
      if (jump === 'break') break
    }
    return isEmpty ? this.statements(otherwise, dot) : null
  }

  #elements(value: unknown): Iterable<readonly [key: unknown, element: unknown]> {
    switch (kindOf(value)) {
      case 'nil':
        return []
      case 'int':
        return upTo(value as number)
      case 'slice':
        return (value as readonly unknown[]).entries()
      case 'map':
        return entriesOf(value)
      case 'record':
        return entriesOf(new Map(entriesOf(value)))
      default:
        throw this.error(`range can't iterate over ${valueText(value)}`)
    }
  }

  #call(name: string, pipeline: Pipeline | null, dot: unknown): void {
    const statements = this.template.parts.get(name)
    if (statements === undefined) throw this.error(`template ${JSON.stringify(name)} not defined`)
    if (this.depth === MAXIMUM_DEPTH) throw this.error(`exceeded maximum template depth (${MAXIMUM_DEPTH})`)
    const data = pipeline === null ? undefined : this.pipeline(pipeline, dot)
    const run = new Run(this.template, name, data, this.options, this.depth + 1)
    run.statements(statements, data)
    this.output += run.output
  }
}

/** Nothing is made of all of them at once: a template may well break. */
function* upTo(end: number): Iterable<readonly [number, number]> {
  for (let at = 0; at < end; at++) yield [at, at]
}
