import type { WriteStream } from 'node:tty'

const LEAST_PAUSE_MS = 100
const FALLBACK_ROWS = 24

/** What is to be seen of a layer. */
export interface LayerLine {
  readonly text: string
  /** Behind the text, where lines can be changed. */
  readonly bar?: string
  /** Worth a line where lines cannot be changed, as docker has it. */
  readonly lasts: boolean
}

/** Lines of layers under way: at a terminal one for each, which changes in its place, elsewhere one for each step that lasts. */
export class LayerLines {
  readonly #stream: WriteStream
  readonly #isLive: boolean
  /** Layers, the first one uppermost, since something else was written last. */
  readonly #lines: string[] = []
  readonly #shown = new Map<string, { readonly text: string; readonly status: string; readonly atMs: number }>()

  constructor(stream: WriteStream, environment: NodeJS.ProcessEnv) {
    this.#stream = stream
    this.#isLive = stream.isTTY === true && environment.TERM !== 'dumb'
  }

  /** Shows a layer, by the start of its digest; the same status not too often. */
  show(digest: string, status: string, { text: words, bar, lasts }: LayerLine): void {
    const id = digest.slice('sha256:'.length, 'sha256:'.length + 12)
    const before = this.#shown.get(id)
    const text = `${id}: ${words}${this.#isLive && bar !== undefined ? ` ${bar}` : ''}`
    if (before?.text === text) return
    const now = performance.now()
    if (before?.status === status && now - before.atMs < LEAST_PAUSE_MS) return
    this.#shown.set(id, { text, status, atMs: now })
    const rows = this.#isLive ? this.#stream.getWindowSize()[1] || FALLBACK_ROWS : 0
    const line = this.#lines.indexOf(id)
    // What has left the window cannot be changed any more.
    const canChange = this.#lines.length < rows - 1
    if (line >= 0 && canChange) {
      const up = this.#lines.length - line
      this.#stream.write(`\u001b[${up}A\r\u001b[2K${text}\u001b[${up}B\r`)
    } else if (line < 0 && canChange) {
      this.#lines.push(id)
      this.#stream.write(`${text}\n`)
    } else if (lasts) this.#stream.write(`${text}\n`)
  }

  /** Writes something else; layers that come after it get new lines. */
  write(text: string): void {
    this.#lines.length = 0
    this.#shown.clear()
    this.#stream.write(text)
  }
}
