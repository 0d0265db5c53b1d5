/**
 * What of an image leaves this machine: its documents as a tree, of an index only what is here with all its blobs. Everything is held by the
 * ingest, so that nobody's removal takes it away meanwhile.
 */
import { EngineError } from '../errors.js'
import { bareDescriptor, type Descriptor } from '../oci/descriptor.js'
import { parseDocument, parseIndex, parseManifest } from '../oci/document.js'
import type { Manifest } from '../oci/image-spec.js'
import { isForeignLayer, isIndexType, isManifestType } from '../oci/media-type.js'
import { formatPlatform } from '../oci/platform.js'
import { missingBlob } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import { MAXIMUM_DOCUMENTS, MAXIMUM_INDEX_DEPTH } from '../store/reachable.js'

/** A manifest with all its blobs. */
export interface OutgoingManifest {
  readonly kind: 'manifest'
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  readonly manifest: Manifest
}

/** An index, and what it lists and is here. */
export interface OutgoingIndex {
  readonly kind: 'index'
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  /** In the index's order; null for what is not here. */
  readonly children: readonly (OutgoingDocument | null)[]
}

/** A document that leaves. */
export type OutgoingDocument = OutgoingManifest | OutgoingIndex

/** An image that leaves. */
export interface Outgoing {
  readonly top: OutgoingDocument
  /** Platforms, or digests of what says none, that the image's index lists and that are not here. */
  readonly missing: readonly string[]
}

/**
 * Gathers an image. Of an index with only one of its images here, this image goes out alone, as docker has it. Rejects with INVALID_IMAGE when
 * nothing of it is whole.
 */
export async function gatherOutgoing(ingest: Ingest, descriptor: Descriptor): Promise<Outgoing> {
  const gathering = new Gathering(ingest)
  const top = await gathering.document(bareDescriptor(descriptor), 0)
  if (top === null) throw gathering.firstMissing ?? missingBlob(descriptor)
  const { missing } = gathering
  const here = top.kind === 'index' ? top.children.flatMap((child) => child ?? []) : []
  const [only] = here
  const isAlone = missing.length > 0 && here.length === 1 && only !== undefined
  return { top: isAlone ? only : top, missing }
}

class Gathering {
  readonly missing: string[] = []
  firstMissing: EngineError | undefined
  #documents = 0

  constructor(private readonly ingest: Ingest) {}

  /** Null when it is not here, or not whole. */
  async document(descriptor: Descriptor, depth: number): Promise<OutgoingDocument | null> {
    const { mediaType } = descriptor
    if (++this.#documents > MAXIMUM_DOCUMENTS || depth > MAXIMUM_INDEX_DEPTH)
      throw new EngineError(
        'INVALID_IMAGE',
        `the index leads to more than ${MAXIMUM_DOCUMENTS} documents, or more than ${MAXIMUM_INDEX_DEPTH} deep`,
      )
    if (!(isIndexType(mediaType) || isManifestType(mediaType)) || !(await this.#holds(descriptor))) return null
    const bytes = await this.ingest.readDocument(descriptor)
    if (isManifestType(mediaType)) {
      const manifest = parseManifest(bytes, mediaType)
      const blobs = [manifest.config, ...manifest.layers.filter((layer) => !isForeignLayer(layer.mediaType))]
      for (const blob of blobs) if (!(await this.#holds(blob))) return null
      return { kind: 'manifest', descriptor, bytes, manifest }
    }
    const { manifests } = parseIndex(bytes, mediaType)
    const children: (OutgoingDocument | null)[] = []
    for (const child of manifests) {
      const document = await this.document(child, depth + 1)
      if (document === null) this.missing.push(child.platform === undefined ? child.digest : formatPlatform(child.platform))
      children.push(document)
    }
    return children.length === 0 || children.some((child) => child !== null) ? { kind: 'index', descriptor, bytes, children } : null
  }

  async #holds(descriptor: Descriptor): Promise<boolean> {
    if (await this.ingest.reuse(descriptor)) return true
    this.firstMissing ??= missingBlob(descriptor)
    return false
  }
}

/** All manifests of a document, in order. */
export function manifestsIn(document: OutgoingDocument): readonly OutgoingManifest[] {
  if (document.kind === 'manifest') return [document]
  return document.children.flatMap((child) => (child === null ? [] : manifestsIn(child)))
}

/**
 * The bytes of a document that points to other blobs instead of its own, in the place of each; to null for one that is left out. All else that
 * it says, also what no spec knows, stays. Nothing is written anew when nothing changes.
 */
export function pointedElsewhere(
  { bytes }: OutgoingDocument,
  member: 'layers' | 'manifests',
  targets: readonly (Descriptor | null)[],
): Uint8Array {
  const document = parseDocument(bytes, member === 'layers' ? 'manifest' : 'index')
  const list = document[member] as readonly Descriptor[]
  const isSame = list.length === targets.length && list.every((own, at) => own.digest === targets[at]?.digest)
  if (isSame) return bytes
  const pointed = list.flatMap((own, at) => {
    const target = targets[at]
    if (target === null || target === undefined) return []
    return own.digest === target.digest ? [own] : [{ ...own, ...bareDescriptor(target) }]
  })
  return new TextEncoder().encode(JSON.stringify({ ...document, [member]: pointed }))
}
