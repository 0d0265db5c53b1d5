import { EventEmitter } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { Readable, type Writable } from 'node:stream'
import type { Call } from './node-fs-forms.js'

/** The calls that a handle makes, on its descriptor. */
export interface HandleCalls {
  readonly close: Call
  readonly read: Call
  readonly write: Call
  readonly readv: Call
  readonly writev: Call
  readonly readFile: Call
  readonly writeFile: Call<Promise<void>>
  readonly fstat: Call
  readonly fsync: Call
  readonly fdatasync: Call
  readonly ftruncate: Call
  readonly fchmod: Call
  readonly fchown: Call
  readonly futimes: Call
  readonly createReadStream: (path: string, options: object) => Readable
  readonly createWriteStream: (path: string, options: object) => Writable
}

/** An open file, as `promises.open` gives it (doc/api/fs.md, "Class: FileHandle"). Emits `close`. */
export class FileHandle extends EventEmitter {
  #descriptor: number
  readonly #calls: HandleCalls

  constructor(descriptor: number, calls: HandleCalls) {
    super()
    this.#descriptor = descriptor
    this.#calls = calls
  }

  /** Its number; -1 when it is closed. */
  get fd(): number {
    return this.#descriptor
  }

  async close(): Promise<void> {
    if (this.#descriptor === -1) return
    const descriptor = this.#descriptor
    this.#descriptor = -1
    this.#calls.close(descriptor)
    this.emit('close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  read(...args: readonly unknown[]): Promise<unknown> {
    return this.#do('read', args)
  }

  write(...args: readonly unknown[]): Promise<unknown> {
    return this.#do('write', args)
  }

  readv(...args: readonly unknown[]): Promise<unknown> {
    return this.#do('readv', args)
  }

  writev(...args: readonly unknown[]): Promise<unknown> {
    return this.#do('writev', args)
  }

  /** From where the last read ended. */
  readFile(options?: unknown): Promise<unknown> {
    return this.#do('readFile', [options])
  }

  /** From where the last write ended. */
  async writeFile(contents: unknown, options?: unknown): Promise<void> {
    await this.#do('writeFile', [contents, options])
  }

  async appendFile(contents: unknown, options?: unknown): Promise<void> {
    await this.#do('writeFile', [contents, options])
  }

  stat(options?: unknown): Promise<unknown> {
    return this.#do('fstat', [options])
  }

  async sync(): Promise<void> {
    await this.#do('fsync')
  }

  async datasync(): Promise<void> {
    await this.#do('fdatasync')
  }

  async truncate(length?: number): Promise<void> {
    await this.#do('ftruncate', [length])
  }

  async chmod(mode: unknown): Promise<void> {
    await this.#do('fchmod', [mode])
  }

  async chown(uid: unknown, gid: unknown): Promise<void> {
    await this.#do('fchown', [uid, gid])
  }

  async utimes(atime: unknown, mtime: unknown): Promise<void> {
    await this.#do('futimes', [atime, mtime])
  }

  createReadStream(options: object = {}): Readable {
    return this.#calls.createReadStream('', { ...options, fd: this })
  }

  createWriteStream(options: object = {}): Writable {
    return this.#calls.createWriteStream('', { ...options, fd: this })
  }

  /** Its contents as a stream of the web's. */
  readableWebStream(): ReturnType<typeof Readable.toWeb> {
    return Readable.toWeb(this.createReadStream({ autoClose: false }))
  }

  /** Its lines. The handle is closed after the last. */
  readLines(options: object = {}): Interface {
    return createInterface({ input: this.createReadStream(options), crlfDelay: Number.POSITIVE_INFINITY })
  }

  async #do(name: Exclude<keyof HandleCalls, 'createReadStream' | 'createWriteStream'>, args: readonly unknown[] = []): Promise<unknown> {
    if (this.#descriptor === -1) throw Object.assign(new Error('file closed'), { code: 'EBADF', syscall: name })
    return await this.#calls[name](this.#descriptor, ...args)
  }
}
