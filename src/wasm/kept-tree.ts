import type { ByteString, Change, DirectoryEntry, FileSegment, Ino, Stat } from '../fs/file-system.js'
import { find } from '../fs/find.js'
import type { UnionFs } from '../fs/union-fs.js'
import { parentPath } from '../layer/archive-path.js'
import type { ChangedTree } from '../layer/pack-tree.js'
import type { TouchedPaths } from '../runtime/writable-layer.js'

/** What {@link KeptTree} is made of. */
export interface KeptTreeParts {
  /** The image's layers. */
  readonly before: UnionFs
  /** The image's layers and those that the container's runs have left. */
  readonly after: UnionFs
  /** Paths that the latter have. */
  readonly touched: TouchedPaths
}

/** A container's tree with its differences from its image's, so that any number of layers that its runs have left becomes one. */
export class KeptTree implements ChangedTree {
  readonly #parts: KeptTreeParts

  constructor(parts: KeptTreeParts) {
    this.#parts = parts
  }

  get root(): Ino {
    return this.#parts.after.root
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    return this.#parts.after.lookup(directory, name)
  }

  stat(ino: Ino): Stat {
    return this.#parts.after.stat(ino)
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return this.#parts.after.readdir(directory)
  }

  readlink(ino: Ino): ByteString {
    return this.#parts.after.readlink(ino)
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    return this.#parts.after.read(ino, buffer, position)
  }

  segments(ino: Ino): Iterable<FileSegment> {
    return this.#parts.after.segments(ino)
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    return this.#parts.after.xattrs(ino)
  }

  /** What an opaque directory hides is told name by name, which comes to the same. */
  *changes(): Generator<Change, void, undefined> {
    const { before, after, touched } = this.#parts
    for (const path of [...touched.keys()].sort()) {
      const now = find(after, path)
      const then = find(before, path)
      if (now === undefined) {
        if (then !== undefined && this.#isDirectory(parentPath(path))) yield { path, kind: 'deleted' }
        continue
      }
      yield { path, kind: then === undefined ? 'added' : 'modified' }
      if (then === undefined || before.stat(then).type !== 'directory' || after.stat(now).type !== 'directory') continue
      for (const { name } of before.readdir(then)) {
        const inside = path === '' ? name : `${path}/${name}`
        if (after.lookup(now, name) === undefined && !touched.has(inside)) yield { path: inside, kind: 'deleted' }
      }
    }
  }

  #isDirectory(path: ByteString): boolean {
    const ino = find(this.#parts.after, path)
    return ino !== undefined && this.#parts.after.stat(ino).type === 'directory'
  }
}
