import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { DiffId, Digest } from '../oci/digest.js'
import { parseImageConfig, parseIndex, parseManifest } from '../oci/document.js'
import { isConfigType, isIndexType, isManifestType } from '../oci/media-type.js'
import type { BlobSource } from './blob-source.js'

/** Indexes within indexes that are followed; real images have one or two. */
export const MAXIMUM_INDEX_DEPTH = 4
/** Manifests and indexes that one name may lead to. */
export const MAXIMUM_DOCUMENTS = 1024

/** What names lead to. */
export interface Reachable {
  readonly blobs: ReadonlySet<Digest>
  /** Layers of the images among them. */
  readonly diffIds: ReadonlySet<DiffId>
  /** Roots that cannot be read, and damaged documents below others: what they led to is not known. */
  readonly lost: ReadonlySet<Digest>
}

/**
 * Walks from descriptors to everything they refer to. Blobs that are missing or not readable as what they should be count as
 * leaves: an image for many platforms may be stored for some of them, and a damaged image keeps nothing else from being removed.
 */
export async function reachableFrom(source: BlobSource, roots: Iterable<Descriptor>): Promise<Reachable> {
  const blobs = new Set<Digest>()
  const diffIds = new Set<DiffId>()
  const lost = new Set<Digest>()
  const top = [...roots]
  const named = new Set(top.map(({ digest }) => digest))
  const waiting = [...top]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (blobs.has(next.digest)) continue
    blobs.add(next.digest)
    const { mediaType } = next
    if (!isIndexType(mediaType) && !isManifestType(mediaType) && !isConfigType(mediaType)) continue
    const bytes = await readIfSound(source, next)
    if (bytes === null) {
      // What an index lists may not be here, and what a document is about (`subject`).
      if (named.has(next.digest) || (await source.has(next.digest))) lost.add(next.digest)
    } else if (isConfigType(mediaType))
      for (const diffId of soundly(() => parseImageConfig(bytes).rootfs.diff_ids) ?? []) diffIds.add(diffId)
    else waiting.push(...(soundly(() => childrenOf(bytes, mediaType)) ?? []))
  }
  return { blobs, diffIds, lost }
}

/** What a manifest or index refers to. Throws what its parser throws. */
export function childrenOf(bytes: Uint8Array, mediaType: string): readonly Descriptor[] {
  if (isIndexType(mediaType)) {
    const { manifests, subject } = parseIndex(bytes, mediaType)
    return subject === undefined ? manifests : [...manifests, subject]
  }
  const { config, layers, subject } = parseManifest(bytes, mediaType)
  return [config, ...layers, ...(subject === undefined ? [] : [subject])]
}

async function readIfSound(source: BlobSource, descriptor: Descriptor): Promise<Uint8Array | null> {
  try {
    return await source.readDocument(descriptor)
  } catch (error) {
    if (error instanceof EngineError) return null
    throw error
  }
}

function soundly<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof EngineError) return null
    throw error
  }
}
