/**
 * Bytes from one thread of the sandbox to another. The main thread never waits: it is told, by a message, when there is room again, or
 * something to take.
 */
import type { InputStream, OutputStream } from '../preview1/host.js'

const CAPACITY = 65_536
const FIELD = { taken: 0, put: 1, ended: 2, changes: 3, roomWanted: 4, bytesWanted: 5 } as const
const HEADER_BYTES = 32

/** Memory for the two ends of one stream: a writer and a reader. */
export function createRing(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + CAPACITY)
}

/** Counters run on for ever and wrap; what lies between them is their difference. */
class Ring {
  protected readonly fields: Int32Array
  protected readonly bytes: Uint8Array

  constructor(buffer: SharedArrayBuffer) {
    this.fields = new Int32Array(buffer, 0, HEADER_BYTES / 4)
    this.bytes = new Uint8Array(buffer, HEADER_BYTES)
  }

  protected get filled(): number {
    return (Atomics.load(this.fields, FIELD.put) - Atomics.load(this.fields, FIELD.taken)) | 0
  }

  /** Puts in what there is room for; returns how much. */
  protected putSome(chunk: Uint8Array): number {
    const put = Atomics.load(this.fields, FIELD.put)
    const length = Math.min(chunk.length, CAPACITY - this.filled)
    const start = (put >>> 0) % CAPACITY
    const first = Math.min(length, CAPACITY - start)
    this.bytes.set(chunk.subarray(0, first), start)
    this.bytes.set(chunk.subarray(first, length), 0)
    Atomics.store(this.fields, FIELD.put, (put + length) | 0)
    this.changed()
    return length
  }

  /** Takes out the next bytes, of which there are at least so many. */
  protected takeSome(buffer: Uint8Array, length: number): void {
    const taken = Atomics.load(this.fields, FIELD.taken)
    const start = (taken >>> 0) % CAPACITY
    const first = Math.min(length, CAPACITY - start)
    buffer.set(this.bytes.subarray(start, start + first))
    buffer.set(this.bytes.subarray(0, length - first), first)
    Atomics.store(this.fields, FIELD.taken, (taken + length) | 0)
  }

  protected changed(): void {
    Atomics.add(this.fields, FIELD.changes, 1)
    Atomics.notify(this.fields, FIELD.changes)
  }
}

/** The main thread's end: puts in what arrives. */
export class StdinWriter extends Ring {
  /** Puts in as much as there is room for; returns how much. When that is not all, the reader asks for more by its `onRoom`. */
  put(chunk: Uint8Array): number {
    // Asked for before looking: a reader that takes everything in between must not go to sleep unasked.
    if (chunk.length > CAPACITY - this.filled) Atomics.store(this.fields, FIELD.roomWanted, 1)
    return this.putSome(chunk)
  }

  end(): void {
    Atomics.store(this.fields, FIELD.ended, 1)
    this.changed()
  }
}

/** The guest's end: blocks while there is nothing, without spinning. */
export class StdinReader extends Ring implements InputStream {
  readonly #onRoom: () => void

  /** `onRoom` tells the main thread that something was taken out of a full ring. */
  constructor(buffer: SharedArrayBuffer, onRoom: () => void) {
    super(buffer)
    this.#onRoom = onRoom
  }

  available(): { readonly bytes: number; readonly ended: boolean } {
    // Ended is read first: what was put in before the end is then seen.
    const ended = Atomics.load(this.fields, FIELD.ended) === 1
    const bytes = this.filled
    return { bytes, ended: ended && bytes === 0 }
  }

  read(buffer: Uint8Array): number {
    for (;;) {
      const seen = Atomics.load(this.fields, FIELD.changes)
      const { bytes, ended } = this.available()
      if (bytes > 0) return this.#take(buffer, Math.min(bytes, buffer.length))
      if (ended) return 0
      Atomics.wait(this.fields, FIELD.changes, seen)
    }
  }

  /** Blocks until something has arrived or the end, at most `timeoutMs`. */
  wait(timeoutMs: number): void {
    const seen = Atomics.load(this.fields, FIELD.changes)
    const { bytes, ended } = this.available()
    if (bytes === 0 && !ended) Atomics.wait(this.fields, FIELD.changes, seen, timeoutMs)
  }

  #take(buffer: Uint8Array, length: number): number {
    this.takeSome(buffer, length)
    if (Atomics.exchange(this.fields, FIELD.roomWanted, 0) === 1) this.#onRoom()
    return length
  }
}

/** The end of a worker that writes: blocks while there is no room. */
export class OutputWriter extends Ring implements OutputStream {
  readonly #onBytes: () => void

  /** `onBytes` tells the main thread that there is something, once it has found nothing. */
  constructor(buffer: SharedArrayBuffer, onBytes: () => void) {
    super(buffer)
    this.#onBytes = onBytes
  }

  write(buffer: Uint8Array): void {
    for (let written = 0; written < buffer.length; ) {
      const seen = Atomics.load(this.fields, FIELD.changes)
      const count = this.putSome(buffer.subarray(written))
      written += count
      if (count === 0) Atomics.wait(this.fields, FIELD.changes, seen)
      else if (Atomics.exchange(this.fields, FIELD.bytesWanted, 0) === 1) this.#onBytes()
    }
  }
}

/** The main thread's end: takes out what has come. */
export class OutputReader extends Ring {
  /** What there is, a copy; empty when there is nothing, and the writer's `onBytes` then says when to ask again. */
  take(): Uint8Array {
    Atomics.store(this.fields, FIELD.bytesWanted, 1)
    const bytes = new Uint8Array(this.filled)
    if (bytes.length === 0) return bytes
    this.takeSome(bytes, bytes.length)
    this.changed()
    return bytes
  }
}
