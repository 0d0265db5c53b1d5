import type { Duplex } from 'node:stream'
import { EngineError, type ErrorCode } from '../errors.js'
import { type Deferred, deferred } from '../launcher/deferred.js'
import { FrameReader, frame } from '../wasm/sandbox/session-protocol.js'
import {
  type CallRequest,
  decodeResult,
  encodeCall,
  FAILURE_BYTES,
  FRAME,
  NONCE_BYTES,
  NUMBER_BYTES,
  OUTPUT_BYTES,
  resultOverhead,
  VERB,
} from './call-protocol.js'

/** Bytes of a count of fuel among the results. */
const FUEL_BYTES = 8

/** A call, and who answers for it. */
export interface ChannelCall {
  readonly request: CallRequest
  /** Bytes that its answer, or what it asks of a host function, may have. */
  readonly outputBytes: number
  /** Whether its fuel is counted: then its results have one more, what is left. */
  readonly countsFuel: boolean
  /** Host functions that there are: their numbers begin at 0. */
  readonly hostFunctions: number
  /** Answers for a host function. Rejects with what the function throws. */
  ask(place: number, input: Buffer): Promise<Uint8Array>
  /** Takes what a run writes. */
  write(kind: number, bytes: Buffer): void
}

/** A call under way. */
interface Underway {
  readonly number: number
  readonly call: ChannelCall
  readonly outcome: Deferred<readonly Buffer[]>
  /** A host function's answer is waited for. */
  isAsking: boolean
  written: number
}

const LAST_NUMBER = 2 ** 32 - 1
const ASK_OVERHEAD = NUMBER_BYTES + 2

/**
 * The owner's end of a channel. One call is under way at a time. What comes in is what a guest's thread says: should a guest have broken out of V8,
 * it says whatever it likes, so all that is not the next thing to be said is the end of the whole sandbox.
 */
export class PluginChannel {
  readonly #stream: Duplex
  readonly #broken: (what: string) => void
  #number = 0
  #underway: Underway | null = null
  #frames: FrameReader | null = null
  /** What is waited for at first, and after each end of a thread; null when both sides are in step. */
  #synchronizing: { readonly nonce: Buffer; readonly done: Deferred<void>; last: Buffer } | null = null

  /** `broken` is told, once, what no thread of wolffia's would say. */
  constructor(stream: Duplex, broken: (what: string) => void) {
    this.#stream = stream
    this.#broken = broken
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
  }

  /** Whether a call could be made. */
  get isIdle(): boolean {
    return this.#underway === null && this.#synchronizing === null && this.#frames !== null
  }

  /** Waits for a thread that is new to the channel, and knows this nonce. */
  synchronize(nonce: Buffer): Promise<void> {
    const done = deferred<void>()
    this.#synchronizing = { nonce, done, last: Buffer.alloc(0) }
    this.#stream.write(nonce)
    return done.promise
  }

  /** Has a call made. Rejects with what the sandbox says of it. */
  perform(call: ChannelCall): Promise<readonly Buffer[]> {
    if (!this.isIdle) return Promise.reject(new EngineError('INTERNAL', 'a channel of a plugin was given two calls at once'))
    this.#number = this.#number === LAST_NUMBER ? 1 : this.#number + 1
    const outcome = deferred<readonly Buffer[]>()
    this.#underway = { number: this.#number, call, outcome, isAsking: false, written: 0 }
    this.#stream.write(frame(FRAME.call, encodeCall(this.#number, call.request)))
    return outcome.promise
  }

  /** Lets go of the call under way, which rejects with `error`. Nothing is listened to until the next {@link synchronize}. */
  abandon(error: EngineError): void {
    const underway = this.#underway
    this.#underway = null
    this.#frames = null
    underway?.outcome.reject(error)
    // A thread that waits for a host function's answer cannot be ended.
    this.#send(FRAME.over, underway?.number ?? 0, NO_BYTES)
  }

  /** Nobody answers any more. */
  close(error: EngineError): void {
    const underway = this.#underway
    this.#underway = null
    this.#frames = null
    underway?.outcome.reject(error)
    this.#synchronizing?.done.reject(error)
    this.#stream.destroy()
  }

  #read(chunk: Buffer): void {
    const waiting = this.#synchronizing
    if (waiting === null) {
      if (this.#frames?.read(chunk) === false) this.#distrust('a frame that there is not')
      return
    }
    const bytes = Buffer.concat([waiting.last, chunk])
    const at = bytes.indexOf(waiting.nonce)
    if (at === -1) {
      waiting.last = bytes.subarray(-NONCE_BYTES)
      return
    }
    this.#synchronizing = null
    this.#frames = new FrameReader(
      (kind) => this.#limit(kind),
      (kind, contents) => this.#take(kind, contents),
    )
    if (at + NONCE_BYTES < bytes.length) this.#distrust('more than was asked')
    else waiting.done.resolve()
  }

  #limit(kind: number): number {
    if (this.#underway === null) return -1
    const { call } = this.#underway
    const isRun = call.request.verb === VERB.run
    if (kind === FRAME.result) return call.outputBytes + resultOverhead(call.request.inputs.length + 1) + FUEL_BYTES
    if (kind === FRAME.failure) return FAILURE_BYTES + NUMBER_BYTES
    if (kind === FRAME.ask) return call.outputBytes + ASK_OVERHEAD
    return isRun && (kind === FRAME.stdout || kind === FRAME.stderr) ? OUTPUT_BYTES + NUMBER_BYTES : -1
  }

  #take(kind: number, bytes: Buffer): void {
    const underway = this.#underway
    if (underway === null || underway.isAsking || bytes.length < NUMBER_BYTES || bytes.readUInt32BE() !== underway.number) {
      this.#distrust('an answer to nothing')
      return
    }
    const contents = bytes.subarray(NUMBER_BYTES)
    if (kind === FRAME.result) this.#result(underway, bytes)
    else if (kind === FRAME.failure) this.#failure(underway, contents)
    else if (kind === FRAME.ask) this.#ask(underway, contents)
    else this.#write(underway, kind, contents)
  }

  #result({ call, outcome }: Underway, bytes: Buffer): void {
    const { verb, inputs } = call.request
    const results = decodeResult(bytes, verb === VERB.run ? 1 : inputs.length + (call.countsFuel ? 1 : 0))
    if (results === null) {
      this.#distrust('a result that is none')
      return
    }
    this.#underway = null
    outcome.resolve(results)
  }

  #failure({ outcome }: Underway, contents: Buffer): void {
    const failure = parseFailure(contents.toString('utf8'))
    if (failure === null) {
      this.#distrust('a failure that is none')
      return
    }
    this.#underway = null
    outcome.reject(failure)
  }

  #write(underway: Underway, kind: number, contents: Buffer): void {
    underway.written += contents.length
    if (underway.written > underway.call.outputBytes) this.#distrust('more output than there may be')
    else underway.call.write(kind, contents)
  }

  #ask(underway: Underway, contents: Buffer): void {
    if (contents.length < 2 || contents.readUInt16BE() >= underway.call.hostFunctions) {
      this.#distrust('a question that is none')
      return
    }
    underway.isAsking = true
    const { number, call } = underway
    const answer = (kind: number, bytes: Uint8Array): void => {
      // One that comes when the call is over is nobody's.
      if (this.#underway !== underway) return
      underway.isAsking = false
      this.#send(kind, number, bytes)
    }
    call.ask(contents.readUInt16BE(), Buffer.from(contents.subarray(2))).then(
      (bytes) => answer(FRAME.answer, bytes),
      () => answer(FRAME.refusal, NO_BYTES),
    )
  }

  #send(kind: number, number: number, bytes: Uint8Array): void {
    const contents = Buffer.allocUnsafe(NUMBER_BYTES + bytes.length)
    contents.writeUInt32BE(number)
    contents.set(bytes, NUMBER_BYTES)
    if (this.#stream.writable) this.#stream.write(frame(kind, contents))
  }

  #distrust(what: string): void {
    this.#frames = null
    this.#broken(what)
  }
}

const NO_BYTES = new Uint8Array()

/** What a call may fail with, by the sandbox's word. All else is the owner's to say: that it was stopped, was late, or found nothing. */
const SAID: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...([
    'FUNCTION_NOT_FOUND',
    'GUEST_TRAPPED',
    'HOST_FUNCTION_FAILED',
    'INSTANCE_LOST',
    'INTERNAL',
    'INVALID_ARGUMENT',
    'INVALID_RESULT',
  ] as const),
  ...(['LIMIT_EXCEEDED', 'NOT_BUILT', 'SANDBOX_FAILED', 'UNSUPPORTED_BY_HOST'] as const),
])

function isSaid(code: string): code is ErrorCode {
  return SAID.has(code as ErrorCode)
}

/** A failure as the sandbox tells it; null for what is none. */
function parseFailure(text: string): EngineError | null {
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof said !== 'object' || said === null) return null
  const { code, message, hint, data } = said as Readonly<Record<string, unknown>>
  if (typeof code !== 'string' || !isSaid(code) || typeof message !== 'string') return null
  if (typeof data !== 'object' || data === null || (hint !== undefined && typeof hint !== 'string')) return null
  const options = { data: data as Readonly<Record<string, unknown>> }
  return new EngineError(code, message, hint === undefined ? options : { ...options, hint })
}
