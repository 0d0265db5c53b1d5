/**
 * Calls of preview1 from the threads of one program to the thread that has its descriptors, through memory that all of them share. Each thread
 * has a slot: it puts its call there and sleeps until the answer is there. Descriptors, positions and open directories so stay one table, as
 * POSIX has it, and a thread that is ended takes nothing along.
 */
import { PREVIEW1_NAMES } from '../preview1/names.js'

/** What becomes of a call. */
export type Answer =
  | { readonly kind: 'done'; readonly errno: number }
  /** Nothing yet: ask again when stdin has something, if it is waited for, or when the time is over; null is none. */
  | { readonly kind: 'wait'; readonly forInput: boolean; readonly timeoutNs: bigint | null }
  /** It is a write to stdout (1) or stderr (2), which the thread makes itself: only it may be kept waiting. */
  | { readonly kind: 'write'; readonly stream: number }

/** A call as the serving thread finds it. */
export interface AskedCall {
  readonly slot: number
  readonly name: string
  readonly args: readonly (number | bigint)[]
  /** It was told to wait, and asks again. */
  readonly again: boolean
}

const NAMES = [...PREVIEW1_NAMES]
const NUMBERS = new Map(NAMES.map((name, number) => [name, number]))
const HEADER_BYTES = 64
const SLOT_BYTES = 128
const ARGUMENTS_MAXIMUM = 9
const HEADER = { asked: 0, lastThread: 1, outputLock: 2 } as const
/** Of the header, in units of eight bytes: what all outputs together may still write, -1 for no end. */
const OUTPUT_LEFT = 2
const SLOT = { state: 0, name: 1, count: 2, wide: 3, again: 4, kind: 5, value: 6 } as const
/** Of a slot, in bytes. */
const TIMEOUT_AT = 32
const ARGUMENTS_AT = 48
const STATE = { free: 0, taken: 1, asked: 2, answered: 3 } as const
const KIND = { done: 0, wait: 1, write: 2 } as const
const NO_TIMEOUT = -1n
const LOCK = { free: 0, held: 1 } as const
/** wasi-threads, "Design choice: thread IDs". */
const LAST_THREAD = 0x1fff_ffff

/** Memory for so many threads, whose outputs may write so much in all; null is without end. */
export function createSharedCalls(threads: number, outputBytes: number | null): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(HEADER_BYTES + threads * SLOT_BYTES)
  new BigInt64Array(buffer)[OUTPUT_LEFT] = outputBytes === null ? -1n : BigInt(outputBytes)
  return buffer
}

/** The memory itself, as any of the threads sees it. */
export class SharedCalls {
  readonly #words: Int32Array
  readonly #wide: BigInt64Array
  readonly #slots: number

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.#wide = new BigInt64Array(buffer)
    this.#slots = (buffer.byteLength - HEADER_BYTES) / SLOT_BYTES
  }

  /** A slot for one more thread; null when there are as many as may be. */
  take(): number | null {
    for (let slot = 0; slot < this.#slots; slot++)
      if (Atomics.compareExchange(this.#words, wordOf(slot, SLOT.state), STATE.free, STATE.taken) === STATE.free) return slot
    return null
  }

  /** The thread of a slot is no more. */
  giveBack(slot: number): void {
    Atomics.store(this.#words, wordOf(slot, SLOT.state), STATE.free)
  }

  /** A number for one more thread, from 1 on; null when all have been used. */
  nextThread(): number | null {
    const last = Atomics.add(this.#words, HEADER.lastThread, 1)
    return last >= 0 && last < LAST_THREAD ? last + 1 : null
  }

  /** Asks from a thread's slot and sleeps until there is an answer. */
  ask(slot: number, name: string, args: readonly (number | bigint)[], again: boolean): Answer {
    const words = this.#words
    const at = wordOf(slot, 0)
    let wide = 0
    for (const [place, argument] of args.entries()) {
      if (typeof argument === 'bigint') wide |= 1 << place
      this.#wide[argumentOf(slot, place)] = BigInt(argument)
    }
    words[at + SLOT.name] = NUMBERS.get(name) ?? 0
    words[at + SLOT.count] = args.length
    words[at + SLOT.wide] = wide
    words[at + SLOT.again] = again ? 1 : 0
    Atomics.store(words, at + SLOT.state, STATE.asked)
    Atomics.add(words, HEADER.asked, 1)
    Atomics.notify(words, HEADER.asked)
    while (Atomics.load(words, at + SLOT.state) === STATE.asked) Atomics.wait(words, at + SLOT.state, STATE.asked)
    Atomics.store(words, at + SLOT.state, STATE.taken)
    const value = words[at + SLOT.value] ?? 0
    const kind = words[at + SLOT.kind]
    if (kind === KIND.done) return { kind: 'done', errno: value }
    if (kind === KIND.write) return { kind: 'write', stream: value }
    const timeoutNs = this.#wide[wideOf(slot, TIMEOUT_AT)] ?? NO_TIMEOUT
    return { kind: 'wait', forInput: value === 1, timeoutNs: timeoutNs === NO_TIMEOUT ? null : timeoutNs }
  }

  /** Answers calls as they come, for ever. */
  serve(answer: (call: AskedCall) => Answer): never {
    for (;;) {
      const seen = Atomics.load(this.#words, HEADER.asked)
      let answered = 0
      for (let slot = 0; slot < this.#slots; slot++) {
        if (Atomics.load(this.#words, wordOf(slot, SLOT.state)) !== STATE.asked) continue
        this.#put(slot, answer(this.#asked(slot)))
        answered++
      }
      if (answered === 0) Atomics.wait(this.#words, HEADER.asked, seen)
    }
  }

  #asked(slot: number): AskedCall {
    const at = wordOf(slot, 0)
    const wide = this.#words[at + SLOT.wide] ?? 0
    const args = Array.from({ length: Math.min(this.#words[at + SLOT.count] ?? 0, ARGUMENTS_MAXIMUM) }, (_, place) => {
      const argument = this.#wide[argumentOf(slot, place)] ?? 0n
      return (wide & (1 << place)) === 0 ? Number(argument) : argument
    })
    return { slot, name: NAMES[this.#words[at + SLOT.name] ?? 0] ?? '', args, again: this.#words[at + SLOT.again] === 1 }
  }

  #put(slot: number, answer: Answer): void {
    const words = this.#words
    const at = wordOf(slot, 0)
    words[at + SLOT.kind] = KIND[answer.kind]
    if (answer.kind === 'done') words[at + SLOT.value] = answer.errno
    else if (answer.kind === 'write') words[at + SLOT.value] = answer.stream
    else {
      words[at + SLOT.value] = answer.forInput ? 1 : 0
      this.#wide[wideOf(slot, TIMEOUT_AT)] = answer.timeoutNs ?? NO_TIMEOUT
    }
    Atomics.store(words, at + SLOT.state, STATE.answered)
    Atomics.notify(words, at + SLOT.state)
  }

  /** Bytes that all outputs together may still write; null is without end. Looked at and changed within {@link SharedCalls.withOutput}. */
  get outputLeft(): number | null {
    const left = this.#wide[OUTPUT_LEFT] ?? 0n
    return left < 0n ? null : Number(left)
  }

  set outputLeft(bytes: number | null) {
    this.#wide[OUTPUT_LEFT] = bytes === null ? -1n : BigInt(bytes)
  }

  /** Does something while no other thread writes, so that what one call writes stays together. */
  withOutput<Value>(write: () => Value): Value {
    const words = this.#words
    while (Atomics.compareExchange(words, HEADER.outputLock, LOCK.free, LOCK.held) !== LOCK.free)
      Atomics.wait(words, HEADER.outputLock, LOCK.held)
    try {
      return write()
    } finally {
      Atomics.store(words, HEADER.outputLock, LOCK.free)
      Atomics.notify(words, HEADER.outputLock)
    }
  }
}

function wordOf(slot: number, field: number): number {
  return (HEADER_BYTES + slot * SLOT_BYTES) / 4 + field
}

function wideOf(slot: number, byte: number): number {
  return (HEADER_BYTES + slot * SLOT_BYTES + byte) / 8
}

function argumentOf(slot: number, place: number): number {
  return wideOf(slot, ARGUMENTS_AT) + place
}
