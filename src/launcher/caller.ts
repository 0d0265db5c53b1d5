/**
 * One more caller of a running launcher (callers.h): takes part in a guest's stdio, gives commands, hears of its end. Frames go both
 * ways: a kind, three zeros, a length (32 bits, big-endian), then so many bytes.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { EngineError } from '../errors.js'
import { type Deferred, deferred } from './deferred.js'
import type { ExitedEvent } from './protocol.js'
import { parseEvent } from './protocol.js'

const FRAME = { stdout: 1, stderr: 2, obeyed: 0x41, event: 0x45, command: 0x63, inputEnd: 0x65, input: 0x69 } as const
const HEADER_BYTES = 8
/** Of a launcher that speaks like none. */
const LONGEST_FRAME = 1 << 20

/** Connects to the launcher that listens in `folder`. Null when none does. */
export async function callLauncher(folder: string): Promise<Caller | null> {
  let directory: number
  try {
    directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch {
    return null
  }
  // By way of the folder: an address has room for some hundred bytes only.
  const socket = createConnection(`/proc/self/fd/${directory}/control`)
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  } catch (cause) {
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes((cause as NodeJS.ErrnoException).code ?? '')) return null
    throw new EngineError('LAUNCHER_FAILED', `its supervisor does not answer: ${(cause as Error).message}`, { cause })
  } finally {
    closeSync(directory)
  }
  return new Caller(socket)
}

/** A connection to a running launcher. Leaving it changes nothing for the guest. */
export class Caller {
  /** How the guest ended; null when the launcher went, or was left, without saying so. */
  readonly exited: Promise<ExitedEvent | null>
  /** What the guest writes from {@link attach} on. Each must be read, or the guest has to wait. */
  readonly stdout: Readable
  readonly stderr: Readable
  /** The guest's stdin. Ending it ends the guest's only where the plan says `open`. */
  readonly stdin: Writable
  readonly #socket: Socket
  readonly #exited = deferred<ExitedEvent | null>()
  readonly #obeyed: Deferred<void>[] = []
  #rest: Buffer = Buffer.alloc(0)

  /** @internal Use {@link callLauncher}. */
  constructor(socket: Socket) {
    this.#socket = socket
    this.exited = this.#exited.promise
    const resume = () => {
      socket.resume()
    }
    this.stdout = new Readable({ read: resume })
    this.stderr = new Readable({ read: resume })
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#send(FRAME.input, chunk, done),
      final: (done) => this.#send(FRAME.inputEnd, Buffer.alloc(0), done),
    })
    this.stdin.on('error', () => {})
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('close', () => this.#gone())
  }

  /** Has the guest's output sent here from now on. */
  attach(): Promise<void> {
    return this.command('attach')
  }

  /** Gives a command; resolves when it has been carried out. Rejects with CONFLICT when the container is gone. */
  command(line: string): Promise<void> {
    const obeyed = deferred<void>()
    if (this.#socket.destroyed) return Promise.reject(gone())
    this.#obeyed.push(obeyed)
    this.#send(FRAME.command, Buffer.from(line), () => {})
    return obeyed.promise
  }

  /** Leaves. */
  close(): void {
    this.#socket.destroy()
  }

  #send(kind: number, bytes: Buffer, done: (error?: Error | null) => void): void {
    const header = Buffer.alloc(HEADER_BYTES)
    header[0] = kind
    header.writeUInt32BE(bytes.length, 4)
    this.#socket.write(Buffer.concat([header, bytes]), (error) => done(error ?? null))
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= HEADER_BYTES) {
      const length = this.#rest.readUInt32BE(4)
      if (length > LONGEST_FRAME) this.close()
      if (length > LONGEST_FRAME || this.#rest.length < HEADER_BYTES + length) return
      const kind = this.#rest[0] ?? 0
      const bytes = this.#rest.subarray(HEADER_BYTES, HEADER_BYTES + length)
      this.#rest = this.#rest.subarray(HEADER_BYTES + length)
      this.#hear(kind, bytes)
    }
  }

  #hear(kind: number, bytes: Buffer): void {
    if (kind === FRAME.obeyed) this.#obeyed.shift()?.resolve()
    else if (kind === FRAME.stdout && !this.stdout.push(bytes)) this.#socket.pause()
    else if (kind === FRAME.stderr && !this.stderr.push(bytes)) this.#socket.pause()
    else if (kind === FRAME.event) {
      const event = parseEvent(bytes.toString('utf8').trimEnd())
      if (event.event !== 'exited') return
      this.#exited.resolve(event)
      // The last there is: the launcher stays until everybody has left.
      this.#socket.end()
    }
  }

  #gone(): void {
    this.stdout.push(null)
    this.stderr.push(null)
    this.stdin.destroy()
    this.#exited.resolve(null)
    for (const obeyed of this.#obeyed.splice(0)) obeyed.reject(gone())
  }
}

function gone(): EngineError {
  return new EngineError('CONFLICT', 'the container has ended')
}
