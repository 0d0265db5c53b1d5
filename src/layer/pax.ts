import type { ByteString } from '../fs/file-system.js'
import { fromBytes, toBytes } from '../fs/names.js'
import { malformed } from './header.js'

/** One record of a pax extended header; values are bytes, since xattrs and names are. Records may repeat. */
export interface PaxRecord {
  readonly key: ByteString
  readonly value: Uint8Array
}

/** Records of an extended header's body: `LENGTH KEY=VALUE\n`, length included (POSIX pax). Throws INVALID_ARCHIVE. */
export function decodePax(body: Uint8Array, offset: number): readonly PaxRecord[] {
  const records: PaxRecord[] = []
  let start = 0
  while (start < body.length) {
    const blank = body.indexOf(0x20, start)
    const digits = blank === -1 || blank - start > 10 ? '' : fromBytes(body.subarray(start, blank))
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0
    const end = start + length
    const equals = body.indexOf(0x3d, blank + 1)
    if (length < digits.length + 4 || end > body.length || equals === -1 || equals >= end || equals === blank + 1 || body[end - 1] !== 0x0a)
      throw malformed('broken pax record', offset + start)
    // A copy: the body is a view of the reader's window.
    records.push({ key: fromBytes(body.subarray(blank + 1, equals)), value: body.slice(equals + 1, end - 1) })
    start = end
  }
  return records
}

/** Body of an extended header. */
export function encodePax(records: Iterable<PaxRecord>): Uint8Array {
  const parts: Uint8Array[] = []
  for (const { key, value } of records) {
    const rest = key.length + value.length + 3
    let length = rest + String(rest).length
    // The length counts its own digits, which may make it one digit longer.
    if (rest + String(length).length !== length) length = rest + String(length).length
    parts.push(toBytes(`${length} ${key}=`), value, Uint8Array.of(0x0a))
  }
  const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let position = 0
  for (const part of parts) {
    body.set(part, position)
    position += part.length
  }
  return body
}

/** A decimal record such as `size` or `uid`. Throws INVALID_ARCHIVE. */
export function paxNumber({ key, value }: PaxRecord, offset: number): number {
  const digits = value.length > 20 ? '' : fromBytes(value)
  const number = /^-?[0-9]+$/.test(digits) ? Number(digits) : Number.NaN
  if (!Number.isSafeInteger(number)) throw malformed(`pax ${key} is not a number`, offset)
  return number
}

/** A time record, seconds with any fraction, as nanoseconds; what is finer is cut towards the past. Throws INVALID_ARCHIVE. */
export function paxTimeNs({ key, value }: PaxRecord, offset: number): bigint {
  const parts = value.length > 64 ? null : /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(fromBytes(value))
  if (parts === null) throw malformed(`pax ${key} is not a time`, offset)
  const [, sign, seconds = '', fraction = ''] = parts
  const magnitude = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  if (sign === '') return magnitude
  return -magnitude - (/[1-9]/.test(fraction.slice(9)) ? 1n : 0n)
}

/** Nanoseconds as a time record's text: `-1.5`, `0`, `12.000000001`. */
export function formatPaxTime(timeNs: bigint): string {
  const magnitude = timeNs < 0n ? -timeNs : timeNs
  const fraction = String(magnitude % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${timeNs < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`
}
