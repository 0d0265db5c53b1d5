/**
 * A call of WASI 0.2 in a recording: a record that begins with 3, then 1 or 0 for deflated, then JSON, with what JSON has not in objects of one member:
 *
 * ```text
 * {"n": "12"} a 64-bit integer    {"b": "…"} bytes, base64    {"w": [1, 2]} a list of u32    {"u": 0} nothing
 * {"o": {…}} a record             {"d": "…"} bytes that the guest hands over, by the beginning of their digest, and their number
 * ```
 */
import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { badRecording } from './format.js'

/** How the host has answered a call. */
export type HostAnswer =
  | { readonly ok: unknown }
  | { readonly err: unknown }
  /** It has ended the guest: by the guest's own word, or as a trap. */
  | { readonly exit: number }
  | { readonly trap: string; readonly cause?: unknown }

/** What of a call went to stdout (1) or stderr (2): so many bytes of those that it was given, or these. */
export type OutputPiece = { readonly stream: number } & ({ readonly length: number } | { readonly bytes: string })

/** A call of WASI 0.2 and its answer. */
export interface ComponentRecord {
  /** `interface function`. */
  readonly name: string
  /** As {@link encodeArguments} has them. */
  readonly args: string
  readonly answer: HostAnswer
  readonly output: readonly OutputPiece[]
}

export const COMPONENT_CALL = 3
const DEFLATED_BYTES = 256
/** Of one record. A call's answer has 64 KiB of contents, or the names of a directory. */
const MAXIMUM_BYTES = 64 * 2 ** 20
const DIGEST_CHARACTERS = 16

/** The record with its length, as the others are. */
export function encodeComponentCall({ answer, ...call }: ComponentRecord): Buffer {
  const json = Buffer.from(JSON.stringify({ ...call, answer: encodeAnswer(answer) }))
  const isDeflated = json.length >= DEFLATED_BYTES
  const contents = isDeflated ? deflateRawSync(json, { level: 1 }) : json
  const head = Buffer.alloc(6)
  head.writeUInt32LE(contents.length + 2)
  head[4] = COMPONENT_CALL
  head[5] = isDeflated ? 1 : 0
  return Buffer.concat([head, contents])
}

/** What {@link encodeComponentCall} was given, from a record without its length. Throws INVALID_ARCHIVE. */
export function decodeComponentCall(body: Buffer): ComponentRecord {
  let said: unknown
  try {
    const contents = body.subarray(2)
    const json = body[1] === 1 ? inflateRawSync(contents, { maxOutputLength: MAXIMUM_BYTES }) : contents
    said = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
  } catch {
    throw badRecording('a call is no JSON')
  }
  const { name, args, answer, output } = membersOf(said)
  if (typeof name !== 'string' || typeof args !== 'string' || !Array.isArray(output) || !output.every(isPiece))
    throw badRecording('a call is none')
  return { name, args, answer: decodeAnswer(answer), output }
}

/** The arguments of a call as a text to be compared: of bytes their number and the beginning of their digest. */
export function encodeArguments(args: readonly unknown[]): string {
  return JSON.stringify(encode(args, (bytes) => ({ d: `${bytes.length} ${digestOf(bytes)}` })))
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_CHARACTERS)
}

function encodeAnswer(answer: HostAnswer): unknown {
  const inFull = (bytes: Uint8Array) => ({ b: Buffer.from(bytes).toString('base64') })
  if ('ok' in answer) return { ok: encode(answer.ok, inFull) }
  if ('err' in answer) return { err: encode(answer.err, inFull) }
  return 'exit' in answer ? { exit: answer.exit } : { trap: answer.trap }
}

function decodeAnswer(said: unknown): HostAnswer {
  const { ok, err, exit, trap } = membersOf(said)
  if (ok !== undefined) return { ok: decode(ok) }
  if (err !== undefined) return { err: decode(err) }
  if (Number.isSafeInteger(exit) && Number(exit) >= 0 && Number(exit) < 256) return { exit: Number(exit) }
  if (typeof trap === 'string') return { trap }
  throw badRecording('a call has no answer')
}

function encode(value: unknown, ofBytes: (bytes: Uint8Array) => unknown): unknown {
  if (value === undefined) return { u: 0 }
  if (typeof value === 'bigint') return { n: String(value) }
  if (typeof value !== 'object' || value === null) return value
  // Also of a component's realm.
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value
    const isWords = 'BYTES_PER_ELEMENT' in value && value.BYTES_PER_ELEMENT === 4
    return isWords ? { w: [...(value as Uint32Array)] } : ofBytes(new Uint8Array(buffer, byteOffset, byteLength))
  }
  if (Array.isArray(value)) return value.map((each) => encode(each, ofBytes))
  return { o: Object.fromEntries(Object.entries(value).map(([name, each]) => [name, encode(each, ofBytes)])) }
}

function decode(said: unknown): unknown {
  if (typeof said !== 'object' || said === null) return said
  if (Array.isArray(said)) return said.map(decode)
  const { n, b, w, o } = said as Readonly<Record<string, unknown>>
  if (typeof n === 'string' && /^-?\d{1,20}$/.test(n)) return BigInt(n)
  if (typeof b === 'string') return Uint8Array.from(Buffer.from(b, 'base64'))
  if (Array.isArray(w) && w.every(Number.isSafeInteger)) return Uint32Array.from(w)
  if ('u' in said) return undefined
  return Object.fromEntries(Object.entries(membersOf(o)).map(([name, each]) => [name, decode(each)]))
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRecording('a value is none')
  return value as Readonly<Record<string, unknown>>
}

function isPiece(value: unknown): value is OutputPiece {
  const { stream, length, bytes } = membersOf(value)
  return (stream === 1 || stream === 2) && (typeof bytes === 'string' || (Number.isSafeInteger(length) && Number(length) >= 0))
}
