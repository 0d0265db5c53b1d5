/** What a template is made of, once it is read. */

/** Of every node: where it is, for errors. */
interface Place {
  /** Where it begins, in UTF-16 units of the template. */
  readonly at: number
}

/** `.A.B` (no `of`), `$x.A` (of a variable) and `(…).A` (of any other operand). */
export interface FieldNode extends Place {
  readonly kind: 'field'
  readonly names: readonly string[]
  readonly of: Operand | null
}

/** A variable with its `$`. */
export interface VariableNode extends Place {
  readonly kind: 'variable'
  readonly name: string
}

/** A value that stands in the template. */
export interface LiteralNode extends Place {
  readonly kind: 'string' | 'bool' | 'number'
  readonly value: unknown
  /** As it is written. */
  readonly text: string
}

/** A name of a function. */
export interface FunctionNode extends Place {
  readonly kind: 'function'
  readonly name: string
}

/** What stands in a command: the first is called or is the value, the others are arguments. */
export type Operand =
  | FieldNode
  | VariableNode
  | LiteralNode
  | FunctionNode
  | Pipeline
  | (Place & { readonly kind: 'dot' })
  | (Place & { readonly kind: 'nil' })

/** Operands between two `|`. */
export type PipelineCommand = readonly [Operand, ...Operand[]]

/** Commands, of which each has the value of the one before as its last argument. */
export interface Pipeline extends Place {
  readonly kind: 'pipeline'
  /** Variables that get the value; two of a range are its key and its element. */
  readonly variables: readonly VariableNode[]
  /** `=` and not `:=`. */
  readonly assigns: boolean
  readonly commands: readonly PipelineCommand[]
}

/** `if`, `with` and `range`. */
export interface BranchNode extends Place {
  readonly kind: 'if' | 'with' | 'range'
  readonly pipeline: Pipeline
  readonly body: readonly Statement[]
  readonly otherwise: readonly Statement[]
}

/** What a template does, one after the other. */
export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | (Place & { readonly kind: 'action'; readonly pipeline: Pipeline })
  | BranchNode
  | (Place & { readonly kind: 'break' | 'continue' })
  | (Place & { readonly kind: 'template'; readonly name: string; readonly pipeline: Pipeline | null })

/** A node as Go writes it in its errors. */
export function nodeText(node: Operand): string {
  switch (node.kind) {
    case 'field':
      return `${node.of === null ? '' : argumentText(node.of)}${node.names.map((name) => `.${name}`).join('')}`
    case 'variable':
    case 'function':
      return node.name
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'pipeline':
      return pipelineText(node)
    default:
      return node.text
  }
}

/** The same of a command. */
export function commandText(command: PipelineCommand): string {
  return command.map(argumentText).join(' ')
}

/** The same of what a statement is about. */
export function statementText(statement: Exclude<Statement, { readonly kind: 'text' }>): string {
  switch (statement.kind) {
    case 'action':
      return `{{${pipelineText(statement.pipeline)}}}`
    case 'template': {
      const argument = statement.pipeline === null ? '' : ` ${pipelineText(statement.pipeline)}`
      return `{{template ${JSON.stringify(statement.name)}${argument}}}`
    }
    case 'break':
    case 'continue':
      return `{{${statement.kind}}}`
    default:
      return `{{${statement.kind} ${pipelineText(statement.pipeline)}}}`
  }
}

function argumentText(node: Operand): string {
  return node.kind === 'pipeline' ? `(${pipelineText(node)})` : nodeText(node)
}

function pipelineText({ variables, commands }: Pipeline): string {
  const declared = variables.length === 0 ? '' : `${variables.map(({ name }) => name).join(', ')} := `
  return declared + commands.map(commandText).join(' | ')
}
