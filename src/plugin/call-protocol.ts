/**
 * What is said on a channel: a socket between the owner of a plugin and one thread of its sandbox. Both sides send frames (`frame` and
 * `FrameReader` of the sandbox's sessions): a kind, three zeros, a length (32 bits, big-endian), so many bytes. These begin with the number of the
 * call they belong to (32 bits, big-endian). One call is under way at a time.
 *
 * A thread that is new to its channel reads until it has seen the owner's nonce and says it back, so neither side ever takes up
 * what was meant for, or said by, a thread that was ended in the middle of it.
 */
import type { ValueType } from './signatures.js'

/** Bytes of a nonce. */
export const NONCE_BYTES = 32
/** Of the number that every frame's contents begin with. */
export const NUMBER_BYTES = 4

export const FRAME = {
  /** To the sandbox. */
  call: 1,
  /** What a host function has answered. */
  answer: 2,
  /** A host function has failed, and the call with it. */
  refusal: 3,
  /** Nobody waits for the call any more. */
  over: 4,
  /** From the sandbox. */
  result: 16,
  /** JSON: code, message, hint, data. */
  failure: 17,
  /** A host function is called: its number (16 bits), then its input. */
  ask: 18,
  stdout: 19,
  stderr: 20,
} as const

/** How a call passes what it is about. */
export const VERB = {
  /** Bytes in, bytes out: `(pointer, length) -> pointer << 32 | length`. */
  bytes: 0,
  /** Numbers as they stand in the function's own signature, 8 bytes each. */
  numbers: 1,
  /** `_start`, with its arguments (JSON) and its stdin. */
  run: 2,
  /** Nothing in, out the module that begins where the snapshot does. */
  snapshot: 3,
  /** Nothing in, nothing out: makes the instance that is named, and keeps it. */
  open: 4,
  /** Nothing in, nothing out: lets go of it. */
  close: 5,
} as const

/** The largest failure that is told: a message, and a piece of what the guest wrote to stderr. */
export const FAILURE_BYTES = 64 * 1024
/** Output of a program goes in pieces of so many bytes. */
export const OUTPUT_BYTES = 65_536

/** A call as the sandbox is told of it. */
export interface CallRequest {
  readonly verb: number
  /** Whether the instance is kept for the next call. */
  readonly keeps: boolean
  /** Number of the instance that is called; 0 for any. */
  readonly instance: number
  /** Place of the function among the module's functions that can be called; 0 for a run. */
  readonly function: number
  /** What each call of a batch is given. */
  readonly inputs: readonly Uint8Array[]
}

const HEAD_BYTES = NUMBER_BYTES + 16

/** Contents of a `call` frame. */
export function encodeCall(number: number, { verb, keeps, instance, function: place, inputs }: CallRequest): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32BE(number, 0)
  head[4] = verb
  head[5] = keeps ? 1 : 0
  head.writeUInt32BE(place, 8)
  head.writeUInt32BE(inputs.length, 12)
  head.writeUInt32BE(instance, 16)
  return withItems(head, inputs)
}

/** What {@link encodeCall} was given; the inputs are views. */
export function decodeCall(bytes: Buffer): CallRequest & { readonly number: number } {
  const [inputs] = itemsOf(bytes, HEAD_BYTES, bytes.readUInt32BE(12)) ?? [[]]
  return {
    number: bytes.readUInt32BE(0),
    verb: bytes[4] ?? 0,
    keeps: bytes[5] === 1,
    instance: bytes.readUInt32BE(16),
    function: bytes.readUInt32BE(8),
    inputs,
  }
}

/** Contents of a `result` frame: one result for each input. */
export function encodeResult(number: number, results: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(NUMBER_BYTES)
  head.writeUInt32BE(number, 0)
  return withItems(head, results)
}

/** Exactly `count` results; null for anything else. */
export function decodeResult(bytes: Buffer, count: number): readonly Buffer[] | null {
  const [items, end] = itemsOf(bytes, NUMBER_BYTES, count) ?? [[], -1]
  return end === bytes.length ? items : null
}

/** What a `result` frame takes besides the results. */
export function resultOverhead(count: number): number {
  return NUMBER_BYTES + 4 * count
}

/** Numbers as their types have them, 8 bytes each. The owner has checked that they fit. */
export function encodeNumbers(types: readonly ValueType[], numbers: readonly (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(8 * types.length)
  for (const [place, type] of types.entries()) {
    const value = numbers[place] ?? 0
    if (type === 'i64') bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)), 8 * place)
    else bytes.writeDoubleBE(Number(value), 8 * place)
  }
  return bytes
}

/** What {@link encodeNumbers} was given. */
export function decodeNumbers(types: readonly ValueType[], bytes: Buffer): (number | bigint)[] {
  return types.map((type, place) => (type === 'i64' ? bytes.readBigInt64BE(8 * place) : bytes.readDoubleBE(8 * place)))
}

function withItems(head: Buffer, items: readonly Uint8Array[]): Buffer {
  const whole = Buffer.allocUnsafe(items.reduce((sum, item) => sum + 4 + item.length, head.length))
  whole.set(head)
  let at = head.length
  for (const item of items) {
    whole.writeUInt32BE(item.length, at)
    whole.set(item, at + 4)
    at += 4 + item.length
  }
  return whole
}

/** So many items from `at` on, and where they end; null where they go beyond the bytes. */
function itemsOf(bytes: Buffer, from: number, count: number): readonly [items: Buffer[], end: number] | null {
  const items: Buffer[] = []
  let at = from
  while (items.length < count) {
    if (at + 4 > bytes.length) return null
    const length = bytes.readUInt32BE(at)
    at += 4
    if (at + length > bytes.length) return null
    items.push(bytes.subarray(at, at + length))
    at += length
  }
  return [items, at]
}
