import { ErrnoError } from './errno.js'
import type { ByteString, DeviceNumber, FileSegment, FileType, Ino, Stat } from './file-system.js'
import { type MergedEntry, mergeEntries, type Source } from './merge.js'
import { Pages } from './pages.js'

/** The attributes of an inode that can change. */
export interface Attributes {
  mode: number
  uid: number
  gid: number
  atimeNs: bigint
  mtimeNs: bigint
  ctimeNs: bigint
}

/** What only a directory has. */
export interface DirectoryState {
  /** The directory that holds it; the root holds itself. */
  parent: Inode
  /** Length of its name there; 0 for the root. */
  nameBytes: number
  /** Null until it is first read; then every visible name. */
  entries: Map<ByteString, Inode> | null
  /** For each name that was changed since, what the layers have there. */
  originals: Map<ByteString, Inode | undefined> | null
  subdirectories: number
}

/**
 * An inode of a union: one of the layers' until something of it changes, and then only what changed is its own. Hard links of a layer are
 * one inode, so a change through one name is seen through all.
 */
export class Inode {
  readonly ino: Ino
  readonly type: FileType
  /** The layers' inodes it stands for, topmost first; more than one only for a directory; none when it was made in the union. */
  readonly sources: readonly Source[]
  readonly target: ByteString
  readonly device: DeviceNumber | null
  readonly directory: DirectoryState | null
  /** Whether contents or attributes differ from the layers'. */
  changed: boolean
  /** Open descriptors. */
  retained = 0
  /** Inodes taken from the quota: one for each name given to it in the union. */
  chargedInodes = 0
  /** Bytes taken from the quota beside those of its pages: xattrs, the target of a symlink. */
  chargedBytes = 0
  #attributes: Attributes | null
  #pages: Pages | null = null
  #xattrs: Map<ByteString, Uint8Array> | null = null
  #linkCount: number | null

  private constructor(
    ino: Ino,
    type: FileType,
    sources: readonly Source[],
    own: Partial<Pick<Inode, 'target' | 'device'>>,
    parent: Inode | null,
  ) {
    this.ino = ino
    this.type = type
    this.sources = sources
    this.target = own.target ?? ''
    this.device = own.device ?? null
    this.changed = sources.length === 0
    this.directory =
      type === 'directory'
        ? { parent: parent ?? this, nameBytes: 0, entries: sources.length === 0 ? new Map() : null, originals: null, subdirectories: 0 }
        : null
    this.#attributes = null
    this.#linkCount = sources.length === 0 ? 1 : null
  }

  /** An inode of the layers. The root has no parent. */
  static ofLayers(ino: Ino, { type, sources }: MergedEntry, parent: Inode | null): Inode {
    return new Inode(ino, type, sources, {}, parent)
  }

  /** A new inode. */
  static make(
    ino: Ino,
    type: FileType,
    attributes: Attributes,
    own: { readonly target?: ByteString; readonly device?: DeviceNumber | null },
    parent: Inode | null,
  ): Inode {
    const inode = new Inode(ino, type, [], own, parent)
    inode.#attributes = attributes
    return inode
  }

  /** The layers' inode that gives attributes and contents, or undefined: the topmost with an entry of its own. */
  get source(): Source | undefined {
    const [top] = this.sources
    if (this.sources.length < 2) return top
    return this.sources.find(({ layer, ino }) => !layer.isImplied(ino)) ?? top
  }

  /** Names of a file. A layer's file counts the names it has in its layer, whether or not a higher layer hides some. */
  get linkCount(): number {
    if (this.directory !== null) return this.#linkCount === 0 ? 0 : 2 + this.directory.subdirectories
    return (this.#linkCount ??= this.#sourceStat()?.linkCount ?? 1)
  }

  set linkCount(count: number) {
    this.#linkCount = count
  }

  stat(): Stat {
    const { ino, type, linkCount } = this
    const own = this.#attributes
    const source = own === null || (this.#pages === null && this.sources.length > 0) ? this.#sourceStat() : undefined
    if (own === null && source !== undefined) return { ...source, ino, linkCount }
    const size = this.#pages?.size ?? source?.size ?? this.target.length
    const { mode, uid, gid, atimeNs, mtimeNs, ctimeNs } = own ?? this.#currentAttributes()
    // In full: a spread costs more than all the rest of a call on a file.
    return { ino, type, mode, uid, gid, linkCount, size, device: this.device ?? source?.device ?? null, atimeNs, mtimeNs, ctimeNs }
  }

  /** The attributes, to be changed. */
  ownAttributes(): Attributes {
    this.changed = true
    return (this.#attributes ??= this.#currentAttributes())
  }

  /** The contents, to be changed: from now on pages over the layer's file. */
  ownPages(): Pages {
    this.changed = true
    return (this.#pages ??= this.#pagesOverSource())
  }

  /** Memory of the pages it owns. */
  get pageBytes(): number {
    return this.#pages?.allocatedBytes ?? 0
  }

  /** What a write would add to that memory. Does not copy anything up. */
  pageGrowth(position: number, length: number): number {
    return (this.#pages ?? this.#pagesOverSource()).growth(position, length)
  }

  read(buffer: Uint8Array, position: number): number {
    if (this.#pages !== null) return this.#pages.read(buffer, position)
    const { source } = this
    return source === undefined ? 0 : source.layer.read(source.ino, buffer, position)
  }

  /** Where its contents are anything but holes. */
  segments(): Iterable<FileSegment> {
    return this.#pages?.segments() ?? (this.source === undefined ? [] : segmentsOf(this.source))
  }

  readlink(): ByteString {
    const { source } = this
    return source === undefined ? this.target : source.layer.readlink(source.ino)
  }

  xattrs(): ReadonlyMap<ByteString, Uint8Array> {
    const { source } = this
    return this.#xattrs ?? (source === undefined ? new Map() : source.layer.xattrs(source.ino))
  }

  /** The xattrs, to be changed. */
  ownXattrs(): Map<ByteString, Uint8Array> {
    this.changed = true
    return (this.#xattrs ??= new Map(this.xattrs()))
  }

  /** Names that the layers have in this directory. Merged anew each time: who needs them often keeps them. */
  mergedEntries(): ReadonlyMap<ByteString, MergedEntry> {
    return mergeEntries(this.sources)
  }

  /** Its state as a directory. Throws ENOTDIR. */
  asDirectory(): DirectoryState {
    if (this.directory === null) throw new ErrnoError('ENOTDIR')
    return this.directory
  }

  #sourceStat(): Stat | undefined {
    const { source } = this
    return source?.layer.stat(source.ino)
  }

  #currentAttributes(): Attributes {
    if (this.#attributes !== null) return this.#attributes
    const stat = this.#sourceStat()
    if (stat === undefined) throw new ErrnoError('EIO', `inode ${this.ino} has no attributes`)
    const { mode, uid, gid, atimeNs, mtimeNs, ctimeNs } = stat
    return { mode, uid, gid, atimeNs, mtimeNs, ctimeNs }
  }

  #pagesOverSource(): Pages {
    const { source } = this
    if (source === undefined) return new Pages()
    return new Pages({
      size: source.layer.stat(source.ino).size,
      read: (buffer, position) => source.layer.read(source.ino, buffer, position),
      segments: () => segmentsOf(source),
    })
  }
}

function segmentsOf({ layer, ino }: Source): Iterable<FileSegment> {
  return layer.segments?.(ino) ?? [{ position: 0, length: layer.stat(ino).size }]
}
