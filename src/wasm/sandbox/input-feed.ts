import { StdinWriter } from './ring.js'

/** Feeds a worker's stdin from what comes in pieces, of which it keeps what there is no room for yet. */
export class InputFeed {
  readonly #ring: StdinWriter
  readonly #maximumBytes: number
  readonly #onTaken: (bytes: number) => void
  readonly #pending: Uint8Array[] = []
  #pendingBytes = 0
  #ended = false

  /** At most `maximumBytes` are kept; `onTaken` says how many of them are no longer. */
  constructor(ring: SharedArrayBuffer, maximumBytes: number, onTaken: (bytes: number) => void) {
    this.#ring = new StdinWriter(ring)
    this.#maximumBytes = maximumBytes
    this.#onTaken = onTaken
  }

  /** False when that is more than is kept, or comes after the end. */
  add(bytes: Uint8Array): boolean {
    if (this.#ended || this.#pendingBytes + bytes.length > this.#maximumBytes) return false
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    this.put()
    return true
  }

  end(): void {
    this.#ended = true
    this.put()
  }

  /** Puts in what there is room for by now. */
  put(): void {
    let taken = 0
    for (let first = this.#pending[0]; first !== undefined; first = this.#pending[0]) {
      const count = this.#ring.put(first)
      taken += count
      if (count < first.length) {
        this.#pending[0] = first.subarray(count)
        break
      }
      this.#pending.shift()
    }
    this.#pendingBytes -= taken
    if (taken > 0) this.#onTaken(taken)
    if (this.#ended && this.#pending.length === 0) this.#ring.end()
  }
}
