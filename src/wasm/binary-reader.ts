import { EngineError } from '../errors.js'

/** Bit of a limit's flags: it has a maximum. */
export const HAS_MAXIMUM = 1
/** Another: threads share it. */
export const SHARED = 2
/** Another: its addresses have 64 bits. */
export const IS_64_BIT = 4
// The JavaScript API's own limit (Wasm JS API, "Implementation-defined Limits").
const MAXIMUM_NAME_BYTES = 100_000
// A byte order mark is part of a name: without it two names would be one.
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** How large a memory or table is, and may become. */
export interface Limits {
  readonly flags: number
  readonly minimum: number
  readonly maximum: number | undefined
}

/** Reads a module's bytes from the front. Throws COMMAND_NOT_EXECUTABLE where they end too early or say what no module says. */
export class BinaryReader {
  readonly #bytes: Uint8Array
  position: number

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes
    this.position = position
  }

  /** The next byte, which stays. */
  peek(): number {
    const byte = this.#bytes[this.position]
    if (byte === undefined) throw malformed('it ends too early')
    return byte
  }

  /** Any number, unread. */
  skipLeb(): void {
    while (this.byte() > 127);
  }

  byte(): number {
    const byte = this.#bytes[this.position++]
    if (byte === undefined) throw malformed('it ends too early')
    return byte
  }

  /** LEB128, 32 bits unsigned. */
  u32(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    throw malformed('a number is too long')
  }

  name(): string {
    const length = this.u32()
    if (length > MAXIMUM_NAME_BYTES) throw malformed(`a name of ${length} bytes`)
    const start = this.position
    this.position += length
    if (this.position > this.#bytes.length) throw malformed('a name is longer than its section')
    return UTF8.decode(this.#bytes.subarray(start, this.position))
  }

  limits(): Limits {
    const flags = this.byte()
    if (flags > 7) throw malformed('limits of an unknown kind')
    return { flags, minimum: this.u32(), maximum: (flags & HAS_MAXIMUM) === 0 ? undefined : this.u32() }
  }

  /** The bytes of a reference type, to be written again. */
  referenceType(): number[] {
    const first = this.byte()
    if (first === 0x70 || first === 0x6f) return [first]
    throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the module has a table of typed references, which this wall cannot bound', {
      data: { type: first },
    })
  }

  /** The first byte of a value type. */
  valueType(): number {
    const first = this.byte()
    // A reference with a heap type, which is a number of its own.
    if (first === 0x63 || first === 0x64) this.skipLeb()
    return first
  }
}

/** A module that is none, with the reason. */
export function malformed(what: string): EngineError {
  return new EngineError('COMMAND_NOT_EXECUTABLE', `the program is not a valid WebAssembly module: ${what}`)
}
