/** `wasi:io`: errors, streams and what can be waited for. */
import { ErrnoError } from '../../fs/errno.js'
import type { Host, InputStream as HostInput } from '../preview1/host.js'
import { errorCodeOf } from './error-code.js'
import type { Resource } from './resources.js'
import { Failure, Trap } from './trap.js'
import { bytesOf, lengthOf, list, u64 } from './values.js'
import type { Wasi } from './wasi.js'

/** The most bytes of one read, and of one write: `check-write` permits so many. */
export const PIECE_BYTES = 65_536
/** What one `poll` may wait for: each is looked at whenever something happens. */
const POLLED_MAXIMUM = 4096

/** `wasi:io/error.error`: why a stream failed. */
export class StreamError implements Resource {
  readonly resource = 'Error'
  constructor(readonly code: string) {}
}

/** `wasi:io/poll.pollable`. */
export abstract class Pollable implements Resource {
  readonly resource = 'Pollable'
  abstract isReady(): boolean
  /** What to wait for while it is not ready. */
  readonly input: HostInput | null = null
  readonly deadlineNs: bigint | null = null
}

/** What never keeps anyone waiting: files, outputs. */
export class ReadyPollable extends Pollable {
  isReady(): boolean {
    return true
  }
}

/** A moment on the monotonic clock. */
export class ClockPollable extends Pollable {
  readonly #host: Host
  override readonly deadlineNs: bigint

  constructor(host: Host, deadlineNs: bigint) {
    super()
    this.#host = host
    this.deadlineNs = deadlineNs
  }

  isReady(): boolean {
    return this.#host.clock.monotonicNs() >= this.deadlineNs
  }
}

/** Bytes of stdin, or its end. */
class InputPollable extends Pollable {
  override readonly input: HostInput

  constructor(input: HostInput) {
    super()
    this.input = input
  }

  isReady(): boolean {
    const { bytes, ended } = this.input.available()
    return bytes > 0 || ended
  }
}

/** `wasi:io/streams.input-stream`. */
export abstract class InputStream implements Resource {
  readonly resource = 'InputStream'
  /** At most so many bytes; empty where there are none yet, null at the end. Throws what reading throws. */
  abstract read(length: number, blocks: boolean): Uint8Array | null
  abstract pollable(): Pollable
  drop?(): void
}

/** `wasi:io/streams.output-stream`. */
export abstract class OutputStream implements Resource {
  readonly resource = 'OutputStream'
  /** Null until a write fails, after which it is closed. */
  failed = false
  /** All of it. Throws what writing throws. */
  abstract write(bytes: Uint8Array): void
  drop?(): void
}

/** stdin. */
export class StandardInput extends InputStream {
  readonly #input: HostInput

  constructor(input: HostInput) {
    super()
    this.#input = input
  }

  read(length: number, blocks: boolean): Uint8Array | null {
    const { bytes, ended } = this.#input.available()
    if (ended) return null
    if (length === 0 || (bytes === 0 && !blocks)) return new Uint8Array()
    const buffer = new Uint8Array(blocks && bytes === 0 ? length : Math.min(length, bytes))
    const read = this.#input.read(buffer)
    return read === 0 ? null : buffer.subarray(0, read)
  }

  pollable(): Pollable {
    return new InputPollable(this.#input)
  }
}

/** stdout or stderr. */
export class StandardOutput extends OutputStream {
  readonly write: (bytes: Uint8Array) => void

  constructor(write: (bytes: Uint8Array) => void) {
    super()
    this.write = write
  }
}

/** What WASI calls of a stream that ended or failed. */
const CLOSED = { tag: 'closed' }

/** Functions of `wasi:io`. */
export function ioInterfaces({ resources, host }: Wasi) {
  /** Throws {@link Failure} with a `stream-error` for what fails. */
  function streaming<Result>(perform: () => Result): Result {
    try {
      return perform()
    } catch (error) {
      const code = errorCodeOf(error)
      throw code === undefined ? error : new Failure({ tag: 'last-operation-failed', val: resources.add(new StreamError(code)) })
    }
  }

  function read(self: unknown, length: unknown, blocks: boolean): Uint8Array {
    const stream = resources.get(self, InputStream)
    const bytes = streaming(() => stream.read(lengthOf(length, PIECE_BYTES), blocks))
    if (bytes === null) throw new Failure(CLOSED)
    return bytes
  }

  function write(self: unknown, bytes: Uint8Array): void {
    const stream = resources.get(self, OutputStream)
    if (stream.failed) throw new Failure(CLOSED)
    if (bytes.length > PIECE_BYTES) throw new Trap(`a write of ${bytes.length} bytes, where ${PIECE_BYTES} were permitted`)
    stream.failed = true
    streaming(() => stream.write(bytes))
    stream.failed = false
  }

  function checkWrite(self: unknown): bigint {
    if (resources.get(self, OutputStream).failed) throw new Failure(CLOSED)
    return BigInt(PIECE_BYTES)
  }

  const zeroes = (self: unknown, length: unknown) => {
    if (u64(length) > BigInt(PIECE_BYTES)) throw new Trap(`a write of ${length} bytes, where ${PIECE_BYTES} were permitted`)
    write(self, new Uint8Array(Number(length)))
  }
  const skip = (blocks: boolean) => (self: unknown, length: unknown) => BigInt(read(self, length, blocks).length)
  const splice = (blocks: boolean) => (self: unknown, from: unknown, length: unknown) => {
    checkWrite(self)
    const bytes = read(from, length, blocks)
    write(self, bytes)
    return BigInt(bytes.length)
  }
  const flush = (self: unknown) => void checkWrite(self)

  /** Places of what is ready, once something is. */
  function poll(pollables: readonly Pollable[]): number[] {
    for (;;) {
      const ready = pollables.flatMap((pollable, place) => (pollable.isReady() ? [place] : []))
      if (ready.length > 0) return ready
      const deadlines = pollables.flatMap(({ deadlineNs }) => deadlineNs ?? [])
      const earliest = deadlines.reduce<bigint | null>((least, each) => (least === null || each < least ? each : least), null)
      host.wait(pollables.find(({ input }) => input !== null)?.input ?? null, earliest)
    }
  }

  return {
    'wasi:io/error': {
      Error: { toDebugString: (self: unknown) => resources.get(self, StreamError).code },
    },
    'wasi:io/poll': {
      poll(asked: unknown): number[] {
        const pollables = list(asked, POLLED_MAXIMUM).map((each) => resources.get(each, Pollable))
        if (pollables.length === 0) throw new Trap('poll of nothing')
        return poll(pollables)
      },
      Pollable: {
        ready: (self: unknown) => resources.get(self, Pollable).isReady(),
        block: (self: unknown) => void poll([resources.get(self, Pollable)]),
      },
    },
    'wasi:io/streams': {
      InputStream: {
        read: (self: unknown, length: unknown) => read(self, length, false),
        blockingRead: (self: unknown, length: unknown) => read(self, length, true),
        skip: skip(false),
        blockingSkip: skip(true),
        subscribe: (self: unknown) => resources.add(resources.get(self, InputStream).pollable()),
      },
      OutputStream: {
        checkWrite,
        write: (self: unknown, contents: unknown) => write(self, bytesOf(contents)),
        blockingWriteAndFlush: (self: unknown, contents: unknown) => write(self, bytesOf(contents)),
        flush,
        blockingFlush: flush,
        writeZeroes: zeroes,
        blockingWriteZeroesAndFlush: zeroes,
        splice: splice(false),
        blockingSplice: splice(true),
        subscribe(self: unknown) {
          resources.get(self, OutputStream)
          return resources.add(new ReadyPollable())
        },
      },
    },
  }
}

/** A write that takes less than it was given is made again, until nothing is left. Throws EIO for one that takes nothing. */
export function writeWhole(bytes: Uint8Array, write: (rest: Uint8Array) => number): void {
  for (let written = 0; written < bytes.length; ) {
    const count = write(bytes.subarray(written))
    if (count === 0) throw new ErrnoError('EIO')
    written += count
  }
}
