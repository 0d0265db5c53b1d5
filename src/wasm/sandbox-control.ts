import type { Duplex } from 'node:stream'
import { EngineError } from '../errors.js'
import { deferred } from '../launcher/deferred.js'
import type { WasmEvidence } from '../runtime/receipt.js'
import { BECOME, GO, type GuestWords, OUTLIVE, type SandboxEvent, type StartMessage } from './sandbox/protocol.js'
import { parseEvent } from './sandbox-event.js'

/** A guest's end, as its sandbox says it. */
export type SandboxExit = Extract<SandboxEvent, { event: 'exited' }>

/**
 * The supervisor's end of a sandbox's descriptors 3 and 4. What comes in is the sandbox's main thread speaking, which runs no guest
 * code; it is checked all the same, line by line, for a guest that has broken out of V8.
 */
export class SandboxControl {
  /** Of a prewarmed sandbox: it waits to be told whose it is. */
  readonly warm: Promise<void>
  /** The guest is compiled and waits. */
  readonly ready: Promise<WasmEvidence>
  readonly started: Promise<void>
  /** What the sandbox says of the guest's end; null when it went without a word. */
  readonly exited: Promise<SandboxExit | null>
  /** It has said what no sandbox says. */
  isBroken = false
  readonly #control: Duplex
  readonly #take: (event: SandboxEvent) => void
  readonly #lost: () => void
  /** No honest line is longer: the longest says back what the sandbox was told. */
  #lineMaximum: number
  #partialLine = ''

  constructor(start: Duplex, control: Duplex, message: StartMessage) {
    const warm = deferred<void>()
    const ready = deferred<WasmEvidence>()
    const started = deferred<void>()
    const exited = deferred<SandboxExit | null>()
    this.warm = warm.promise
    this.ready = ready.promise
    this.started = started.promise
    this.exited = exited.promise
    this.#control = control
    this.#take = (event) => {
      if (event.event === 'warm') warm.resolve()
      else if (event.event === 'ready') ready.resolve(event.evidence)
      else if (event.event === 'started') started.resolve()
      else if (event.event === 'failed') for (const waiting of [warm, ready]) waiting.reject(failure(event))
      else exited.resolve(event)
    }
    this.#lost = () => {
      const error = new EngineError('SANDBOX_FAILED', 'the sandbox process ended without a word')
      warm.reject(error)
      ready.reject(error)
      started.reject(error)
      exited.resolve(null)
    }
    const told = JSON.stringify(message)
    this.#lineMaximum = told.length + LINE_BYTES
    start.end(told)
    control.setEncoding('utf8')
    control.on('data', (text: string) => this.#read(text))
    control.on('close', this.#lost)
  }

  /** Tells a prewarmed sandbox whose it is. */
  become(words: GuestWords): void {
    const told = JSON.stringify(words)
    this.#lineMaximum += told.length
    if (this.#control.writable) this.#control.write(`${BECOME}${told}\n`)
  }

  /** Lets the guest run. */
  go(): void {
    if (this.#control.writable) this.#control.write(`${GO}\n`)
  }

  /** Has it go on when this end is closed. */
  outlive(): void {
    if (this.#control.writable) this.#control.write(`${OUTLIVE}\n`)
  }

  #read(text: string): void {
    const lines = (this.#partialLine + text).split('\n')
    this.#partialLine = lines.pop() ?? ''
    for (const line of lines) {
      const event = parseEvent(line)
      if (event === null) {
        this.#distrust()
        return
      }
      this.#take(event)
    }
    if (this.#partialLine.length > this.#lineMaximum) this.#distrust()
  }

  /** Nobody sane speaks like this: what was said so far stands, and nothing more is listened to. */
  #distrust(): void {
    this.#partialLine = ''
    this.isBroken = true
    this.#lost()
    this.#control.destroy()
  }
}

/** What a line holds beside that: an import list, a message. */
const LINE_BYTES = 64 * 1024

function failure({ code, message, hint, data }: Extract<SandboxEvent, { event: 'failed' }>): EngineError {
  return new EngineError(code, message, hint === undefined ? { data } : { data, hint })
}
