/**
 * A Go template in pieces, by the rules of Go's own lexer: text, and inside `{{` and `}}` words, each with its place. Nothing is thrown
 * here: a mistake is the last piece, and it is the parser that says it.
 */

/** What a piece is. `char` is a single character without a meaning of its own, such as the comma. */
export type TokenKind =
  | 'text'
  | 'left'
  | 'right'
  | 'space'
  | 'assign'
  | 'declare'
  | 'pipe'
  | 'open'
  | 'close'
  | 'char'
  | 'string'
  | 'rawString'
  | 'charConstant'
  | 'number'
  | 'bool'
  | 'dot'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'keyword'
  | 'error'
  | 'end'

/** One piece. */
export interface Token {
  readonly kind: TokenKind
  /** As it is written; of an error what is wrong. */
  readonly text: string
  /** Where it begins, in UTF-16 units. */
  readonly at: number
  /** Line it begins on, from 1. */
  readonly line: number
}

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'nil', 'range', 'template', 'with'])
const SIGNS: Readonly<Record<string, TokenKind>> = { '=': 'assign', '|': 'pipe', '(': 'open', ')': 'close' }
const QUOTES: Readonly<Record<string, readonly [kind: TokenKind, whole: RegExp, problem: string]>> = {
  '"': ['string', /"(?:\\[^\n]|[^"\\\n])*"/y, 'unterminated quoted string'],
  '`': ['rawString', /`[^`]*`/y, 'unterminated raw quoted string'],
  "'": ['charConstant', /'(?:\\[^\n]|[^'\\\n])*'/y, 'unterminated character constant'],
}
const NUMBER =
  /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|(?:0[oO][0-7_]*|0[bB][01_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?))i?/y
const WORD = /[_\p{L}\p{Nd}]*/uy
const SPACE = /[ \t\r\n]+/y
const RIGHT = /(?:[ \t\r\n]-)?\}\}/y
/** What may follow a name. */
const TERMINATOR = /[ \t\r\n.,|:)(]|\}\}|$/y

/** The pieces of a template; the last is `end` or `error`. */
export function tokensOf(template: string): readonly Token[] {
  return new Lexer(template).run()
}

class Lexer {
  readonly #tokens: Token[] = []
  #at = 0
  #line = 1
  #depth = 0

  constructor(readonly input: string) {}

  run(): readonly Token[] {
    while (this.#text() && this.#action());
    return this.#tokens
  }

  /** Text up to the next action; false at the end. */
  #text(): boolean {
    const left = this.input.indexOf('{{', this.#at)
    const text = this.input.slice(this.#at, left < 0 ? undefined : left)
    const trims = left >= 0 && /^-[ \t\r\n]/.test(this.input.slice(left + 2, left + 4))
    const kept = trims ? text.replace(/[ \t\r\n]+$/, '') : text
    if (kept !== '') this.#add('text', kept.length)
    this.#skip(text.length - kept.length)
    if (left < 0) return this.#last('end', '')
    const marker = trims ? 2 : 0
    if (this.input.startsWith('/*', left + 2 + marker)) return this.#comment(left + 2 + marker)
    this.#add('left', 2)
    this.#skip(marker)
    this.#depth = 0
    return true
  }

  #comment(start: number): boolean {
    this.#skip(start - this.#at)
    const end = this.input.indexOf('*/', start + 2)
    if (end < 0) return this.#last('error', 'unclosed comment')
    const right = this.#match(RIGHT, end + 2)
    if (right === '') return this.#last('error', 'comment ends before closing delimiter')
    this.#skip(end + 2 + right.length - this.#at)
    this.#trimAfter(right)
    return this.#text()
  }

  /** All of an action, with its right delimiter; false after a mistake. */
  #action(): boolean {
    for (;;) {
      const right = this.#match(RIGHT)
      if (right !== '') {
        if (this.#depth > 0) return this.#last('error', 'unclosed left paren')
        this.#skip(right.length - 2)
        this.#add('right', 2)
        this.#trimAfter(right)
        return true
      }
      const problem = this.#word()
      if (problem !== null) return this.#last('error', problem)
    }
  }

  /** One piece inside an action, or what is wrong with it. */
  #word(): string | null {
    const character = String.fromCodePoint(this.input.codePointAt(this.#at) ?? 0)
    if (this.#at >= this.input.length) return 'unclosed action'
    if (SPACE_CHARACTERS.has(character)) return this.#space()
    if (this.input.startsWith(':=', this.#at)) return this.#add('declare', 2)
    if (character === ':') return 'expected :='
    const quote = QUOTES[character]
    if (quote !== undefined) {
      const whole = this.#match(quote[1])
      return whole === '' ? quote[2] : this.#add(quote[0], whole.length)
    }
    if (character === '$' || (character === '.' && !/[0-9]/.test(this.input[this.#at + 1] ?? ''))) return this.#name(character)
    if (/[-+.0-9]/.test(character)) return this.#number()
    if (/[_\p{L}\p{Nd}]/u.test(character)) return this.#identifier()
    if (character === '(') this.#depth++
    if (character === ')') this.#depth--
    if (/^[!-~]$/.test(character)) return this.#add(SIGNS[character] ?? 'char', 1)
    return `unrecognized character in action: ${unicodeName(character)}`
  }

  #space(): null {
    const space = this.#match(SPACE)
    // The last one belongs to a trimming `-}}`.
    const length = this.#match(RIGHT, this.#at + space.length - 1) === '' ? space.length : space.length - 1
    return length === 0 ? null : this.#add('space', length)
  }

  /** `.Field`, `$variable`, `.` or `$`. */
  #name(sigil: string): string | null {
    const word = this.#match(WORD, this.#at + 1)
    const problem = this.#unterminated(this.#at + 1 + word.length)
    if (problem !== null) return problem
    return this.#add(sigil === '$' ? 'variable' : word === '' ? 'dot' : 'field', 1 + word.length)
  }

  #identifier(): string | null {
    const word = this.#match(WORD)
    const problem = this.#unterminated(this.#at + word.length)
    if (problem !== null) return problem
    const kind = KEYWORDS.has(word) ? 'keyword' : word === 'true' || word === 'false' ? 'bool' : 'identifier'
    return this.#add(kind, word.length)
  }

  #number(): string | null {
    const number = this.#match(NUMBER)
    const next = String.fromCodePoint(this.input.codePointAt(this.#at + number.length) ?? 0x20)
    if (/[_\p{L}\p{Nd}+-]/u.test(next)) return `bad number syntax: ${JSON.stringify(number + next)}`
    return this.#add('number', number.length)
  }

  #unterminated(at: number): string | null {
    TERMINATOR.lastIndex = at
    if (TERMINATOR.test(this.input)) return null
    return `bad character ${unicodeName(String.fromCodePoint(this.input.codePointAt(at) ?? 0))}`
  }

  #match(pattern: RegExp, at = this.#at): string {
    pattern.lastIndex = at
    return pattern.exec(this.input)?.[0] ?? ''
  }

  #add(kind: TokenKind, length: number): null {
    this.#tokens.push({ kind, text: this.input.slice(this.#at, this.#at + length), at: this.#at, line: this.#line })
    this.#skip(length)
    return null
  }

  #last(kind: 'end' | 'error', text: string): false {
    this.#tokens.push({ kind, text, at: this.#at, line: this.#line })
    return false
  }

  #trimAfter(right: string): void {
    if (right !== '}}') this.#skip(this.#match(SPACE).length)
  }

  #skip(length: number): void {
    this.#line += this.input.slice(this.#at, this.#at + length).split('\n').length - 1
    this.#at += length
  }
}

const SPACE_CHARACTERS = new Set(' \t\r\n')

/** As Go writes `%#U`: `U+0040 '@'`. */
function unicodeName(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character) ? `U+${code} '${character}'` : `U+${code}`
}
