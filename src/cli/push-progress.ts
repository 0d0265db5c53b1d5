import type { WriteStream } from 'node:tty'
import type { PushEvent, PushedLayerStatus } from '../registry/push-event.js'
import { LayerLines } from './layer-lines.js'
import { printable } from './output.js'
import { sizeBar } from './pull-progress.js'

const WORDS: Readonly<Record<PushedLayerStatus, string>> = {
  waiting: 'Preparing',
  packing: 'Compressing',
  pushing: 'Pushing',
  pushed: 'Pushed',
  exists: 'Layer already exists',
  mounted: 'Mounted from',
  foreign: 'Skipped foreign layer',
}
const PASSING: ReadonlySet<PushedLayerStatus> = new Set(['packing', 'pushing'])

/** What becomes of a push, in docker's words, as {@link PullProgress} shows a pull. */
export class PushProgress {
  readonly #lines: LayerLines

  constructor(stream: WriteStream, environment: NodeJS.ProcessEnv = process.env) {
    this.#lines = new LayerLines(stream, environment)
  }

  show(event: PushEvent): void {
    if (event.event === 'begun') this.#lines.write(`The push refers to repository [${printable(event.repository)}]\n`)
    else if (event.event === 'pushed') this.#lines.write(`${printable(event.tag)}: digest: ${event.digest} size: ${event.size}\n`)
    else if (event.event === 'layer') {
      const { digest, status, from } = event
      this.#lines.show(digest, status, {
        text: from === undefined ? WORDS[status] : `${WORDS[status]} ${printable(from)}`,
        lasts: !PASSING.has(status),
        ...(status === 'pushing' ? { bar: sizeBar(event) } : {}),
      })
    }
  }
}
