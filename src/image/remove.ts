/**
 * Removes names and images by docker's rules. A name goes; with its last name the image goes. An id means the image: with several
 * names only by force. An image that a container uses stays, unless forced, and even then while the container runs.
 */
import { EngineError } from '../errors.js'
import type { Digest } from '../oci/digest.js'
import { familiarReference } from '../reference/normalize.js'
import { formatReference } from '../reference/reference.js'
import { type PruneOptions, pruneLocked, whileNothingChanges } from '../store/prune.js'
import { reachableFrom } from '../store/reachable.js'
import type { NamedDescriptor } from '../store/references.js'
import type { Store } from '../store/store.js'
import { type FoundImage, findAmong } from './find.js'

/** A container and the image it was made from. */
export interface ImageUse {
  /** Name or short id, for messages. */
  readonly container: string
  readonly running: boolean
  /** Digest of the manifest, or of the index it was chosen from. */
  readonly image: Digest
}

/** Options of {@link removeImage}. */
export interface RemoveOptions extends PruneOptions {
  readonly force?: boolean
  /** Only an image that has no name. */
  readonly unnamed?: boolean
  /** Containers that use images; asked within `holdContainers`. */
  readonly uses?: () => Promise<readonly ImageUse[]>
}

/** What removing an image did. */
export interface RemovedImage {
  /** The image that was meant. */
  readonly id: Digest
  /** Names that are gone, in familiar form. */
  readonly untagged: readonly string[]
  /** Ids of images that are gone with everything only they had. */
  readonly deleted: readonly Digest[]
}

/** Removes a name or an image. Rejects with IMAGE_NOT_FOUND, CONFLICT. */
export function removeImage(store: Store, text: string, options: RemoveOptions = {}): Promise<RemovedImage> {
  return whileNothingChanges(store, options, async () => {
    const names = await store.references.list()
    const found = findAmong(names, text)
    const { kept, untagged } = await decide(store, names, found, text, options)
    const released = await reachableFrom(store.layout, [found.descriptor])
    await store.references.replace(kept)
    const isLeft = kept.some((name) => name.descriptor.digest === found.descriptor.digest)
    if (!isLeft) await pruneLocked(store, { ...options, released })
    return { id: found.descriptor.digest, untagged, deleted: isLeft ? [] : [found.descriptor.digest] }
  })
}

async function decide(
  store: Store,
  names: readonly NamedDescriptor[],
  found: FoundImage,
  text: string,
  { force = false, unnamed = false, uses }: RemoveOptions,
): Promise<{ kept: readonly NamedDescriptor[]; untagged: readonly string[] }> {
  const { descriptor, reference } = found
  const isImage = (name: NamedDescriptor) => name.descriptor.digest === descriptor.digest
  if (unnamed && found.names.length > 0)
    throw conflict(`unable to delete ${text}: it has a name: ${found.names.map(familiarReference).join(', ')}`)
  if (reference !== null && found.names.length > 1) {
    const key = formatReference(reference)
    const kept = names.filter((name) => name.reference === null || formatReference(name.reference) !== key)
    return { kept, untagged: [familiarReference(reference)] }
  }
  if (reference === null && found.names.length > 1 && !force)
    throw conflict(
      `unable to delete ${text} (must be forced): the image has several names: ${found.names.map(familiarReference).join(', ')}`,
    )
  const users = await usersOf(store, found, (await uses?.()) ?? [])
  const running = users.find((use) => use.running)
  const untagged = found.names.map(familiarReference)
  if (running !== undefined && reference === null)
    throw conflict(
      `unable to delete ${text} (cannot be forced): the running container ${running.container} uses the image`,
      running.container,
    )
  if (users[0] !== undefined && !force)
    throw conflict(`unable to remove ${text} (must be forced): the container ${users[0].container} uses the image`, users[0].container)
  const others = names.filter((name) => !isImage(name))
  // A name can be forced off a running container's image, which then stays without a name until the container is gone.
  return { kept: running === undefined ? others : [...others, { reference: null, descriptor }], untagged }
}

async function usersOf(store: Store, { descriptor }: FoundImage, uses: readonly ImageUse[]): Promise<readonly ImageUse[]> {
  if (uses.length === 0) return []
  const { blobs } = await reachableFrom(store.layout, [descriptor])
  return uses.filter((use) => blobs.has(use.image))
}

function conflict(message: string, container?: string): EngineError {
  return new EngineError('CONFLICT', `conflict: ${message}`, {
    hint: container === undefined ? 'Use -f, or remove the names one by one.' : `Remove the container first: wolffia rm ${container}`,
    data: container === undefined ? {} : { container },
  })
}
