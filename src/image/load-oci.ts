/** Loads the images of an OCI layout, packed in a tar or lying in a folder (image-spec, image-layout.md). */
import { EngineError } from '../errors.js'
import { bareDescriptor, type Descriptor } from '../oci/descriptor.js'
import { hexOf } from '../oci/digest.js'
import { MAXIMUM_DOCUMENT_BYTES, parseDocument, parseIndex } from '../oci/document.js'
import { describe } from '../oci/field.js'
import { isIndexType, isManifestType, MEDIA_TYPE } from '../oci/media-type.js'
import { isReference, parseReference, withDefaultTag } from '../reference/normalize.js'
import type { Reference } from '../reference/reference.js'
import { missingBlob } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import { childrenOf, MAXIMUM_DOCUMENTS, MAXIMUM_INDEX_DEPTH } from '../store/reachable.js'
import { REFERENCE_ANNOTATION } from '../store/references.js'
import { type ArchiveFiles, readArchiveDocument } from './archive-files.js'
import type { LoadedImage } from './load.js'

/** Where containerd, docker and buildx write the full name; their `ref.name` holds the tag alone. */
export const CONTAINERD_NAME_ANNOTATION = 'io.containerd.image.name'

/**
 * Copies every image that index.json names into the ingest. `repository` is the name for images that have only a tag, as umoci's.
 * Rejects with INVALID_ARCHIVE, INVALID_IMAGE, DIGEST_MISMATCH.
 */
export async function loadOciLayout(ingest: Ingest, files: ArchiveFiles, repository: string | null): Promise<readonly LoadedImage[]> {
  const { imageLayoutVersion } = parseDocument(await readArchiveDocument(files, 'oci-layout'), 'oci-layout')
  if (imageLayoutVersion !== '1.0.0')
    throw new EngineError('INVALID_ARCHIVE', `oci-layout.imageLayoutVersion is ${describe(imageLayoutVersion)}; only "1.0.0" is read`)
  const { manifests } = parseIndex(await readArchiveDocument(files, 'index.json'), MEDIA_TYPE.ociIndex, 'index.json')
  const copy = copier(ingest, files)
  const loaded: LoadedImage[] = []
  for (const descriptor of manifests) {
    if (!isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) continue
    await copy(descriptor, 0)
    loaded.push({ reference: nameOf(descriptor, repository), descriptor: withoutNames(descriptor) })
  }
  return loaded
}

/** A function that copies a blob and all it refers to, counting documents over the whole archive. */
function copier(ingest: Ingest, files: ArchiveFiles): (descriptor: Descriptor, depth: number) => Promise<void> {
  const copied = new Set<string>()
  let documents = 0
  return async function copy(descriptor, depth) {
    if (copied.has(descriptor.digest)) return
    copied.add(descriptor.digest)
    const { mediaType } = descriptor
    const isIndex = isIndexType(mediaType)
    const isDocument = isIndex || isManifestType(mediaType)
    if (isDocument && ++documents > MAXIMUM_DOCUMENTS)
      throw new EngineError('INVALID_IMAGE', `the archive leads to more than ${MAXIMUM_DOCUMENTS} manifests`)
    if (isIndex && depth > MAXIMUM_INDEX_DEPTH)
      throw new EngineError('INVALID_IMAGE', `indexes stand within indexes, more than ${MAXIMUM_INDEX_DEPTH} deep`)
    if (isDocument && descriptor.size > MAXIMUM_DOCUMENT_BYTES)
      throw new EngineError(
        'INVALID_IMAGE',
        `${descriptor.digest} has ${descriptor.size} bytes; a manifest has at most ${MAXIMUM_DOCUMENT_BYTES}`,
      )
    await copyBlob(ingest, files, descriptor)
    if (!isDocument) return
    const children = childrenOf(await ingest.readDocument(descriptor), mediaType)
    // An archive of an image for many platforms may hold some of them only; of a manifest it must hold everything.
    const wanted = isIndex ? await present(files, ingest, children) : children
    if (isIndex && children.length > 0 && wanted.length === 0) throw missingBlob(children[0] ?? descriptor)
    for (const child of wanted) await copy(child, depth + 1)
  }
}

async function copyBlob(ingest: Ingest, files: ArchiveFiles, descriptor: Descriptor): Promise<void> {
  if (await ingest.reuse(descriptor)) return
  const name = blobName(descriptor)
  if ((await files.size(name)) === null) throw missingBlob(descriptor)
  await ingest.write(files.content(name), descriptor.mediaType, { digest: descriptor.digest, size: descriptor.size })
}

async function present(files: ArchiveFiles, ingest: Ingest, descriptors: readonly Descriptor[]): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = []
  for (const descriptor of descriptors)
    if ((await files.size(blobName(descriptor))) !== null || (await ingest.has(descriptor.digest))) found.push(descriptor)
  return found
}

function blobName(descriptor: Descriptor): string {
  return `blobs/sha256/${hexOf(descriptor.digest)}`
}

function withoutNames(descriptor: Descriptor): Descriptor {
  return descriptor.platform === undefined ? bareDescriptor(descriptor) : { ...bareDescriptor(descriptor), platform: descriptor.platform }
}

function nameOf({ annotations = {} }: Descriptor, repository: string | null): Reference | null {
  const full = annotations[CONTAINERD_NAME_ANNOTATION]
  if (full !== undefined) return withDefaultTag(parseReference(full))
  const name = annotations[REFERENCE_ANNOTATION]
  if (name === undefined) return null
  if (/[/:]/.test(name)) return withDefaultTag(parseReference(name))
  // A word alone is a tag to the image spec and to umoci; the archive's own name says what it is the tag of.
  const tagged = repository === null ? null : `${repository}:${name}`
  return tagged !== null && isReference(tagged) ? parseReference(tagged) : null
}
