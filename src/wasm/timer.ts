/** Longer delays make a timer of Node fire at once. */
const LONGEST_MS = 2 ** 31 - 1

/** Calls back once, `delayMs` from now, however far that is. */
export class Timer {
  #timer: NodeJS.Timeout

  constructor(delayMs: number, callback: () => void) {
    const wait = (leftMs: number): NodeJS.Timeout =>
      leftMs <= LONGEST_MS
        ? setTimeout(callback, leftMs)
        : setTimeout(() => {
            this.#timer = wait(leftMs - LONGEST_MS)
          }, LONGEST_MS)
    this.#timer = wait(delayMs)
  }

  /** Forgets it, also when it has called back. */
  cancel(): void {
    clearTimeout(this.#timer)
  }
}
