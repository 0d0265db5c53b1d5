/**
 * Templates as docker's users write them after `--format`: Go's text/template, read here and run by `go-template-run.ts`.
 *
 * Mistakes are told in Go's own words, which docker passes on, so that what a search finds about them holds here too.
 */
import { ExpressionReader } from './go-template-expression.js'
import { type Token, tokensOf } from './go-template-lexer.js'
import type { BranchNode, Statement } from './go-template-node.js'
import { isKeyword } from './go-template-reader.js'

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

class Parser extends ExpressionReader {
  #rangeDepth = 0

  constructor(
    tokens: readonly Token[],
    readonly parts: Map<string, readonly Statement[]>,
  ) {
    super(tokens)
  }

  whole(): void {
    const body: Statement[] = []
    while (this.peek().kind !== 'end') {
      const start = this.next
      if (this.take().kind === 'left' && isKeyword(this.takeWord(), 'define')) {
        this.#definition()
        continue
      }
      this.next = start
      const read = this.#textOrAction()
      if (isClosing(read)) throw this.error(`unexpected {{${read.kind}}}`)
      body.push(read)
    }
    this.#define('', body)
  }

  #definition(): void {
    const name = this.templateName('define clause')
    this.expectRight('define clause')
    this.#part(name, 'define clause')
  }

  /** Statements up to their `end`, with variables of their own, kept by name. */
  #part(name: string, context: string): void {
    const [variables, rangeDepth] = [this.variables, this.#rangeDepth]
    this.variables = ['$']
    this.#rangeDepth = 0
    const [body, closing] = this.#statements()
    if (closing !== 'end') throw this.error(`unexpected {{${closing}}} in ${context}`)
    this.variables = variables
    this.#rangeDepth = rangeDepth
    this.#define(name, body)
  }

  #define(name: string, body: readonly Statement[]): void {
    const before = this.parts.get(name)
    if (before === undefined || isEmpty(before)) this.parts.set(name, body)
    else if (!isEmpty(body)) throw this.error(`template: multiple definition of template ${JSON.stringify(name)}`)
  }

  #statements(): readonly [body: readonly Statement[], closing: Closing] {
    const body: Statement[] = []
    while (this.peekWord().kind !== 'end') {
      const read = this.#textOrAction()
      if (isClosing(read)) return [body, read.kind]
      body.push(read)
    }
    throw this.error('unexpected EOF')
  }

  #textOrAction(): Read {
    const token = this.takeWord()
    if (token.kind === 'text') return { kind: 'text', text: token.text }
    if (token.kind !== 'left') throw this.unexpected(token, 'input')
    this.actionLine = token.line
    const read = this.#action()
    this.actionLine = 0
    return read
  }

  #action(): Read {
    const token = this.takeWord()
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
          this.expectRight('end')
          return { kind: 'end' }
        case 'else':
          // `else if` and `else with` have their second word read by the branch they belong to.
          if (!['if', 'with'].some((word) => isKeyword(this.peekWord(), word))) this.expectRight('else')
          return { kind: 'else' }
      }
    this.next--
    return { kind: 'action', at: token.at, pipeline: this.pipeline('command', 'right') }
  }

  #jump(kind: 'break' | 'continue', at: number): Statement {
    const token = this.takeWord()
    if (token.kind !== 'right') throw this.unexpected(token, `{{${kind}}}`)
    if (this.#rangeDepth === 0) throw this.error(`{{${kind}}} outside {{range}}`)
    return { kind, at }
  }

  #template(defines: boolean): Statement {
    const context = defines ? 'block clause' : 'template clause'
    const { at } = this.peekWord()
    const name = this.templateName(context)
    const hasArgument = defines || this.peekWord().kind !== 'right'
    const pipeline = hasArgument ? this.pipeline(context, 'right') : null
    if (!hasArgument) this.takeWord()
    if (defines) this.#part(name, context)
    return { kind: 'template', at, name, pipeline }
  }

  #branch(kind: BranchNode['kind']): BranchNode {
    const known = this.variables.length
    const pipeline = this.pipeline(kind, 'right')
    if (kind === 'range') this.#rangeDepth++
    const [body, closing] = this.#statements()
    if (kind === 'range') this.#rangeDepth--
    const otherwise = closing === 'else' ? this.#otherwise(kind) : []
    this.variables.length = known
    return { kind, at: pipeline.at, pipeline, body, otherwise }
  }

  #otherwise(kind: BranchNode['kind']): readonly Statement[] {
    if (kind !== 'range' && isKeyword(this.peek(), kind)) {
      this.take()
      return [this.#branch(kind)]
    }
    const [body, closing] = this.#statements()
    if (closing !== 'end') throw this.error(`expected end; found {{${closing}}}`)
    return body
  }
}

function isClosing(read: Read): read is { readonly kind: Closing } {
  return read.kind === 'end' || read.kind === 'else'
}

function isEmpty(body: readonly Statement[]): boolean {
  return body.every((statement) => statement.kind === 'text' && statement.text.trim() === '')
}
