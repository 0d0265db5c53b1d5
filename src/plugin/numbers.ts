import { EngineError } from '../errors.js'
import { signatureText, type ValueType } from './signatures.js'

const I32 = { least: -(2 ** 31), most: 2 ** 32 - 1 } as const
const I64 = { least: -(2n ** 63n), most: 2n ** 64n - 1n } as const

/** Throws INVALID_ARGUMENT unless there is a number for each type, and each is one of its type: WebAssembly would take others and change them. */
export function assertNumbers(what: string, types: readonly ValueType[], numbers: readonly unknown[]): void {
  const text = signatureText({ parameters: types, results: [] }).replace(/ ->.*/, '')
  if (numbers.length !== types.length || types.some((type, place) => !isOf(type, numbers[place])))
    throw new EngineError('INVALID_ARGUMENT', `${what} must be ${text}, not (${numbers.map(shown).join(', ')})`, {
      hint: 'i32 is a whole number, i64 a bigint, f32 and f64 any number.',
    })
}

function isOf(type: ValueType, value: unknown): boolean {
  if (type === 'i64') return typeof value === 'bigint' && value >= I64.least && value <= I64.most
  if (type === 'i32') return Number.isInteger(value) && (value as number) >= I32.least && (value as number) <= I32.most
  return type !== 'other' && typeof value === 'number'
}

function shown(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : typeof value === 'number' ? String(value) : typeof value
}
