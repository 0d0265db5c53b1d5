import type { Ino, ReadonlyFileSystem } from './file-system.js'

/**
 * Trees mounted over directories of other trees. A directory is named by its file system and inode, so a mount stays where it is when
 * directories above it are renamed, and covers the directory under each of its names.
 */
export class MountTable<F extends ReadonlyFileSystem> {
  readonly #mounts = new Map<F, Map<Ino, F>>()

  /** Covers directory `ino` of `fs` by the root of `mounted`. A later mount over the same directory replaces the earlier one. */
  mount(fs: F, ino: Ino, mounted: F): void {
    const onThis = this.#mounts.get(fs) ?? new Map<Ino, F>()
    onThis.set(ino, mounted)
    this.#mounts.set(fs, onThis)
  }

  /** What is mounted over directory `ino` of `fs`, if anything. */
  at(fs: F, ino: Ino): F | undefined {
    return this.#mounts.get(fs)?.get(ino)
  }
}
