import { readSync } from 'node:fs'
import { EngineError } from '../../errors.js'
import { writeAll } from '../../wasm/sandbox/output.js'
import { frame, HEADER_BYTES } from '../../wasm/sandbox/session-protocol.js'
import { encodeResult, FRAME, NONCE_BYTES, NUMBER_BYTES, ROOM_BYTES } from '../call-protocol.js'

/** Nobody waits for the call any more. Never an `Error`: it is no failure. */
export class CallOver {}

/** The owner is gone. */
export class OwnerGone {}

/** A thread's end of its channel. Reading blocks the thread, which has nothing else to do. */
export class OwnerChannel {
  readonly #descriptor: number
  /** What has come, from `#start` to `#end`. It may be more than was asked for, but nothing that is meant for a thread after this one. */
  readonly #room = Buffer.allocUnsafeSlow(ROOM_BYTES)
  readonly #answers = Buffer.allocUnsafeSlow(ROOM_BYTES)
  #start = 0
  #end = 0

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** Passes over what was meant for a thread before this one, or for a call that is over, up to the nonce, and says that back. */
  synchronize(nonce: Buffer): void {
    this.#start = this.#end = 0
    let last = Buffer.alloc(0)
    // Byte for byte would do; as many as are missing at least is quicker, and never goes beyond the nonce.
    while (!last.equals(nonce)) {
      const piece = this.#read(Buffer.allocUnsafe(missing(last, nonce)), 0)
      last = Buffer.concat([last, piece]).subarray(-NONCE_BYTES)
    }
    writeAll(this.#descriptor, nonce)
  }

  /** The next call, or that one is over, which is waited for: its bytes are good until the one after it is. Throws {@link OwnerGone}. */
  next(): { readonly kind: number; readonly bytes: Buffer } {
    const { kind, length } = this.#header()
    if (length > ROOM_BYTES) return { kind, bytes: this.#take(length) }
    this.#fill(length)
    const bytes = this.#room.subarray(this.#start, this.#start + length)
    this.#start += length
    return { kind, bytes }
  }

  send(kind: number, number: number, ...contents: readonly Uint8Array[]): void {
    const head = Buffer.alloc(NUMBER_BYTES)
    head.writeUInt32BE(number)
    writeAll(this.#descriptor, frame(kind, head, ...contents))
  }

  /** Says what has come of a call. */
  answer(number: number, results: readonly Uint8Array[]): void {
    writeAll(this.#descriptor, encodeResult(number, results, this.#answers))
  }

  /**
   * Asks the owner's function with this place for its answer, and waits for it. Throws {@link CallOver}, or HOST_FUNCTION_FAILED when the function
   * has failed: why is known to the owner alone.
   */
  ask(number: number, place: number, input: Uint8Array): Buffer {
    const head = Buffer.alloc(2)
    head.writeUInt16BE(place)
    this.send(FRAME.ask, number, head, input)
    // The call that asks is still in the room.
    const header = this.#take(HEADER_BYTES)
    const bytes = this.#take(header.readUInt32BE(4))
    if (header[0] === FRAME.over) throw new CallOver()
    if (header[0] !== FRAME.answer) throw new EngineError('HOST_FUNCTION_FAILED', 'a host function failed')
    return bytes.subarray(NUMBER_BYTES)
  }

  #header(): { readonly kind: number; readonly length: number } {
    this.#fill(HEADER_BYTES)
    const kind = this.#room[this.#start] ?? 0
    const length = this.#room.readUInt32BE(this.#start + 4)
    this.#start += HEADER_BYTES
    return { kind, length }
  }

  /** Waits until the room has so many bytes, which it holds. */
  #fill(length: number): void {
    if (this.#start === this.#end) this.#start = this.#end = 0
    if (this.#start + length > ROOM_BYTES) {
      this.#room.copyWithin(0, this.#start, this.#end)
      this.#end -= this.#start
      this.#start = 0
    }
    while (this.#end - this.#start < length) this.#end += this.#readSome(this.#room, this.#end)
  }

  /** Bytes of their own, the first of them what the room has. */
  #take(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    const held = this.#room.copy(bytes, 0, this.#start, Math.min(this.#start + length, this.#end))
    this.#start += held
    return this.#read(bytes, held)
  }

  #read(bytes: Buffer, from: number): Buffer {
    for (let at = from; at < bytes.length; ) at += this.#readSome(bytes, at)
    return bytes
  }

  #readSome(bytes: Buffer, at: number): number {
    const count = readSync(this.#descriptor, bytes, at, bytes.length - at, null)
    if (count === 0) throw new OwnerGone()
    return count
  }
}

/** How many bytes must at least come before the nonce can be whole: what of its beginning stands at the end of `last` need not. */
function missing(last: Buffer, nonce: Buffer): number {
  for (let begun = Math.min(last.length, NONCE_BYTES - 1); begun > 0; begun--)
    if (last.subarray(-begun).equals(nonce.subarray(0, begun))) return NONCE_BYTES - begun
  return NONCE_BYTES
}
