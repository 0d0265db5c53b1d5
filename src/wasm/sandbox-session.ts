import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '../errors.js'
import { deferred } from '../launcher/deferred.js'
import type { ExitStatus } from '../runtime/exit.js'
import { parseStat } from '../runtime/process-files.js'
import type { WasmEvidence } from '../runtime/receipt.js'
import { readGuest } from '../runtime/running-task.js'
import { pidOf } from '../store/process-identity.js'
import {
  EVENT_BYTES,
  FRAME,
  FrameReader,
  frame,
  INPUT_WINDOW_BYTES,
  OUTPUT_BYTES,
  SESSIONS_SOCKET,
  type SessionEvent,
  type SessionRequest,
} from './sandbox/session-protocol.js'
import { parseSessionEvent } from './session-event.js'

/** How long a sandbox may take to listen once its guest runs. */
const LISTEN_MS = 2000
const POLL_MS = 20

/** Opens a session with the sandbox whose files are in `folder`. Rejects with CONFLICT when it does not run, or is paused. */
export async function mustOpenSession(folder: string, request: SessionRequest): Promise<SandboxSession> {
  for (const start = Date.now(); ; await sleep(POLL_MS)) {
    const running = readGuest(folder)
    if (running === null) throw new EngineError('CONFLICT', 'the container is not running')
    // It would be waited for without end.
    if (isStopped(pidOf(running.guest)))
      throw new EngineError('CONFLICT', 'the container is paused, and only it knows its files', {
        hint: 'Let it go on first: wolffia unpause.',
      })
    const session = await openSession(folder, request)
    if (session !== null) return session
    if (Date.now() > start + LISTEN_MS) throw new EngineError('CONFLICT', 'the container does not answer: it is about to end')
  }
}

function isStopped(pid: number): boolean {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1')).state === 'T'
  } catch {
    return false
  }
}

/** Null when none listens in `folder`. */
async function openSession(folder: string, request: SessionRequest): Promise<SandboxSession | null> {
  let directory: number
  try {
    directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch {
    return null
  }
  // By way of the folder: an address has room for some hundred bytes only.
  const socket = createConnection(join(`/proc/self/fd/${directory}`, SESSIONS_SOCKET))
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  } catch (cause) {
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes((cause as NodeJS.ErrnoException).code ?? '')) return null
    throw new EngineError('SANDBOX_FAILED', `the sandbox does not answer: ${(cause as Error).message}`, { cause })
  } finally {
    closeSync(directory)
  }
  return new SandboxSession(socket, request)
}

/**
 * One more program in a sandbox, from its socket's other end. Closing the session ends the program, unless it outlives that. What the sandbox
 * says is checked, frame by frame, for a guest that has broken out of V8.
 */
export class SandboxSession {
  /** The program is compiled and waits. Rejects with what the sandbox says is in its way. */
  readonly ready: Promise<WasmEvidence>
  readonly started: Promise<void>
  /** It goes on when this session is closed. */
  readonly outlives: Promise<void>
  /** What the sandbox says of its end; null when it went without a word. */
  readonly exited: Promise<ExitStatus | null>
  /** Each must be read, or the program has to wait. */
  readonly stdout: Readable
  readonly stderr: Readable
  readonly stdin: Writable
  /** It has said what no sandbox says. */
  isBroken = false
  readonly #socket: Socket
  readonly #ready = deferred<WasmEvidence>()
  readonly #started = deferred<void>()
  readonly #outlives = deferred<void>()
  readonly #exited = deferred<ExitStatus | null>()
  /** Streams that have more than their reader wants. */
  readonly #full = new Set<Readable>()
  /** Input that may still be sent. */
  #window = INPUT_WINDOW_BYTES
  #waiting: (() => void) | null = null
  #isOver = false
  /** What came instead of an end. */
  #failure: EngineError | null = null

  /** @internal Use {@link mustOpenSession}. */
  constructor(socket: Socket, request: SessionRequest) {
    this.#socket = socket
    this.ready = this.#ready.promise
    this.started = this.#started.promise
    this.outlives = this.#outlives.promise
    this.exited = this.#exited.promise
    this.stdout = this.#output()
    this.stderr = this.#output()
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#sendInput(chunk, done),
      final: (done) => {
        this.#send(FRAME.inputEnd, new Uint8Array())
        done()
      },
    })
    // A program that ends without reading its input is not an error of whoever writes it.
    this.stdin.on('error', () => {})
    const frames = new FrameReader(frameLimit, (kind, bytes) => this.#take(kind, bytes))
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      if (!frames.read(chunk)) this.#distrust()
    })
    socket.on('close', () => this.#gone())
    this.#send(FRAME.command, Buffer.from(JSON.stringify(request)))
  }

  /** Lets the program run. */
  go(): void {
    this.#command('go')
  }

  /** Sends it a signal, which ends it. */
  signal(number: number): void {
    this.#command(`signal ${number}`)
  }

  /** Has it go on when this session is closed, which then is no end of it. */
  outlive(): void {
    this.#command('outlive')
  }

  /** Resolves when a request about files was answered whole. Rejects with what the sandbox says of it. */
  async finished(): Promise<void> {
    const end = await this.exited
    if (this.#failure !== null) throw this.#failure
    if (end?.exitCode !== 0) throw new EngineError('SANDBOX_FAILED', 'the sandbox ended the session without a word')
  }

  close(): void {
    this.#socket.destroy()
  }

  #output(): Readable {
    const stream = new Readable({
      read: () => {
        this.#full.delete(stream)
        if (this.#full.size === 0) this.#socket.resume()
      },
    })
    return stream
  }

  #command(line: string): void {
    this.#send(FRAME.command, Buffer.from(line))
  }

  #send(kind: number, bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(frame(kind, bytes))
  }

  /** As much as the window has room for, and the rest once the sandbox has taken some. */
  #sendInput(chunk: Uint8Array, done: () => void): void {
    const piece = chunk.subarray(0, this.#window)
    if (piece.length > 0) this.#send(FRAME.input, piece)
    this.#window -= piece.length
    if (piece.length === chunk.length) done()
    else this.#waiting = () => this.#sendInput(chunk.subarray(piece.length), done)
  }

  #take(kind: number, bytes: Buffer): void {
    if (kind === FRAME.stdout) this.#push(this.stdout, bytes)
    else if (kind === FRAME.stderr) this.#push(this.stderr, bytes)
    else if (kind === FRAME.taken) this.#widen(bytes)
    else this.#hear(parseSessionEvent(bytes.toString('utf8')))
  }

  #push(stream: Readable, bytes: Buffer): void {
    if (stream.readableEnded || stream.destroyed || stream.push(bytes)) return
    this.#full.add(stream)
    this.#socket.pause()
  }

  #widen(bytes: Buffer): void {
    const taken = bytes.length === 4 ? bytes.readUInt32BE() : Number.POSITIVE_INFINITY
    if (this.#window + taken > INPUT_WINDOW_BYTES) {
      this.#distrust()
      return
    }
    this.#window += taken
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }

  #hear(event: SessionEvent | null): void {
    if (event === null) this.#distrust()
    else if (event.event === 'ready') this.#ready.resolve(event.evidence)
    else if (event.event === 'started') this.#started.resolve()
    else if (event.event === 'outlives') this.#outlives.resolve()
    else if (event.event === 'failed') {
      const { code, message, hint, data } = event
      this.#fail(new EngineError(code, message, hint === undefined ? { data } : { data, hint }))
    } else {
      this.#isOver = true
      this.#exited.resolve(statusOf(event))
      // A signal may have ended it before it was let go.
      this.#started.resolve()
      this.#socket.end()
    }
  }

  /** Nobody sane speaks like this: what was said so far stands, and nothing more is listened to. */
  #distrust(): void {
    this.isBroken = true
    this.#socket.destroy()
  }

  #gone(): void {
    for (const stream of [this.stdout, this.stderr]) if (!stream.destroyed) stream.push(null)
    this.stdin.destroy()
    this.#fail(new EngineError('SANDBOX_FAILED', 'the sandbox ended the session without a word'))
  }

  #fail(error: EngineError): void {
    if (!this.#isOver) this.#failure = error
    this.#isOver = true
    for (const waiting of [this.#ready, this.#started, this.#outlives]) waiting.reject(error)
    this.#exited.resolve(null)
  }
}

function statusOf({ event: _event, ...status }: Extract<SessionEvent, { event: 'exited' }>): ExitStatus {
  return status
}

function frameLimit(kind: number): number {
  if (kind === FRAME.stdout || kind === FRAME.stderr) return OUTPUT_BYTES
  if (kind === FRAME.event) return EVENT_BYTES
  return kind === FRAME.taken ? 4 : -1
}
