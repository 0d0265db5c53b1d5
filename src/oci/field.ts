/**
 * Checks of single fields of a JSON document, with errors that name the field: `manifest.layers[2].size`.
 *
 * Written by hand instead of compiled from JSON schemas: a schema compiler costs more at start-up than a whole `wolffia run` may,
 * and the published schemas check neither the digest algorithms that can be verified here nor CVE-2021-41190.
 */
import { EngineError } from '../errors.js'

/** A JSON object whose members are not yet checked. */
export type Members = Readonly<Record<string, unknown>>

/** Of a field's place, which may be a name of megabytes, in a message. */
const MAXIMUM_SHOWN = 200

/** Throws INVALID_IMAGE for `field`. */
export function refuse(field: string, problem: string): never {
  const place = field.length > MAXIMUM_SHOWN ? `${field.slice(0, MAXIMUM_SHOWN)}…` : field
  throw new EngineError('INVALID_IMAGE', `${place} ${problem}`, { data: { field: place } })
}

/** `value` as an object; arrays and null are none. */
export function object(value: unknown, field: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, `must be an object, not ${describe(value)}`)
  return value as Members
}

/** `value` as a string. */
export function string(value: unknown, field: string): string {
  if (typeof value !== 'string') refuse(field, `must be a string, not ${describe(value)}`)
  return value
}

/** `value` as a string that holds something. */
export function word(value: unknown, field: string): string {
  const text = string(value, field)
  if (text === '') refuse(field, 'must not be empty')
  return text
}

/** `value` as a count of bytes. */
export function byteCount(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    refuse(field, `must be a count of bytes, not ${describe(value)}`)
  return value
}

/** `value` as a whole number, of 64 bits at the most: Go's integers. */
export function integer(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > 2 ** 63)
    refuse(field, `must be a whole number of 64 bits, not ${describe(value)}`)
  return value
}

/** `value` as a list, each member through `check`. */
export function list<T>(value: unknown, field: string, check: (member: unknown, field: string) => T): readonly T[] {
  if (!Array.isArray(value)) refuse(field, `must be a list, not ${describe(value)}`)
  return value.map((member, position) => check(member, `${field}[${position}]`))
}

/** `value` as a map of strings. */
export function stringMap(value: unknown, field: string): Readonly<Record<string, string>> {
  return mapOf(value, field, string)
}

/** `value` as a map whose values pass `check`. */
export function mapOf<T>(value: unknown, field: string, check: (member: unknown, field: string) => T): Readonly<Record<string, T>> {
  const entries = Object.entries(object(value, field)).map(([name, member]) => [name, check(member, `${field}.${name}`)] as const)
  return Object.fromEntries(entries)
}

/** `{ [name]: check(members[name]) }`, or `{}` where the member is absent. Go writes absent lists and maps as null, so null is absent. */
export function optional<Name extends string, T>(
  members: Members,
  name: Name,
  field: string,
  check: (value: unknown, field: string) => T,
): { readonly [Key in Name]?: T } {
  const value = Object.hasOwn(members, name) ? members[name] : undefined
  if (value === undefined || value === null) return {}
  return { [name]: check(value, `${field}.${name}`) } as { [Key in Name]: T }
}

/** What `value` is, in a few words: never all of it, which could be nested deeper than a stack is. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
