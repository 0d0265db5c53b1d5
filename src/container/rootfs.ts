import type { ReadonlyFileSystem } from '../fs/file-system.js'
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
