import type { WriteStream } from 'node:tty'
import type { ContainerOptions } from '../engine/containers.js'
import type { LayerStatus, PullEvent } from '../registry/pull-event.js'
import type { CliOptions } from './command.js'
import { LayerLines } from './layer-lines.js'
import { humanSize, printable } from './output.js'

const BAR_WIDTH = 50

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
  readonly #lines: LayerLines

  constructor(stream: WriteStream, environment: NodeJS.ProcessEnv = process.env) {
    this.#lines = new LayerLines(stream, environment)
  }

  show(event: PullEvent): void {
    if (event.event === 'layer') this.#showLayer(event)
    else if (event.event === 'held')
      this.#lines.show(event.digest, 'held', { text: `Waiting for process ${event.pid}, which fetches it`, lasts: true })
    else if (event.event === 'found') this.#lines.write(`${printable(event.tagOrDigest)}: Pulling from ${printable(event.repository)}\n`)
    else {
      const status = event.isNew ? 'Downloaded newer image' : 'Image is up to date'
      this.#lines.write(`Digest: ${event.digest}\nStatus: ${status} for ${printable(event.reference)}\n`)
    }
  }

  #showLayer(event: LayerEvent): void {
    const { digest, status } = event
    this.#lines.show(digest, status, {
      text: WORDS[status],
      lasts: LASTING.has(status),
      ...(status === 'downloading' ? { bar: sizeBar(event) } : {}),
    })
  }
}

/** How much has come, or gone, as docker draws it. */
export function sizeBar({ bytes, totalBytes }: { readonly bytes: number; readonly totalBytes: number }): string {
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
