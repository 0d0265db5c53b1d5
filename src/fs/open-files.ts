import type { Credentials } from './access.js'
import { ErrnoError } from './errno.js'
import type { FileSegment, FileSystem, Ino, ReadonlyFileSystem } from './file-system.js'

/** How a file is opened, as open(2) has it. */
export interface OpenFlags {
  readonly read: boolean
  readonly write: boolean
  readonly append: boolean
  readonly create: boolean
  /** With `create`: it must not be there, and a symlink at the end is not followed. */
  readonly exclusive: boolean
  readonly truncate: boolean
  /** It must be a directory. */
  readonly directory: boolean
  /** A symlink at the end is ELOOP. */
  readonly noFollow: boolean
}

/** A file that is open. */
export interface OpenFile {
  readonly ino: Ino
  readonly flags: Pick<OpenFlags, 'read' | 'write' | 'append'>
  /** Where the next read or write without a position begins. */
  position: number
}

/** What {@link OpenFiles} stands on. */
export interface OpenFilesParts {
  readonly fs: ReadonlyFileSystem
  /** The same tree where it may be written, else null. */
  readonly writable: FileSystem | null
  /** The same tree where files can lose their names while they are open, whoever takes them; else null. */
  readonly changing: FileSystem | null
  readonly credentials: Credentials
  /** Open at once; one more is EMFILE. */
  readonly limit: number
}

// Beyond what the kernel gives a process: one that is mistaken for the host's, or the other way round, is EBADF and not another file.
const HIGHEST_DESCRIPTOR = 0x7fff_ffff
const COPY_BYTES = 1 << 16

/** A process's open files, by descriptors that count down from the highest. */
export class OpenFiles {
  readonly #parts: OpenFilesParts
  readonly #files = new Map<number, OpenFile>()
  readonly #free: number[] = []

  constructor(parts: OpenFilesParts) {
    this.#parts = parts
  }

  /** Throws EBADF. */
  get(descriptor: number): OpenFile {
    const file = this.#files.get(descriptor)
    if (file === undefined) throw new ErrnoError('EBADF')
    return file
  }

  /** Throws EMFILE. */
  add(ino: Ino, { read, write, append }: OpenFlags): number {
    this.assertRoom()
    this.#parts.changing?.retain(ino)
    const descriptor = this.#free.pop() ?? HIGHEST_DESCRIPTOR - this.#files.size
    this.#files.set(descriptor, { ino, flags: { read, write, append }, position: 0 })
    return descriptor
  }

  /** Throws EMFILE when one more cannot be opened. */
  assertRoom(): void {
    if (this.#files.size >= this.#parts.limit) throw new ErrnoError('EMFILE')
  }

  close(descriptor: number): void {
    const { ino } = this.get(descriptor)
    this.#files.delete(descriptor)
    this.#free.push(descriptor)
    this.#parts.changing?.release(ino)
  }

  /** Closes all. */
  closeAll(): void {
    for (const descriptor of [...this.#files.keys()]) this.close(descriptor)
  }

  /** From `position`, or where the last one ended; returns the bytes read, 0 at the end. */
  read(descriptor: number, buffer: Uint8Array, position: number | null): number {
    const file = this.get(descriptor)
    if (!file.flags.read) throw new ErrnoError('EBADF', 'not open for reading')
    const count = this.#parts.fs.read(file.ino, buffer, position ?? file.position)
    if (position === null) file.position += count
    return count
  }

  /** At `position`, or where the last one ended; at the end of a file that is open for appending, whatever is asked. */
  write(descriptor: number, buffer: Uint8Array, position: number | null): number {
    const file = this.get(descriptor)
    const { writable } = this.#parts
    if (!file.flags.write || writable === null) throw new ErrnoError('EBADF', 'not open for writing')
    const at = file.flags.append ? writable.stat(file.ino).size : (position ?? file.position)
    const count = writable.write(file.ino, buffer, at)
    if (position === null) file.position = at + count
    if (count > 0) this.#dropPrivileges(writable, file.ino)
    return count
  }

  /** Throws EINVAL for one that is not open for writing. */
  truncate(descriptor: number, size: number): void {
    const { ino, flags } = this.get(descriptor)
    const { writable } = this.#parts
    if (!flags.write || writable === null) throw new ErrnoError('EINVAL', 'not open for writing')
    writable.setAttributes(ino, { size })
    this.#dropPrivileges(writable, ino)
  }

  /** Copies all of one file's bytes to the same places of another, which is empty. Holes stay holes. */
  copy(from: number, to: number): void {
    const { fs } = this.#parts
    const { ino } = this.get(from)
    const { size } = fs.stat(ino)
    const whole: FileSegment = { position: 0, length: size }
    const buffer = new Uint8Array(COPY_BYTES)
    for (const { position, length } of fs.segments?.(ino) ?? [whole])
      for (let done = 0; done < length; ) {
        const count = fs.read(ino, buffer.subarray(0, Math.min(COPY_BYTES, length - done)), position + done)
        if (count === 0) break
        this.write(to, buffer.subarray(0, count), position + done)
        done += count
      }
    this.truncate(to, size)
  }

  // As the kernel: who writes to a program that takes its owner's rights takes them from it, unless he is root.
  #dropPrivileges(writable: FileSystem, ino: Ino): void {
    if (this.#parts.credentials.uid === 0) return
    const { mode } = writable.stat(ino)
    const dropped = (mode & 0o010) === 0 ? 0o4000 : 0o6000
    if ((mode & dropped) !== 0) writable.setAttributes(ino, { mode: mode & ~dropped })
  }
}
