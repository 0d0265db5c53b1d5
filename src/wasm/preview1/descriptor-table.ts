import type { Descriptor } from './descriptor.js'
import { WasiError } from './errno.js'

/** Open descriptors by number: the lowest free number is next, and there are never more than `limit`. */
export class DescriptorTable {
  readonly #slots: (Descriptor | undefined)[] = []
  readonly #limit: number
  /** No number below this one is free. */
  #lowestFree = 0
  #open = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The descriptor `fd`. Throws EBADF. */
  get(fd: number): Descriptor {
    const descriptor = this.#slots[fd >>> 0]
    if (descriptor === undefined) throw new WasiError('EBADF')
    return descriptor
  }

  /** The descriptor `fd` if it has every one of `rights`. Throws EBADF, ENOTCAPABLE. */
  with(fd: number, rights: number): Descriptor {
    const descriptor = this.get(fd)
    if ((descriptor.rightsBase & rights) !== rights) throw new WasiError('ENOTCAPABLE')
    return descriptor
  }

  /** How many are open. */
  get open(): number {
    return this.#open
  }

  /** Throws EMFILE when no further descriptor may be opened; asked before anything is created for it. */
  checkRoom(): void {
    if (this.#open >= this.#limit) throw new WasiError('EMFILE')
  }

  /** Gives `descriptor` the lowest free number. Throws EMFILE. */
  add(descriptor: Descriptor): number {
    this.checkRoom()
    let fd = this.#lowestFree
    while (this.#slots[fd] !== undefined) fd++
    this.#slots[fd] = descriptor
    this.#lowestFree = fd + 1
    this.#open++
    return fd
  }

  /** Closes a number. Throws EBADF. */
  close(fd: number): void {
    const descriptor = this.get(fd)
    this.#slots[fd >>> 0] = undefined
    this.#open--
    this.#lowestFree = Math.min(this.#lowestFree, fd >>> 0)
    descriptor.close()
  }

  /** Moves `from` to the number `to`, which must be open and is closed first (`fd_renumber`). Throws EBADF. */
  renumber(from: number, to: number): void {
    const moved = this.get(from)
    const replaced = this.get(to)
    if (from >>> 0 === to >>> 0) return
    this.#slots[to >>> 0] = moved
    this.#slots[from >>> 0] = undefined
    this.#open--
    this.#lowestFree = Math.min(this.#lowestFree, from >>> 0)
    replaced.close()
  }

  /** Closes everything. */
  closeAll(): void {
    for (const descriptor of this.#slots.splice(0)) descriptor?.close()
    this.#open = 0
    this.#lowestFree = 0
  }
}
