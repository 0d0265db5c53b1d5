import type { Address, Heap } from './heap.js'
import type { PairTable } from './pair-table.js'

const LEVEL_BYTES = 32
const LEVEL = { parent: 0, children: 1, records: 2, tree: 3, next: 4, previous: 5 } as const
const TREE_BYTES = 32
/** Words, then doubles. */
const TREE = { top: 0, root: 1, retained: 2, attachments: 3, diskBytes: 2, inodes: 3 } as const
/** Word of the heap's control block: the first of all levels. */
const FIRST_LEVEL = 12
/** First number of every pair in a level's table of records. */
const RECORD_OF = 1

/** One of the trees in a heap. */
export type Tree = Address
/** What trees have changed since they were parted, or before. */
export type Level = Address

/**
 * How several trees share one heap. A tree is a stack of levels: what it has changed since it was last forked, what it and the fork had
 * changed before, and so on, down to the base. Only a level without others above it is changed. A level lists, for each inode, the record that
 * stands for it from there upwards; the base needs no list, since its records stand for themselves.
 *
 * Forking puts a new level on top of the old one for each side, so it takes the same time whatever is in the tree. When one side is closed,
 * what lies below the other is folded into it, so that nothing is kept that no tree shows.
 */
export class Levels {
  readonly #heap: Heap
  readonly #pairs: PairTable

  constructor(heap: Heap, pairs: PairTable) {
    this.#heap = heap
    this.#pairs = pairs
  }

  /** A tree whose only level is the base. */
  makeTree(): Tree {
    return this.#makeTree(this.#makeLevel(0, 0))
  }

  /** Another tree that shows the same; both go on with a level of their own. */
  fork(tree: Tree): Tree {
    const heap = this.#heap
    let below = this.top(tree)
    if (this.#hasRecords(below)) {
      heap.setWord(tree, TREE.top, this.#makeLevel(below, tree))
    } else below = this.parent(below)
    const forked = this.#makeTree(this.#makeLevel(below, 0))
    heap.setWord(forked, TREE.root, this.root(tree))
    for (const count of [TREE.diskBytes, TREE.inodes]) heap.setDouble(forked, count, heap.double(tree, count))
    return forked
  }

  /** Bytes that {@link fork} takes. */
  get forkBytes(): number {
    return 16 * LEVEL_BYTES
  }

  /** Forgets a tree, but for its levels: its top is the caller's to deal with. */
  freeTree(tree: Tree): void {
    this.#pairs.free(this.retained(tree))
    this.#heap.setWord(this.top(tree), LEVEL.tree, 0)
    this.#heap.free(tree, TREE_BYTES)
  }

  top(tree: Tree): Level {
    return this.#heap.word(tree, TREE.top)
  }

  root(tree: Tree): Address {
    return this.#heap.word(tree, TREE.root)
  }

  setRoot(tree: Tree, inode: Address): void {
    this.#heap.setWord(tree, TREE.root, inode)
  }

  /** The table of what other threads have open. */
  retained(tree: Tree): Address {
    return this.#heap.word(tree, TREE.retained)
  }

  /** A number for another thread: 1, 2 … */
  attach(tree: Tree): number {
    const attachment = this.#heap.word(tree, TREE.attachments) + 1
    this.#heap.setWord(tree, TREE.attachments, attachment)
    return attachment
  }

  /** What the tree has taken of its quota. */
  counts(tree: Tree) {
    const heap = this.#heap
    return {
      get diskBytes() {
        return heap.double(tree, TREE.diskBytes)
      },
      set diskBytes(count: number) {
        heap.setDouble(tree, TREE.diskBytes, count)
      },
      get inodes() {
        return heap.double(tree, TREE.inodes)
      },
      set inodes(count: number) {
        heap.setDouble(tree, TREE.inodes, count)
      },
    }
  }

  /** The level below; 0 for the base. */
  parent(level: Level): Level {
    return this.#heap.word(level, LEVEL.parent)
  }

  /** The tree that has changed it, or 0 when there is none any more: the descriptors that its records count are that tree's. */
  treeOf(level: Level): Tree {
    return this.#heap.word(level, LEVEL.tree)
  }

  /** The record of an inode as it shows on a level, or 0 when neither it nor one below lists one: it is then the inode itself. */
  find(level: Level, inode: Address): Address {
    for (let each = level; this.parent(each) !== 0; each = this.parent(each)) {
      const record = this.#pairs.get(this.#records(each), RECORD_OF, inode)
      if (record !== 0) return record
    }
    return 0
  }

  /** Lists a record of a level. The base lists none. */
  list(level: Level, inode: Address, record: Address): void {
    if (this.parent(level) !== 0) this.#pairs.set(this.#records(level), RECORD_OF, inode, record)
  }

  /** The record of an inode that is listed on this very level, or 0. */
  listed(level: Level, inode: Address): Address {
    return this.#pairs.get(this.#records(level), RECORD_OF, inode)
  }

  /** Bytes that {@link list} may take. */
  listingBytes(level: Level): number {
    return this.#pairs.growthBytes(this.#records(level))
  }

  /** Inodes and their records on a level that is not the base. */
  entries(level: Level): (readonly [inode: Address, record: Address])[] {
    return Array.from(this.#pairs.entries(this.#records(level)), ([, inode, record]) => [inode, record] as const)
  }

  /** How many levels lie directly above. */
  children(level: Level): number {
    return this.#heap.word(level, LEVEL.children)
  }

  /** The only level above, or the first of them. */
  child(level: Level): Level {
    let each = this.#heap.control[FIRST_LEVEL] ?? 0
    while (each !== 0 && this.parent(each) !== level) each = this.#heap.word(each, LEVEL.next)
    return each
  }

  /** Takes a level out that has nothing above it. */
  remove(level: Level): void {
    const parent = this.parent(level)
    this.#heap.setWord(parent, LEVEL.children, this.children(parent) - 1)
    this.#free(level)
  }

  /** Takes a level out that has one above it, whose records are all the other's by now. */
  removeBelow(upper: Level): void {
    const level = this.parent(upper)
    this.#heap.setWord(upper, LEVEL.parent, this.parent(level))
    this.#free(level)
  }

  /** Takes a level out whose records are all those of the base by now, which takes its place. */
  becomeBase(upper: Level): void {
    const heap = this.#heap
    const base = this.parent(upper)
    const tree = this.treeOf(upper)
    heap.setWord(base, LEVEL.children, this.children(upper))
    heap.setWord(base, LEVEL.tree, tree)
    if (tree !== 0 && this.top(tree) === upper) heap.setWord(tree, TREE.top, base)
    for (let each = heap.control[FIRST_LEVEL] ?? 0; each !== 0; each = heap.word(each, LEVEL.next))
      if (this.parent(each) === upper) heap.setWord(each, LEVEL.parent, base)
    this.#free(upper)
  }

  #makeTree(top: Level): Tree {
    const heap = this.#heap
    const tree = heap.allocate(TREE_BYTES)
    for (let word = 0; word < TREE_BYTES / 4; word++) heap.setWord(tree, word, 0)
    heap.setWord(tree, TREE.top, top)
    heap.setWord(tree, TREE.retained, this.#pairs.create())
    heap.setWord(top, LEVEL.tree, tree)
    return tree
  }

  #makeLevel(parent: Level, tree: Tree): Level {
    const heap = this.#heap
    const level = heap.allocate(LEVEL_BYTES)
    const next = heap.control[FIRST_LEVEL] ?? 0
    heap.setWord(level, LEVEL.parent, parent)
    heap.setWord(level, LEVEL.children, 0)
    heap.setWord(level, LEVEL.records, this.#pairs.create())
    heap.setWord(level, LEVEL.tree, tree)
    heap.setWord(level, LEVEL.next, next)
    heap.setWord(level, LEVEL.previous, 0)
    if (next !== 0) heap.setWord(next, LEVEL.previous, level)
    heap.control[FIRST_LEVEL] = level
    if (parent !== 0) heap.setWord(parent, LEVEL.children, this.children(parent) + 1)
    return level
  }

  #free(level: Level): void {
    const heap = this.#heap
    const next = heap.word(level, LEVEL.next)
    const previous = heap.word(level, LEVEL.previous)
    if (next !== 0) heap.setWord(next, LEVEL.previous, previous)
    if (previous !== 0) heap.setWord(previous, LEVEL.next, next)
    else heap.control[FIRST_LEVEL] = next
    this.#pairs.free(this.#records(level))
    heap.free(level, LEVEL_BYTES)
  }

  #records(level: Level): Address {
    return this.#heap.word(level, LEVEL.records)
  }

  /** The base always has some: its root. */
  #hasRecords(level: Level): boolean {
    return this.parent(level) === 0 || !this.#pairs.isEmpty(this.#records(level))
  }
}
