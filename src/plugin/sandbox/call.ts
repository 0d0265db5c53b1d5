import { EngineError } from '../../errors.js'
import { decodeNumbers, encodeNumbers } from '../call-protocol.js'
import type { Signature } from '../signatures.js'
import type { Instance } from './instance.js'

/** What else {@link callBytes} is told. */
export interface BytesCall {
  /** Bytes that the answer may have. */
  readonly most: number
  /** Whether the guest is given its memory back: not for an instance that nobody calls again. */
  readonly frees: boolean
  /** Whether the guest does not run again before the answer is written: then it may lie in the guest's memory until that is done. */
  readonly isLast: boolean
}

/** Calls `name` with bytes. Throws what {@link Instance.failureOf} puts in words. */
export function callBytes(instance: Instance, name: string, input: Uint8Array, { most, frees, isLast }: BytesCall): Uint8Array {
  const pointer = instance.place(input)
  const packed = instance.call(name, [pointer, input.length])
  if (typeof packed !== 'bigint') throw new EngineError('INVALID_RESULT', `${name} gives no pointer and length in one i64`)
  const [at, length] = [Number(BigInt.asUintN(32, packed >> 32n)), Number(BigInt.asUintN(32, packed))]
  if (length > most)
    throw new EngineError('LIMIT_EXCEEDED', `${name} answers ${length} bytes, more than the ${most} that are left of limits.outputBytes`, {
      data: { length, limit: most },
    })
  const runsAgain = !isLast || (frees && instance.exports('free'))
  const result = length === 0 ? NO_BYTES : instance.bytes(at, length)
  // Views of its memory are of no use once it runs again.
  if (!runsAgain) return result
  const copy = Buffer.from(result)
  if (frees && instance.exports('free')) {
    if (length > 0) instance.call('free', [at, length])
    if (input.length > 0 && (length === 0 || at !== pointer)) instance.call('free', [pointer, input.length])
  }
  return copy
}

const NO_BYTES = new Uint8Array()

/** Calls `name` with numbers of its own signature. */
export function callNumbers(instance: Instance, name: string, input: Buffer, { parameters, results }: Signature): Buffer {
  const given = instance.call(name, decodeNumbers(parameters, input))
  const values = Array.isArray(given) ? given : given === undefined ? [] : [given]
  return encodeNumbers(results, values)
}
