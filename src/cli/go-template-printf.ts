/** Values as Go's fmt prints them: `[a b]`, `map[a:1 b:2]`, `<nil>`, and the verbs of printf with what it says of a wrong one. */
import { compareStrings, entriesOf, GoFloat, kindOf, numeric, typeNameOf } from './go-template-value.js'

/** Between `%` and its letter. */
interface Verb {
  readonly letter: string
  readonly flags: string
  readonly width: number | null
  readonly precision: number | null
  /** It stands for a letter that is not for this kind of value. */
  readonly isWrong?: boolean
}

const PLAIN: Verb = { letter: 'v', flags: '', width: null, precision: null }
const DIRECTIVE = /%([-+# 0]*)(?:(\[\d+\])?(\*)|(\d+))?(?:(\.)(?:(\[\d+\])?(\*)|(\d+))?)?(\[\d+\])?(.)?/gsu
/** What Go takes for a width or precision at most. */
const MAXIMUM_WIDTH = 1_000_000
const RADIX: Readonly<Record<string, number>> = { b: 2, o: 8, O: 8, d: 10, v: 10, x: 16, X: 16 }
const PREFIX: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' }

/** A value as `{{…}}` prints it. */
export function valueText(value: unknown): string {
  return formatted(value, PLAIN)
}

/** As `print`: a space between two values of which neither is a string. */
export function sprint(values: readonly unknown[]): string {
  return values
    .map((value, at) => {
      const needsSpace = at > 0 && typeof value !== 'string' && typeof values[at - 1] !== 'string'
      return `${needsSpace ? ' ' : ''}${valueText(value)}`
    })
    .join('')
}

/** As `printf`. */
export function sprintf(format: string, values: readonly unknown[]): string {
  let next = 0
  let isReordered = false
  let extra = ''
  const take = (index: string | undefined): unknown => {
    if (index !== undefined) {
      next = Number(index.slice(1, -1)) - 1
      isReordered = true
    }
    return values[next++]
  }
  const text = format.replace(
    DIRECTIVE,
    (_whole, flags, widthIndex, widthStar, width, point, precisionIndex, precisionStar, precision, index, letter) => {
      let bad = ''
      const number = (star: string | undefined, starIndex: string | undefined, digits: string | undefined, name: string): number | null => {
        if (star === undefined) return digits === undefined ? null : Math.min(Number(digits), MAXIMUM_WIDTH)
        const value = take(starIndex)
        if (kindOf(value) === 'int' && Math.abs(value as number) <= MAXIMUM_WIDTH) return value as number
        bad += `%!(${name})`
        return null
      }
      const wide = number(widthStar, widthIndex, width, 'BADWIDTH')
      const precise = number(precisionStar, precisionIndex, precision, 'BADPREC') ?? (point === undefined ? null : 0)
      const left = wide !== null && wide < 0 ? '-' : ''
      if (letter === undefined) return `${bad}%!(NOVERB)`
      if (letter === '%') return `${bad}%`
      if (index !== undefined && (Number(index.slice(1, -1)) < 1 || Number(index.slice(1, -1)) > values.length))
        return `${bad}%!${letter}(BADINDEX)`
      if (index === undefined && next >= values.length) return `${bad}%!${letter}(MISSING)`
      const verb = {
        letter,
        flags: flags + left,
        width: wide === null ? null : Math.abs(wide),
        precision: precise !== null && precise < 0 ? null : precise,
      }
      return bad + formatted(take(index), verb)
    },
  )
  if (!isReordered && next < values.length) {
    const rest = values.slice(next).map((value) => (kindOf(value) === 'nil' ? '<nil>' : `${typeNameOf(value)}=${valueText(value)}`))
    extra = `%!(EXTRA ${rest.join(', ')})`
  }
  return text + extra
}

/** A string in Go's double quotes. */
export function quoted(text: string, mark = '"'): string {
  const short: Readonly<Record<string, string>> = {
    '\u0007': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
  }
  const inner = [...text].map((character) => {
    if (character === mark || character === '\\') return `\\${character}`
    if (short[character] !== undefined) return short[character]
    if (/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) return character
    const code = (character.codePointAt(0) ?? 0).toString(16)
    if (code.length <= 2 && character < '\u0080') return `\\x${code.padStart(2, '0')}`
    return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`
  })
  return `${mark}${inner.join('')}${mark}`
}

function formatted(value: unknown, verb: Verb): string {
  const { letter } = verb
  if (letter === 'T') return padded(typeNameOf(value), verb)
  const each = (element: unknown) => (kindOf(element) === 'nil' ? '<nil>' : formatted(element, verb))
  const sharp = letter === 'v' && verb.flags.includes('#') && verb.isWrong !== true
  switch (kindOf(value)) {
    case 'nil':
      return letter === 'v' ? padded('<nil>', verb) : `%!${letter}(<nil>)`
    case 'bool':
      return letter === 't' || letter === 'v' ? padded(String(value), verb) : wrongVerb(value, verb)
    case 'int':
      return integer(value as number, verb)
    case 'float':
      return float(numeric(value), verb)
    case 'string':
      return string(value as string, verb)
    case 'slice': {
      const elements = (value as readonly unknown[]).map(each)
      return sharp ? `${typeNameOf(value)}{${elements.join(', ')}}` : `[${elements.join(' ')}]`
    }
    case 'map': {
      const pairs = entriesOf(value).map(([key, element]) => `${formatted(key, verb)}:${each(element)}`)
      return sharp ? `${typeNameOf(value)}{${pairs.join(', ')}}` : `map[${pairs.join(' ')}]`
    }
    case 'func':
      return wrongVerb('func', verb)
    default: {
      const named = letter === 'v' && /[+#]/.test(verb.flags)
      const members = entriesOf(value).filter(([, member]) => typeof member !== 'function')
      const texts = members.map(([name, member]) => `${named ? `${name}:` : ''}${each(member)}`)
      return sharp ? `${typeNameOf(value)}{${texts.join(', ')}}` : `{${texts.join(' ')}}`
    }
  }
}

function wrongVerb(value: unknown, verb: Verb): string {
  return `%!${verb.letter}(${typeNameOf(value)}=${formatted(value, { ...verb, letter: 'v', isWrong: true })})`
}

function string(value: string, verb: Verb): string {
  const { letter, flags, precision } = verb
  const cut = precision === null ? value : [...value].slice(0, precision).join('')
  if (letter === 'q' || (letter === 'v' && flags.includes('#') && verb.isWrong !== true))
    return padded(letter === 'q' && flags.includes('#') && !/[`\u0000-\u001f\u007f]/.test(cut) ? `\`${cut}\`` : quoted(cut), verb)
  if (letter === 's' || letter === 'v') return padded(cut, verb)
  if (letter !== 'x' && letter !== 'X') return wrongVerb(value, verb)
  const bytes = [...Buffer.from(value).subarray(0, precision ?? undefined)].map((byte) => byte.toString(16).padStart(2, '0'))
  const spaced = flags.includes(' ')
  const prefixed = spaced ? bytes.map((byte) => (flags.includes('#') ? `0x${byte}` : byte)).join(' ') : bytes.join('')
  const hex = flags.includes('#') && !spaced && prefixed !== '' ? `0x${prefixed}` : prefixed
  return padded(letter === 'X' ? hex.toUpperCase() : hex, verb)
}

function integer(value: number, verb: Verb): string {
  const { letter, flags, width, precision } = verb
  if (letter === 'c') return padded(character(value), verb)
  if (letter === 'q') return padded(quoted(character(value), "'"), verb)
  if (letter === 'U') return padded(`U+${value.toString(16).toUpperCase().padStart(4, '0')}`, verb)
  const radix = RADIX[letter]
  if (radix === undefined) return wrongVerb(value, verb)
  const sign = value < 0 ? '-' : isSigned(verb) ? '+' : flags.includes(' ') ? ' ' : ''
  const isZeroPadded = flags.includes('0') && !flags.includes('-') && width !== null && precision === null
  const least = precision ?? (isZeroPadded ? width - sign.length : 0)
  const digits = Math.abs(value).toString(radix).padStart(least, '0')
  const prefix = letter === 'O' ? '0o' : flags.includes('#') ? (PREFIX[letter] ?? '') : ''
  const text = `${sign}${prefix}${letter === 'X' ? digits.toUpperCase() : digits}`
  return padded(precision === 0 && value === 0 ? '' : text, { ...verb, flags: flags.replaceAll('0', '') })
}

function character(code: number): string {
  return code >= 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd'
}

function float(value: number, verb: Verb): string {
  const { letter, flags, width, precision } = verb
  if (!/[vgGeEfF]/.test(letter)) return wrongVerb(Number.isInteger(value) ? new GoFloat(value) : value, verb)
  const magnitude = Math.abs(value)
  const isNegative = value < 0 || Object.is(value, -0)
  const sign = isNegative ? '-' : isSigned(verb) ? '+' : flags.includes(' ') ? ' ' : ''
  const body = Number.isFinite(value)
    ? digitsOf(magnitude, letter, precision)
    : Number.isNaN(value)
      ? 'NaN'
      : `${sign === '' ? '+' : ''}Inf`
  const isZeroPadded = flags.includes('0') && !flags.includes('-') && Number.isFinite(value)
  const text = `${sign}${isZeroPadded ? body.padStart((width ?? 0) - sign.length, '0') : body}`
  return padded(/[GE]/.test(letter) ? text.toUpperCase() : text, { ...verb, flags: flags.replaceAll('0', '') })
}

function digitsOf(value: number, letter: string, precision: number | null): string {
  const exponential = (digits?: number) =>
    value.toExponential(digits === undefined ? undefined : Math.min(digits, 100)).replace(/e([+-])(\d)$/, 'e$10$2')
  if (/[eE]/.test(letter)) return exponential(precision ?? 6)
  if (/[fF]/.test(letter)) return fixed(value, precision ?? 6)
  const shortest = exponential(precision === null ? undefined : Math.max(precision, 1) - 1)
  const exponent = Number(/e(.*)$/.exec(shortest)?.[1] ?? 0)
  const [mantissa = ''] = shortest.split('e')
  const digits = mantissa.replace('.', '').replace(/0+$/, '')
  // Of a precision beyond the digits there are, the digits count.
  const limit = precision === null ? 6 : precision > digits.length && digits.length >= exponent + 1 ? digits.length : Math.max(precision, 1)
  if (exponent < -4 || exponent >= limit)
    return `${mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa}e${shortest.split('e')[1]}`
  return Number(shortest).toFixed(Math.min(Math.max(0, digits.length - 1 - exponent), 100))
}

/** With so many decimals; of what lies exactly between two, the even one. */
function fixed(value: number, decimals: number): string {
  const rounded = value.toFixed(Math.min(decimals, 100))
  const exact = value < 1e21 && decimals < 50 ? value.toFixed(100) : ''
  const kept = exact.slice(0, exact.length - 100 + decimals)
  if (!/^50*$/.test(exact.slice(kept.length))) return rounded
  return /[02468]\.?$/.test(kept) ? kept.replace(/\.$/, '') : rounded
}

/** A plus before a number; behind `%+v` it means something else. */
function isSigned({ letter, flags, isWrong }: Verb): boolean {
  return flags.includes('+') && (letter !== 'v' || isWrong === true)
}

function padded(text: string, { width, flags }: Verb): string {
  const missing = (width ?? 0) - [...text].length
  if (missing <= 0) return text
  if (flags.includes('-')) return text + ' '.repeat(missing)
  return (flags.includes('0') ? '0' : ' ').repeat(missing) + text
}

/** As Go's encoding/json writes it, keys of maps in order; no control character in it, nor one of those that end a line in JavaScript. */
export function json(value: unknown): string {
  const text = JSON.stringify(value, (_key, member) => {
    if (member instanceof GoFloat) return member.value
    if (member instanceof Map) return Object.fromEntries([...member].sort(([left], [right]) => compareStrings(left, right)))
    return member
  })
  return (text ?? 'null').replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
