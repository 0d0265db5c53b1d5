/**
 * What a template's values are, in JavaScript: strings, booleans and arrays as they are; a number without a fraction is Go's int, any other
 * its float64; a Map is a map, of which a key that is missing has no value; a plain object is what docker's JSON has where its code has a
 * struct, and a field that is missing is an error; an object with {@link TYPE_NAME} is a struct whose functions are its methods. null is
 * nil and undefined no value at all.
 */

/** Key of the name that errors give to an object's type: `*formatter.ContainerContext`. */
export const TYPE_NAME = Symbol('type name')

/** A struct with methods: a row of a list. */
export interface GoStruct {
  readonly [TYPE_NAME]: string
  readonly [member: string]: unknown
}

/** A float64 that has no fraction, which a bare number cannot be. */
export class GoFloat {
  constructor(readonly value: number) {}
}

/** What Go does with a value depends on this. */
export type Kind = 'nil' | 'bool' | 'int' | 'float' | 'string' | 'slice' | 'map' | 'record' | 'struct' | 'func'

/** Kind of any value. */
export function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return 'nil'
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  if (typeof value === 'function') return 'func'
  if (Array.isArray(value)) return 'slice'
  if (value instanceof Map) return 'map'
  if (value instanceof GoFloat) return 'float'
  return TYPE_NAME in (value as object) ? 'struct' : 'record'
}

/** Name of the type as Go's errors have it. */
export function typeNameOf(value: unknown): string {
  switch (kindOf(value)) {
    case 'nil':
      return '<nil>'
    case 'float':
      return 'float64'
    case 'slice':
      return isStrings(value) ? '[]string' : '[]interface {}'
    case 'map':
      return isStrings([...(value as Map<string, unknown>).values()]) ? 'map[string]string' : 'map[string]interface {}'
    case 'record':
      return 'map[string]interface {}'
    case 'struct':
      return (value as GoStruct)[TYPE_NAME]
    case 'func':
      return 'func() interface {}'
    default:
      return kindOf(value)
  }
}

/** A number as such. */
export function numeric(value: unknown): number {
  return value instanceof GoFloat ? value.value : Number(value)
}

/** Whether `if` takes it for true: all but false, nothing, zero and what is empty. */
export function isTruthy(value: unknown): boolean {
  const kind = kindOf(value)
  if (kind === 'int' || kind === 'float') return numeric(value) !== 0
  if (kind === 'struct' || kind === 'func') return true
  return kind === 'bool' ? value === true : lengthOf(value) > 0
}

/** Bytes of a string, elements of anything else; 0 for what has none. */
export function lengthOf(value: unknown): number {
  const kind = kindOf(value)
  if (kind === 'string') return Buffer.byteLength(value as string)
  if (kind === 'slice') return (value as readonly unknown[]).length
  return kind === 'map' || kind === 'record' ? entriesOf(value).length : 0
}

/** Keys and elements, the keys of a map in Go's order: of their bytes. */
export function entriesOf(value: unknown): readonly (readonly [key: string, element: unknown])[] {
  if (!(value instanceof Map)) return Object.entries(value as object)
  return [...(value as Map<string, unknown>)].sort(([left], [right]) => compareStrings(left, right))
}

/** By their bytes in UTF-8, as Go compares strings. */
export function compareStrings(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

/** What a map or an object has under a key; undefined when it does not have it. */
export function memberOf(value: unknown, key: string): unknown {
  if (value instanceof Map) return value.get(key)
  const object = value as Readonly<Record<string, unknown>>
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((element) => typeof element === 'string')
}
