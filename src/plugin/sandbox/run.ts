import { EngineError } from '../../errors.js'
import { GuestExit, type OutputStream } from '../../wasm/preview1/host.js'
import type { Outcome } from '../../wasm/sandbox/messages.js'
import { type Instance, trapText } from './instance.js'
import { CallOver, OwnerGone } from './owner-channel.js'

/** Thrown through the frames of a program that has written too much. */
class OutputExceeded {}

/** stdout and stderr of one run, within one limit. */
export class RunOutput {
  /** It has tried to write more. */
  isExceeded = false
  readonly #send: (kind: number, bytes: Uint8Array) => void
  #left: number

  constructor(bytes: number, send: (kind: number, bytes: Uint8Array) => void) {
    this.#left = bytes
    this.#send = send
  }

  /** What is written goes out as frames of this kind. */
  stream(kind: number): OutputStream {
    return {
      write: (bytes) => {
        const fits = bytes.subarray(0, this.#left)
        this.#left -= fits.length
        this.#send(kind, fits)
        if (fits.length === bytes.length) return
        this.isExceeded = true
        throw new OutputExceeded()
      },
    }
  }
}

/** Runs `_start` of an instance that is not open yet. Throws {@link CallOver}, and what no program could do anything about. */
export function runProgram(instance: Instance): Outcome {
  try {
    instance.open()
    instance.runProgram()
    return { kind: 'exit', exitCode: 0, signal: null, ...instance.fuelLeft() }
  } catch (error) {
    if (error instanceof GuestExit) return { kind: 'exit', exitCode: error.exitCode, signal: error.signal, ...instance.fuelLeft() }
    // A host function's refusal for want of fuel is the program's own end.
    const failure = instance.failureOf(error, { function: '_start' })
    if (failure instanceof CallOver || failure instanceof OwnerGone) throw failure
    // Of the host functions; all others are the program's own end.
    if (error instanceof EngineError) throw failure
    const { memoryPages, tableElements } = instance
    return {
      kind: 'trap',
      message: error instanceof OutputExceeded ? 'output' : trapText(error),
      memoryPages,
      tableElements,
      ...instance.fuelLeft(),
    }
  }
}
