import type { ByteString, Change, DirectoryEntry, FileSegment, Ino, ReadonlyFileSystem, Stat } from '../fs/file-system.js'
import type { UnionFs } from '../fs/union-fs.js'
import type { ChangedTree } from './pack-tree.js'
import type { FileContents } from './tree-copy.js'

/** A union in which new files have contents that stay where they are: what is made of it holds them in memory never. */
export class CopiedTree implements ChangedTree {
  readonly #union: UnionFs
  readonly #contents = new Map<Ino, FileContents>()

  constructor(union: UnionFs) {
    this.#union = union
  }

  get root(): Ino {
    return this.#union.root
  }

  /** Gives a new, empty file of the union its contents. */
  fill(ino: Ino, contents: FileContents): void {
    this.#contents.set(ino, contents)
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    return this.#union.lookup(directory, name)
  }

  stat(ino: Ino): Stat {
    const contents = this.#contents.get(ino)
    return contents === undefined ? this.#union.stat(ino) : { ...this.#union.stat(ino), size: contents.size }
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return this.#union.readdir(directory)
  }

  readlink(ino: Ino): ByteString {
    return this.#union.readlink(ino)
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    const contents = this.#contents.get(ino)
    return contents === undefined ? this.#union.read(ino, buffer, position) : contents.read(buffer, position)
  }

  segments(ino: Ino): Iterable<FileSegment> {
    return this.#contents.get(ino)?.segments ?? this.#union.segments(ino)
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    return this.#union.xattrs(ino)
  }

  changes(): Iterable<Change> {
    return this.#union.changes()
  }
}

/** What a file of a tree holds. */
export function contentsIn(tree: ReadonlyFileSystem, ino: Ino): FileContents {
  const { size } = tree.stat(ino)
  return {
    size,
    segments: [...(tree.segments?.(ino) ?? (size === 0 ? [] : [{ position: 0, length: size }]))],
    read: (buffer, position) => tree.read(ino, buffer, position),
  }
}
