/** Literals of a template: strings, characters and numbers as Go writes them. */
import { GoFloat } from './go-template-value.js'

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92 }
const MAXIMUM_CODE_POINT = 0x10ffff

/** What a string or character in its quotes means. Throws SyntaxError. */
export function unquote(text: string): string {
  const quote = text[0] ?? ''
  const inner = text.slice(1, -1)
  if (quote === '`') return inner.replaceAll('\r', '')
  const bytes: Uint8Array[] = []
  for (const [part, sequence] of inner.matchAll(/\\([0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[^\\]+/gsu))
    bytes.push(sequence === undefined ? Buffer.from(part) : escaped(sequence, quote))
  return Buffer.concat(bytes).toString()
}

function escaped(sequence: string, quote: string): Uint8Array {
  const [first = ''] = sequence
  const simple = sequence === quote ? quote.charCodeAt(0) : ESCAPES[sequence]
  if (simple !== undefined) return Buffer.from([simple])
  if (sequence.length === 1) throw new SyntaxError('invalid syntax')
  const code = Number.parseInt(first >= '0' && first <= '7' ? sequence : sequence.slice(1), first >= '0' && first <= '7' ? 8 : 16)
  if (sequence.length === 3 && code > 255) throw new SyntaxError('invalid syntax')
  if (sequence.length === 3) return Buffer.from([code])
  if (code > MAXIMUM_CODE_POINT || (code >= 0xd800 && code < 0xe000)) throw new SyntaxError('invalid syntax')
  return Buffer.from(String.fromCodePoint(code))
}

/** A number: an integer as such, anything with a point or an exponent as a {@link GoFloat}; a character as its code. Throws SyntaxError. */
export function numberOf(text: string): number | GoFloat {
  if (text.startsWith("'")) {
    const characters = [...unquote(text)]
    if (characters.length !== 1) throw new SyntaxError(`malformed character constant: ${text}`)
    return characters[0]?.codePointAt(0) ?? 0
  }
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/.exec(text) ?? []
  const bare = digits.replaceAll('_', '')
  const isHex = /^0x/i.test(bare)
  const isFloat = isHex ? /p/i.test(bare) : /[.e]/i.test(bare)
  const value = isHex && isFloat ? hexFloatOf(bare) : Number(/^0[0-7]+$/.test(bare) ? `0o${bare.slice(1)}` : bare)
  if (bare === '' || Number.isNaN(value) || misplaced(digits)) throw new SyntaxError(`illegal number syntax: ${JSON.stringify(text)}`)
  const signed = sign === '-' ? -value : value
  if (isFloat) return new GoFloat(signed)
  if (!Number.isSafeInteger(signed)) throw new SyntaxError(`integer overflow: ${JSON.stringify(text)}`)
  return signed
}

/** An underscore stands between digits. */
function misplaced(digits: string): boolean {
  return /__|_$|^_|_[.eEpP]|[.eEpP+-]_/.test(digits)
}

function hexFloatOf(text: string): number {
  const [, mantissa = '', exponent = ''] = /^0x([0-9a-f.]+)p([+-]?\d+)$/i.exec(text) ?? []
  const [whole = '', fraction = ''] = mantissa.split('.')
  if (exponent === '') return Number.NaN
  return Number.parseInt(whole + fraction || '0', 16) * 2 ** (Number(exponent) - 4 * fraction.length)
}
