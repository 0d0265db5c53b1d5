import type { WriteStream } from 'node:tty'

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const HOME = '\u001b[H'
const CLEAR = '\u001b[2J'
const CLEAR_LINE_BEHIND = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/**
 * A text that is shown again and again at a terminal, in place: each time in one write, over what was there, so that nothing flickers. What
 * does not fit into the window is left out. Dispose of it, and the cursor is back, below the text.
 */
export class LiveScreen implements Disposable {
  readonly #stream: WriteStream
  #isNew = true
  readonly #restore = () => {
    this.#stream.write(SHOW_CURSOR)
  }
  readonly #resized = () => {
    this.#isNew = true
  }

  constructor(stream: WriteStream) {
    this.#stream = stream
    process.on('exit', this.#restore)
    process.on('SIGWINCH', this.#resized)
  }

  /** Shows `text`, whose lines end with a newline each. */
  show(text: string): void {
    const [columns, rows] = this.#stream.getWindowSize()
    const lines = text.split('\n').slice(0, -1)
    const shown = lines
      .slice(0, Math.max(1, rows - 1))
      .map((line) => `${columns > 0 ? line.slice(0, columns) : line}${CLEAR_LINE_BEHIND}\n`)
      .join('')
    this.#stream.write(`${HIDE_CURSOR}${this.#isNew ? CLEAR : ''}${HOME}${shown}${CLEAR_BELOW}`)
    this.#isNew = false
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#restore)
    process.off('SIGWINCH', this.#resized)
    this.#restore()
  }
}
