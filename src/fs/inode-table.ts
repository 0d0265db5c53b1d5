import { changesOf } from './changes.js'
import type { ByteString, Change, DeviceNumber, FileType } from './file-system.js'
import type { Address, Heap } from './heap.js'
import { type Attributes, type Inode, Inodes } from './inode.js'
import type { LayerFileSystem } from './layer-file-system.js'
import { Levels, type Tree } from './levels.js'
import { type MergedEntry, mergeEntries, mergeRoots } from './merge.js'
import { NameTable, type NameVisitor } from './name-table.js'
import { PairTable } from './pair-table.js'

/** Words of the heap's control block. */
const CONTROL = { layerLinks: 9, seed: 10 } as const
/** Bytes that a name of the layers takes when its directory is read: its record, its entry, itself. */
const MERGED_BYTES = 256
/** Bytes that a change of one name takes besides: a record, attributes, a note of what the layers have. */
const CHANGE_BYTES = 8192

/** What a change is going to touch. */
export interface Touched {
  /** Directories in which names change. */
  readonly names?: readonly Inode[]
  readonly inodes?: readonly Inode[]
  /** Memory that it takes besides. */
  readonly bytes?: number
}

/**
 * The inodes of a union and the names in its directories: the layers' until they are read, then merged once, then whatever is set. Knows
 * nothing of times, limits or what may replace what.
 */
export class InodeTable {
  readonly inodes: Inodes
  readonly tree: Tree
  readonly levels: Levels
  readonly #heap: Heap
  readonly #names: NameTable
  readonly #pairs: PairTable
  readonly #lowers: readonly LayerFileSystem[]

  private constructor(heap: Heap, lowers: readonly LayerFileSystem[], tree: Tree | null) {
    this.#heap = heap
    this.#lowers = lowers
    this.#names = new NameTable(heap, heap.control[CONTROL.seed] ?? 0)
    this.#pairs = new PairTable(heap)
    this.levels = new Levels(heap, this.#pairs)
    this.tree = tree ?? this.levels.makeTree()
    const { levels } = this
    this.inodes = new Inodes({ heap, names: this.#names, levels, tree: this.tree, lowers, readNames: (directory) => this.see(directory) })
  }

  /** In an empty heap, over layers, base first; without any, the root is made with `attributes`. `seed` is not to be guessed by a guest. */
  static make(heap: Heap, lowers: readonly LayerFileSystem[], attributes: Attributes, seed: number): InodeTable {
    heap.control[CONTROL.seed] = seed
    const table = new InodeTable(heap, lowers, null)
    heap.control[CONTROL.layerLinks] = table.#pairs.create()
    const { inodes } = table
    const sources = mergeRoots(lowers)
    const root = sources.length > 0 ? inodes.ofLayers({ type: 'directory', sources }, null) : inodes.make('directory', attributes, {}, null)
    table.levels.setRoot(table.tree, root)
    return table
  }

  /** A table that is in the heap already: another thread's, or one that was forked. */
  static open(heap: Heap, lowers: readonly LayerFileSystem[], tree: Tree): InodeTable {
    return new InodeTable(heap, lowers, tree)
  }

  get root(): Inode {
    return this.levels.root(this.tree)
  }

  /** A new inode, not yet named. */
  make(type: FileType, attributes: Attributes, own: { target: ByteString; device: DeviceNumber | null }, parent: Inode): Inode {
    return this.inodes.make(type, attributes, own, parent)
  }

  /** The inode of a name. Throws ENOTDIR. */
  entry(directory: Inode, name: ByteString): Inode | undefined {
    return this.#names.get(this.#entries(directory), name)
  }

  /** How many names a directory has. Throws ENOTDIR. */
  countEntries(directory: Inode): number {
    return this.#names.size(this.#entries(directory))
  }

  /** Names in a directory; merged from the layers the first time. Throws ENOTDIR. */
  entries(directory: Inode): Iterable<readonly [name: ByteString, inode: Inode]> {
    return this.#names.entries(this.#entries(directory))
  }

  /** The same names as bytes. Throws ENOTDIR. */
  visitEntries(directory: Inode, visit: NameVisitor): void {
    this.#names.visit(this.#entries(directory), visit)
  }

  /** Reads a directory, where that has not been done: only then its subdirectories are counted. Throws ENOTDIR. */
  see(directory: Inode): void {
    this.#entries(directory)
  }

  /** Throws ENOSPC when there is no memory for a change. */
  assertRoom({ names = [], inodes = [], bytes = 0 }: Touched): void {
    let needed = bytes + CHANGE_BYTES
    for (const directory of names) needed += 2 * this.#names.growthBytes(this.#entries(directory)) + this.inodes.owningBytes(directory)
    for (const inode of inodes) needed += this.inodes.owningBytes(inode)
    this.#heap.assertRoom(needed)
  }

  /** Another tree that is the same, and goes its own way from here. Throws ENOSPC. */
  fork(): Tree {
    this.#heap.assertRoom(this.levels.forkBytes)
    return this.levels.fork(this.tree)
  }

  /** Gives a name in a directory another inode, or none. Link counts of files are the caller's. */
  setEntry(parent: Inode, name: ByteString, inode: Inode | undefined): void {
    const { inodes } = this
    this.#entries(parent)
    inodes.own(parent)
    const entries = this.#entries(parent)
    const held = this.#names.get(entries, name)
    if (inodes.isOfLayers(parent)) this.#note(parent, name, held, inode)
    const isDirectory = inode !== undefined && inodes.isDirectory(inode)
    const wasDirectory = held !== undefined && inodes.isDirectory(held)
    inodes.addSubdirectories(parent, Number(isDirectory) - Number(wasDirectory))
    if (inode === undefined) this.#names.delete(entries, name)
    else this.#names.set(entries, name, inode)
    if (isDirectory) inodes.place(inode, parent, name.length)
  }

  /** Length of the path of `name` in `directory`, from the root. */
  pathBytes(directory: Inode, name: ByteString): number {
    const { inodes } = this
    let bytes = name.length
    for (let place = directory; inodes.nameBytes(place) > 0; place = inodes.parent(place)) bytes += inodes.nameBytes(place) + 1
    return bytes
  }

  /** Whether a path from `directory` to something below it is longer than `limit`. Reads what was never read. */
  isDeeperThan(directory: Inode, limit: number): boolean {
    const pending: (readonly [directory: Inode, bytes: number])[] = [[directory, 0]]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [place, reached] = next
      for (const [name, inode] of this.entries(place)) {
        const bytes = reached + name.length
        if (bytes > limit) return true
        if (this.inodes.isDirectory(inode)) pending.push([inode, bytes + 1])
      }
    }
    return false
  }

  /** Whether `directory` is `ancestor` or somewhere below it. */
  isWithin(directory: Inode, ancestor: Inode): boolean {
    for (let place = directory; ; ) {
      if (place === ancestor) return true
      const parent = this.inodes.parent(place)
      if (parent === place) return false
      place = parent
    }
  }

  /** What differs from the layers (`changes.ts`). */
  changes(): Iterable<Change> {
    const { inodes } = this
    return changesOf(this.root, {
      isDirectory: (inode) => inodes.isDirectory(inode),
      isChanged: (inode) => inodes.isChanged(inode),
      linkCount: (inode) => inodes.linkCount(inode),
      isRead: (directory) => inodes.entries(directory) !== 0,
      current: (directory) => new Map(this.entries(directory)),
      originals: (directory) => this.#originals(directory),
      searchUnread: this.#hasChangedLink(),
    })
  }

  /** The union's inode of each file that has several names in its layer, by layer and number: hard links must meet again. */
  get #layerLinks(): Address {
    return this.#heap.control[CONTROL.layerLinks] ?? 0
  }

  #entries(directory: Inode): Address {
    const read = this.inodes.entries(directory)
    return read === 0 ? this.#merge(directory) : read
  }

  #merge(directory: Inode): Address {
    const { inodes } = this
    const merged = mergeEntries(inodes.sources(directory))
    this.#heap.assertRoom(merged.size * MERGED_BYTES)
    const entries = this.#names.create(merged.size)
    const subdirectories: { readonly inode: Inode; readonly nameBytes: number }[] = []
    for (const [name, entry] of merged) {
      const inode = this.#ofLayers(entry, directory)
      this.#names.set(entries, name, inode)
      if (entry.type === 'directory') subdirectories.push({ inode, nameBytes: name.length })
    }
    inodes.fill(directory, entries, subdirectories)
    return entries
  }

  #ofLayers(merged: MergedEntry, parent: Inode): Inode {
    const [top] = merged.sources
    if (merged.type === 'directory' || top === undefined || !isLinked(top.layer, top.ino)) return this.inodes.ofLayers(merged, parent)
    const layer = this.#lowers.lastIndexOf(top.layer) + 1
    const known = this.#pairs.get(this.#layerLinks, layer, top.ino)
    if (known !== 0) return known
    const inode = this.inodes.ofLayers(merged, parent)
    this.#pairs.set(this.#layerLinks, layer, top.ino, inode)
    return inode
  }

  /** Notes what the layers have where a name of theirs changes. A directory made in the union has nothing below it. */
  #note(parent: Inode, name: ByteString, held: Inode | undefined, next: Inode | undefined): void {
    let originals = this.inodes.originals(parent)
    if (originals === 0) this.inodes.setOriginals(parent, (originals = this.#names.create()))
    const original = this.#names.get(originals, name) ?? held ?? 0
    // Back as it was: else names that come and go would be remembered without end.
    if (original === (next ?? 0)) this.#names.delete(originals, name)
    else this.#names.set(originals, name, original)
  }

  #originals(directory: Inode): ReadonlyMap<ByteString, Inode | undefined> {
    const originals = this.inodes.originals(directory)
    const noted = new Map<ByteString, Inode | undefined>()
    if (originals === 0) return noted
    for (const [name, inode] of this.#names.entries(originals)) noted.set(name, inode === 0 ? undefined : inode)
    return noted
  }

  #hasChangedLink(): boolean {
    for (const [, , inode] of this.#pairs.entries(this.#layerLinks)) if (this.inodes.isChanged(inode)) return true
    return false
  }
}

function isLinked(layer: LayerFileSystem, ino: number): boolean {
  return (layer.linkCount?.(ino) ?? layer.stat(ino).linkCount) > 1
}
