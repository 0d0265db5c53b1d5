import { readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ERRNO, ErrnoError, type ErrnoName } from '../../fs/errno.js'
import type { AttributeChange, ByteString, DirectoryEntry, FileSystem, Ino, NewInode, Stat } from '../../fs/file-system.js'
import { ThreadLock } from '../../fs/thread-lock.js'
import { writeAll } from './output.js'
import { REMOTE_BODY_BYTES, REMOTE_FRAME_BYTES, type RemoteAnswer, remoteFrame } from './remote-protocol.js'

/** The socket at which the supervisor answers, as all threads of the sandbox know it: one asks at a time. */
export interface RemoteSocket {
  readonly descriptor: number
  /** One word: whether somebody asks. */
  readonly lock: SharedArrayBuffer
}

/** A thread's end of that socket. A call blocks the thread until the supervisor has answered. */
export class RemoteChannel {
  readonly #descriptor: number
  readonly #lock: ThreadLock

  constructor({ descriptor, lock }: RemoteSocket) {
    this.#descriptor = descriptor
    this.#lock = new ThreadLock(new Int32Array(lock), 0)
  }

  /** What threads share of it. */
  static socket(descriptor: number): RemoteSocket {
    return { descriptor, lock: new SharedArrayBuffer(4) }
  }

  /** Asks and waits. Throws the errno that was answered, EIO when nobody answers. */
  ask(number: number, call: string, arguments_: readonly unknown[], body?: Uint8Array): { readonly value: unknown; readonly body: Buffer } {
    this.#lock.take()
    try {
      writeAll(this.#descriptor, remoteFrame({ number, call, arguments: arguments_ }, body))
      const lengths = this.#take(REMOTE_FRAME_BYTES)
      const head = JSON.parse(this.#take(lengths.readUInt32LE(0)).toString()) as RemoteAnswer
      const answered = this.#take(lengths.readUInt32LE(4))
      if ('errno' in head) throw new ErrnoError(head.errno in ERRNO ? (head.errno as ErrnoName) : 'EIO')
      return { value: head.value, body: answered }
    } finally {
      this.#lock.give()
    }
  }

  /**
   * Ends a thread while none asks: nobody would take its answer. Waits without blocking this thread, since
   * the supervisor may take its time.
   */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    while (!this.#lock.tryTake()) await sleep(1)
    try {
      return await work()
    } finally {
      this.#lock.giveAfterAnEnd()
    }
  }

  #take(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let at = 0; at < length; ) {
      const count = readSync(this.#descriptor, bytes, at, length - at, null)
      if (count === 0) throw new ErrnoError('EIO', 'the supervisor is gone')
      at += count
    }
    return bytes
  }
}

type RemoteStat = Omit<Stat, 'atimeNs' | 'mtimeNs' | 'ctimeNs'> & Record<'atimeNs' | 'mtimeNs' | 'ctimeNs', string>

/** A file system of the supervisor's: what happens in it is seen there at once, and the other way round. */
export class RemoteFileSystem implements FileSystem {
  readonly root: Ino
  readonly #channel: RemoteChannel
  readonly #number: number

  constructor(channel: RemoteChannel, number: number) {
    this.#channel = channel
    this.#number = number
    this.root = this.#ask('root') as Ino
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    return (this.#ask('lookup', directory, name) as Ino | null) ?? undefined
  }

  stat(ino: Ino): Stat {
    const { atimeNs, mtimeNs, ctimeNs, ...rest } = this.#ask('stat', ino) as RemoteStat
    return { ...rest, atimeNs: BigInt(atimeNs), mtimeNs: BigInt(mtimeNs), ctimeNs: BigInt(ctimeNs) }
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return this.#ask('readdir', directory) as DirectoryEntry[]
  }

  readlink(ino: Ino): ByteString {
    return this.#ask('readlink', ino) as ByteString
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    let total = 0
    do {
      const wanted = Math.min(REMOTE_BODY_BYTES, buffer.length - total)
      const { body } = this.#channel.ask(this.#number, 'read', [ino, position + total, wanted])
      buffer.set(body, total)
      total += body.length
      if (body.length < wanted) break
    } while (total < buffer.length)
    return total
  }

  xattrs(): ReadonlyMap<ByteString, Uint8Array> {
    return new Map()
  }

  create(directory: Ino, name: ByteString, { type, mode, uid, gid, target }: NewInode): Ino {
    return this.#ask('create', directory, name, { type, mode, uid, gid, target: target ?? null }) as Ino
  }

  setAttributes(ino: Ino, change: AttributeChange): void {
    const { mode, uid, gid, size, atimeNs, mtimeNs } = change
    this.#ask('setAttributes', ino, { mode, uid, gid, size, atimeNs: atimeNs?.toString(), mtimeNs: mtimeNs?.toString() })
  }

  setXattr(): void {
    throw new ErrnoError('ENOTSUP')
  }

  removeXattr(): void {
    throw new ErrnoError('ENOTSUP')
  }

  write(ino: Ino, buffer: Uint8Array, position: number): number {
    let total = 0
    do {
      const piece = buffer.subarray(total, total + REMOTE_BODY_BYTES)
      try {
        this.#channel.ask(this.#number, 'write', [ino, position + total], piece)
      } catch (error) {
        // What fitted is written, as POSIX has it.
        if (total > 0) return total
        throw error
      }
      total += piece.length
    } while (total < buffer.length)
    return total
  }

  link(ino: Ino, directory: Ino, name: ByteString): void {
    this.#ask('link', ino, directory, name)
  }

  unlink(directory: Ino, name: ByteString): void {
    this.#ask('unlink', directory, name)
  }

  rmdir(directory: Ino, name: ByteString): void {
    this.#ask('rmdir', directory, name)
  }

  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void {
    this.#ask('rename', from, fromName, to, toName)
  }

  retain(ino: Ino): void {
    this.#ask('retain', ino)
  }

  release(ino: Ino): void {
    this.#ask('release', ino)
  }

  #ask(call: string, ...arguments_: readonly unknown[]): unknown {
    return this.#channel.ask(this.#number, call, arguments_).value
  }
}
