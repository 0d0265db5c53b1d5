import { lstatSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'
import { isIndexType, isManifestType, MEDIA_TYPE } from '../oci/media-type.js'
import { digestOf } from './blob-file.js'
import { readPlainFile } from './plain-file.js'
import { childrenOf, reachableFrom } from './reachable.js'
import { type NamedDescriptor, namesIn } from './references.js'
import type { Store } from './store.js'

/** Where {@link rebuildNames} leaves what it could not read. */
export const DAMAGED_NAMES = 'index.json.damaged'

/**
 * Writes an index.json anew that cannot be read: with those of its lines that can be, and with a nameless line for each image that no other
 * line leads to, so that nothing is pruned away for want of a name. The old one stays as `index.json.damaged`.
 */
export async function rebuildNames(store: Store): Promise<void> {
  await store.lock.hold(async () => {
    if (await store.references.list().then(Boolean, () => false)) return
    const path = join(store.root, 'index.json')
    const kept = readableLines(path)
    const documents = await imagesAmong(store)
    const { blobs: led } = await reachableFrom(
      store.layout,
      kept.map(({ descriptor }) => descriptor),
    )
    const below = new Set(documents.flatMap(({ children }) => children))
    const lost = documents.flatMap(({ descriptor }) =>
      led.has(descriptor.digest) || below.has(descriptor.digest) ? [] : [{ reference: null, descriptor }],
    )
    const aside = join(store.root, DAMAGED_NAMES)
    await rm(aside, { recursive: true, force: true })
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) await rename(path, aside)
    else await rm(path, { recursive: true, force: true })
    await store.references.replace([...kept, ...lost])
  })
}

function readableLines(path: string): readonly NamedDescriptor[] {
  let manifests: unknown
  try {
    ;({ manifests } = JSON.parse(readPlainFile(path, MAXIMUM_DOCUMENT_BYTES).toString()) as { manifests?: unknown })
  } catch {
    return []
  }
  if (!Array.isArray(manifests)) return []
  return manifests.flatMap((line) => {
    try {
      return namesIn(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [line] })))
    } catch {
      return []
    }
  })
}

interface ImageDocument {
  readonly descriptor: Descriptor
  readonly children: readonly Digest[]
}

/** Blobs that are manifests and indexes, told by what is in them. */
async function imagesAmong(store: Store): Promise<readonly ImageDocument[]> {
  const found: ImageDocument[] = []
  for (const digest of await store.layout.digests()) {
    const bytes = await smallBlob(store, digest)
    if (bytes === null || bytes[0] !== 0x7b || digestOf(bytes) !== digest) continue
    for (const mediaType of typesOf(bytes))
      try {
        const children = childrenOf(bytes, mediaType).map((child) => child.digest)
        found.push({ descriptor: { mediaType, digest, size: bytes.length }, children })
        break
      } catch {
        // It is another kind of document.
      }
  }
  return found
}

/** What a document may be: what it says, else either. */
function typesOf(bytes: Uint8Array): readonly string[] {
  try {
    const { mediaType } = JSON.parse(Buffer.from(bytes).toString()) as { mediaType?: unknown }
    const types = typeof mediaType === 'string' ? [mediaType] : [MEDIA_TYPE.ociManifest, MEDIA_TYPE.ociIndex]
    return types.filter((type) => isManifestType(type) || isIndexType(type))
  } catch {
    return []
  }
}

async function smallBlob(store: Store, digest: Digest): Promise<Uint8Array | null> {
  const path = await store.layout.pathOf(digest)
  if (path === null) return null
  try {
    return readPlainFile(path, MAXIMUM_DOCUMENT_BYTES)
  } catch {
    return null
  }
}
