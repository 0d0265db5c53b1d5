import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import type { GuestMemory } from '../preview1/guest-memory.js'
import { GuestExit, type OutputStream, type Witness } from '../preview1/host.js'
import { PREVIEW1_NAMES } from '../preview1/names.js'
import { type CallRecord, encodeRanges, encodeRecord, RECORDING_BYTES } from './format.js'

/** Preview1's functions by their numbers in a recording. */
export const FUNCTIONS: readonly string[] = [...PREVIEW1_NAMES].sort()
/** Those that are given what they write: their buffers are the guest's doing, and not an answer. */
export const WRITERS: ReadonlySet<string> = new Set(['fd_write', 'fd_pwrite'])
const NO_DIGEST = new Uint8Array(8)
/** Ranges from so many bytes on are deflated: most of a buffer is often as it was. */
const DEFLATED_BYTES = 256

/** Thrown through the guest's frames when there is no room for its next answer. */
export class RecordingFull extends Error {
  constructor() {
    super(`its recording has reached ${RECORDING_BYTES} bytes`)
  }
}

/** What the guest hands over to be written, in eight bytes. */
export function digestOf(buffers: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const buffer of buffers) hash.update(buffer)
  return hash.digest().subarray(0, 8)
}

/** Writes down every call of a guest and all that it is answered, each before the guest goes on: a run that is killed can be replayed up to there. */
export class Recorder implements Witness {
  readonly #write: (bytes: Uint8Array) => void
  #left: number
  #output: { readonly stream: number; readonly length: number }[] = []
  /** It stays full, whatever the guest catches. */
  #full: RecordingFull | null = null

  /** Why the guest was stopped; null while there is room. */
  get full(): RecordingFull | null {
    return this.#full
  }

  /** `used` bytes are in the recording already. */
  constructor(write: (bytes: Uint8Array) => void, used: number, most = RECORDING_BYTES) {
    this.#write = write
    this.#left = most - used
  }

  /** The same stream, told of what goes out. */
  watched(stream: number, output: OutputStream): OutputStream {
    return {
      write: (buffer) => {
        output.write(buffer)
        this.#output.push({ stream, length: buffer.length })
      },
    }
  }

  around(name: string, args: readonly (number | bigint)[], memory: GuestMemory | undefined, call: () => number): number {
    if (this.#full !== null) throw this.#full
    const ranges: (readonly [start: number, length: number])[] = []
    const before = memory?.handedOut ?? 0
    const record = (errno: number | null, exit: GuestExit | null): void => {
      const touched = (memory?.handedOut ?? 0) - before
      const isWritten = WRITERS.has(name) && errno === 0 && memory !== undefined
      const contents = WRITERS.has(name) ? ranges.filter(([, length]) => length === WORD_BYTES) : ranges
      const encoded = encodeRanges(contents.map(([offset, length]) => ({ offset, contents: memory?.peek(offset, length) ?? NO_DIGEST })))
      const isDeflated = encoded.length >= DEFLATED_BYTES
      this.#put({
        kind: 'call',
        function: FUNCTIONS.indexOf(name),
        errno,
        arguments: args.map(BigInt),
        exitCode: exit?.exitCode ?? 0,
        signal: exit?.signal ?? null,
        touched,
        digest: isWritten ? digestOf(memory.buffers(Number(args[1]), Number(args[2]))) : NO_DIGEST,
        output: this.#output,
        isDeflated,
        ranges: isDeflated ? deflateRawSync(encoded, { level: 1 }) : encoded,
      })
      // What was looked at for the recording is no doing of the guest's.
      if (memory !== undefined) memory.handedOut = before + touched
    }
    this.#output = []
    memory?.watch((start, length) => ranges.push([start, length]))
    try {
      const errno = call()
      memory?.watch(null)
      record(errno, null)
      return errno
    } catch (error) {
      memory?.watch(null)
      if (error instanceof GuestExit) record(null, error)
      throw error
    }
  }

  /** The guest has ended. */
  end(exitCode: number, signal: number | null, isTrap: boolean): void {
    if (this.#full === null) this.#write(encodeRecord({ kind: 'end', exitCode, signal, isTrap }))
  }

  #put(record: CallRecord): void {
    const bytes = encodeRecord(record)
    this.#left -= bytes.length
    if (this.#left < 0) {
      this.#full = new RecordingFull()
      throw this.#full
    }
    this.#write(bytes)
  }
}

/** Bytes of a count, which is all that a call which writes has to say. */
const WORD_BYTES = 4
