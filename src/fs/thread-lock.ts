/**
 * A lock between the threads of one process, in shared memory. A thread that holds it may take it again. Whoever waits sleeps; nobody who
 * holds it ever waits for another thread.
 *
 * A thread must not be ended while it holds the lock, since nobody would give it back: who ends a thread takes the lock first, and gives it back
 * by {@link giveAfterAnEnd}. No thread may have two of these objects for one word: it would wait for itself.
 */
export class ThreadLock {
  readonly #words: Int32Array
  readonly #word: number
  #depth = 0

  /** The lock is the word at `word`, which is zero to begin with. */
  constructor(words: Int32Array, word: number) {
    this.#words = words
    this.#word = word
  }

  /** Whether this thread holds it already. */
  get isHeld(): boolean {
    return this.#depth > 0
  }

  take(): void {
    if (this.#depth++ > 0) return
    if (Atomics.compareExchange(this.#words, this.#word, FREE, TAKEN) === FREE) return
    // It is marked as awaited, also by the one that gets it: others may still be asleep.
    while (Atomics.exchange(this.#words, this.#word, AWAITED) !== FREE) Atomics.wait(this.#words, this.#word, AWAITED)
  }

  /** Takes it unless another thread has it; true when this one has. */
  tryTake(): boolean {
    const isTaken = this.#depth > 0 || Atomics.compareExchange(this.#words, this.#word, FREE, TAKEN) === FREE
    if (isTaken) this.#depth++
    return isTaken
  }

  give(): void {
    if (--this.#depth > 0) return
    if (Atomics.exchange(this.#words, this.#word, FREE) === AWAITED) Atomics.notify(this.#words, this.#word, 1)
  }

  /** The same when a thread was ended meanwhile: it may have been the one that was woken, and have marked the word no more for the others. */
  giveAfterAnEnd(): void {
    if (--this.#depth > 0) return
    Atomics.store(this.#words, this.#word, FREE)
    Atomics.notify(this.#words, this.#word, 1)
  }
}

const FREE = 0
const TAKEN = 1
const AWAITED = 2
