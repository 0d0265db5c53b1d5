import { CallOver } from './owner-channel.js'

const GUEST = 0
const STOP = 1
const WORDS = 2

/**
 * Whether a thread runs its guest's code, and whether it is to stop: two words that the thread and the one that supervises it share.
 *
 * A guest can be ended anywhere; what runs around it cannot, since it may hold a lock. So the thread says when it enters the guest and when it leaves,
 * and looks at both whether it is to stop; who wants it to stop says so before looking where it is. Either the one sees that, or the other.
 */
export class Guard {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(shared = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared
    this.#words = new Int32Array(shared)
  }

  /** Runs the guest's code. Throws {@link CallOver} when nobody wants that any more. */
  guest<Result>(run: () => Result): Result {
    this.#enter(1, 0)
    try {
      return run()
    } finally {
      this.#enter(0, 0)
    }
  }

  /** Around what a guest calls; throws into the guest as above. A guest that catches it is still one that can be ended anywhere. */
  host<Arguments extends readonly unknown[], Result>(call: (...arguments_: Arguments) => Result): (...arguments_: Arguments) => Result {
    return (...arguments_) => {
      this.#enter(0, 1)
      try {
        return call(...arguments_)
      } finally {
        this.#enter(1, 1)
      }
    }
  }

  /** Sleeps on the guest's behalf. Throws as above. */
  sleep(ms: number): void {
    Atomics.wait(this.#words, STOP, 0, ms)
    this.#throwIfStopped()
  }

  /** By the supervising thread. */
  stop(): void {
    Atomics.store(this.#words, STOP, 1)
    Atomics.notify(this.#words, STOP)
  }

  /** Of the supervising thread: whether nothing but the guest's code runs, until it has ended the call by itself. */
  get isInGuest(): boolean {
    return Atomics.load(this.#words, GUEST) === 1
  }

  /** By the supervising thread, once the call is over. */
  clear(): void {
    Atomics.store(this.#words, GUEST, 0)
    Atomics.store(this.#words, STOP, 0)
  }

  /** `ifStopped` is where the error leads. */
  #enter(where: 0 | 1, ifStopped: 0 | 1): void {
    Atomics.store(this.#words, GUEST, where)
    if (Atomics.load(this.#words, STOP) === 0) return
    Atomics.store(this.#words, GUEST, ifStopped)
    throw new CallOver()
  }

  #throwIfStopped(): void {
    if (Atomics.load(this.#words, STOP) === 1) throw new CallOver()
  }
}
