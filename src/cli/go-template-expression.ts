import { FUNCTIONS } from './go-template-functions.js'
import type { TokenKind } from './go-template-lexer.js'
import { numberOf, unquote } from './go-template-literal.js'
import { nodeText, type Operand, type Pipeline, type PipelineCommand, type VariableNode } from './go-template-node.js'
import { isKeyword, TokenReader } from './go-template-reader.js'

const OPERANDS = new Set<TokenKind>([
  ...(['bool', 'charConstant', 'dot', 'field', 'identifier', 'number', 'rawString', 'string', 'variable', 'open'] as const),
])

/** Reads what stands inside an action: pipelines, their commands, and operands. */
export class ExpressionReader extends TokenReader {
  /** Names of the variables that are known here. */
  protected variables = ['$']

  /** Commands up to the end of an action or of parentheses. */
  protected pipeline(context: string, end: 'right' | 'close'): Pipeline {
    const { at } = this.peekWord()
    const { variables, assigns } = this.#declarations(context)
    const commands: PipelineCommand[] = []
    for (;;) {
      const token = this.takeWord()
      if (token.kind === end) break
      if (!OPERANDS.has(token.kind) && !isKeyword(token, 'nil')) throw this.unexpected(token, context)
      this.next--
      commands.push(this.#command())
    }
    if (commands.length === 0) throw this.error(`missing value for ${context}`)
    const idle = commands.findIndex(([first], stage) => stage > 0 && ['bool', 'dot', 'nil', 'number', 'string'].includes(first.kind))
    if (idle > 0) throw this.error(`non executable command in pipeline stage ${idle + 1}`)
    return { kind: 'pipeline', at, variables, assigns, commands }
  }

  /** `$x :=`, `$x =`, and for a range `$key, $element :=`; nothing when a variable is only used. */
  #declarations(context: string): Pick<Pipeline, 'variables' | 'assigns'> {
    const variables: VariableNode[] = []
    for (;;) {
      const start = this.next
      const token = this.peekWord()
      if (token.kind !== 'variable') return { variables, assigns: false }
      this.takeWord()
      const after = this.takeWord()
      const isComma = after.kind === 'char' && after.text === ','
      if (after.kind !== 'assign' && after.kind !== 'declare' && !isComma) {
        this.next = start
        return { variables, assigns: false }
      }
      variables.push({ kind: 'variable', at: token.at, name: token.text })
      this.variables.push(token.text)
      if (!isComma) return { variables, assigns: after.kind === 'assign' }
      if (context !== 'range' || variables.length > 1) throw this.error(`too many declarations in ${context}`)
      if (!['variable', 'right', 'close'].includes(this.peekWord().kind)) throw this.error('range can only initialize variables')
    }
  }

  #command(): PipelineCommand {
    const operands: Operand[] = []
    for (;;) {
      this.peekWord()
      const operand = this.#operand()
      if (operand !== null) operands.push(operand)
      const token = this.take()
      if (token.kind === 'space') continue
      if (token.kind === 'right' || token.kind === 'close') this.next--
      else if (token.kind !== 'pipe') throw this.unexpected(token, 'operand')
      break
    }
    const [first, ...rest] = operands
    if (first === undefined) throw this.error('empty command')
    return [first, ...rest]
  }

  #operand(): Operand | null {
    const term = this.#term()
    if (term === null || this.peek().kind !== 'field') return term
    const { at } = this.peek()
    const names: string[] = []
    while (this.peek().kind === 'field') names.push(this.take().text.slice(1))
    if (term.kind === 'field') return { kind: 'field', at, names: [...term.names, ...names], of: term.of }
    if (['bool', 'string', 'number', 'nil', 'dot'].includes(term.kind))
      throw this.error(`unexpected . after term ${JSON.stringify(nodeText(term))}`)
    return { kind: 'field', at, names, of: term }
  }

  #term(): Operand | null {
    const { kind, text, at } = this.takeWord()
    switch (kind) {
      case 'identifier':
        if (!Object.hasOwn(FUNCTIONS, text)) throw this.error(`function ${JSON.stringify(text)} not defined`)
        return { kind: 'function', at, name: text }
      case 'dot':
        return { kind, at }
      case 'variable':
        if (!this.variables.includes(text)) throw this.error(`undefined variable ${JSON.stringify(text)}`)
        return { kind, at, name: text }
      case 'field':
        return { kind, at, names: [text.slice(1)], of: null }
      case 'bool':
        return { kind, at, value: text === 'true', text }
      case 'number':
      case 'charConstant':
        return { kind: 'number', at, value: this.#literal(() => numberOf(text)), text }
      case 'string':
      case 'rawString':
        return { kind: 'string', at, value: this.#literal(() => unquote(text)), text }
      case 'open':
        return this.pipeline('parenthesized pipeline', 'close')
      case 'keyword':
        if (text === 'nil') return { kind: 'nil', at }
    }
    this.next--
    return null
  }

  #literal<T>(read: () => T | string): T | string {
    try {
      return read()
    } catch (error) {
      throw error instanceof SyntaxError ? this.error(error.message) : error
    }
  }

  /** A name in quotes. */
  protected templateName(context: string): string {
    const token = this.takeWord()
    if (token.kind !== 'string' && token.kind !== 'rawString') throw this.unexpected(token, context)
    return this.#literal(() => unquote(token.text))
  }
}
