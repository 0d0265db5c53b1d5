import { ErrnoError } from './errno.js'
import { type ByteString, type DeviceNumber, FILE_TYPES, type FileSegment, type FileType, type Ino, type Stat } from './file-system.js'
import { type Address, type Heap, RECORD_BYTES } from './heap.js'
import type { LayerFileSystem } from './layer-file-system.js'
import type { Level, Levels, Tree } from './levels.js'
import type { MergedEntry, Source } from './merge.js'
import type { NameTable } from './name-table.js'
import { type LowerFile, Pages } from './pages.js'

/** An inode of a union: the address of its record. */
export type Inode = Address

/** The attributes of an inode that can change. */
export interface Attributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** Words of a record. */
const RECORD = {
  /** How often the record was handed out before; never begins again, so that no number of an inode is given twice. */
  generation: 0,
  /** The level that may change it. The heap's while the record is free. */
  level: 1,
  /** The type and flags; 0 while the record is free. */
  kind: 2,
  /** The layers' inode that gives attributes and contents: its layer, counted from 1, and its number there. */
  layer: 3,
  source: 4,
  /** All the layers' directories that show through one another, when they are several. */
  sources: 5,
  attributes: 6,
  /** Contents of a file, the state of a directory, the target of a symlink, a device's major number. */
  own: 7,
  /** Length of the target, a device's minor number. */
  ownDetail: 8,
  xattrs: 9,
  xattrBytes: 10,
  linkCount: 11,
  retained: 12,
  chargedInodes: 13,
  /** A double over two words. */
  chargedBytes: 14 / 2,
} as const

const LIVE = 0x08
const CHANGED = 0x10
const OWN_LINK_COUNT = 0x20
const TYPE_MASK = 0x07
const FILE = 0
const DIRECTORY = 1
const SYMLINK = 2

const ATTRIBUTES_BYTES = 64
/** Words, then 64-bit integers. */
const ATTRIBUTES = { mode: 0, uid: 1, gid: 2, atimeNs: 2, mtimeNs: 3, ctimeNs: 4 } as const
const DIRECTORY_BYTES = 32
const DIRECTORY_STATE = { parent: 0, nameBytes: 1, subdirectories: 2, entries: 3, originals: 4 } as const
const SOURCE_BYTES = 8
/** What a name in a table takes, at most. */
const NAME_BYTES = 512

const GENERATION_STEP = 2 ** 32
/** Above it a record is not handed out again, since its inodes' numbers would no longer be exact. */
const LAST_GENERATION = 2 ** 20

/**
 * The inodes of a union as records of 64 bytes in a heap. An inode is the layers' until something of it changes, and then only what changed is
 * its own. Hard links of a layer are one inode, so a change through one name is seen through all.
 *
 * An inode is known by the address that its record had first. Where a tree was forked, another record may stand for it (`levels.ts`): `#at`
 * gives the one to read, `#own` the one to change, which it makes when it is shared.
 */
export class Inodes {
  readonly pages: Pages
  readonly #heap: Heap
  readonly #names: NameTable
  readonly #lowers: readonly LayerFileSystem[]
  readonly #places = new Map<LayerFileSystem, number>()
  readonly #levels: Levels
  readonly #tree: Tree
  /** The tree's top level, and whether there is another below, as {@link catchUp} has seen them. */
  #top: Level = 0
  #isForked = false
  /** Reads the names of a directory: what layers have is read on the level that has not been parted from others yet. */
  readonly #readNames: (directory: Inode) => void

  constructor(of: {
    readonly heap: Heap
    readonly names: NameTable
    readonly levels: Levels
    readonly tree: Tree
    readonly lowers: readonly LayerFileSystem[]
    readonly readNames: (directory: Inode) => void
  }) {
    const { heap, names, levels, tree, lowers, readNames } = of
    this.#heap = heap
    this.#names = names
    this.#levels = levels
    this.#tree = tree
    this.#lowers = lowers
    this.#readNames = readNames
    this.catchUp()
    this.pages = new Pages(heap)
    for (const [place, layer] of lowers.entries()) this.#places.set(layer, place + 1)
  }

  /** Sees what has become of the tree's levels, in other threads too. */
  catchUp(): void {
    this.#top = this.#levels.top(this.#tree)
    this.#isForked = this.#levels.parent(this.#top) !== 0
  }

  /** Whether something below may be shared with another tree, so that changing it takes more memory. */
  get isForked(): boolean {
    return this.#isForked
  }

  /** Bytes that it takes to make an inode this tree's own, its names among them. */
  owningBytes(inode: Inode): number {
    const heap = this.#heap
    const at = this.#at(inode)
    if (!this.#isForked || heap.word(at, RECORD.level) === this.#top) return 0
    const own = heap.word(at, RECORD.own)
    const type = heap.word(at, RECORD.kind) & TYPE_MASK
    let bytes = 4 * RECORD_BYTES + 2 * heap.word(at, RECORD.xattrBytes) + this.#levels.listingBytes(this.#top)
    if (type === FILE && own !== 0) bytes += this.pages.borrowingBytes(own)
    if (type === DIRECTORY) {
      this.#readNames(inode)
      for (const table of [heap.word(own, DIRECTORY_STATE.entries), heap.word(own, DIRECTORY_STATE.originals)])
        if (table !== 0) bytes += NAME_BYTES * this.#names.size(table)
    }
    return bytes
  }

  /** An inode of the layers. The root is its own parent. Shown by every tree that shows its parent as this one does. */
  ofLayers({ type, sources }: MergedEntry, parent: Inode | null): Inode {
    const heap = this.#heap
    const inode = this.#allocate(type, parent, parent === null ? this.#top : heap.word(this.#at(parent), RECORD.level))
    const [top] = sources
    const giving = sources.length < 2 ? top : (sources.find(({ layer, ino }) => !layer.isImplied(ino)) ?? top)
    heap.setWord(inode, RECORD.layer, giving === undefined ? 0 : this.#placeOf(giving.layer))
    heap.setWord(inode, RECORD.source, giving?.ino ?? 0)
    if (sources.length > 1) {
      const list = heap.allocate(SOURCE_BYTES * (sources.length + 1))
      heap.setWord(list, 0, sources.length)
      for (const [place, { layer, ino }] of sources.entries()) {
        heap.setWord(list, 2 * place + 2, this.#placeOf(layer))
        heap.setWord(list, 2 * place + 3, ino)
      }
      heap.setWord(inode, RECORD.sources, list)
    }
    return inode
  }

  /** A new inode. */
  make(
    type: FileType,
    attributes: Attributes,
    own: { readonly target?: ByteString; readonly device?: DeviceNumber | null },
    parent: Inode | null,
  ): Inode {
    const heap = this.#heap
    const inode = this.#allocate(type, parent, this.#top)
    this.#setFlags(inode, CHANGED | OWN_LINK_COUNT)
    heap.setWord(this.#own(inode), RECORD.linkCount, 1)
    this.setAttributes(inode, attributes)
    const { target = '', device = null } = own
    if (target !== '') {
      heap.setWord(this.#own(inode), RECORD.own, heap.allocateText(target))
      heap.setWord(this.#own(inode), RECORD.ownDetail, target.length)
    }
    if (device !== null) {
      heap.setWord(this.#own(inode), RECORD.own, device.major)
      heap.setWord(this.#own(inode), RECORD.ownDetail, device.minor)
    }
    if (type === 'directory') heap.setWord(this.#state(inode), DIRECTORY_STATE.entries, this.#names.create())
    return inode
  }

  /** The number of an inode: its address, and how often that was another's before. */
  inoOf(inode: Inode): Ino {
    return inode + this.#heap.word(inode, RECORD.generation) * GENERATION_STEP
  }

  /** The inode with a number. Throws ENOENT for one that names nothing, or nothing any more. */
  withIno(ino: Ino): Inode {
    const inode = ino >>> 0
    if (!this.#heap.isRecord(inode) || this.inoOf(inode) !== ino || (this.#kind(inode) & LIVE) === 0)
      throw new ErrnoError('ENOENT', `no inode ${ino}`)
    return inode
  }

  typeOf(inode: Inode): FileType {
    return FILE_TYPES[this.#kind(inode) & TYPE_MASK] ?? 'file'
  }

  isDirectory(inode: Inode): boolean {
    return (this.#kind(inode) & TYPE_MASK) === DIRECTORY
  }

  /** Whether the layers have it. */
  isOfLayers(inode: Inode): boolean {
    return this.#heap.word(this.#at(inode), RECORD.layer) !== 0
  }

  /** Whether contents or attributes differ from the layers'. */
  isChanged(inode: Inode): boolean {
    return (this.#kind(inode) & CHANGED) !== 0
  }

  /** Names of a file. A layer's file counts the names it has in its layer, whether or not a higher layer hides some. */
  linkCount(inode: Inode): number {
    const isOwn = (this.#kind(inode) & OWN_LINK_COUNT) !== 0
    const own = this.#heap.word(this.#at(inode), RECORD.linkCount) >>> 0
    if (this.isDirectory(inode)) return isOwn && own === 0 ? 0 : 2 + this.subdirectories(inode)
    return isOwn ? own : (this.#sourceStat(inode)?.linkCount ?? 1)
  }

  setLinkCount(inode: Inode, count: number): void {
    this.#setFlags(inode, OWN_LINK_COUNT)
    this.#heap.setWord(this.#own(inode), RECORD.linkCount, count)
  }

  /** Open descriptors. */
  retained(inode: Inode): number {
    return this.#heap.word(this.#at(inode), RECORD.retained)
  }

  setRetained(inode: Inode, count: number): void {
    this.#heap.setWord(this.#own(inode), RECORD.retained, count)
  }

  /** Inodes taken from the quota: one for each name given to it in the union. */
  chargedInodes(inode: Inode): number {
    return this.#heap.word(this.#at(inode), RECORD.chargedInodes)
  }

  setChargedInodes(inode: Inode, count: number): void {
    this.#heap.setWord(this.#own(inode), RECORD.chargedInodes, count)
  }

  /** Bytes taken from the quota beside those of its pages: xattrs, the target of a symlink. */
  chargedBytes(inode: Inode): number {
    return this.#heap.double(this.#at(inode), RECORD.chargedBytes)
  }

  setChargedBytes(inode: Inode, bytes: number): void {
    this.#heap.setDouble(this.#own(inode), RECORD.chargedBytes, bytes)
  }

  stat(inode: Inode): Stat {
    const heap = this.#heap
    const ino = this.inoOf(inode)
    const type = this.typeOf(inode)
    const linkCount = this.linkCount(inode)
    const isOfLayers = this.isOfLayers(inode)
    const own = heap.word(this.#at(inode), RECORD.attributes)
    const contents = type === 'file' ? heap.word(this.#at(inode), RECORD.own) : 0
    const source = own === 0 || (contents === 0 && isOfLayers) ? this.#sourceStat(inode) : undefined
    if (own === 0 && source !== undefined) {
      const { mode, uid, gid, size, device, atimeNs, mtimeNs, ctimeNs } = source
      return { ino, type, mode, uid, gid, linkCount, size, device, atimeNs, mtimeNs, ctimeNs }
    }
    return {
      ino,
      type,
      mode: heap.word(own, ATTRIBUTES.mode),
      uid: heap.word(own, ATTRIBUTES.uid) >>> 0,
      gid: heap.word(own, ATTRIBUTES.gid) >>> 0,
      linkCount,
      size:
        contents === 0
          ? (source?.size ?? (type === 'symlink' ? heap.word(this.#at(inode), RECORD.ownDetail) : 0))
          : this.pages.size(contents),
      device: source === undefined ? this.#device(inode, type) : source.device,
      atimeNs: heap.integer(own, ATTRIBUTES.atimeNs),
      mtimeNs: heap.integer(own, ATTRIBUTES.mtimeNs),
      ctimeNs: heap.integer(own, ATTRIBUTES.ctimeNs),
    }
  }

  attributes(inode: Inode): Attributes {
    const heap = this.#heap
    const own = heap.word(this.#at(inode), RECORD.attributes)
    if (own === 0) {
      const stat = this.#sourceStat(inode)
      if (stat === undefined) throw new ErrnoError('EIO', 'an inode without attributes')
      return stat
    }
    return {
      mode: heap.word(own, ATTRIBUTES.mode),
      uid: heap.word(own, ATTRIBUTES.uid) >>> 0,
      gid: heap.word(own, ATTRIBUTES.gid) >>> 0,
      atimeNs: heap.integer(own, ATTRIBUTES.atimeNs),
      mtimeNs: heap.integer(own, ATTRIBUTES.mtimeNs),
      ctimeNs: heap.integer(own, ATTRIBUTES.ctimeNs),
    }
  }

  /** Gives it attributes of its own. */
  setAttributes(inode: Inode, { mode, uid, gid, atimeNs, mtimeNs, ctimeNs }: Attributes): void {
    const heap = this.#heap
    const own = this.#ownAttributes(inode)
    heap.setWord(own, ATTRIBUTES.mode, mode)
    heap.setWord(own, ATTRIBUTES.uid, uid)
    heap.setWord(own, ATTRIBUTES.gid, gid)
    heap.setInteger(own, ATTRIBUTES.atimeNs, atimeNs)
    heap.setInteger(own, ATTRIBUTES.mtimeNs, mtimeNs)
    heap.setInteger(own, ATTRIBUTES.ctimeNs, ctimeNs)
  }

  /** Sets the times of a change: of the inode alone, or of what is in it too. */
  touch(inode: Inode, nowNs: bigint, what: 'inode' | 'contents'): void {
    const heap = this.#heap
    if (heap.word(this.#at(inode), RECORD.attributes) === 0) this.setAttributes(inode, this.attributes(inode))
    const own = this.#ownAttributes(inode)
    heap.setInteger(own, ATTRIBUTES.ctimeNs, nowNs)
    if (what === 'contents') heap.setInteger(own, ATTRIBUTES.mtimeNs, nowNs)
  }

  read(inode: Inode, buffer: Uint8Array, position: number): number {
    const contents = this.#heap.word(this.#at(inode), RECORD.own)
    if (contents !== 0) return this.pages.read(contents, this.#lower(inode), buffer, position)
    const layer = this.#layer(inode)
    return layer === undefined ? 0 : layer.read(this.#heap.word(this.#at(inode), RECORD.source), buffer, position)
  }

  /** Where its contents are anything but holes. */
  segments(inode: Inode): Iterable<FileSegment> {
    const contents = this.#heap.word(this.#at(inode), RECORD.own)
    const lower = this.#lower(inode)
    if (contents !== 0) return this.pages.segments(contents, lower)
    return lower === null ? [] : [...lower.segments()]
  }

  write(inode: Inode, buffer: Uint8Array, position: number): void {
    this.pages.write(this.#ownContents(inode), this.#lower(inode), buffer, position)
  }

  resize(inode: Inode, size: number): void {
    this.pages.resize(this.#ownContents(inode), size)
  }

  /** Memory of the pages that a file owns. */
  pageBytes(inode: Inode): number {
    if ((this.#kind(inode) & TYPE_MASK) !== FILE) return 0
    const contents = this.#heap.word(this.#at(inode), RECORD.own)
    return contents === 0 ? 0 : this.pages.allocatedBytes(contents)
  }

  /** What a write would add to that memory. Does not copy anything up. */
  pageGrowth(inode: Inode, position: number, length: number): number {
    const contents = this.#heap.word(this.#at(inode), RECORD.own)
    return this.pages.growth(contents, contents === 0 ? (this.#sourceStat(inode)?.size ?? 0) : 0, position, length)
  }

  readlink(inode: Inode): ByteString {
    const heap = this.#heap
    const layer = this.#layer(inode)
    if (layer !== undefined) return layer.readlink(heap.word(this.#at(inode), RECORD.source))
    return heap.text(heap.word(this.#at(inode), RECORD.own), heap.word(this.#at(inode), RECORD.ownDetail))
  }

  xattrs(inode: Inode): Map<ByteString, Uint8Array> {
    const heap = this.#heap
    const list = heap.word(this.#at(inode), RECORD.xattrs)
    if (list !== 0) return readXattrs(heap.bytes(list, heap.word(this.#at(inode), RECORD.xattrBytes)))
    return new Map(this.#layer(inode)?.xattrs(heap.word(this.#at(inode), RECORD.source)) ?? [])
  }

  setXattrs(inode: Inode, xattrs: ReadonlyMap<ByteString, Uint8Array>): void {
    const heap = this.#heap
    const written = writeXattrs(xattrs)
    const list = heap.allocate(written.length)
    heap.bytes(list, written.length).set(written)
    this.#freeXattrs(inode)
    heap.setWord(this.#own(inode), RECORD.xattrs, list)
    heap.setWord(this.#own(inode), RECORD.xattrBytes, written.length)
    this.#setFlags(inode, CHANGED)
  }

  /** The layers' inodes it stands for, topmost first; more than one only for a directory; none when it was made in the union. */
  sources(inode: Inode): readonly Source[] {
    const heap = this.#heap
    const list = heap.word(this.#at(inode), RECORD.sources)
    const layer = this.#layer(inode)
    if (layer === undefined) return []
    if (list === 0) return [{ layer, ino: heap.word(this.#at(inode), RECORD.source) }]
    return Array.from({ length: heap.word(list, 0) }, (_, place) => ({
      layer: this.#lowers[heap.word(list, 2 * place + 2) - 1] as LayerFileSystem,
      ino: heap.word(list, 2 * place + 3),
    }))
  }

  /** The directory that holds a directory; the root holds itself. Throws ENOTDIR. */
  parent(directory: Inode): Inode {
    return this.#heap.word(this.#state(directory), DIRECTORY_STATE.parent)
  }

  /** Length of a directory's name there; 0 for the root. Throws ENOTDIR. */
  nameBytes(directory: Inode): number {
    return this.#heap.word(this.#state(directory), DIRECTORY_STATE.nameBytes)
  }

  place(directory: Inode, parent: Inode, nameBytes: number): void {
    const state = this.#ownState(directory)
    this.#heap.setWord(state, DIRECTORY_STATE.parent, parent)
    this.#heap.setWord(state, DIRECTORY_STATE.nameBytes, nameBytes)
  }

  subdirectories(directory: Inode): number {
    return this.#heap.word(this.#state(directory), DIRECTORY_STATE.subdirectories)
  }

  addSubdirectories(directory: Inode, count: number): void {
    this.#heap.setWord(this.#ownState(directory), DIRECTORY_STATE.subdirectories, this.subdirectories(directory) + count)
  }

  /** Every visible name in a directory; 0 until it is first read. Throws ENOTDIR. */
  entries(directory: Inode): Address {
    return this.#heap.word(this.#state(directory), DIRECTORY_STATE.entries)
  }

  /** Gives a directory the names that its layers have, for every tree that shows it. */
  fill(directory: Inode, entries: Address, subdirectories: readonly { readonly inode: Inode; readonly nameBytes: number }[]): void {
    const heap = this.#heap
    const state = this.#state(directory)
    heap.setWord(state, DIRECTORY_STATE.entries, entries)
    heap.setWord(state, DIRECTORY_STATE.subdirectories, subdirectories.length)
    for (const { inode, nameBytes } of subdirectories) heap.setWord(this.#state(inode), DIRECTORY_STATE.nameBytes, nameBytes)
  }

  /** Makes an inode this tree's own before the tables of its names are changed. */
  own(inode: Inode): void {
    this.#own(inode)
  }

  /** For each name that was changed since, what the layers have there, or 0; 0 when none was. */
  originals(directory: Inode): Address {
    return this.#heap.word(this.#state(directory), DIRECTORY_STATE.originals)
  }

  setOriginals(directory: Inode, originals: Address): void {
    this.#heap.setWord(this.#ownState(directory), DIRECTORY_STATE.originals, originals)
  }

  /**
   * Forgets an inode that has neither names nor users: its number names nothing any more. What the layers have leaves its record, which tells
   * what has become of it; where other trees show it, so does a record that only says that it is gone.
   */
  forget(inode: Inode): void {
    const heap = this.#heap
    const isOfLayers = this.isOfLayers(inode)
    const record = isOfLayers || this.isDirectory(inode) ? this.#own(inode) : this.#at(inode)
    if (heap.word(record, RECORD.level) !== this.#top) {
      this.#allocateRecord(inode, this.#top)
      return
    }
    const type = heap.word(record, RECORD.kind) & TYPE_MASK
    if (isOfLayers && type === DIRECTORY) {
      this.#freeParts(record, { names: false })
      heap.setWord(record, RECORD.kind, heap.word(record, RECORD.kind) & ~LIVE)
      return
    }
    this.#freeParts(record, { names: true })
    heap.setWord(record, RECORD.kind, heap.word(record, RECORD.kind) & ~LIVE)
    if (isOfLayers || record !== inode) return
    this.#levels.list(this.#top, inode, 0)
    this.#retire(inode)
  }

  /** Ends the tree: what no other shows is given back. */
  close(): void {
    const levels = this.#levels
    levels.freeTree(this.#tree)
    let level = this.#top
    while (levels.parent(level) !== 0 && levels.children(level) === 0) {
      const parent = levels.parent(level)
      this.#drop(level)
      if (levels.treeOf(parent) !== 0 && levels.top(levels.treeOf(parent)) === parent) return
      level = parent
    }
    if (levels.children(level) === 1) this.#fold(levels.child(level))
  }

  /** Gives back a level that no tree shows. */
  #drop(level: Level): void {
    for (const [inode, record] of this.#levels.entries(level)) {
      this.#freeParts(record, { names: true })
      if (record === inode) this.#retire(inode)
      else this.#heap.freeRecord(record)
    }
    this.#levels.remove(level)
  }

  /** Makes one of a level and the one below it, which nothing else lies on. */
  #fold(upper: Level): void {
    const levels = this.#levels
    const lower = levels.parent(upper)
    if (levels.parent(lower) === 0) {
      for (const [inode, record] of levels.entries(upper)) {
        this.#foldRecord(inode, record, inode, lower)
        if ((this.#heap.word(inode, RECORD.kind) & LIVE) === 0 && this.#heap.word(inode, RECORD.layer) === 0) this.#retire(inode)
      }
      levels.becomeBase(upper)
      return
    }
    const isOneTree = levels.treeOf(lower) === levels.treeOf(upper)
    for (const [inode, below] of levels.entries(lower)) {
      const record = levels.listed(upper, inode)
      if (record !== 0) levels.list(upper, inode, this.#foldRecord(inode, record, below, upper))
      else {
        this.#heap.setWord(below, RECORD.level, upper)
        if (!isOneTree) this.#heap.setWord(below, RECORD.retained, 0)
        levels.list(upper, inode, below)
      }
    }
    levels.removeBelow(upper)
  }

  /** Makes one of two records of an inode, of which only the upper one is shown. Says which is left. */
  #foldRecord(inode: Inode, upper: Address, lower: Address, level: Level): Address {
    const heap = this.#heap
    if (upper !== lower) {
      const contents = heap.word(upper, RECORD.own)
      const lent = heap.word(lower, RECORD.own)
      const isFile = (heap.word(upper, RECORD.kind) & TYPE_MASK) === FILE
      if (isFile && contents !== 0 && lent !== 0) this.pages.inherit(contents, lent)
      this.#freeParts(lower, { names: true })
    }
    // A record that an inode is known by stays where it is.
    const left = lower === inode ? lower : upper
    if (left !== upper) {
      const generation = heap.word(left, RECORD.generation)
      heap.bytes(left, RECORD_BYTES).set(heap.bytes(upper, RECORD_BYTES))
      heap.setWord(left, RECORD.generation, generation)
      heap.freeRecord(upper)
    } else if (lower !== upper) heap.freeRecord(lower)
    heap.setWord(left, RECORD.level, level)
    return left
  }

  #freeParts(record: Address, { names }: { readonly names: boolean }): void {
    const heap = this.#heap
    const own = heap.word(record, RECORD.own)
    const type = heap.word(record, RECORD.kind) & TYPE_MASK
    if (type === FILE && own !== 0) this.pages.free(own)
    if (type === SYMLINK && own !== 0) heap.free(own, heap.word(record, RECORD.ownDetail))
    const xattrs = heap.word(record, RECORD.xattrs)
    if (xattrs !== 0) heap.free(xattrs, heap.word(record, RECORD.xattrBytes))
    const attributes = heap.word(record, RECORD.attributes)
    if (attributes !== 0) heap.free(attributes, ATTRIBUTES_BYTES)
    heap.setWord(record, RECORD.xattrs, 0)
    heap.setWord(record, RECORD.attributes, 0)
    if (type === DIRECTORY && !names) return
    heap.setWord(record, RECORD.own, 0)
    if (type !== DIRECTORY || own === 0) return
    for (const table of [heap.word(own, DIRECTORY_STATE.entries), heap.word(own, DIRECTORY_STATE.originals)])
      if (table !== 0) this.#names.free(table)
    heap.free(own, DIRECTORY_BYTES)
  }

  /** Gives back the record that an inode was known by. */
  #retire(inode: Inode): void {
    const heap = this.#heap
    const generation = heap.word(inode, RECORD.generation) + 1
    heap.setWord(inode, RECORD.generation, generation)
    heap.setWord(inode, RECORD.kind, 0)
    if (generation < LAST_GENERATION) heap.freeRecord(inode)
  }

  /** The record that stands for an inode in this tree. */
  #at(inode: Inode): Address {
    if (!this.#isForked) return inode
    const listed = this.#levels.find(this.#top, inode)
    return listed === 0 ? inode : listed
  }

  /** The record that stands for an inode in this tree and no other. */
  #own(inode: Inode): Address {
    if (!this.#isForked) return inode
    const heap = this.#heap
    const level = heap.word(this.#at(inode), RECORD.level)
    if (level === this.#top) return this.#at(inode)
    if (this.isDirectory(inode)) this.#readNames(inode)
    const shared = this.#at(inode)
    const record = this.#allocateRecord(inode, this.#top)
    for (let word = RECORD.kind; word < RECORD_BYTES / 4; word++) heap.setWord(record, word, heap.word(shared, word))
    if (this.#levels.treeOf(level) !== this.#tree) heap.setWord(record, RECORD.retained, 0)
    const attributes = heap.word(shared, RECORD.attributes)
    if (attributes !== 0) heap.setWord(record, RECORD.attributes, this.#copyBlock(attributes, ATTRIBUTES_BYTES))
    const xattrs = heap.word(shared, RECORD.xattrs)
    if (xattrs !== 0) heap.setWord(record, RECORD.xattrs, this.#copyBlock(xattrs, heap.word(shared, RECORD.xattrBytes)))
    const own = heap.word(shared, RECORD.own)
    const type = heap.word(shared, RECORD.kind) & TYPE_MASK
    if (own === 0) return record
    if (type === FILE) heap.setWord(record, RECORD.own, this.pages.borrow(own))
    if (type === SYMLINK) heap.setWord(record, RECORD.own, this.#copyBlock(own, heap.word(shared, RECORD.ownDetail)))
    if (type === DIRECTORY) {
      const state = this.#copyBlock(own, DIRECTORY_BYTES)
      heap.setWord(record, RECORD.own, state)
      for (const table of [DIRECTORY_STATE.entries, DIRECTORY_STATE.originals])
        if (heap.word(own, table) !== 0) heap.setWord(state, table, this.#names.copy(heap.word(own, table)))
    }
    return record
  }

  #copyBlock(block: Address, bytes: number): Address {
    const copy = this.#heap.allocate(bytes)
    this.#heap.bytes(copy, bytes).set(this.#heap.bytes(block, bytes))
    return copy
  }

  /** An empty record that stands for an inode on a level; for a new one without `inode`. */
  #allocateRecord(inode: Inode | null, level: Level): Address {
    const heap = this.#heap
    const record = heap.allocateRecord()
    for (let word = 1; word < RECORD_BYTES / 4; word++) heap.setWord(record, word, 0)
    heap.setWord(record, RECORD.level, level)
    this.#levels.list(level, inode ?? record, record)
    return record
  }

  #allocate(type: FileType, parent: Inode | null, level: Level): Inode {
    const heap = this.#heap
    const inode = this.#allocateRecord(null, level)
    heap.setWord(inode, RECORD.kind, FILE_TYPES.indexOf(type) | LIVE)
    if (type === 'directory') {
      const state = heap.allocate(DIRECTORY_BYTES)
      for (let word = 0; word < DIRECTORY_BYTES / 4; word++) heap.setWord(state, word, 0)
      heap.setWord(state, DIRECTORY_STATE.parent, parent ?? inode)
      heap.setWord(inode, RECORD.own, state)
    }
    return inode
  }

  #kind(inode: Inode): number {
    return this.#heap.word(this.#at(inode), RECORD.kind)
  }

  #setFlags(inode: Inode, flags: number): void {
    this.#heap.setWord(this.#own(inode), RECORD.kind, this.#kind(inode) | flags)
  }

  #placeOf(layer: LayerFileSystem): number {
    return this.#places.get(layer) ?? 0
  }

  #layer(inode: Inode): LayerFileSystem | undefined {
    const place = this.#heap.word(this.#at(inode), RECORD.layer)
    return place === 0 ? undefined : this.#lowers[place - 1]
  }

  #sourceStat(inode: Inode): Stat | undefined {
    return this.#layer(inode)?.stat(this.#heap.word(this.#at(inode), RECORD.source))
  }

  #lower(inode: Inode): LowerFile | null {
    const layer = this.#layer(inode)
    if (layer === undefined) return null
    const ino = this.#heap.word(this.#at(inode), RECORD.source)
    return {
      read: (buffer, position) => layer.read(ino, buffer, position),
      segments: () => layer.segments?.(ino) ?? [{ position: 0, length: layer.stat(ino).size }],
    }
  }

  #device(inode: Inode, type: FileType): DeviceNumber | null {
    if (type !== 'character-device' && type !== 'block-device') return null
    return { major: this.#heap.word(this.#at(inode), RECORD.own), minor: this.#heap.word(this.#at(inode), RECORD.ownDetail) }
  }

  #ownAttributes(inode: Inode): Address {
    this.#setFlags(inode, CHANGED)
    const held = this.#heap.word(this.#at(inode), RECORD.attributes)
    if (held !== 0) return held
    const own = this.#heap.allocate(ATTRIBUTES_BYTES)
    this.#heap.setWord(this.#own(inode), RECORD.attributes, own)
    return own
  }

  /** The contents, to be changed: from now on pages over the layer's file. */
  #ownContents(inode: Inode): Address {
    this.#setFlags(inode, CHANGED)
    const held = this.#heap.word(this.#at(inode), RECORD.own)
    if (held !== 0) return held
    const contents = this.pages.create(this.#sourceStat(inode)?.size ?? 0)
    this.#heap.setWord(this.#own(inode), RECORD.own, contents)
    return contents
  }

  #freeXattrs(inode: Inode): void {
    const list = this.#heap.word(this.#at(inode), RECORD.xattrs)
    if (list !== 0) this.#heap.free(list, this.#heap.word(this.#at(inode), RECORD.xattrBytes))
    this.#heap.setWord(this.#own(inode), RECORD.xattrs, 0)
  }

  #ownState(inode: Inode): Address {
    this.#own(inode)
    return this.#state(inode)
  }

  /** The state of a directory. Throws ENOTDIR. */
  #state(inode: Inode): Address {
    if (!this.isDirectory(inode)) throw new ErrnoError('ENOTDIR')
    return this.#heap.word(this.#at(inode), RECORD.own)
  }
}

const XATTR_HEADER_BYTES = 8

/** Each as its name's length and its value's (32 bits, little-endian), name, value. At least four bytes, since none at all is something too. */
function writeXattrs(xattrs: ReadonlyMap<ByteString, Uint8Array>): Uint8Array {
  let length = 0
  for (const [name, value] of xattrs) length += XATTR_HEADER_BYTES + name.length + value.length
  const written = new Uint8Array(Math.max(length, 1))
  const view = new DataView(written.buffer)
  let at = 0
  for (const [name, value] of xattrs) {
    view.setUint32(at, name.length, true)
    view.setUint32(at + 4, value.length, true)
    at += XATTR_HEADER_BYTES
    for (let place = 0; place < name.length; place++) written[at++] = name.charCodeAt(place)
    written.set(value, at)
    at += value.length
  }
  return written
}

function readXattrs(written: Uint8Array): Map<ByteString, Uint8Array> {
  const xattrs = new Map<ByteString, Uint8Array>()
  const view = new DataView(written.buffer, written.byteOffset, written.length)
  for (let at = 0; at + XATTR_HEADER_BYTES <= written.length; ) {
    const name = at + XATTR_HEADER_BYTES
    const value = name + view.getUint32(at, true)
    at = value + view.getUint32(at + 4, true)
    xattrs.set(String.fromCharCode(...written.subarray(name, value)), new Uint8Array(written.subarray(value, at)))
  }
  return xattrs
}
