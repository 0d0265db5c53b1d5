import { EngineError } from '../errors.js'
import type { Prewarmed } from '../runtime/runtime.js'

/** What {@link PrewarmedPool} stands on. */
export interface PrewarmedPoolParts {
  /** How many are kept. */
  readonly count: number
  /** Digest of the manifest that containers are of. */
  readonly manifest: string
  /** Makes one more. */
  readonly make: () => Promise<Prewarmed>
  /** Told when it is closed. */
  readonly closed: () => void
}

/** As many more of one kind as a machine has any use for. */
const MOST = 1000
/** A start from what waits takes less, on a machine that has nothing else to do. */
const RESTOCK_MS = 100

/**
 * Guests that are kept ready for containers of one image, made alike. Each becomes one container; then, or when it dies, another is made in its place,
 * one after the other. What cannot be made again is tried once more when the next is taken.
 */
export class PrewarmedPool {
  /** Digest of the manifest that containers are of. */
  readonly manifest: string
  readonly #parts: PrewarmedPoolParts
  readonly #waiting = new Set<Prewarmed>()
  #filling: Promise<void> | null = null
  #restocking: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(parts: PrewarmedPoolParts) {
    if (!Number.isSafeInteger(parts.count) || parts.count < 1 || parts.count > MOST)
      throw new EngineError('INVALID_ARGUMENT', `count is a whole number from 1 to ${MOST}, and not ${parts.count}`)
    this.#parts = parts
    this.manifest = parts.manifest
  }

  /** How many wait. */
  get ready(): number {
    return this.#waiting.size
  }

  /** Makes those that are missing. Rejects with what keeps one from being made. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null
    })
    return this.#filling
  }

  /** Has one made in place of what was taken, when nothing more has been taken for a moment: those that are wanted now are not to wait for it. */
  restock(): void {
    clearTimeout(this.#restocking)
    this.#restocking = setTimeout(() => this.fill().catch(() => {}), RESTOCK_MS)
  }

  /** One that fits, which is the caller's from now on; null for none. */
  take(fits: (candidate: Prewarmed) => boolean): Prewarmed | null {
    for (const candidate of this.#waiting) {
      // They are all alike.
      if (!fits(candidate)) return null
      this.#waiting.delete(candidate)
      return candidate
    }
    return null
  }

  /** Ends those that wait, and what is being made. Resolves when nothing is left. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#restocking)
    await this.#filling?.catch(() => {})
    await Promise.all([...this.#waiting].map((each) => each.close()))
    this.#waiting.clear()
    this.#parts.closed()
  }

  async #fill(): Promise<void> {
    while (!this.#isClosed && this.#waiting.size < this.#parts.count) {
      const made = await this.#parts.make()
      this.#waiting.add(made)
      made.ended.then(() => {
        if (this.#waiting.delete(made) && !this.#isClosed) this.restock()
      })
    }
  }
}
