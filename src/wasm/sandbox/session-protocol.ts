/**
 * What is said at the socket of a sandbox, by whoever wants one more program in the container, or its files: a session each. Both sides send frames: a kind,
 * three zeros, a length (32 bits, big-endian), then so many bytes.
 *
 * The first command is the request (JSON); the others are `go`, `signal NUMBER` and `outlive`. Input is sent within a window, so that a guest
 * that reads nothing keeps no command waiting. Events are JSON.
 */
import type { ByteString, Change, FileType } from '../../fs/file-system.js'
import type { ExitStatus } from '../../runtime/exit.js'
import type { GuestProcess, ProgramEvent } from './protocol.js'

/** Name of the socket in its folder. */
export const SESSIONS_SOCKET = 'sandbox'

export const FRAME = {
  /** From the sandbox: what the guest writes. */
  stdout: 1,
  stderr: 2,
  event: 0x45,
  /** From the sandbox: so many bytes of input (32 bits, big-endian) are out of the window. */
  taken: 0x77,
  /** To the sandbox. */
  command: 0x63,
  input: 0x69,
  inputEnd: 0x65,
} as const

/** Bytes of input that may be under way. */
export const INPUT_WINDOW_BYTES = 65_536
/** Of a request: as much as execve(2) takes of arguments and environment, in JSON. */
export const REQUEST_BYTES = 8 * 2 ** 20
/** Of an event: its longest says back a request. */
export const EVENT_BYTES = REQUEST_BYTES + 65_536
/** Of a frame of output. */
export const OUTPUT_BYTES = 65_536
/** Sessions at once. */
export const SESSIONS_MAXIMUM = 64

/** What a session is for. */
export type SessionRequest = ExecRequest | FileRequest

/** One more program. It waits for `go`. */
export interface ExecRequest {
  readonly request: 'exec'
  readonly process: GuestProcess
  readonly openStdin: boolean
}

/** Something about the container's files, in which paths are byte strings; done at once. What is asked for comes as output. */
export type FileRequest =
  /** At most so many bytes of a regular file; nothing where there is none. */
  | { readonly request: 'read-file'; readonly path: ByteString; readonly maximumBytes: number }
  /** What stands at a path, as JSON (`SaidStat`). */
  | { readonly request: 'stat'; readonly path: ByteString }
  /** A tar of it, in which it bears this name. Nothing where there is nothing. */
  | { readonly request: 'read'; readonly path: ByteString; readonly name: ByteString }
  /** A tar of the root, without what is mounted on it. */
  | { readonly request: 'read-root' }
  /** What has been written over the image's layers, as a layer's tar. */
  | { readonly request: 'read-layer' }
  /** What that is, a line of JSON each (`SaidChange`). */
  | { readonly request: 'changes' }
  /** Unpacks a tar of so many bytes, which comes as input, below the directory at a path. */
  | { readonly request: 'write'; readonly path: ByteString; readonly bytes: number }
  /** Changes the root as a tree stream says that comes as input (`rootfs/change-records`). */
  | { readonly request: 'change' }

/** An answer to `stat`: null when nothing is there. Nanoseconds are a string. */
export type SaidStat = null | {
  readonly type: FileType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtimeNs: string
  readonly target: ByteString
}

/** A line of the answer to `changes`; the last one is the bytes of all files that were written. */
export type SaidChange = readonly [kind: Change['kind'], path: ByteString] | readonly [bytes: number]

/** What a sandbox says in a session. */
export type SessionEvent =
  | ProgramEvent
  /** It goes on when the session is left. */
  | { readonly event: 'outlives' }
  /** The last there is. */
  | ({ readonly event: 'exited' } & ExitStatus)

/** What a frame has before its contents. */
export const HEADER_BYTES = 8

/** The bytes of a frame whose contents are these, one after the other. */
export function frame(kind: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const whole = openFrame(kind, Buffer.allocUnsafe(HEADER_BYTES + length))
  let at = HEADER_BYTES
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Makes `whole` a frame, whose contents are still to be written behind the header. */
export function openFrame(kind: number, whole: Buffer): Buffer {
  whole.writeUInt32BE(kind * 0x1_00_00_00, 0)
  whole.writeUInt32BE(whole.length - HEADER_BYTES, 4)
  return whole
}

/** Puts frames together again. What has come is kept, and no more: a length that is a lie takes no memory. */
export class FrameReader {
  readonly #limitOf: (kind: number) => number
  readonly #take: (kind: number, bytes: Buffer) => void
  #pieces: Buffer[] = []
  #length = 0

  /** `limitOf` says how long a frame of a kind may be, -1 for a kind that there is not. */
  constructor(limitOf: (kind: number) => number, take: (kind: number, bytes: Buffer) => void) {
    this.#limitOf = limitOf
    this.#take = take
  }

  /** Takes in what has come. False for what is no frame: the rest is not to be listened to. */
  read(chunk: Buffer): boolean {
    this.#pieces.push(chunk)
    this.#length += chunk.length
    while (this.#length >= HEADER_BYTES) {
      const header = this.#front(HEADER_BYTES)
      const kind = header[0] ?? 0
      const length = header.readUInt32BE(4)
      if (length > this.#limitOf(kind)) return false
      if (this.#length < HEADER_BYTES + length) return true
      const whole = this.#front(HEADER_BYTES + length)
      this.#pieces[0] = whole.subarray(HEADER_BYTES + length)
      this.#length -= HEADER_BYTES + length
      this.#take(kind, whole.subarray(HEADER_BYTES, HEADER_BYTES + length))
    }
    return true
  }

  /** The first piece, put together with others until it has so many bytes. */
  #front(length: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#pieces
    if (first.length >= length) return first
    const whole = Buffer.concat(this.#pieces)
    this.#pieces = [whole]
    return whole
  }
}
