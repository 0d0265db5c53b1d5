/** The functions a template can call: those of Go's text/template, and docker's own (json, split, join, title, lower, upper, pad, truncate). */
import { json, sprint, sprintf } from './go-template-printf.js'
import { compareStrings, entriesOf, isTruthy, kindOf, lengthOf, memberOf, numeric, typeNameOf } from './go-template-value.js'

/** What an argument must be; `any` may be nil too. */
export type ParameterType = 'any' | 'string' | 'int' | '[]string'

/** A function of templates. */
export interface TemplateFunction {
  /** Of the last one there may be any number when it is variadic, none included. */
  readonly parameters: readonly ParameterType[]
  readonly isVariadic?: boolean
  /** Throws {@link CallError}. */
  readonly call: (...values: readonly never[]) => unknown
}

/** What a function says of its arguments. */
export class CallError extends Error {}

type Values = readonly unknown[]

const ANY = 'any'
/** Kinds that can be compared with themselves. */
const BASIC_KINDS = ['bool', 'int', 'float', 'string']

/** All of them, by name. `and` and `or` are called by whoever runs the template, who evaluates no more of their arguments than needed. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  and: { parameters: [ANY, ANY], isVariadic: true, call: () => undefined },
  or: { parameters: [ANY, ANY], isVariadic: true, call: () => undefined },
  not: { parameters: [ANY], call: (value: unknown) => !isTruthy(value) },
  len: { parameters: [ANY], call: length },
  index: {
    parameters: [ANY, ANY],
    isVariadic: true,
    call: (value: unknown, ...keys: Values) => keys.reduce(elementOf, present(value, 'index')),
  },
  slice: { parameters: [ANY, ANY], isVariadic: true, call: slice },
  call: { parameters: [ANY, ANY], isVariadic: true, call },
  print: { parameters: [ANY], isVariadic: true, call: (...values: Values) => sprint(values) },
  printf: { parameters: ['string', ANY], isVariadic: true, call: (format: string, ...values: Values) => sprintf(format, values) },
  println: { parameters: [ANY], isVariadic: true, call: (...values: Values) => `${values.map((value) => sprint([value])).join(' ')}\n` },
  eq: { parameters: [ANY, ANY], isVariadic: true, call: equalsAny },
  ne: { parameters: [ANY, ANY], call: (left: unknown, right: unknown) => !equals(left, right) },
  lt: { parameters: [ANY, ANY], call: (left: unknown, right: unknown) => compare(left, right) < 0 },
  le: { parameters: [ANY, ANY], call: (left: unknown, right: unknown) => compare(left, right) <= 0 },
  gt: { parameters: [ANY, ANY], call: (left: unknown, right: unknown) => compare(left, right) > 0 },
  ge: { parameters: [ANY, ANY], call: (left: unknown, right: unknown) => compare(left, right) >= 0 },
  html: { parameters: [ANY], isVariadic: true, call: (...values: Values) => escapeHtml(textOf(values)) },
  js: { parameters: [ANY], isVariadic: true, call: (...values: Values) => escapeJavaScript(textOf(values)) },
  urlquery: { parameters: [ANY], isVariadic: true, call: (...values: Values) => escapeQuery(textOf(values)) },
  json: { parameters: [ANY], call: json },
  split: {
    parameters: ['string', 'string'],
    call: (text: string, separator: string) => (separator === '' ? [...text] : text.split(separator)),
  },
  join: { parameters: ['[]string', 'string'], call: (texts: readonly string[], separator: string) => texts.join(separator) },
  title: { parameters: ['string'], call: (text: string) => text.replace(/(?<![\p{L}\p{Nd}_])\p{L}/gu, (letter) => letter.toUpperCase()) },
  lower: { parameters: ['string'], call: (text: string) => text.toLowerCase() },
  upper: { parameters: ['string'], call: (text: string) => text.toUpperCase() },
  pad: { parameters: ['string', 'int', 'int'], call: pad },
  truncate: { parameters: ['string', 'int'], call: truncate },
}

/** What docker makes of the same functions for the headings of a table: they stay as they are. */
export const HEADING_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  ...FUNCTIONS,
  ...Object.fromEntries(
    ['json', 'title', 'lower', 'upper', 'truncate'].map((name) => [
      name,
      { parameters: name === 'truncate' ? ['string', 'int'] : ['string'], call: (text: string) => text } satisfies TemplateFunction,
    ]),
  ),
}

function present(value: unknown, what: string): unknown {
  if (kindOf(value) === 'nil') throw new CallError(`${what} of untyped nil`)
  return value
}

function length(value: unknown): number {
  if (kindOf(value) === 'nil') throw new CallError('len of nil pointer')
  if (!['string', 'slice', 'map', 'record'].includes(kindOf(value))) throw new CallError(`len of type ${typeNameOf(value)}`)
  return lengthOf(value)
}

function elementOf(value: unknown, key: unknown): unknown {
  switch (kindOf(value)) {
    case 'string':
    case 'slice': {
      const at = position(key, lengthOf(value))
      if (at === lengthOf(value)) throw new CallError(`reflect: ${kindOf(value)} index out of range`)
      return typeof value === 'string' ? Buffer.from(value)[at] : (value as Values)[at]
    }
    case 'map':
    case 'record': {
      if (kindOf(key) === 'nil') throw new CallError('value is nil; should be of type string')
      if (typeof key !== 'string') throw new CallError(`value has type ${typeNameOf(key)}; should be string`)
      return memberOf(value, key) ?? zeroOf(value)
    }
    case 'nil':
      throw new CallError('index of nil pointer')
    default:
      throw new CallError(`can't index item of type ${typeNameOf(value)}`)
  }
}

/** What a map gives for a key it does not have: an empty text where all it has are texts. */
function zeroOf(map: unknown): unknown {
  const isOfTexts = map instanceof Map && entriesOf(map).every(([, element]) => typeof element === 'string')
  return isOfTexts ? '' : null
}

function position(key: unknown, capacity: number): number {
  const kind = kindOf(key)
  if (kind !== 'int') throw new CallError(`cannot index slice/array with ${kind === 'nil' ? 'nil' : `type ${typeNameOf(key)}`}`)
  const at = key as number
  if (at < 0 || at > capacity) throw new CallError(`index out of range: ${at}`)
  return at
}

function slice(value: unknown, ...bounds: Values): unknown {
  const kind = kindOf(present(value, 'slice'))
  if (bounds.length > 3) throw new CallError(`too many slice indexes: ${bounds.length}`)
  if (kind === 'string' && bounds.length === 3) throw new CallError('cannot 3-index slice a string')
  if (kind !== 'string' && kind !== 'slice') throw new CallError(`can't slice item of type ${typeNameOf(value)}`)
  const [start = 0, end = lengthOf(value), most = end] = bounds.map((bound) => position(bound, lengthOf(value)))
  if (start > end) throw new CallError(`invalid slice index: ${start} > ${end}`)
  if (end > most) throw new CallError(`invalid slice index: ${end} > ${most}`)
  return typeof value === 'string' ? Buffer.from(value).subarray(start, end).toString() : (value as Values).slice(start, end)
}

function call(value: unknown, ...values: Values): unknown {
  if (kindOf(value) === 'nil') throw new CallError('call of nil')
  if (typeof value !== 'function') throw new CallError(`non-function of type ${typeNameOf(value)}`)
  if (values.length !== value.length) throw new CallError(`wrong number of args: got ${values.length} want ${value.length}`)
  return value(...values)
}

function equalsAny(left: unknown, ...others: Values): boolean {
  if (others.length === 0) throw new CallError('missing argument for comparison')
  return others.some((right) => equals(left, right))
}

function equals(left: unknown, right: unknown): boolean {
  const [leftKind, rightKind] = [kindOf(left), kindOf(right)]
  if (leftKind === 'nil' || rightKind === 'nil') return leftKind === rightKind
  const isBasic = BASIC_KINDS.includes(leftKind)
  if (leftKind !== rightKind && (isBasic || BASIC_KINDS.includes(rightKind))) throw new CallError('incompatible types for comparison')
  if (!isBasic && leftKind !== 'struct') throw new CallError(`non-comparable type ${sprint([right])}: ${typeNameOf(right)}`)
  return leftKind === 'float' ? numeric(left) === numeric(right) : left === right
}

function compare(left: unknown, right: unknown): number {
  const [leftKind, rightKind] = [kindOf(left), kindOf(right)]
  for (const kind of [leftKind, rightKind]) if (!BASIC_KINDS.includes(kind)) throw new CallError('invalid type for comparison')
  if (leftKind !== rightKind) throw new CallError('incompatible types for comparison')
  if (leftKind === 'bool') throw new CallError('invalid type for comparison')
  return leftKind === 'string' ? compareStrings(left as string, right as string) : numeric(left) - numeric(right)
}

function pad(text: string, before: number, after: number): string {
  if (text === '') return ''
  return `${' '.repeat(Math.max(before, 0))}${text}${' '.repeat(Math.max(after, 0))}`
}

function truncate(text: string, bytes: number): string {
  if (bytes < 0) throw new CallError(`runtime error: slice bounds out of range [:${bytes}]`)
  return Buffer.from(text).subarray(0, bytes).toString()
}

/** What the functions that escape a text are given. */
function textOf(values: Values): string {
  return sprint(values.map((value) => value ?? '<no value>'))
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = { '"': '&#34;', "'": '&#39;', '&': '&amp;', '<': '&lt;', '>': '&gt;', '\0': '\ufffd' }
  return text.replace(/["'&<>\0]/g, (character) => names[character] ?? '')
}

function escapeJavaScript(text: string): string {
  return text.replace(/[\\'"]|[<>&=\u0000-\u001f]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    if (/[\\'"]/.test(character)) return `\\${character}`
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  })
}

function escapeQuery(text: string): string {
  const percent = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, percent)
    .replaceAll('%20', '+')
}
