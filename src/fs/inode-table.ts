import { changesOf } from './changes.js'
import { ErrnoError } from './errno.js'
import type { ByteString, Change, DeviceNumber, FileType, Ino } from './file-system.js'
import { type Attributes, Inode } from './inode.js'
import type { LayerFileSystem } from './layer-file-system.js'
import { type MergedEntry, mergeRoots } from './merge.js'

/**
 * The inodes of a union by number, and the names in its directories: the layers' until they are read, then merged once, then whatever is
 * set. Knows nothing of times, limits or what may replace what.
 */
export class InodeTable {
  readonly root: Inode
  readonly #inodes = new Map<Ino, Inode>()
  /** The union's inode of each file of a layer: hard links must meet again. */
  readonly #ofLayer = new Map<LayerFileSystem, Map<Ino, Inode>>()
  #nextIno: Ino = 1

  /** Over layers, base first; without any, the root is made with `attributes`. */
  constructor(lowers: readonly LayerFileSystem[], attributes: Attributes) {
    const sources = mergeRoots(lowers)
    const ino = this.#nextIno++
    this.root =
      sources.length > 0 ? Inode.ofLayers(ino, { type: 'directory', sources }, null) : Inode.make(ino, 'directory', attributes, {}, null)
    this.#inodes.set(ino, this.root)
  }

  /** Throws ENOENT for a number that names nothing any more. */
  get(ino: Ino): Inode {
    const inode = this.#inodes.get(ino)
    if (inode === undefined) throw new ErrnoError('ENOENT', `no inode ${ino}`)
    return inode
  }

  /** A new inode, not yet named. */
  make(type: FileType, attributes: Attributes, own: { target: ByteString; device: DeviceNumber | null }, parent: Inode): Inode {
    return this.#add(Inode.make(this.#nextIno++, type, attributes, own, parent))
  }

  /** Forgets an inode that has neither names nor users. */
  forget(inode: Inode): void {
    this.#inodes.delete(inode.ino)
  }

  /** Names in a directory; merged from the layers the first time. Throws ENOTDIR. */
  entries(inode: Inode): ReadonlyMap<ByteString, Inode> {
    return this.#entries(inode)
  }

  /** Gives a name in a directory another inode, or none. Link counts of files are the caller's. */
  setEntry(parent: Inode, name: ByteString, inode: Inode | undefined): void {
    const directory = parent.asDirectory()
    const entries = this.#entries(parent)
    const held = entries.get(name)
    // A directory made in the union has nothing below it, so it keeps no originals.
    if (parent.sources.length > 0) {
      directory.originals ??= new Map()
      if (!directory.originals.has(name)) directory.originals.set(name, held)
      // Back as it was: else names that come and go would be remembered without end.
      if (directory.originals.get(name) === inode) directory.originals.delete(name)
    }
    directory.subdirectories += Number(inode?.type === 'directory') - Number(held?.type === 'directory')
    if (inode === undefined) entries.delete(name)
    else entries.set(name, inode)
    if (inode?.directory) Object.assign(inode.directory, { parent, nameBytes: name.length })
  }

  /** Length of the path of `name` in `directory`, from the root. */
  pathBytes(directory: Inode, name: ByteString): number {
    let bytes = name.length
    for (let place = directory.asDirectory(); place.nameBytes > 0; place = place.parent.asDirectory()) bytes += place.nameBytes + 1
    return bytes
  }

  /** Whether a path from `directory` to something below it is longer than `limit`. Reads what was never read. */
  isDeeperThan(directory: Inode, limit: number): boolean {
    const pending: (readonly [directory: Inode, bytes: number])[] = [[directory, 0]]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [place, reached] = next
      for (const [name, inode] of this.#entries(place)) {
        const bytes = reached + name.length
        if (bytes > limit) return true
        if (inode.directory !== null) pending.push([inode, bytes + 1])
      }
    }
    return false
  }

  /** Whether `directory` is `ancestor` or somewhere below it. */
  isWithin(directory: Inode, ancestor: Inode): boolean {
    for (let place = directory; ; ) {
      if (place === ancestor) return true
      const { parent } = place.asDirectory()
      if (parent === place) return false
      place = parent
    }
  }

  /** What differs from the layers (`changes.ts`). */
  changes(): Iterable<Change> {
    return changesOf(this.root, {
      current: (directory) => this.#entries(directory),
      original: (directory) => this.#originalEntries(directory),
      searchUnread: this.#hasChangedHardLink(),
    })
  }

  #add(inode: Inode): Inode {
    this.#inodes.set(inode.ino, inode)
    return inode
  }

  #entries(inode: Inode): Map<ByteString, Inode> {
    const directory = inode.asDirectory()
    if (directory.entries !== null) return directory.entries
    const entries = new Map<ByteString, Inode>()
    for (const [name, merged] of inode.mergedEntries()) {
      const child = this.#ofLayers(merged, inode)
      if (child.directory !== null) child.directory.nameBytes = name.length
      entries.set(name, child)
      if (merged.type === 'directory') directory.subdirectories++
    }
    directory.entries = entries
    return entries
  }

  #ofLayers(merged: MergedEntry, parent: Inode): Inode {
    const [top] = merged.sources
    if (merged.type === 'directory' || top === undefined) return this.#add(Inode.ofLayers(this.#nextIno++, merged, parent))
    let known = this.#ofLayer.get(top.layer)
    if (known === undefined) this.#ofLayer.set(top.layer, (known = new Map()))
    let inode = known.get(top.ino)
    if (inode === undefined) known.set(top.ino, (inode = this.#add(Inode.ofLayers(this.#nextIno++, merged, null))))
    return inode
  }

  #originalEntries(inode: Inode): ReadonlyMap<ByteString, Inode> {
    const entries = new Map(this.#entries(inode))
    for (const [name, original] of inode.directory?.originals ?? []) {
      if (original === undefined) entries.delete(name)
      else entries.set(name, original)
    }
    return entries
  }

  #hasChangedHardLink(): boolean {
    for (const [layer, inodes] of this.#ofLayer)
      for (const [ino, inode] of inodes) if (inode.changed && layer.stat(ino).linkCount > 1) return true
    return false
  }
}
