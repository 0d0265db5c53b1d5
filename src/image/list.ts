import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import type { Platform } from '../oci/platform.js'
import type { Reference } from '../reference/reference.js'
import type { NamedDescriptor } from '../store/references.js'
import type { Store } from '../store/store.js'
import { platformImages } from './platform-select.js'

/** One platform of a listed image. */
export interface ListedPlatform {
  readonly platform: Platform
  /** Of its manifest. */
  readonly manifest: Digest
  /** Bytes of manifest, config and layers as stored. */
  readonly sizeBytes: number
  /** Null when the image does not say. */
  readonly createdAt: Date | null
}

/** One image of the store with all its names. */
export interface ListedImage {
  readonly descriptor: Descriptor
  readonly names: readonly Reference[]
  readonly platforms: readonly ListedPlatform[]
  /** Bytes of all its blobs as stored, each counted once. */
  readonly sizeBytes: number
  /** The latest of its platforms'. */
  readonly createdAt: Date | null
  /** Why it cannot be read, for a damaged image; such an image can still be removed. */
  readonly problem: string | null
}

/** All images, newest first. A damaged one is listed too. */
export async function listImages(store: Store): Promise<readonly ListedImage[]> {
  const names = await store.references.list()
  const distinct = new Map(names.map(({ descriptor }) => [descriptor.digest, descriptor]))
  const images = await Promise.all([...distinct.values()].map((descriptor) => describeImage(store, names, descriptor)))
  return images.sort((one, other) => (other.createdAt?.getTime() ?? 0) - (one.createdAt?.getTime() ?? 0))
}

/** What {@link listImages} says of one image. */
export async function describeImage(store: Store, names: readonly NamedDescriptor[], descriptor: Descriptor): Promise<ListedImage> {
  const own = names.flatMap((name) => (name.descriptor.digest === descriptor.digest && name.reference !== null ? [name.reference] : []))
  try {
    const blobs = new Map<Digest, number>([[descriptor.digest, descriptor.size]])
    const platforms: ListedPlatform[] = []
    for (const { platform, image } of await platformImages(store.layout, descriptor)) {
      const [manifest, { created }] = await Promise.all([image.manifest(), image.config()])
      const parts = [image.descriptor, manifest.config, ...manifest.layers]
      for (const part of parts) blobs.set(part.digest, part.size)
      const own = new Map(parts.map((part) => [part.digest, part.size]))
      platforms.push({
        platform,
        manifest: image.descriptor.digest,
        sizeBytes: sum(own.values()),
        createdAt: created === undefined ? null : new Date(created),
      })
    }
    const times = platforms.flatMap(({ createdAt }) => (createdAt === null ? [] : [createdAt.getTime()]))
    const createdAt = times.length === 0 ? null : new Date(Math.max(...times))
    return { descriptor, names: own, platforms, sizeBytes: sum(blobs.values()), createdAt, problem: null }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return { descriptor, names: own, platforms: [], sizeBytes: descriptor.size, createdAt: null, problem: error.message }
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
