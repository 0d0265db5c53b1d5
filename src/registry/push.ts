/**
 * Images of the store into a registry: blobs first, then manifests, then the index, and the tag with the last of them, so that a name never
 * leads to what is not there. What is packed for the way lies in an ingest that is dropped; that it was is noted (`store/packed-notes`).
 */
import { afterCleanUp, EngineError } from '../errors.js'
import { openImage } from '../image/image.js'
import { gatherOutgoing, manifestsIn, type OutgoingDocument, type OutgoingManifest, pointedElsewhere } from '../image/outgoing.js'
import { packLayer } from '../image/pack-layer.js'
import { type PlatformWish, selectImage } from '../image/platform-select.js'
import { bareDescriptor, type Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import { gzippedLayerType, isConfigType, isForeignLayer, layerCompression } from '../oci/media-type.js'
import { familiarReference } from '../reference/normalize.js'
import type { Reference } from '../reference/reference.js'
import { digestOf } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import type { PackedNotes } from '../store/packed-notes.js'
import { reachableFrom } from '../store/reachable.js'
import type { NamedDescriptor } from '../store/references.js'
import type { Store } from '../store/store.js'
import { placeBlob, type Uploaded, type UploadRequest, uploadBlob } from './blob-upload.js'
import type { RegistryClient } from './client.js'
import { inParallel } from './in-parallel.js'
import { uploadManifest } from './manifest-upload.js'
import type { PushEvent, PushedLayerStatus } from './push-event.js'
import { aborted } from './session.js'

/** Layers that go at once, as many as docker's. */
const LAYERS_AT_ONCE = 5

/** What {@link pushImages} stands on. */
export interface PushParts {
  readonly store: Store
  readonly client: RegistryClient
}

/** A name in full, and what it leads to here. */
export interface NamedImage {
  readonly reference: Reference & { readonly tag: string }
  readonly descriptor: Descriptor
}

/** How images are pushed. */
export interface PushOptions {
  /** Only this one of an image's platforms, as an image of its own. */
  readonly wish?: PlatformWish | undefined
  readonly report?: (event: PushEvent) => void
  readonly signal?: AbortSignal | undefined
}

/** An image that the registry has. */
export interface Pushed {
  readonly reference: Reference
  /** Of its manifest or index as the registry has it: another than here when layers were packed or platforms left out. */
  readonly descriptor: Descriptor
  /** What its index lists and is not here. */
  readonly missing: readonly string[]
}

/**
 * Pushes images of one repository, one after the other. Rejects with ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, INVALID_IMAGE,
 * PLATFORM_NOT_FOUND, ABORTED; names that were pushed by then are.
 */
export async function pushImages(
  { store, client }: PushParts,
  images: readonly NamedImage[],
  options: PushOptions,
): Promise<readonly Pushed[]> {
  const { signal } = options
  if (signal?.aborted) throw aborted(signal)
  const ingest = await store.ingest(signal === undefined ? {} : { signal })
  try {
    const push = new Push({ ingest, client, packed: store.packed, names: await store.references.list(), ...options })
    const pushed: Pushed[] = []
    for (const image of images) pushed.push(await push.image(image))
    return pushed
  } catch (error) {
    throw await afterCleanUp(signal?.aborted ? aborted(signal) : error, () => ingest.discard())
  } finally {
    await ingest.discard()
  }
}

interface RunningPush extends PushOptions {
  readonly ingest: Ingest
  readonly client: RegistryClient
  readonly packed: PackedNotes
  /** All that the store has, for what its registry may have in other repositories. */
  readonly names: readonly NamedDescriptor[]
}

/** Pushes under way, of one repository. */
class Push {
  readonly #parts: RunningPush
  /** What is in the registry of what was sent or found there, by its digest here. */
  readonly #there = new Map<Digest, Descriptor>()
  #others: Promise<ReadonlyMap<string, ReadonlySet<Digest>>> | undefined

  constructor(parts: RunningPush) {
    this.#parts = parts
  }

  async image({ reference, descriptor }: NamedImage): Promise<Pushed> {
    const { ingest, wish, report = () => {}, signal } = this.#parts
    const chosen = wish === undefined ? descriptor : (await selectImage(ingest, descriptor, wish)).image.descriptor
    const { top, missing } = await gatherOutgoing(ingest, chosen)
    if (missing.length > 0) report({ event: 'incomplete', reference: familiarReference(reference), missing })
    const manifests = manifestsIn(top)
    const layers = new Map<Digest, LayerToPush>()
    for (const outgoing of manifests)
      for (const layer of outgoing.manifest.layers) {
        if (layers.has(layer.digest)) continue
        layers.set(layer.digest, { outgoing, layer })
        this.#say(layer, isForeignLayer(layer.mediaType) ? 'foreign' : 'waiting')
      }
    const own = [...layers.values()].filter(({ layer }) => !isForeignLayer(layer.mediaType))
    await inParallel(own, LAYERS_AT_ONCE, (layer, stopped) => this.#layer(reference, layer, stopped), signal)
    for (const { manifest } of manifests) await this.#blob(reference, manifest.config, { mountFrom: [], signal })
    const sent = await this.#document(reference, top, reference.tag)
    report({ event: 'pushed', tag: reference.tag, digest: sent.digest, size: sent.size })
    return { reference, descriptor: sent, missing }
  }

  /** A layer as it is stored, or packed with gzip when that is as a plain tar. */
  async #layer(reference: Reference, { outgoing, layer }: LayerToPush, signal: AbortSignal): Promise<void> {
    if (this.#there.has(layer.digest)) return this.#say(layer, 'exists', { bytes: layer.size })
    const mountFrom = await this.#repositoriesWith(reference, layer.digest)
    if (!isPlain(outgoing, layer)) {
      const blob = bareDescriptor(layer)
      return this.#found(layer, blob, await this.#blob(reference, blob, { mountFrom, signal, progress: this.#progress(layer, blob) }))
    }
    const known = this.#known(layer)
    if (known !== null) {
      const placed = await placeBlob(this.#parts.client.session, { repository: reference, blob: known, mountFrom, signal })
      if (placed !== null) return this.#found(layer, known, placed)
    }
    const blob = await this.#packed(outgoing, layer)
    signal.throwIfAborted()
    // Who has been asked for it already has not got it.
    const from = known?.digest === blob.digest ? [] : mountFrom
    this.#found(layer, blob, await this.#blob(reference, blob, { mountFrom: from, signal, progress: this.#progress(layer, blob) }))
    await this.#parts.packed.keep(this.#parts.ingest, layer.digest, blob)
  }

  #progress(layer: Descriptor, { size }: Descriptor): (bytes: number) => void {
    return (bytes) => this.#say(layer, 'pushing', { bytes, totalBytes: size })
  }

  /** What a plain layer became when it was packed before. */
  #known(layer: Descriptor): Descriptor | null {
    const note = this.#parts.packed.find(layer.digest)
    return note === null ? null : { ...note, mediaType: gzippedLayerType(layer.mediaType) }
  }

  #found(layer: Descriptor, blob: Descriptor, uploaded: Uploaded): void {
    this.#there.set(layer.digest, blob)
    const sizes = { bytes: blob.size, totalBytes: blob.size }
    if (uploaded.by === 'mount') this.#say(layer, 'mounted', { ...sizes, from: uploaded.from })
    else this.#say(layer, uploaded.by === 'existing' ? 'exists' : 'pushed', sizes)
  }

  async #packed({ descriptor }: OutgoingManifest, layer: Descriptor): Promise<Descriptor> {
    const { ingest } = this.#parts
    this.#say(layer, 'packing')
    const stored = (await openImage(ingest, descriptor).layers()).find((own) => own.descriptor.digest === layer.digest)
    if (stored === undefined) throw new EngineError('INTERNAL', `the image has no layer ${layer.digest}`)
    return { ...(await packLayer(ingest, stored, 'gzip')), mediaType: gzippedLayerType(layer.mediaType) }
  }

  #blob(
    repository: Reference,
    blob: Descriptor,
    { mountFrom, signal, progress = () => {} }: Pick<UploadRequest, 'mountFrom' | 'signal'> & Partial<Pick<UploadRequest, 'progress'>>,
  ): Promise<Uploaded> {
    const { ingest, client } = this.#parts
    const open = (offset: number) => ingest.open(blob, offset)
    return uploadBlob(client.session, { repository, blob, open, mountFrom, signal, progress })
  }

  /** Puts a document over what is in the registry by now, an index after what it lists. */
  async #document(repository: Reference, document: OutgoingDocument, tag?: string): Promise<Descriptor> {
    const { client, signal } = this.#parts
    const bytes =
      document.kind === 'manifest'
        ? pointedElsewhere(
            document,
            'layers',
            document.manifest.layers.map((layer) => this.#there.get(layer.digest) ?? layer),
          )
        : pointedElsewhere(document, 'manifests', await this.#children(repository, document.children))
    const descriptor = { mediaType: document.descriptor.mediaType, digest: digestOf(bytes), size: bytes.length }
    await uploadManifest(client.session, { repository, descriptor, bytes, tag, signal })
    return descriptor
  }

  async #children(repository: Reference, children: readonly (OutgoingDocument | null)[]): Promise<readonly (Descriptor | null)[]> {
    const sent: (Descriptor | null)[] = []
    for (const child of children) sent.push(child === null ? null : await this.#document(repository, child))
    return sent
  }

  /** Paths of the registry's other repositories whose images here hold a blob: it may be there, too. */
  async #repositoriesWith({ domain, path }: Reference, digest: Digest): Promise<readonly string[]> {
    this.#others ??= this.#blobsElsewhere(domain, path)
    return [...(await this.#others)].flatMap(([other, blobs]) => (blobs.has(digest) ? [other] : []))
  }

  async #blobsElsewhere(domain: string, path: string): Promise<ReadonlyMap<string, ReadonlySet<Digest>>> {
    const { ingest, names } = this.#parts
    const roots = new Map<string, Descriptor[]>()
    for (const { reference, descriptor } of names)
      if (reference !== null && reference.domain === domain && reference.path !== path)
        roots.set(reference.path, [...(roots.get(reference.path) ?? []), descriptor])
    const blobs = new Map<string, ReadonlySet<Digest>>()
    for (const [other, descriptors] of roots) blobs.set(other, (await reachableFrom(ingest, descriptors)).blobs)
    return blobs
  }

  #say(
    { digest, size }: Descriptor,
    status: PushedLayerStatus,
    { bytes = 0, totalBytes = size, from }: { bytes?: number; totalBytes?: number; from?: string } = {},
  ): void {
    this.#parts.report?.({ event: 'layer', digest, status, bytes, totalBytes, ...(from === undefined ? {} : { from }) })
  }
}

/** A layer, and an image that it is of. */
interface LayerToPush {
  readonly outgoing: OutgoingManifest
  readonly layer: Descriptor
}

/** A module in an artifact of its own is no layer, whatever its type. */
function isPlain({ manifest }: OutgoingManifest, { mediaType }: Descriptor): boolean {
  return isConfigType(manifest.config.mediaType) && layerCompression(mediaType) === 'none'
}
