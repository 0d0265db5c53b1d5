import { Descriptor } from './descriptor.js'
import { WasiError } from './errno.js'
import { FDFLAGS, FILETYPE } from './flags.js'
import type { InputStream, OutputStream } from './host.js'
import type { Filestat } from './layouts.js'
import { RIGHTS, STREAM_RIGHTS } from './rights.js'

/** A pipe or terminal: stdin, stdout or stderr. Preview1 has no file type for a pipe, so one is `unknown`. */
export class StreamDescriptor extends Descriptor {
  readonly filetype: number
  readonly #input: InputStream | null
  readonly #output: OutputStream | null

  constructor(stream: { readonly input?: InputStream; readonly output?: OutputStream; readonly terminal: boolean }) {
    super(STREAM_RIGHTS & ~(stream.input ? 0 : RIGHTS.fdRead) & ~(stream.output ? 0 : RIGHTS.fdWrite), 0)
    this.#input = stream.input ?? null
    this.#output = stream.output ?? null
    this.filetype = stream.terminal ? FILETYPE.characterDevice : FILETYPE.unknown
  }

  /** The stream behind a stdin, for `poll_oneoff`; null for outputs, which never keep a guest waiting. */
  get input(): InputStream | null {
    return this.#input
  }

  override filestat(): Filestat {
    return { device: 0, ino: 0, filetype: this.filetype, linkCount: 1, size: 0, atimeNs: 0n, mtimeNs: 0n, ctimeNs: 0n }
  }

  override read(buffers: readonly Uint8Array[]): number {
    if (this.#input === null) throw new WasiError('EBADF')
    // One buffer a call: a second read could block with the first one's bytes in hand.
    const buffer = buffers.find((each) => each.length > 0)
    if (buffer !== undefined && (this.flags & FDFLAGS.nonblock) !== 0 && this.readable() === null) throw new WasiError('EAGAIN')
    return buffer === undefined ? 0 : this.#input.read(buffer)
  }

  override write(buffers: readonly Uint8Array[]): number {
    if (this.#output === null) throw new WasiError('EBADF')
    let written = 0
    for (const buffer of buffers) {
      if (buffer.length > 0) this.#output.write(buffer)
      written += buffer.length
    }
    return written
  }

  override readable(): { readonly bytes: number; readonly ended: boolean } | null {
    if (this.#input === null) return { bytes: 0, ended: false }
    const available = this.#input.available()
    return available.bytes > 0 || available.ended ? available : null
  }
}
