import { inflateRawSync } from 'node:zlib'
import type { GuestMemory } from '../preview1/guest-memory.js'
import { GuestExit, type OutputStream, type Witness } from '../preview1/host.js'
import { badRecording, type CallRecord, decodeRanges, decodeRecord, type EndRecord } from './format.js'
import { digestOf, FUNCTIONS, WRITERS } from './recorder.js'

/** The guest does something else than it did: said once, and from then on at each call, whatever it catches. */
export class Divergence extends Error {}

/** Answers a guest from a recording. Nothing else is asked: neither files nor clocks nor stdin. */
export class Player implements Witness {
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

  around(name: string, args: readonly (number | bigint)[], memory: GuestMemory | undefined): number {
    if (this.#stopped !== null) throw this.#stopped
    try {
      return this.#answer(name, args, memory)
    } catch (error) {
      if (!(error instanceof GuestExit)) this.#stopped = error
      throw error
    }
  }

  /** Throws {@link Divergence} where the guest's end is not the one that was recorded. */
  end(exitCode: number, signal: number | null, isTrap: boolean): void {
    if (this.#stopped !== null) throw this.#stopped
    const last = this.#next()
    const did = isTrap ? 'trapped' : `ended with ${signal === null ? `exit code ${exitCode}` : `signal ${signal}`}`
    if (last === null) throw this.#diverges(`it ${did}, and the recording was cut off before`)
    if (last.kind === 'call') throw this.#diverges(`it ${did}, and called ${FUNCTIONS[last.function]} then`)
    if (last.isTrap !== isTrap || last.exitCode !== exitCode || last.signal !== signal)
      throw this.#diverges(`it ${did}, and ended otherwise then`)
  }

  #answer(name: string, args: readonly (number | bigint)[], memory: GuestMemory | undefined): number {
    this.#number++
    const record = this.#next()
    if (record === null) throw this.#diverges(`it calls ${name}, and the recording ends before: that run was killed there`)
    if (record.kind === 'end') throw this.#diverges(`it calls ${name}, and ended then`)
    const before = memory?.handedOut ?? 0
    this.#compare(record, name, args, memory)
    if (memory === undefined && record.ranges.length > 0) throw badRecording('a call has written to memory, of which there is none')
    if (memory !== undefined) {
      this.#restore(record, memory)
      memory.handedOut = before + record.touched
    }
    if (record.errno === null) throw new GuestExit(record.exitCode, record.signal)
    return record.errno
  }

  #compare(record: CallRecord, name: string, args: readonly (number | bigint)[], memory: GuestMemory | undefined): void {
    const then = FUNCTIONS[record.function]
    if (then === undefined) throw badRecording(`preview1 has no function ${record.function}`)
    if (then !== name) throw this.#diverges(`it calls ${name}, and called ${then} then`)
    const numbers = args.map((argument) => BigInt.asIntN(64, BigInt(argument)))
    if (numbers.length !== record.arguments.length || numbers.some((number, place) => number !== record.arguments[place]))
      throw this.#diverges(`it calls ${name}(${numbers.join(', ')}), and ${name}(${record.arguments.join(', ')}) then`)
    if (!WRITERS.has(name) || record.errno !== 0 || memory === undefined) {
      if (record.output.length > 0) throw badRecording(`${name} has written to a stream`)
      return
    }
    const buffers = memory.buffers(Number(args[1]), Number(args[2]))
    if (Buffer.compare(digestOf(buffers), record.digest) !== 0) throw this.#diverges(`it calls ${name} with other bytes to write`)
    this.#say(record, Buffer.concat(buffers))
  }

  #say({ output }: CallRecord, bytes: Buffer): void {
    let at = 0
    for (const { stream, length } of output) {
      if (at + length > bytes.length) throw badRecording('a call has written more than it was given')
      this.#outputs[stream - 1]?.write(bytes.subarray(at, at + length))
      at += length
    }
  }

  #restore({ ranges, isDeflated }: CallRecord, memory: GuestMemory): void {
    for (const { offset, contents } of decodeRanges(isDeflated ? inflated(ranges, memory.size) : Buffer.from(ranges)))
      if (!memory.poke(offset, contents)) throw badRecording('a call has written outside of memory')
  }

  #next(): CallRecord | EndRecord | null {
    const length = this.#read(4)?.readUInt32LE()
    const body = length === undefined ? null : this.#read(length)
    return body === null ? null : decodeRecord(body)
  }

  #diverges(why: string): Divergence {
    return new Divergence(`the replay diverges from its recording at call ${this.#number}: ${why}`)
  }
}

/** A call touches each byte of memory a few times at most. */
const INFLATED_TIMES = 4

function inflated(bytes: Uint8Array, memoryBytes: number): Buffer {
  try {
    return inflateRawSync(bytes, { maxOutputLength: INFLATED_TIMES * memoryBytes + 65_536 })
  } catch {
    throw badRecording('what a call has written to memory cannot be inflated')
  }
}
