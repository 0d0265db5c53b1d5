import { readSync } from 'node:fs'
import { EngineError } from '../../errors.js'
import { writeAll } from '../../wasm/sandbox/output.js'
import { frame } from '../../wasm/sandbox/session-protocol.js'
import { FRAME, NONCE_BYTES, NUMBER_BYTES } from '../call-protocol.js'

const HEADER_BYTES = 8

/** Nobody waits for the call any more. Never an `Error`: it is no failure. */
export class CallOver {}

/** The owner is gone. */
export class OwnerGone {}

/** A thread's end of its channel. Reading blocks the thread, which has nothing else to do. */
export class OwnerChannel {
  readonly #descriptor: number

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** Passes over what was meant for a thread before this one, up to the nonce, and says that back. */
  synchronize(nonce: Buffer): void {
    let last = Buffer.alloc(0)
    // Byte for byte would do; as many as are missing at least is quicker, and never goes beyond the nonce.
    while (!last.equals(nonce)) {
      const piece = this.#take(missing(last, nonce))
      last = Buffer.concat([last, piece]).subarray(-NONCE_BYTES)
    }
    writeAll(this.#descriptor, nonce)
  }

  /** The next frame, which is waited for. Throws {@link OwnerGone}. */
  next(): { readonly kind: number; readonly bytes: Buffer } {
    const header = this.#take(HEADER_BYTES)
    return { kind: header[0] ?? 0, bytes: this.#take(header.readUInt32BE(4)) }
  }

  send(kind: number, number: number, ...contents: readonly Uint8Array[]): void {
    const head = Buffer.alloc(NUMBER_BYTES)
    head.writeUInt32BE(number)
    writeAll(this.#descriptor, frame(kind, Buffer.concat([head, ...contents])))
  }

  /** Sends contents that begin with their call's number. */
  sendWhole(kind: number, contents: Uint8Array): void {
    writeAll(this.#descriptor, frame(kind, contents))
  }

  /**
   * Asks the owner's function with this place for its answer, and waits for it. Throws {@link CallOver}, or HOST_FUNCTION_FAILED when the function
   * has failed: why is known to the owner alone.
   */
  ask(number: number, place: number, input: Uint8Array): Buffer {
    const head = Buffer.alloc(2)
    head.writeUInt16BE(place)
    this.send(FRAME.ask, number, head, input)
    const { kind, bytes } = this.next()
    if (kind === FRAME.over) throw new CallOver()
    if (kind !== FRAME.answer) throw new EngineError('HOST_FUNCTION_FAILED', 'a host function failed')
    return bytes.subarray(NUMBER_BYTES)
  }

  #take(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let at = 0; at < length; ) {
      const count = readSync(this.#descriptor, bytes, at, length - at, null)
      if (count === 0) throw new OwnerGone()
      at += count
    }
    return bytes
  }
}

/** How many bytes must at least come before the nonce can be whole: what of its beginning stands at the end of `last` need not. */
function missing(last: Buffer, nonce: Buffer): number {
  for (let begun = Math.min(last.length, NONCE_BYTES - 1); begun > 0; begun--)
    if (last.subarray(-begun).equals(nonce.subarray(0, begun))) return NONCE_BYTES - begun
  return NONCE_BYTES
}
