/** Makes an image of a container: its own image with what it has written as one more layer, and what it was made with as defaults. */
import { stat } from 'node:fs/promises'
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import type { Reference } from '../reference/reference.js'
import type { Ingest } from '../store/ingest.js'
import { withName } from '../store/references.js'
import type { Store } from '../store/store.js'
import { applyChange } from './change.js'
import { type ConfigChange, type Step, withContainerConfig, withLayer } from './edit.js'
import { openImage } from './image.js'

/** What {@link commitImage} makes an image of. */
export interface CommitRequest {
  /** The manifest of the container's image. */
  readonly base: Digest
  /** The container's config over its image's. */
  readonly config: (image: ContainerConfig) => ContainerConfig
  /** What the container has written, as an uncompressed tar of a layer. Called once all else has been found good. */
  readonly layer: () => Promise<AsyncIterable<Uint8Array>>
  /** Name of the new image; without, it has only its id. */
  readonly reference?: Reference
  /** Dockerfile instructions over the config, as `--change` takes them. */
  readonly changes?: readonly string[]
  /** What the history says. */
  readonly step: Step & Required<Pick<Step, 'created'>>
  readonly signal?: AbortSignal
}

/** Returns the new manifest's descriptor. Rejects with CONFLICT when the container's image was removed, INVALID_ARGUMENT for a change. */
export async function commitImage(store: Store, request: CommitRequest): Promise<Descriptor> {
  const { changes = [], reference = null, step, signal } = request
  const ingest = await store.ingest(signal === undefined ? {} : { signal })
  try {
    const image = openImage(ingest, await manifestOf(ingest, request.base))
    const before = (await image.config()).config ?? {}
    const change = replacing(before, changes.reduce(applyChange, request.config(before)))
    const layer = await begun(await request.layer())
    const { descriptor } =
      layer === null ? await withContainerConfig(ingest, image, change, step) : await withLayer(ingest, image, layer, step, change)
    await ingest.commit((names) => withName(names, reference, descriptor))
    return descriptor
  } finally {
    await ingest.discard()
  }
}

/** What is stored under a manifest's digest: its own words say of which type it is (image-spec, manifest.md). */
async function manifestOf(ingest: Ingest, digest: Digest): Promise<Descriptor> {
  const path = await ingest.pathOf(digest)
  if (path === null)
    throw new EngineError('CONFLICT', `the container's image ${digest} has been removed: nothing can be put on top of it`, {
      hint: 'Make an image of its whole root: wolffia export CONTAINER | wolffia import - NAME',
    })
  const descriptor = { mediaType: MEDIA_TYPE.ociManifest, digest, size: (await stat(path)).size }
  const { mediaType } = JSON.parse(new TextDecoder().decode(await ingest.readDocument(descriptor))) as { readonly mediaType?: unknown }
  return typeof mediaType === 'string' ? { ...descriptor, mediaType } : descriptor
}

/** A change that leaves nothing of what was there before. */
function replacing(before: ContainerConfig, after: ContainerConfig): ConfigChange {
  return { ...Object.fromEntries(Object.keys(before).map((name) => [name, undefined])), ...after }
}

/** The same stream; null for a tar that holds nothing, which begins with its end. */
async function begun(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array> | null> {
  const iterator = source[Symbol.asyncIterator]()
  const next = await iterator.next()
  if (next.done === true || next.value[0] === 0) {
    await iterator.return?.()
    return null
  }
  const first = next.value
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield first
      for (let more = await iterator.next(); !more.done; more = await iterator.next()) yield more.value
    } finally {
      await iterator.return?.()
    }
  }
  return all()
}
