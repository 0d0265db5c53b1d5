import { EngineError } from '../errors.js'
import type { Token, TokenKind } from './go-template-lexer.js'

/** Reads the pieces of a template one after the other, and tells of one that should not be there in Go's words. */
export class TokenReader {
  /** Index of the piece that is read next; reading goes back by setting it. */
  protected next = 0
  /** Line on which the action began that is being read; 0 outside of one. */
  protected actionLine = 0

  constructor(readonly tokens: readonly Token[]) {}

  /** The next piece; at the end the last one, again and again. */
  protected peek(): Token {
    return this.tokens[Math.min(this.next, this.tokens.length - 1)] as Token
  }

  protected take(): Token {
    const token = this.peek()
    this.next++
    return token
  }

  /** The next piece that is no space. */
  protected peekWord(): Token {
    while (this.peek().kind === 'space') this.next++
    return this.peek()
  }

  protected takeWord(): Token {
    this.peekWord()
    return this.take()
  }

  /** Reads the end of an action. */
  protected expectRight(context: string): void {
    const token = this.takeWord()
    if (token.kind !== 'right') throw this.unexpected(token, context)
  }

  /** The piece is not one that `context` can have here. */
  protected unexpected({ kind, text, line }: Token, context: string): EngineError {
    if (kind !== 'error') return this.error(`unexpected ${tokenText(kind, text)} in ${context}`)
    const elsewhere = this.actionLine !== 0 && this.actionLine !== line
    const began = `${text.endsWith(' action') ? '' : ' in action'} started at :${this.actionLine}`
    return this.error(`${text}${elsewhere ? began : ''}`)
  }

  /** A mistake at the piece that was read last. */
  protected error(message: string): EngineError {
    const { line } = this.tokens[Math.min(Math.max(this.next - 1, 0), this.tokens.length - 1)] as Token
    return templateError(`template: :${line}: ${message}`)
  }
}

/** An error about a template, in docker's words around Go's. */
export function templateError(message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `template parsing error: ${message}`, {
    hint: 'Write a Go template: {{.Name}} for a value, {{json .}} for all there is.',
  })
}

/** Whether a piece is this keyword. */
export function isKeyword({ kind, text }: Token, word: string): boolean {
  return kind === 'keyword' && text === word
}

function tokenText(kind: TokenKind, text: string): string {
  if (kind === 'end') return 'EOF'
  if (kind === 'keyword' || kind === 'dot') return `<${text}>`
  return text.length > 10 ? `${JSON.stringify([...text].slice(0, 10).join(''))}...` : JSON.stringify(text)
}
