import type { DirectoryHandle } from '../../fs/resolve.js'
import { Descriptor, type TimeChange } from './descriptor.js'
import { DirectoryListing } from './directory-listing.js'
import { WasiError } from './errno.js'
import { FILETYPE } from './flags.js'
import type { GuestTree, WalkStart } from './guest-tree.js'
import { type Filestat, filetypeOf } from './layouts.js'

/** What a {@link DirectoryDescriptor} is made of. */
export interface OpenDirectory {
  readonly tree: GuestTree
  readonly handle: DirectoryHandle
  /** Name under which the host gives it; null for one that the guest opened, which is then confined to what is below. */
  readonly preopenName: string | null
  readonly rightsBase: number
  readonly rightsInheriting: number
}

/** An open directory: where walks start, and a listing that stays the same while it is read. */
export class DirectoryDescriptor extends Descriptor implements WalkStart {
  readonly filetype = FILETYPE.directory
  override readonly preopenName: string | null
  readonly handle: DirectoryHandle
  readonly #tree: GuestTree
  #listing: DirectoryListing | null = null

  constructor({ tree, handle, preopenName, rightsBase, rightsInheriting }: OpenDirectory) {
    super(rightsBase, rightsInheriting)
    this.#tree = tree
    this.handle = handle
    this.preopenName = preopenName
    handle.fs.retain(handle.ino)
  }

  get confined(): boolean {
    return this.preopenName === null
  }

  override close(): void {
    this.#forgetListing()
    this.handle.fs.release(this.handle.ino)
  }

  override filestat(): Filestat {
    return this.#tree.filestat(this.handle)
  }

  override setTimes(change: TimeChange): void {
    this.#tree.checkOwner(this.handle)
    this.#tree.checkWritable(this.handle.fs)
    this.handle.fs.setAttributes(this.handle.ino, change)
  }

  override seek(): number {
    throw new WasiError('EISDIR')
  }

  /** Cookie 0 lists anew, throwing ENOMEM when all descriptors together would keep too many names; any other goes on in the same listing, so that names which come or go meanwhile shift nothing. */
  override listing(cookie: number): DirectoryListing {
    if (cookie !== 0 && this.#listing !== null) return this.#listing
    this.#forgetListing()
    const listing = this.#list()
    this.#tree.takeListed(listing.count)
    this.#listing = listing
    return listing
  }

  #forgetListing(): void {
    this.#tree.takeListed(-(this.#listing?.count ?? 0))
    this.#listing = null
  }

  #list(): DirectoryListing {
    const { fs, ino, parent } = this.handle
    const { sortsNames } = this.#tree
    const listing = new DirectoryListing()
    listing.add('.', ino, FILETYPE.directory)
    listing.add('..', parent?.ino ?? ino, FILETYPE.directory)
    if (fs.visitEntries !== undefined && !sortsNames) {
      fs.visitEntries(ino, (bytes, start, length, entry, type) => listing.addBytes(bytes, start, length, entry, filetypeOf(type)))
      return listing
    }
    const entries = fs.readdir(ino)
    const inOrder = sortsNames ? [...entries].sort((left, right) => (left.name < right.name ? -1 : 1)) : entries
    for (const { name, ino: entry, type } of inOrder) listing.add(name, entry, filetypeOf(type))
    return listing
  }
}
