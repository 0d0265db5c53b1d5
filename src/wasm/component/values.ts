/**
 * Arguments as a component gives them. It declares itself of which types they are, so each is looked at before it is used; another type than
 * WASI's is a trap.
 */

import type { ByteString } from '../../fs/file-system.js'
import { fromUtf8 } from '../../fs/names.js'
import { WasiError } from '../preview1/errno.js'
import { Trap } from './trap.js'

/** Longest path, with its end (PATH_MAX). */
const PATH_MAX = 4096
const NANOSECONDS = 1_000_000_000n

/** An unsigned integer of 64 bits. */
export function u64(value: unknown): bigint {
  if (typeof value !== 'bigint' || value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new Trap('an argument that is no u64')
  return value
}

/** A size or offset. Throws EFBIG for one beyond every file's end. */
export function filesize(value: unknown): number {
  if (u64(value) > BigInt(Number.MAX_SAFE_INTEGER)) throw new WasiError('EFBIG')
  return Number(value)
}

/** A count of bytes to be read, cut to what one call gives. */
export function lengthOf(value: unknown, maximum: number): number {
  return Number(u64(value) > BigInt(maximum) ? maximum : value)
}

/** A `list<u8>`. */
export function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Trap('an argument that is no list<u8>')
  return value
}

/** A string as a path of the guest's tree. Throws ENAMETOOLONG, EINVAL. */
export function path(value: unknown): ByteString {
  if (typeof value !== 'string') throw new Trap('an argument that is no string')
  const name = fromUtf8(value)
  if (name.length >= PATH_MAX) throw new WasiError('ENAMETOOLONG')
  if (name.includes('\0')) throw new WasiError('EINVAL')
  return name
}

/** A record of flags or fields. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new Trap('an argument that is no record')
  return value as Readonly<Record<string, unknown>>
}

/** A `list`. */
export function list(value: unknown, maximum: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > maximum) throw new Trap(`a list that is none, or longer than ${maximum}`)
  return value
}

/** A `datetime` as nanoseconds since the epoch. */
export function nanosecondsOf(value: unknown): bigint {
  const { seconds, nanoseconds } = record(value)
  return BigInt.asUintN(64, u64(seconds) * NANOSECONDS + BigInt(Math.trunc(Number(nanoseconds)) || 0))
}

/** Nanoseconds since the epoch as a `datetime`. What was before reads as the epoch. */
export function datetime(nanoseconds: bigint): { readonly seconds: bigint; readonly nanoseconds: number } {
  const since = nanoseconds < 0n ? 0n : nanoseconds
  return { seconds: since / NANOSECONDS, nanoseconds: Number(since % NANOSECONDS) }
}
