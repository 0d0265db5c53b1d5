import type { ByteString, Ino } from '../../fs/file-system.js'
import { fromBytes } from '../../fs/names.js'
import type { ListedEntry } from './descriptor.js'
import { DIRENT_SIZE, readDirent, writeDirent } from './layouts.js'

const FIRST_BYTES = 1024
const FIRST_NAMES = 32

/**
 * The names of a directory as `fd_readdir` hands them out: each `dirent` with its name, one behind the other. So a listing is two arrays,
 * however many names it has, and giving a guest a part of it is one copy.
 */
export class DirectoryListing implements Iterable<ListedEntry> {
  #bytes = new Uint8Array(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  /** Where each dirent begins. */
  #starts = new Uint32Array(FIRST_NAMES)
  #end = 0
  #count = 0

  /** How many names there are. */
  get count(): number {
    return this.#count
  }

  /** Adds a name that is a byte string. */
  add(name: ByteString, ino: Ino, filetype: number): void {
    const start = this.#addDirent(name.length, ino, filetype)
    for (let index = 0; index < name.length; index++) this.#bytes[start + index] = name.charCodeAt(index)
  }

  /** Adds a name that is `length` bytes of `bytes`, from `from` on. */
  addBytes(bytes: Uint8Array, from: number, length: number, ino: Ino, filetype: number): void {
    const start = this.#addDirent(length, ino, filetype)
    const own = this.#bytes
    for (let index = 0; index < length; index++) own[start + index] = bytes[from + index] as number
  }

  /** Fills `into` with what begins with the entry number `first`; the last one may be cut, as fd_readdir wants it. Returns the bytes written. */
  copyTo(into: Uint8Array, first: number): number {
    if (first >= this.#count) return 0
    const start = this.#starts[first] as number
    const length = Math.min(this.#end - start, into.length)
    into.set(this.#bytes.subarray(start, start + length))
    return length
  }

  *[Symbol.iterator](): Generator<ListedEntry, void, undefined> {
    for (let place = 0; place < this.#count; place++) {
      const start = this.#starts[place] as number
      const { ino, nameBytes, filetype } = readDirent(this.#view, start)
      const name = start + DIRENT_SIZE
      yield { name: fromBytes(this.#bytes.subarray(name, name + nameBytes)), ino, filetype }
    }
  }

  // Where the name goes, for which there is room.
  #addDirent(nameBytes: number, ino: Ino, filetype: number): number {
    const start = this.#end
    const end = start + DIRENT_SIZE + nameBytes
    if (end > this.#bytes.length) this.#growBytes(end)
    if (this.#count === this.#starts.length) this.#starts = grown(this.#starts, new Uint32Array(2 * this.#count))
    this.#starts[this.#count++] = start
    writeDirent(this.#view, start, { next: this.#count, ino, nameBytes, filetype })
    this.#end = end
    return start + DIRENT_SIZE
  }

  #growBytes(least: number): void {
    this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(least, 2 * this.#bytes.length)))
    this.#view = new DataView(this.#bytes.buffer)
  }
}

function grown<T extends Uint8Array | Uint32Array>(held: T, larger: T): T {
  larger.set(held)
  return larger
}
