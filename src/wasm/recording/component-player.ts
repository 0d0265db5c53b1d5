import type { OutputStream } from '../preview1/host.js'
import { COMPONENT_CALL, type ComponentRecord, decodeComponentCall, encodeArguments, type HostAnswer } from './component-record.js'
import { type ComponentWitness, givenBytes } from './component-recorder.js'
import { badRecording, decodeRecord, type EndRecord } from './format.js'
import { Divergence } from './player.js'

/** As `Player`, for a component: answers from a recording, and asks nobody. */
export class ComponentPlayer implements ComponentWitness {
  readonly #read: (length: number) => Buffer | null
  readonly #outputs: readonly OutputStream[]
  /** Number of the call, from 1. */
  #number = 0
  #stopped: unknown = null

  /** `read` gives so many bytes of the recording, null at its end; `outputs` are stdout and stderr. */
  constructor(read: (length: number) => Buffer | null, outputs: readonly OutputStream[]) {
    this.#read = read
    this.#outputs = outputs
  }

  get isStopped(): boolean {
    return this.#stopped !== null
  }

  around(name: string, args: readonly unknown[]): HostAnswer {
    if (this.#stopped !== null) throw this.#stopped
    try {
      return this.#answer(name, args)
    } catch (error) {
      this.#stopped = error
      throw error
    }
  }

  /** Throws {@link Divergence} where the guest's end is not the one that was recorded. */
  end(exitCode: number, signal: number | null, isTrap: boolean): void {
    if (this.#stopped !== null) throw this.#stopped
    const last = this.#next()
    const did = isTrap ? 'trapped' : `ended with exit code ${exitCode}`
    if (last === null) throw this.#diverges(`it ${did}, and the recording was cut off before`)
    if ('name' in last) throw this.#diverges(`it ${did}, and called ${last.name} then`)
    if (last.isTrap !== isTrap || last.exitCode !== exitCode || last.signal !== signal)
      throw this.#diverges(`it ${did}, and ended otherwise then`)
  }

  #answer(name: string, args: readonly unknown[]): HostAnswer {
    this.#number++
    const record = this.#next()
    if (record === null) throw this.#diverges(`it calls ${name}, and the recording ends before: that run was killed there`)
    if (!('name' in record)) throw this.#diverges(`it calls ${name}, and ended then`)
    if (record.name !== name) throw this.#diverges(`it calls ${name}, and called ${record.name} then`)
    if (encodeArguments(args) !== record.args) throw this.#diverges(`it calls ${name} with other arguments`)
    this.#say(record, givenBytes(args))
    return record.answer
  }

  #say({ output }: ComponentRecord, given: Uint8Array | null): void {
    let at = 0
    for (const piece of output) {
      const bytes = 'bytes' in piece ? Buffer.from(piece.bytes, 'base64') : given?.subarray(at, at + piece.length)
      if (bytes === undefined || ('length' in piece && bytes.length !== piece.length))
        throw badRecording('a call has written more than it was given')
      at += bytes.length
      this.#outputs[piece.stream - 1]?.write(bytes)
    }
  }

  #next(): ComponentRecord | EndRecord | null {
    const length = this.#read(4)?.readUInt32LE()
    const body = length === undefined ? null : this.#read(length)
    if (body === null) return null
    if (body[0] === COMPONENT_CALL) return decodeComponentCall(body)
    const record = decodeRecord(body)
    if (record.kind !== 'end') throw badRecording('it is of a module, and not of a component')
    return record
  }

  #diverges(why: string): Divergence {
    return new Divergence(`the replay diverges from its recording at call ${this.#number}: ${why}`)
  }
}
