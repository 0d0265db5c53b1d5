import type { NodeFsLike } from '../fs/node-fs-like.js'
import { findProgram, type Program } from '../runtime/magic.js'
import type { ContainerSpec, FileSystemObjects } from '../runtime/spec.js'
import type { LayerStore } from '../store/layer-store.js'
import { type ImageForContainer, storedLayers } from './create.js'
import { settleObject } from './object-mounts.js'
import type { CreateOptions, ObjectMountRequest } from './options.js'
import { ImageRootfs } from './rootfs.js'
import { containerSpec } from './spec.js'

/** An image's program, for who runs it otherwise than as a container: a plugin. */
export interface OpenedProgram {
  readonly spec: ContainerSpec
  readonly objects: FileSystemObjects
  /** To be closed. */
  readonly rootfs: ImageRootfs
  /** What the image runs by itself; null when there is no such file. */
  readonly program: Program | null
}

/** What {@link openProgram} takes of a container's options: mounts are objects of this process alone. */
export type ProgramOptions = Pick<CreateOptions, 'image' | 'env' | 'limits' | 'readonlyRootfs' | 'autoRemove' | 'signal'> & {
  readonly mounts: readonly ObjectMountRequest[]
}

/** Settles what would be a container of an image in a bare world, and makes none. Rejects as `create` does. */
export async function openProgram(layers: LayerStore, found: ImageForContainer, options: ProgramOptions): Promise<OpenedProgram> {
  const mounts = options.mounts.map((mount) => settleObject(mount, options.limits))
  const objects = new Map(mounts.map(({ destination }, place) => [destination, options.mounts[place]?.fs as NodeFsLike]))
  const { config = {} } = await found.image.config()
  const rootfs = new ImageRootfs(await storedLayers(layers, found.image, options.signal))
  try {
    const spec = containerSpec({ id: 'plugin', options, image: config, tree: rootfs.tree(), mounts, world: 'bare' })
    return { spec, objects, rootfs, program: findProgram(spec, rootfs) }
  } catch (error) {
    rootfs.close()
    throw error
  }
}
