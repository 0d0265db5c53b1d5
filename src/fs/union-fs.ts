import type {
  AttributeChange,
  ByteString,
  Change,
  DirectoryEntry,
  EntryVisitor,
  FileSegment,
  FileSystem,
  Ino,
  NewInode,
  Stat,
} from './file-system.js'
import { type CopyBytes, Heap, type SharedHeap } from './heap.js'
import type { Attributes } from './inode.js'
import { InodeTable } from './inode-table.js'
import type { LayerFileSystem } from './layer-file-system.js'
import type { Tree } from './levels.js'
import { PairTable } from './pair-table.js'
import { type DiskLimits, Quota } from './quota.js'
import { UnionTree } from './union-tree.js'

/** What a union is made of. */
export interface UnionOptions {
  /** Layers, base first; none makes a tmpfs. */
  readonly lowers: readonly LayerFileSystem[]
  readonly limits?: DiskLimits
  /** Nanoseconds since the epoch, for the times of what is changed. */
  readonly now?: () => bigint
  /** How contents are copied, where this process has anything faster than `set` (`wasm/sandbox/memory-copy`). */
  readonly copy?: CopyBytes
}

/** How full a union is; a limit that is not set is Infinity. */
export interface DiskUsage {
  readonly diskBytes: number
  readonly diskBytesLimit: number
  readonly inodes: number
  readonly inodesLimit: number
}

/** What another thread of the process needs to see the same union: it can be posted to one. */
export interface SharedUnion {
  readonly heap: SharedHeap
  readonly tree: Tree
  readonly limits: DiskLimits
}

/** What a union is made of that shares a heap with another. */
interface UnionParts {
  readonly heap: Heap
  readonly tree: Tree
  readonly isAttached: boolean
}

const BASE_BYTES = 16 * 2 ** 20
/** What a file takes beside its contents, and leaves unused, at the most. */
const INODE_BYTES = 2048
/** Names of layers take memory that no limit counts. */
const LAYERS_BYTES = 4 * 2 ** 30
/** No machine that this is for has more to spare. */
const MAXIMUM_HEAP_BYTES = 16 * 2 ** 30

/**
 * Layers under one writable tree, all in memory. A directory is merged once, when first read, so a lookup costs the same above one layer
 * and above a hundred; a written file copies the pages that were written. Reads set no atime.
 *
 * {@link UnionFs.fork} gives a second tree that is the same and goes its own way from there. It takes the same time whatever is in the tree;
 * what either side changes then is copied: a file by page, a directory with its names.
 *
 * The tree lies in shared memory: {@link UnionFs.share} gives what another thread needs to {@link UnionFs.attach} to it. Each call is then
 * done under a lock, so that threads see each other's calls one after the other.
 */
export class UnionFs implements FileSystem {
  readonly lowers: readonly LayerFileSystem[]
  readonly root: Ino
  readonly #heap: Heap
  readonly #table: InodeTable
  readonly #tree: UnionTree
  readonly #quota: Quota
  readonly #limits: DiskLimits
  readonly #now: () => bigint
  readonly #pairs: PairTable
  /** Number of this thread among those attached; the one that made the tree is 0. */
  readonly #attachment: number

  /** `parts` is for {@link attach} and {@link fork}. */
  constructor({ lowers, limits = {}, now = () => BigInt(Date.now()) * 1_000_000n, copy }: UnionOptions, parts?: UnionParts) {
    this.lowers = lowers
    this.#limits = limits
    this.#now = now
    this.#heap = parts?.heap ?? new Heap(heapBytes(limits, lowers.length), copy)
    this.#pairs = new PairTable(this.#heap)
    this.#heap.take()
    try {
      this.#table =
        parts === undefined
          ? InodeTable.make(this.#heap, lowers, newRoot(now()), (Math.random() * 2 ** 32) | 0)
          : InodeTable.open(this.#heap, lowers, parts.tree)
      const { levels, tree } = this.#table
      this.#quota = new Quota(levels.counts(tree), limits)
      this.#attachment = parts?.isAttached ? levels.attach(tree) : 0
      this.#tree = new UnionTree(this.#table, this.#quota, now)
      this.root = this.#tree.root
    } finally {
      this.#heap.give()
    }
  }

  /** The union that another thread shares, with the same layers, opened again in the same order. */
  static attach(
    { heap: shared, tree, limits }: SharedUnion,
    lowers: readonly LayerFileSystem[],
    options: Pick<UnionOptions, 'now' | 'copy'> = {},
  ): UnionFs {
    return new UnionFs({ ...options, lowers, limits }, { heap: new Heap(shared, options.copy), tree, isAttached: true })
  }

  /**
   * Ends a thread, or several, while none of these unions is used by another: they must not hold their locks then.
   */
  static async exclusively<T>(unions: readonly UnionFs[], work: () => Promise<T>): Promise<T> {
    for (const union of unions) union.#take()
    try {
      return await work()
    } finally {
      for (const union of unions) union.#heap.giveAfterAnEnd()
    }
  }

  /** Lets other threads of the process attach to this union. */
  share(): SharedUnion {
    return { heap: this.#heap.share(), tree: this.#table.tree, limits: this.#limits }
  }

  /** A second tree, with the same layers and limits, in which all is as it is here, inodes' numbers too; nothing is open in it. */
  fork(): UnionFs {
    this.#heap.raiseMaximum(Math.min(this.#heap.maximumBytes + heapBytes(this.#limits, 0), MAXIMUM_HEAP_BYTES))
    const tree = this.#locked(() => this.#table.fork())
    return new UnionFs({ lowers: this.lowers, limits: this.#limits, now: this.#now }, { heap: this.#heap, tree, isAttached: false })
  }

  /** Gives back what only this tree shows of what it shares with its forks. It is of no more use. Layers are not closed. */
  close(): void {
    this.#locked(() => this.#table.inodes.close())
  }

  /** Closes a fork that another thread has made of this tree and that nobody uses any more: that thread was ended. */
  closeFork({ tree, limits }: SharedUnion): void {
    new UnionFs({ lowers: this.lowers, limits }, { heap: this.#heap, tree, isAttached: true }).close()
  }

  /** Number by which {@link forsake} knows this thread. */
  get attachment(): number {
    return this.#attachment
  }

  /** Gives back what a thread has retained that was ended. */
  forsake(attachment: number): void {
    this.#locked(() => {
      const retained = this.#table.levels.retained(this.#table.tree)
      const left = [...this.#pairs.entries(retained)].filter(([thread]) => thread === attachment)
      for (const [thread, inode, count] of left) {
        this.#pairs.set(retained, thread, inode, 0)
        for (let each = 0; each < count; each++) this.#tree.releaseInode(inode)
      }
    })
  }

  /** Several calls as one: no other thread's comes between. */
  atomically<T>(work: () => T): T {
    return this.#locked(work)
  }

  get usage(): DiskUsage {
    const { diskBytes, diskBytesLimit, inodes, inodesLimit } = this.#quota
    return { diskBytes, diskBytesLimit, inodes, inodesLimit }
  }

  /** Memory that it takes together with its forks, but for what is reserved. */
  get memoryBytes(): number {
    return this.#locked(() => this.#heap.usedBytes)
  }

  // What every walk and every read goes through is locked in place: a closure for each would be most of what it costs before it is compiled.
  lookup(directory: Ino, name: ByteString): Ino | undefined {
    this.#take()
    try {
      return this.#tree.lookup(directory, name)
    } finally {
      this.#give()
    }
  }

  lookupEntry(directory: Ino, name: ByteString): DirectoryEntry | undefined {
    this.#take()
    try {
      return this.#tree.lookupEntry(directory, name)
    } finally {
      this.#give()
    }
  }

  stat(ino: Ino): Stat {
    this.#take()
    try {
      return this.#tree.stat(ino)
    } finally {
      this.#give()
    }
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return this.#locked(() => this.#tree.readdir(directory))
  }

  visitEntries(directory: Ino, visit: EntryVisitor): void {
    this.#locked(() => this.#tree.visitEntries(directory, visit))
  }

  readlink(ino: Ino): ByteString {
    return this.#locked(() => this.#tree.readlink(ino))
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    this.#take()
    try {
      return this.#tree.read(ino, buffer, position)
    } finally {
      this.#give()
    }
  }

  segments(ino: Ino): Iterable<FileSegment> {
    return this.#locked(() => this.#tree.segments(ino))
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    return this.#locked(() => this.#tree.xattrs(ino))
  }

  create(directory: Ino, name: ByteString, inode: NewInode): Ino {
    return this.#locked(() => this.#tree.create(directory, name, inode))
  }

  setAttributes(ino: Ino, change: AttributeChange): void {
    this.#locked(() => this.#tree.setAttributes(ino, change))
  }

  setXattr(ino: Ino, name: ByteString, value: Uint8Array): void {
    this.#locked(() => this.#tree.setXattr(ino, name, value))
  }

  removeXattr(ino: Ino, name: ByteString): void {
    this.#locked(() => this.#tree.removeXattr(ino, name))
  }

  write(ino: Ino, buffer: Uint8Array, position: number): number {
    this.#take()
    try {
      return this.#tree.write(ino, buffer, position)
    } finally {
      this.#give()
    }
  }

  link(ino: Ino, directory: Ino, name: ByteString): void {
    this.#locked(() => this.#tree.link(ino, directory, name))
  }

  unlink(directory: Ino, name: ByteString): void {
    this.#locked(() => this.#tree.unlink(directory, name))
  }

  rmdir(directory: Ino, name: ByteString): void {
    this.#locked(() => this.#tree.rmdir(directory, name))
  }

  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void {
    this.#locked(() => this.#tree.rename(from, fromName, to, toName))
  }

  retain(ino: Ino): void {
    this.#take()
    try {
      this.#countRetained(ino, 1)
      this.#tree.retain(ino)
    } finally {
      this.#give()
    }
  }

  release(ino: Ino): void {
    this.#take()
    try {
      this.#tree.release(ino)
      this.#countRetained(ino, -1)
    } finally {
      this.#give()
    }
  }

  /**
   * What differs from the layers, each directory before what is in it, names in byte order. The root's path is empty. A directory that was
   * removed is one deletion; a renamed one is a deletion and additions.
   */
  changes(): Iterable<Change> {
    return this.#locked(() => [...this.#tree.changes()])
  }

  /** The maker's end with the process; only who may be ended before is counted. */
  #countRetained(ino: Ino, change: number): void {
    if (this.#attachment === 0) return
    const retained = this.#table.levels.retained(this.#table.tree)
    const inode = ino >>> 0
    this.#pairs.set(retained, this.#attachment, inode, this.#pairs.get(retained, this.#attachment, inode) + change)
  }

  #locked<T>(work: () => T): T {
    this.#take()
    try {
      return work()
    } finally {
      this.#give()
    }
  }

  #take(): void {
    this.#heap.take()
    this.#table.inodes.catchUp()
  }

  #give(): void {
    this.#heap.give()
  }
}

function newRoot(nowNs: bigint): Attributes {
  return { mode: 0o755, uid: 0, gid: 0, atimeNs: nowNs, mtimeNs: nowNs, ctimeNs: nowNs }
}

/** Memory that a tree may take: its limits, with room for what they do not count. */
function heapBytes({ diskBytes = Number.POSITIVE_INFINITY, inodes = Number.POSITIVE_INFINITY }: DiskLimits, layers: number): number {
  const own = BASE_BYTES + 2 * diskBytes + INODE_BYTES * inodes
  return Math.min(own + (layers === 0 ? 0 : LAYERS_BYTES), MAXIMUM_HEAP_BYTES)
}
