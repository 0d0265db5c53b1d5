/**
 * A recording: a line of JSON that says what was run, then a record for each call of preview1 that the guest made, in order, then one for its
 * end. A record is its length (32 bits, little-endian) and so many bytes. Whoever reads one trusts nothing of it.
 *
 * ```text
 * call: 1, function u8, errno u16 (0xffff: it never returned), count u8 and that many arguments i64,
 *       exit code u32, signal i32 (-1 none), bytes touched f64, digest of what was written 8 bytes,
 *       count u16 of pieces of output: stream u8 and length u32 each,
 *       1 or 0 for deflated, then to the end: ranges of memory, offset u32, length u32 and contents each
 * end:  2, exit code u32, signal i32, 1 for a trap
 * 3:    a call of a component, see component-record.ts
 * ```
 */
import { EngineError } from '../../errors.js'

/** Version of the format; a recording of another is refused. */
export const RECORDING_VERSION = 1
/** The largest recording. A run that would make a larger one ends. */
export const RECORDING_BYTES = 2 ** 30
/** The longest first line. */
export const HEADER_BYTES = 4 * 2 ** 20
const MAGIC = 'wolffia recording'
const ARGUMENTS_MAXIMUM = 16
const PIECES_MAXIMUM = 4096
const DIGEST_BYTES = 8

/** What was run. */
export interface RecordingHeader {
  /** `sha256:…` of the image's manifest or index, and of the module. */
  readonly image: string
  readonly module: string
  readonly args: readonly string[]
  /** `NAME=value`. */
  readonly env: readonly string[]
  readonly cwd: string
  readonly user: { readonly uid: number; readonly gid: number }
  readonly limits: { readonly memoryBytes: number | null; readonly tableElements: number | null; readonly fuel: number | null }
  /** Seed of a deterministic run; null for any other. */
  readonly deterministic: string | null
}

/** A call of preview1 and its answer. */
export interface CallRecord {
  readonly kind: 'call'
  /** Place of its name in the alphabet of preview1's. */
  readonly function: number
  /** Null where the guest ended in it. */
  readonly errno: number | null
  readonly arguments: readonly bigint[]
  readonly exitCode: number
  readonly signal: number | null
  /** Bytes of memory that fuel is charged for. */
  readonly touched: number
  /** Of what the guest handed over to be written; zeros where it did not. */
  readonly digest: Uint8Array
  /** What of that went to stdout (1) or stderr (2), and how much, in order. */
  readonly output: readonly { readonly stream: number; readonly length: number }[]
  readonly isDeflated: boolean
  /** As {@link encodeRanges} has them, deflated or not. */
  readonly ranges: Uint8Array
}

/** How the guest ended. */
export interface EndRecord {
  readonly kind: 'end'
  readonly exitCode: number
  readonly signal: number | null
  readonly isTrap: boolean
}

/** Contents of a piece of memory after a call. */
export interface MemoryRange {
  readonly offset: number
  readonly contents: Uint8Array
}

/** An error that names what of a recording is wrong. */
export function badRecording(why: string): EngineError {
  return new EngineError('INVALID_ARCHIVE', `the recording cannot be read: ${why}`, {
    hint: 'Record the run again: wolffia run --record FILE …',
  })
}

/** The first line. */
export function encodeHeader(header: RecordingHeader): Buffer {
  return Buffer.from(`${JSON.stringify({ format: MAGIC, version: RECORDING_VERSION, ...header })}\n`)
}

/** The header and where the records begin, from the first bytes of a recording. Throws INVALID_ARCHIVE. */
export function decodeHeader(bytes: Buffer): { readonly header: RecordingHeader; readonly end: number } {
  const end = bytes.subarray(0, HEADER_BYTES).indexOf(10)
  if (end < 0) throw badRecording('it does not begin with a line that says what was run')
  let said: unknown
  try {
    said = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end)))
  } catch {
    throw badRecording('its first line is no JSON')
  }
  if (!isObject(said) || said.format !== MAGIC) throw badRecording('it is none of wolffia’s')
  if (said.version !== RECORDING_VERSION)
    throw badRecording(`it has version ${String(said.version)}, and this wolffia reads ${RECORDING_VERSION}`)
  const { image, module, args, env, cwd, user, limits, deterministic } = said
  const isWhole =
    isDigest(image) &&
    isDigest(module) &&
    isTexts(args) &&
    args.length > 0 &&
    isTexts(env) &&
    isText(cwd) &&
    isObject(user) &&
    isCount(user.uid) &&
    isCount(user.gid) &&
    isObject(limits) &&
    [limits.memoryBytes, limits.tableElements, limits.fuel].every((value) => value === null || (isCount(value) && value > 0)) &&
    (deterministic === null || isText(deterministic))
  if (!isWhole) throw badRecording('its first line does not say what was run')
  return { header: { image, module, args, env, cwd, user, limits, deterministic } as RecordingHeader, end: end + 1 }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
}

/** A record with its length. */
export function encodeRecord(record: CallRecord | EndRecord): Buffer {
  const body = record.kind === 'end' ? encodeEnd(record) : encodeCall(record)
  const whole = Buffer.allocUnsafe(4 + body.length)
  whole.writeUInt32LE(body.length)
  body.copy(whole, 4)
  return whole
}

function encodeEnd({ exitCode, signal, isTrap }: EndRecord): Buffer {
  const body = Buffer.alloc(10)
  body[0] = 2
  body.writeUInt32LE(exitCode >>> 0, 1)
  body.writeInt32LE(signal ?? -1, 5)
  body[9] = isTrap ? 1 : 0
  return body
}

function encodeCall(record: CallRecord): Buffer {
  const { output } = record
  const head = Buffer.alloc(5 + 8 * record.arguments.length + 16 + DIGEST_BYTES + 2 + 5 * output.length + 1)
  let at = 0
  head[at++] = 1
  head[at++] = record.function
  at = head.writeUInt16LE(record.errno ?? NEVER, at)
  head[at++] = record.arguments.length
  for (const argument of record.arguments) at = head.writeBigInt64LE(BigInt.asIntN(64, argument), at)
  at = head.writeUInt32LE(record.exitCode >>> 0, at)
  at = head.writeInt32LE(record.signal ?? -1, at)
  at = head.writeDoubleLE(record.touched, at)
  head.set(record.digest, at)
  at = head.writeUInt16LE(output.length, at + DIGEST_BYTES)
  for (const { stream, length } of output) {
    head[at++] = stream
    at = head.writeUInt32LE(length, at)
  }
  head[at] = record.isDeflated ? 1 : 0
  return Buffer.concat([head, record.ranges])
}

const NEVER = 0xffff

/** What {@link encodeRecord} was given, without its length. Throws INVALID_ARCHIVE. */
export function decodeRecord(body: Buffer): CallRecord | EndRecord {
  try {
    if (body[0] === 2 && body.length === 10)
      return { kind: 'end', exitCode: body.readUInt32LE(1), signal: signalOf(body.readInt32LE(5)), isTrap: body[9] === 1 }
    if (body[0] === 1) return decodeCall(body)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  throw badRecording('a record is none')
}

function decodeCall(body: Buffer): CallRecord {
  const errno = body.readUInt16LE(2)
  const count = body.readUInt8(4)
  if (count > ARGUMENTS_MAXIMUM) throw badRecording(`a call has ${count} arguments`)
  let at = 5
  const arguments_ = Array.from({ length: count }, () => {
    at += 8
    return body.readBigInt64LE(at - 8)
  })
  const exitCode = body.readUInt32LE(at)
  const signal = signalOf(body.readInt32LE(at + 4))
  const touched = body.readDoubleLE(at + 8)
  if (!Number.isSafeInteger(touched) || touched < 0) throw badRecording('a call has touched no number of bytes')
  at += 16 + DIGEST_BYTES
  const pieces = body.readUInt16LE(at)
  if (pieces > PIECES_MAXIMUM) throw badRecording(`a call has written ${pieces} pieces`)
  const digest = body.subarray(at - DIGEST_BYTES, at)
  at += 2
  const output = Array.from({ length: pieces }, () => {
    const stream = body.readUInt8(at)
    if (stream !== 1 && stream !== 2) throw badRecording(`a call has written to stream ${stream}`)
    at += 5
    return { stream, length: body.readUInt32LE(at - 4) }
  })
  return {
    kind: 'call',
    function: body.readUInt8(1),
    errno: errno === NEVER ? null : errno,
    arguments: arguments_,
    exitCode,
    signal,
    touched,
    digest,
    output,
    isDeflated: body.readUInt8(at) === 1,
    ranges: body.subarray(at + 1),
  }
}

function signalOf(number: number): number | null {
  if (number < -1 || number > 30) throw badRecording(`there is no signal ${number}`)
  return number < 0 ? null : number
}

/** Ranges of memory, not deflated. */
export function encodeRanges(ranges: readonly MemoryRange[]): Buffer {
  return Buffer.concat(
    ranges.flatMap(({ offset, contents }) => {
      const head = Buffer.alloc(8)
      head.writeUInt32LE(offset)
      head.writeUInt32LE(contents.length, 4)
      return [head, contents]
    }),
  )
}

/** What {@link encodeRanges} was given, each a view. Throws INVALID_ARCHIVE. */
export function* decodeRanges(bytes: Buffer): Generator<MemoryRange> {
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw badRecording('a range of memory is cut off')
    const [offset, length] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)]
    at += 8 + length
    if (at > bytes.length) throw badRecording('a range of memory is longer than its record')
    yield { offset, contents: bytes.subarray(at - length, at) }
  }
}
