/**
 * Values as docker's shell lexer reads them: quotes go, `$NAME` and `${NAME}` become their values, an escape takes the meaning from what
 * follows. Used for the instructions of a Dockerfile and of `--change` that take variables; RUN, CMD and ENTRYPOINT leave that to a shell.
 */
import { EngineError } from '../errors.js'

/** The character that takes the meaning from the next: a Dockerfile may choose the backtick (`# escape=`). */
export type EscapeCharacter = '\\' | '`'

/** What a value is read with. */
export interface Expansion {
  readonly variables: ReadonlyMap<string, string>
  readonly escapeCharacter: EscapeCharacter
  /** Where absent, variables may stand for as much as they like. */
  readonly budget?: ExpansionBudget
}

/** Characters that all variables of one build may stand for: thirty lines of `ENV A=$A$A` are a gigabyte. */
export const MAXIMUM_EXPANDED_CHARACTERS = 2 ** 24

/** Substitutions within substitutions: each takes some of the stack. */
const MAXIMUM_DEPTH = 256

/** Counts what variables stand for, in all that is read with it. */
export class ExpansionBudget {
  #left = MAXIMUM_EXPANDED_CHARACTERS

  /** Throws LIMIT_EXCEEDED. */
  spend(characters: number): void {
    this.#left -= characters
    if (this.#left >= 0) return
    throw new EngineError('LIMIT_EXCEEDED', `variables stand for more than ${MAXIMUM_EXPANDED_CHARACTERS} characters`, {
      hint: 'Look for one that is made of itself, such as ENV A=$A$A.',
    })
  }
}

/** `text` as one word, spaces and all. Throws INVALID_ARGUMENT, and NOT_BUILT for `${NAME#pattern}` and its like. */
export function expandWord(text: string, expansion: Expansion): string {
  return new Lexer(text, expansion).whole()
}

/** `text` as words, parted by spaces outside quotes and by those of a value that stands outside quotes. Throws as {@link expandWord}. */
export function expandWords(text: string, expansion: Expansion): readonly string[] {
  return new Lexer(text, expansion).words()
}

/** `text` cut into words at spaces outside quotes; quotes and escapes stay for {@link expandWord}. */
export function cutWords(text: string, escapeCharacter: EscapeCharacter): readonly string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  for (let position = 0; position < text.length; position++) {
    const character = text[position] ?? ''
    if (quote === '' && /\s/.test(character)) {
      if (word !== '') words.push(word)
      word = ''
      continue
    }
    word += character
    if (character === escapeCharacter && quote !== "'") word += text[++position] ?? ''
    else if (character === quote) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) quote = character
  }
  return word === '' ? words : [...words, word]
}

const NAME = /[A-Za-z_]\w*|\d|[@*#?!$-]/y

class Lexer {
  readonly #text: string
  readonly #expansion: Expansion
  #at = 0
  /** Substitutions that stand within one another, here. */
  #depth = 0
  #words: string[] = []
  /** The word begun; null between words. */
  #word: string | null = null

  constructor(text: string, expansion: Expansion) {
    this.#text = text
    this.#expansion = expansion
  }

  whole(): string {
    return this.#readUntil('')
  }

  words(): readonly string[] {
    this.#readUntil('')
    if (this.#word !== null) this.#words.push(this.#word)
    return this.#words
  }

  /** Reads up to `end`, which is taken, or all there is. */
  #readUntil(end: '' | '}'): string {
    let result = ''
    const add = (text: string) => {
      result += text
      if (end === '') this.#word = (this.#word ?? '') + text
    }
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? ''
      if (character === end) {
        this.#at++
        return result
      }
      if (character === "'") add(this.#singleQuoted())
      else if (character === '"') add(this.#doubleQuoted())
      else if (character === '$') {
        const value = this.#dollar()
        result += value
        if (end === '') this.#part(value)
      } else {
        this.#at++
        if (character === this.#expansion.escapeCharacter) {
          if (this.#at < this.#text.length) add(this.#text[this.#at++] ?? '')
        } else if (end === '' && /\s/.test(character)) {
          result += character
          this.#part(character)
        } else add(character)
      }
    }
    if (end !== '') throw this.#wrong('a ${ is not closed')
    return result
  }

  /** Adds text whose spaces part words. */
  #part(text: string): void {
    const [first = '', ...others] = text.split(/\s+/)
    if (first !== '') this.#word = (this.#word ?? '') + first
    for (const word of others) {
      if (this.#word !== null) this.#words.push(this.#word)
      this.#word = word === '' ? null : word
    }
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1)
    if (end < 0) throw this.#wrong('a quote is not closed')
    const text = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    return text
  }

  #doubleQuoted(): string {
    let result = ''
    this.#at++
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? ''
      if (character === '"') {
        this.#at++
        return result
      }
      if (character === '$') {
        result += this.#dollar()
        continue
      }
      this.#at++
      if (character !== this.#expansion.escapeCharacter) result += character
      else {
        const next = this.#text[this.#at] ?? ''
        this.#at++
        result += next === '"' || next === '$' || next === character ? next : character + next
      }
    }
    throw this.#wrong('a quote is not closed')
  }

  #dollar(): string {
    if (++this.#depth > MAXIMUM_DEPTH)
      throw new EngineError('INVALID_ARGUMENT', `substitutions stand within one another more than ${MAXIMUM_DEPTH} deep`, {
        hint: 'Give the inner ones names of their own, by ARG or ENV.',
      })
    const value = this.#substituted()
    this.#depth--
    this.#expansion.budget?.spend(value.length)
    return value
  }

  #substituted(): string {
    this.#at++
    if (this.#text[this.#at] !== '{') {
      const name = this.#name()
      return name === '' ? '$' : (this.#expansion.variables.get(name) ?? '')
    }
    this.#at++
    const name = this.#name()
    if (name === '') throw this.#wrong('a ${ without a name')
    const value = this.#expansion.variables.get(name)
    if (this.#text[this.#at] === '}') {
      this.#at++
      return value ?? ''
    }
    return this.#modified(name, value)
  }

  #modified(name: string, value: string | undefined): string {
    const emptyIsUnset = this.#text[this.#at] === ':'
    if (emptyIsUnset) this.#at++
    const modifier = this.#text[this.#at++] ?? ''
    const isSet = value !== undefined && !(emptyIsUnset && value === '')
    if (modifier === '-' || modifier === '+' || modifier === '?') {
      const word = this.#readUntil('}')
      if (modifier === '+') return isSet ? word : ''
      if (isSet) return value
      if (modifier === '-') return word
      throw this.#wrong(`${name} is not set${word === '' ? '' : `: ${word}`}`)
    }
    if (!emptyIsUnset && (modifier === '#' || modifier === '%' || modifier === '/'))
      throw new EngineError('NOT_BUILT', `\${${name}${modifier}…} is not built yet: ${JSON.stringify(this.#text)}`, {
        hint: 'Write the value out, or cut it in a RUN, where the shell does.',
      })
    throw this.#wrong(`\${${name}${emptyIsUnset ? ':' : ''}${modifier} is no substitution`)
  }

  #name(): string {
    NAME.lastIndex = this.#at
    const name = NAME.exec(this.#text)?.[0] ?? ''
    this.#at += name.length
    return name
  }

  #wrong(why: string): EngineError {
    return new EngineError('INVALID_ARGUMENT', `${why}: ${JSON.stringify(this.#text)}`)
  }
}
