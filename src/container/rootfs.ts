import { ErrnoError } from '../fs/errno.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import { fromUtf8 } from '../fs/names.js'
import { resolve, rootHandle } from '../fs/resolve.js'
import { UnionFs } from '../fs/union-fs.js'
import type { PackedLayer } from '../layer/packed-layer.js'
import { openStack } from '../rootfs/layer-stack.js'
import type { Rootfs } from '../runtime/spec.js'
import type { StoredLayer } from '../store/layer-store.js'

/** An image's layers as a root, with its merged tree for looking before running. */
export class ImageRootfs implements Rootfs {
  #opened: readonly PackedLayer[] = []
  #tree: ReadonlyFileSystem | null = null

  constructor(readonly layers: readonly StoredLayer[]) {}

  tree(): ReadonlyFileSystem {
    if (this.#tree === null) {
      this.#opened = openStack(this.layers)
      this.#tree = new UnionFs({ lowers: this.#opened })
    }
    return this.#tree
  }

  /** Closes what {@link tree} opened. The tree is not to be used any more. */
  close(): void {
    for (const layer of this.#opened) layer.close()
    this.#opened = []
  }
}

/** Text of a file of the tree, symlinks followed inside it, at most `maximumBytes` of it; empty when there is no such file. */
export function readTextFile(tree: ReadonlyFileSystem, path: string, maximumBytes: number): string {
  try {
    const { fs, ino, type } = resolve(rootHandle(tree), fromUtf8(path), { followLast: true })
    if (ino === undefined || type !== 'file') return ''
    const bytes = new Uint8Array(Math.min(fs.stat(ino).size, maximumBytes))
    const length = fs.read(ino, bytes, 0)
    return new TextDecoder().decode(bytes.subarray(0, length))
  } catch (error) {
    if (error instanceof ErrnoError) return ''
    throw error
  }
}
