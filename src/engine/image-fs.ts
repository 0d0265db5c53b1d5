/** An image's files as `node:fs`. */
import { type NodeFsOptions, nodeFsOf, type OpenNodeFs } from '../fs/node-fs.js'
import { UnionFs } from '../fs/union-fs.js'
import type { Image } from '../image/image.js'
import type { PackedLayer } from '../layer/packed-layer.js'
import { openStoredLayer } from '../rootfs/layer-stack.js'
import type { LayerStore } from '../store/layer-store.js'

/** How {@link Images.fs} shows an image's files. */
export interface ImageFsOptions extends Pick<NodeFsOptions, 'credentials' | 'openFiles'> {
  /** This machine's Linux, else `wasi/wasm`, else the image's first, unless said. */
  readonly platform?: string
}

/** All layers as one tree that is only read. It stays readable when the image is removed meanwhile. */
export async function openImageFs(layers: LayerStore, image: Image, { credentials, openFiles }: ImageFsOptions): Promise<OpenNodeFs> {
  const opened: PackedLayer[] = []
  const onClose = () => {
    for (const layer of opened) layer.close()
  }
  try {
    for (const layer of await image.layers()) opened.push(openStoredLayer(await layers.ensure(layer)))
    return nodeFsOf(new UnionFs({ lowers: opened }), {
      readonly: true,
      onClose,
      ...(credentials === undefined ? {} : { credentials }),
      ...(openFiles === undefined ? {} : { openFiles }),
    })
  } catch (error) {
    onClose()
    throw error
  }
}
