/**
 * An image from a registry into the store. All of it lies in one ingest, checked to the last byte and unpacked once, before its name points
 * to it; what is stopped or refused leaves nothing.
 */
import { afterCleanUp, EngineError } from '../errors.js'
import { type Image, openImage } from '../image/image.js'
import { hostPlatform, type PlatformWish, platformImages } from '../image/platform-select.js'
import { bareDescriptor, type Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import type { Manifest } from '../oci/image-spec.js'
import { isConfigType, MEDIA_TYPE } from '../oci/media-type.js'
import { platformMatches } from '../oci/platform.js'
import { familiarReference, withDefaultTag } from '../reference/normalize.js'
import { formatReference, type Reference } from '../reference/reference.js'
import type { Ingest } from '../store/ingest.js'
import type { Layer } from '../store/layer-store.js'
import { withName } from '../store/references.js'
import type { Store } from '../store/store.js'
import type { RegistryClient } from './client.js'
import { whileNobodyFetches } from './fetch-lock.js'
import { inParallel } from './in-parallel.js'
import type { LayerStatus, PullEvent } from './pull-event.js'
import { RemoteImage } from './remote-image.js'
import { aborted } from './session.js'

/** Layers that come at once, as many as docker's. */
const LAYERS_AT_ONCE = 3

/** What {@link pullImage} stands on. */
export interface PullParts {
  readonly store: Store
  readonly client: RegistryClient
  /** Removes layers that nothing leads to: of an image that was refused after some were unpacked. */
  readonly prune: () => Promise<unknown>
}

/** How an image is pulled. */
export interface PullOptions {
  /** Which of its platforms; `all` brings everything that its index lists. */
  readonly wish: PlatformWish | 'all'
  readonly report?: (event: PullEvent) => void
  readonly signal?: AbortSignal | undefined
}

/** An image that is here. */
export interface Pulled {
  /** Its name; with a digest it has no tag, as docker has it. */
  readonly reference: Reference
  /** Of its manifest or index. */
  readonly descriptor: Descriptor
  /** Whether anything has come, or the name meant another image before. */
  readonly isNew: boolean
}

/**
 * Pulls what a reference names. Rejects with IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH,
 * INVALID_IMAGE, INVALID_ARCHIVE, UNSUPPORTED_MEDIA_TYPE, LIMIT_EXCEEDED, ABORTED.
 */
export async function pullImage({ store, client, prune }: PullParts, wanted: Reference, options: PullOptions): Promise<Pulled> {
  const { wish, report = () => {}, signal } = options
  if (signal?.aborted) throw aborted(signal)
  const reference = nameOf(wanted)
  const tagOrDigest = reference.digest ?? reference.tag ?? ''
  const fetched = await client.manifest(reference, tagOrDigest, signal)
  report({ event: 'found', tagOrDigest, repository: reference.path, digest: fetched.digest })
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const ingest = await store.ingest({ signal: either })
  const pull = new Pull({ store, ingest, remote: new RemoteImage(client, reference, ingest, either), report })
  try {
    const top = await pull.run(fetched, wish, either)
    const isNew = pull.hasFetched || !(await isNamed(store, reference, top))
    if (isNew) await ingest.commit((names) => withName(names, reference, top))
    report({ event: 'pulled', reference: familiarReference(reference), digest: top.digest, isNew })
    return { reference, descriptor: top, isNew }
  } catch (error) {
    stop.abort(error)
    const failure = signal?.aborted ? aborted(signal) : error
    throw await afterCleanUp(failure, () => ingest.discard(), ...(pull.hasUnpacked ? [prune] : []))
  } finally {
    await ingest.discard()
  }
}

/** With a digest the tag says nothing: the digest is what is meant. */
function nameOf(reference: Reference): Reference {
  const { domain, path, digest } = reference
  return digest === undefined ? withDefaultTag(reference) : { domain, path, digest }
}

async function isNamed(store: Store, reference: Reference, { digest }: Descriptor): Promise<boolean> {
  const key = formatReference(reference)
  const names = await store.references.list()
  return names.some((name) => name.descriptor.digest === digest && name.reference !== null && formatReference(name.reference) === key)
}

interface RunningPull {
  readonly store: Store
  readonly ingest: Ingest
  readonly remote: RemoteImage
  readonly report: (event: PullEvent) => void
}

/** One pull under way. */
class Pull {
  readonly #parts: RunningPull
  #hasUnpacked = false
  /** Blobs that were in the store before. */
  readonly #here = new Set<Digest>()

  constructor(parts: RunningPull) {
    this.#parts = parts
  }

  get hasFetched(): boolean {
    return this.#parts.remote.hasFetched
  }

  /** Whether a layer was unpacked that was not before. */
  get hasUnpacked(): boolean {
    return this.#hasUnpacked
  }

  /** Brings everything into the ingest and resolves with what the name is to point to. */
  async run(fetched: Parameters<RemoteImage['begin']>[0], wish: PlatformWish | 'all', signal: AbortSignal): Promise<Descriptor> {
    const { ingest, remote } = this.#parts
    const top = await remote.begin(fetched)
    const descriptors = wish === 'all' ? await remote.manifests(top) : [await remote.choose(top, wish)]
    const manifests: Manifest[] = []
    for (const descriptor of descriptors) manifests.push(await remote.manifest(descriptor))
    if (wish !== 'all') assertRunnable(manifests)
    const unpacked = await this.#layersToUnpack(top, descriptors, wish)
    const blobs = new Map(manifests.flatMap(({ layers }) => layers.map((layer) => [layer.digest, bareDescriptor(layer)] as const)))
    for (const blob of blobs.values()) {
      const isHere = await ingest.reuse(blob)
      if (isHere) this.#here.add(blob.digest)
      this.#say(blob, isHere ? 'exists' : 'waiting', isHere ? blob.size : 0)
    }
    await inParallel([...blobs.values()], LAYERS_AT_ONCE, (blob, stopped) => this.#bring(blob, unpacked, stopped), signal)
    // Everything that would make an image unusable; a module is one layer that only now is there.
    for (const { image } of await platformImages(ingest, top)) await image.layers()
    return top
  }

  /** Layers to be unpacked as they come, by their blob: those of the image that is meant, or that this machine runs. */
  async #layersToUnpack(
    top: Descriptor,
    descriptors: readonly Descriptor[],
    wish: PlatformWish | 'all',
  ): Promise<ReadonlyMap<string, Layer>> {
    const { ingest } = this.#parts
    const images: readonly Image[] =
      wish === 'all'
        ? (await platformImages(ingest, top)).filter(({ platform }) => platformMatches(hostPlatform(), platform)).map(({ image }) => image)
        : descriptors.map((descriptor) => openImage(ingest, descriptor))
    const layers = new Map<string, Layer>()
    for (const image of images.slice(0, 1)) {
      const { config } = await image.manifest()
      // A module is its own layer, and packed into a tar when it is first run.
      if (config.mediaType === MEDIA_TYPE.wasmConfig) continue
      for (const layer of await image.layers()) layers.set(layer.descriptor.digest, layer)
    }
    return layers
  }

  async #bring(blob: Descriptor, unpacked: ReadonlyMap<string, Layer>, signal: AbortSignal): Promise<void> {
    const { ingest, remote, store } = this.#parts
    const layer = unpacked.get(blob.digest)
    const wasHere = this.#here.has(blob.digest)
    if (!wasHere)
      // Whoever else fetches it holds this lock, and has it when it is free.
      await whileNobodyFetches({ store, blob, signal, stallMs: remote.stallMs, report: this.#parts.report }, async () => {
        if (await ingest.borrow(blob)) return
        this.#say(blob, 'downloading')
        await remote.blob(blob, signal, (bytes) => this.#say(blob, 'downloading', bytes))
      })
    if (!wasHere) this.#say(blob, 'downloaded', blob.size)
    if (layer !== undefined && (await store.layers.find(layer.diffId)) === null) {
      if (!wasHere) this.#say(blob, 'extracting', blob.size)
      this.#hasUnpacked = true
      await store.layers.ensure(layer, { signal })
    }
    if (!wasHere) this.#say(blob, 'complete', blob.size)
  }

  #say({ digest, size }: Pick<Descriptor, 'digest' | 'size'>, status: LayerStatus, bytes = 0): void {
    this.#parts.report({ event: 'layer', digest, status, bytes, totalBytes: size })
  }
}

/** Throws UNSUPPORTED_MEDIA_TYPE for what is no image, before its blobs come. */
function assertRunnable(manifests: readonly Manifest[]): void {
  for (const { config, artifactType } of manifests)
    if (!isConfigType(config.mediaType) && config.mediaType !== MEDIA_TYPE.wasmConfig)
      throw new EngineError(
        'UNSUPPORTED_MEDIA_TYPE',
        `this is an artifact of type ${artifactType ?? config.mediaType}, not an image to run`,
        { data: { mediaType: config.mediaType } },
      )
}
