/** A time that something must be done by, which whoever sees it go on may put off. End it. */
export class Deadline {
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #milliseconds = 0

  constructor(milliseconds: number) {
    this.putOff(milliseconds)
  }

  /** Aborts when it has passed. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** How much time was given last. */
  get milliseconds(): number {
    return this.#milliseconds
  }

  /** So much time again, from now on. */
  putOff(milliseconds: number): void {
    this.end()
    this.#milliseconds = milliseconds
    this.#timer = setTimeout(() => this.#stop.abort(new Error('too late')), milliseconds)
    this.#timer.unref()
  }

  /** It is done; the signal aborts no more. */
  end(): void {
    clearTimeout(this.#timer)
  }
}
