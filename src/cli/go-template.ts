/**
 * Templates as docker's users write them after `--format`: Go's text/template, read here and run by `go-template-run.ts`.
 *
 * Mistakes are told in Go's own words, which docker passes on, so that what a search finds about them holds here too.
 */
import { EngineError } from '../errors.js'
import { FUNCTIONS } from './go-template-functions.js'
import { type Token, type TokenKind, tokensOf } from './go-template-lexer.js'
import { numberOf, unquote } from './go-template-literal.js'
import type { BranchNode, Operand, Pipeline, PipelineCommand, Statement, VariableNode } from './go-template-node.js'
import { nodeText } from './go-template-node.js'

/** A template that has been read. Its parts by name: the whole is `''`, the others are what `define` and `block` made. */
export interface Template {
  readonly source: string
  readonly parts: ReadonlyMap<string, readonly Statement[]>
}

/** Reads a template. Throws INVALID_ARGUMENT in the words docker has: `template parsing error: template: :1: unclosed action`. */
export function parseTemplate(source: string): Template {
  const parts = new Map<string, readonly Statement[]>()
  new Parser(tokensOf(source), parts).whole()
  return { source, parts }
}

/** What ended a list of statements. */
type Closing = 'end' | 'else'
/** A statement, or the word that ends the list it would stand in. */
type Read = Statement | { readonly kind: Closing }

const OPERANDS = new Set<TokenKind>([
  ...(['bool', 'charConstant', 'dot', 'field', 'identifier', 'number', 'rawString', 'string', 'variable', 'open'] as const),
])

class Parser {
  #next = 0
  #variables = ['$']
  #rangeDepth = 0
  #actionLine = 0

  constructor(
    readonly tokens: readonly Token[],
    readonly parts: Map<string, readonly Statement[]>,
  ) {}

  whole(): void {
    const body: Statement[] = []
    while (this.#peek().kind !== 'end') {
      const start = this.#next
      if (this.#take().kind === 'left' && isKeyword(this.#takeWord(), 'define')) {
        this.#definition()
        continue
      }
      this.#next = start
      const read = this.#textOrAction()
      if (isClosing(read)) throw this.#error(`unexpected {{${read.kind}}}`)
      body.push(read)
    }
    this.#define('', body)
  }

  #definition(): void {
    const name = this.#templateName('define clause')
    this.#expectRight('define clause')
    this.#part(name, 'define clause')
  }

  /** Statements up to their `end`, with variables of their own, kept by name. */
  #part(name: string, context: string): void {
    const [variables, rangeDepth] = [this.#variables, this.#rangeDepth]
    this.#variables = ['$']
    this.#rangeDepth = 0
    const [body, closing] = this.#statements()
    if (closing !== 'end') throw this.#error(`unexpected {{${closing}}} in ${context}`)
    this.#variables = variables
    this.#rangeDepth = rangeDepth
    this.#define(name, body)
  }

  #define(name: string, body: readonly Statement[]): void {
    const before = this.parts.get(name)
    if (before === undefined || isEmpty(before)) this.parts.set(name, body)
    else if (!isEmpty(body)) throw this.#error(`template: multiple definition of template ${JSON.stringify(name)}`)
  }

  #statements(): readonly [body: readonly Statement[], closing: Closing] {
    const body: Statement[] = []
    while (this.#peekWord().kind !== 'end') {
      const read = this.#textOrAction()
      if (isClosing(read)) return [body, read.kind]
      body.push(read)
    }
    throw this.#error('unexpected EOF')
  }

  #textOrAction(): Read {
    const token = this.#takeWord()
    if (token.kind === 'text') return { kind: 'text', text: token.text }
    if (token.kind !== 'left') throw this.#unexpected(token, 'input')
    this.#actionLine = token.line
    const read = this.#action()
    this.#actionLine = 0
    return read
  }

  #action(): Read {
    const token = this.#takeWord()
    if (token.kind === 'keyword')
      switch (token.text) {
        case 'block':
          return this.#template(true)
        case 'template':
          return this.#template(false)
        case 'break':
        case 'continue':
          return this.#jump(token.text, token.at)
        case 'if':
        case 'range':
        case 'with':
          return this.#branch(token.text)
        case 'end':
          this.#expectRight('end')
          return { kind: 'end' }
        case 'else':
          // `else if` and `else with` have their second word read by the branch they belong to.
          if (!['if', 'with'].some((word) => isKeyword(this.#peekWord(), word))) this.#expectRight('else')
          return { kind: 'else' }
      }
    this.#next--
    return { kind: 'action', at: token.at, pipeline: this.#pipeline('command', 'right') }
  }

  #jump(kind: 'break' | 'continue', at: number): Statement {
    const token = this.#takeWord()
    if (token.kind !== 'right') throw this.#unexpected(token, `{{${kind}}}`)
    if (this.#rangeDepth === 0) throw this.#error(`{{${kind}}} outside {{range}}`)
    return { kind, at }
  }

  #template(defines: boolean): Statement {
    const context = defines ? 'block clause' : 'template clause'
    const { at } = this.#peekWord()
    const name = this.#templateName(context)
    const hasArgument = defines || this.#peekWord().kind !== 'right'
    const pipeline = hasArgument ? this.#pipeline(context, 'right') : null
    if (!hasArgument) this.#takeWord()
    if (defines) this.#part(name, context)
    return { kind: 'template', at, name, pipeline }
  }

  #branch(kind: BranchNode['kind']): BranchNode {
    const known = this.#variables.length
    const pipeline = this.#pipeline(kind, 'right')
    if (kind === 'range') this.#rangeDepth++
    const [body, closing] = this.#statements()
    if (kind === 'range') this.#rangeDepth--
    const otherwise = closing === 'else' ? this.#otherwise(kind) : []
    this.#variables.length = known
    return { kind, at: pipeline.at, pipeline, body, otherwise }
  }

  #otherwise(kind: BranchNode['kind']): readonly Statement[] {
    if (kind !== 'range' && isKeyword(this.#peek(), kind)) {
      this.#take()
      return [this.#branch(kind)]
    }
    const [body, closing] = this.#statements()
    if (closing !== 'end') throw this.#error(`expected end; found {{${closing}}}`)
    return body
  }

  #pipeline(context: string, end: 'right' | 'close'): Pipeline {
    const { at } = this.#peekWord()
    const { variables, assigns } = this.#declarations(context)
    const commands: PipelineCommand[] = []
    for (;;) {
      const token = this.#takeWord()
      if (token.kind === end) break
      if (!OPERANDS.has(token.kind) && !isKeyword(token, 'nil')) throw this.#unexpected(token, context)
      this.#next--
      commands.push(this.#command())
    }
    if (commands.length === 0) throw this.#error(`missing value for ${context}`)
    const idle = commands.findIndex(([first], stage) => stage > 0 && ['bool', 'dot', 'nil', 'number', 'string'].includes(first.kind))
    if (idle > 0) throw this.#error(`non executable command in pipeline stage ${idle + 1}`)
    return { kind: 'pipeline', at, variables, assigns, commands }
  }

  /** `$x :=`, `$x =`, and for a range `$key, $element :=`; nothing when a variable is only used. */
  #declarations(context: string): Pick<Pipeline, 'variables' | 'assigns'> {
    const variables: VariableNode[] = []
    for (;;) {
      const start = this.#next
      const token = this.#peekWord()
      if (token.kind !== 'variable') return { variables, assigns: false }
      this.#takeWord()
      const after = this.#takeWord()
      const isComma = after.kind === 'char' && after.text === ','
      if (after.kind !== 'assign' && after.kind !== 'declare' && !isComma) {
        this.#next = start
        return { variables, assigns: false }
      }
      variables.push({ kind: 'variable', at: token.at, name: token.text })
      this.#variables.push(token.text)
      if (!isComma) return { variables, assigns: after.kind === 'assign' }
      if (context !== 'range' || variables.length > 1) throw this.#error(`too many declarations in ${context}`)
      if (!['variable', 'right', 'close'].includes(this.#peekWord().kind)) throw this.#error('range can only initialize variables')
    }
  }

  #command(): PipelineCommand {
    const operands: Operand[] = []
    for (;;) {
      this.#peekWord()
      const operand = this.#operand()
      if (operand !== null) operands.push(operand)
      const token = this.#take()
      if (token.kind === 'space') continue
      if (token.kind === 'right' || token.kind === 'close') this.#next--
      else if (token.kind !== 'pipe') throw this.#unexpected(token, 'operand')
      break
    }
    const [first, ...rest] = operands
    if (first === undefined) throw this.#error('empty command')
    return [first, ...rest]
  }

  #operand(): Operand | null {
    const term = this.#term()
    if (term === null || this.#peek().kind !== 'field') return term
    const { at } = this.#peek()
    const names: string[] = []
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1))
    if (term.kind === 'field') return { kind: 'field', at, names: [...term.names, ...names], of: term.of }
    if (['bool', 'string', 'number', 'nil', 'dot'].includes(term.kind))
      throw this.#error(`unexpected . after term ${JSON.stringify(nodeText(term))}`)
    return { kind: 'field', at, names, of: term }
  }

  #term(): Operand | null {
    const { kind, text, at } = this.#takeWord()
    switch (kind) {
      case 'identifier':
        if (!Object.hasOwn(FUNCTIONS, text)) throw this.#error(`function ${JSON.stringify(text)} not defined`)
        return { kind: 'function', at, name: text }
      case 'dot':
        return { kind, at }
      case 'variable':
        if (!this.#variables.includes(text)) throw this.#error(`undefined variable ${JSON.stringify(text)}`)
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
        return this.#pipeline('parenthesized pipeline', 'close')
      case 'keyword':
        if (text === 'nil') return { kind: 'nil', at }
    }
    this.#next--
    return null
  }

  #literal<T>(read: () => T | string): T | string {
    try {
      return read()
    } catch (error) {
      throw error instanceof SyntaxError ? this.#error(error.message) : error
    }
  }

  #templateName(context: string): string {
    const token = this.#takeWord()
    if (token.kind !== 'string' && token.kind !== 'rawString') throw this.#unexpected(token, context)
    return this.#literal(() => unquote(token.text))
  }

  #expectRight(context: string): void {
    const token = this.#takeWord()
    if (token.kind !== 'right') throw this.#unexpected(token, context)
  }

  #peek(): Token {
    return this.tokens[Math.min(this.#next, this.tokens.length - 1)] as Token
  }

  #take(): Token {
    const token = this.#peek()
    this.#next++
    return token
  }

  #peekWord(): Token {
    while (this.#peek().kind === 'space') this.#next++
    return this.#peek()
  }

  #takeWord(): Token {
    this.#peekWord()
    return this.#take()
  }

  #unexpected({ kind, text, line }: Token, context: string): EngineError {
    if (kind !== 'error') return this.#error(`unexpected ${tokenText(kind, text)} in ${context}`)
    const elsewhere = this.#actionLine !== 0 && this.#actionLine !== line
    const began = `${text.endsWith(' action') ? '' : ' in action'} started at :${this.#actionLine}`
    return this.#error(`${text}${elsewhere ? began : ''}`)
  }

  #error(message: string): EngineError {
    const { line } = this.tokens[Math.min(Math.max(this.#next - 1, 0), this.tokens.length - 1)] as Token
    return templateError(`template: :${line}: ${message}`)
  }
}

/** An error about a template, in docker's words around Go's. */
export function templateError(message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `template parsing error: ${message}`, {
    hint: 'Write a Go template: {{.Name}} for a value, {{json .}} for all there is.',
  })
}

function isKeyword({ kind, text }: Token, word: string): boolean {
  return kind === 'keyword' && text === word
}

function isClosing(read: Read): read is { readonly kind: Closing } {
  return read.kind === 'end' || read.kind === 'else'
}

function isEmpty(body: readonly Statement[]): boolean {
  return body.every((statement) => statement.kind === 'text' && statement.text.trim() === '')
}

function tokenText(kind: TokenKind, text: string): string {
  if (kind === 'end') return 'EOF'
  if (kind === 'keyword' || kind === 'dot') return `<${text}>`
  return text.length > 10 ? `${JSON.stringify([...text].slice(0, 10).join(''))}...` : JSON.stringify(text)
}
