import type { WriteStream } from 'node:tty'
import type { ContainerOptions } from '../engine/containers.js'
import type { LayerStatus, PullEvent } from '../registry/pull-event.js'
import type { CliOptions } from './command.js'
import { humanSize, printable } from './output.js'

const BAR_WIDTH = 50
const LEAST_PAUSE_MS = 100
const FALLBACK_ROWS = 24

type LayerEvent = Extract<PullEvent, { event: 'layer' }>

const WORDS: Readonly<Record<LayerStatus, string>> = {
  waiting: 'Pulling fs layer',
  downloading: 'Downloading',
  downloaded: 'Download complete',
  extracting: 'Extracting',
  complete: 'Pull complete',
  exists: 'Already exists',
}
/** What is worth a line where lines cannot be changed, as docker has it. */
const LASTING: ReadonlySet<LayerStatus> = new Set(['waiting', 'downloaded', 'complete', 'exists'])

/** What becomes of a pull, in docker's words: at a terminal one line a layer that changes in place, elsewhere one line for each step. */
export class PullProgress {
  readonly #stream: WriteStream
  readonly #isLive: boolean
  /** Lines of layers, the first one uppermost, since something else was written last. */
  readonly #lines: string[] = []
  readonly #shown = new Map<string, { readonly text: string; readonly status: LayerStatus; readonly atMs: number }>()

  constructor(stream: WriteStream, environment: NodeJS.ProcessEnv = process.env) {
    this.#stream = stream
    this.#isLive = stream.isTTY === true && environment.TERM !== 'dumb'
  }

  show(event: PullEvent): void {
    if (event.event === 'layer') this.#showLayer(event)
    else if (event.event === 'found') this.#write(`${printable(event.tagOrDigest)}: Pulling from ${printable(event.repository)}\n`)
    else {
      const status = event.isNew ? 'Downloaded newer image' : 'Image is up to date'
      this.#write(`Digest: ${event.digest}\nStatus: ${status} for ${printable(event.reference)}\n`)
    }
  }

  #showLayer(event: LayerEvent): void {
    const id = event.digest.slice('sha256:'.length, 'sha256:'.length + 12)
    const before = this.#shown.get(id)
    const text = `${id}: ${WORDS[event.status]}${this.#isLive && event.status === 'downloading' ? ` ${bar(event)}` : ''}`
    if (before?.text === text) return
    const now = performance.now()
    if (before?.status === event.status && now - before.atMs < LEAST_PAUSE_MS) return
    this.#shown.set(id, { text, status: event.status, atMs: now })
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
    } else if (LASTING.has(event.status)) this.#stream.write(`${text}\n`)
  }

  #write(text: string): void {
    this.#lines.length = 0
    this.#shown.clear()
    this.#stream.write(text)
  }
}

function bar({ bytes, totalBytes }: LayerEvent): string {
  const done = totalBytes === 0 ? BAR_WIDTH : Math.min(BAR_WIDTH, Math.floor((bytes / totalBytes) * BAR_WIDTH))
  const drawn = `${'='.repeat(done)}>`.slice(0, BAR_WIDTH).padEnd(BAR_WIDTH)
  return `[${drawn}]  ${humanSize(bytes)}/${humanSize(totalBytes)}`
}

/** What `run` and `create` show of a pull, on stderr as docker does; nothing with `--quiet`. */
export function implicitPull({ image, pull }: Pick<ContainerOptions, 'image' | 'pull'>, { quiet }: CliOptions): (event: PullEvent) => void {
  if (quiet === true) return () => {}
  let progress: PullProgress | undefined
  return (event) => {
    if (progress === undefined) {
      progress = new PullProgress(process.stderr)
      const shown = /[:@][^/]*$/.test(image) ? image : `${image}:latest`
      if (pull === 'missing') process.stderr.write(`Unable to find image '${printable(shown)}' locally\n`)
    }
    progress.show(event)
  }
}
