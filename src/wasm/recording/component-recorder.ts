import type { OutputStream } from '../preview1/host.js'
import { encodeArguments, encodeComponentCall, type HostAnswer, type OutputPiece } from './component-record.js'
import { encodeRecord, RECORDING_BYTES } from './format.js'
import { RecordingFull } from './recorder.js'

/** Whoever stands between a component and the functions of WASI 0.2 that it calls. */
export interface ComponentWitness {
  /** Gives the answer of a call, which `perform` has made. What it throws ends the guest. */
  around(name: string, args: readonly unknown[], perform: () => HostAnswer): HostAnswer
}

/** As `Recorder`, for a component: writes down every call of WASI 0.2 and its answer, each before the guest goes on. */
export class ComponentRecorder implements ComponentWitness {
  readonly #write: (bytes: Uint8Array) => void
  #left: number
  #output: { readonly stream: number; readonly bytes: Uint8Array }[] = []
  #full: RecordingFull | null = null

  /** `used` bytes are in the recording already. */
  constructor(write: (bytes: Uint8Array) => void, used: number, most = RECORDING_BYTES) {
    this.#write = write
    this.#left = most - used
  }

  /** Why the guest was stopped; null while there is room. */
  get full(): RecordingFull | null {
    return this.#full
  }

  /** The same stream, told of what goes out. */
  watched(stream: number, output: OutputStream): OutputStream {
    return {
      write: (buffer) => {
        output.write(buffer)
        this.#output.push({ stream, bytes: Uint8Array.from(buffer) })
      },
    }
  }

  around(name: string, args: readonly unknown[], perform: () => HostAnswer): HostAnswer {
    if (this.#full !== null) throw this.#full
    this.#output = []
    const answer = perform()
    const record = encodeComponentCall({ name, args: encodeArguments(args), answer, output: piecesOf(this.#output, givenBytes(args)) })
    this.#left -= record.length
    if (this.#left < 0) {
      this.#full = new RecordingFull()
      throw this.#full
    }
    this.#write(record)
    return answer
  }

  /** The guest has ended. */
  end(exitCode: number, signal: number | null, isTrap: boolean): void {
    if (this.#full === null) this.#write(encodeRecord({ kind: 'end', exitCode, signal, isTrap }))
  }
}

/** What a call hands over to be written: its bytes, if it has any. */
export function givenBytes(args: readonly unknown[]): Uint8Array | null {
  const bytes = args.filter((each) => each instanceof Uint8Array)
  return bytes.length === 1 ? (bytes[0] ?? null) : null
}

/** What the guest has handed over is said by it again; only what it has not stands in the recording. */
function piecesOf(output: readonly { readonly stream: number; readonly bytes: Uint8Array }[], given: Uint8Array | null): OutputPiece[] {
  const isGiven = given !== null && Buffer.concat(output.map(({ bytes }) => bytes)).equals(given.subarray(0, lengthOf(output)))
  return output.map(({ stream, bytes }) =>
    isGiven ? { stream, length: bytes.length } : { stream, bytes: Buffer.from(bytes).toString('base64') },
  )
}

function lengthOf(output: readonly { readonly bytes: Uint8Array }[]): number {
  return output.reduce((sum, { bytes }) => sum + bytes.length, 0)
}
