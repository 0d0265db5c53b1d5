/**
 * The documents of an image in a registry: which manifests a name leads to, and which of them is meant. Everything that is read lies in the
 * ingest, checked, before it is read.
 */
import { EngineError } from '../errors.js'
import { manifestsBelow } from '../image/manifests-below.js'
import { hostPlatform, type PlatformWish } from '../image/platform-select.js'
import { bareDescriptor, type Descriptor } from '../oci/descriptor.js'
import { MAXIMUM_DOCUMENT_BYTES, parseImageConfig, parseIndex, parseManifest, parseWasmArtifactConfig } from '../oci/document.js'
import type { Manifest } from '../oci/image-spec.js'
import { isConfigType, isManifestType, MEDIA_TYPE } from '../oci/media-type.js'
import { formatPlatform, type Platform, platformMatches, WASI_PLATFORM } from '../oci/platform.js'
import type { Ingest } from '../store/ingest.js'
import { MAXIMUM_DOCUMENTS } from '../store/reachable.js'
import { avoidAll, downloadBlob } from './blob-download.js'
import type { FetchedManifest, RegistryClient } from './client.js'
import type { Repository, Source } from './session.js'

/** Platform of what is said about an image and is none. */
const UNKNOWN = 'unknown'

/** Reads documents of one repository into an ingest. */
export class RemoteImage {
  #documents = 0
  #hasFetched = false

  constructor(
    private readonly client: RegistryClient,
    private readonly repository: Repository,
    private readonly ingest: Ingest,
    private readonly signal: AbortSignal,
  ) {}

  /** Whether anything had to come from the registry that was not here. */
  get hasFetched(): boolean {
    return this.#hasFetched
  }

  /** Milliseconds after which what stands still is given up. */
  get stallMs(): number {
    return this.client.patience.stallMs
  }

  /** Takes what a name led to into the ingest. */
  async begin({ bytes, digest, mediaType }: FetchedManifest): Promise<Descriptor> {
    const descriptor = { mediaType, digest, size: bytes.length }
    if (!(await this.ingest.reuse(descriptor))) {
      await this.ingest.writeDocument(bytes, mediaType)
      this.#hasFetched = true
    }
    return descriptor
  }

  /** All manifests below `top`, in order, each once. Rejects with INVALID_IMAGE, and what the registry has to say. */
  async manifests(top: Descriptor): Promise<readonly Descriptor[]> {
    return manifestsBelow(top, async (index) => parseIndex(await this.#document(index), index.mediaType).manifests)
  }

  /** The one manifest that is wished for. Rejects with PLATFORM_NOT_FOUND, naming what there is. */
  async choose(top: Descriptor, wish: PlatformWish): Promise<Descriptor> {
    if (isManifestType(top.mediaType)) {
      const platform = wish.platform === undefined ? null : await this.#platformOf(top)
      if (platform !== null && wish.platform !== undefined && !platformMatches(wish.platform, platform))
        throw notFor([wish.platform], [platform])
      return top
    }
    const wanted = wish.platform === undefined ? [...(wish.preferred ?? []), hostPlatform(), WASI_PLATFORM] : [wish.platform]
    const offered: { readonly platform: Platform; readonly descriptor: Descriptor }[] = []
    const silent: Descriptor[] = []
    for (const descriptor of await this.manifests(top)) {
      const { platform } = descriptor
      if (platform === undefined) silent.push(descriptor)
      else if (platform.os !== UNKNOWN) offered.push({ platform, descriptor })
    }
    const match = () => wanted.flatMap((platform) => offered.find((candidate) => platformMatches(platform, candidate.platform)) ?? [])[0]
    // Only an index that does not say what for asks for more than itself.
    if (match() === undefined)
      for (const descriptor of silent) {
        const platform = await this.#platformOf(descriptor)
        if (platform !== null) offered.push({ platform, descriptor })
      }
    const chosen = match()
    if (chosen !== undefined) return chosen.descriptor
    throw notFor(
      wanted,
      offered.map(({ platform }) => platform),
    )
  }

  /** A manifest, in the ingest with its config. */
  async manifest(descriptor: Descriptor): Promise<Manifest> {
    const manifest = parseManifest(await this.#document(descriptor), descriptor.mediaType)
    await this.#config(manifest.config)
    return manifest
  }

  /** A blob that is not a document. */
  async blob(descriptor: Descriptor, signal: AbortSignal, progress: (bytes: number) => void): Promise<void> {
    this.#hasFetched = true
    const { digest, size } = descriptor
    for (;;) {
      const mirrors = new Set<Source>()
      const bytes = downloadBlob(this.client, this.repository, descriptor, { signal, progress, mirrors })
      try {
        await this.ingest.write(bytes, descriptor.mediaType, { digest, size })
        return
      } catch (error) {
        // What came of a mirror was something else: the next, or the registry itself, may have it.
        if (!(error instanceof EngineError) || error.code !== 'DIGEST_MISMATCH' || !avoidAll(mirrors)) throw error
      }
    }
  }

  async #platformOf(descriptor: Descriptor): Promise<Platform | null> {
    const { config } = await this.manifest(descriptor)
    if (config.mediaType === MEDIA_TYPE.wasmConfig) return parseWasmArtifactConfig(await this.ingest.readDocument(config))
    return isConfigType(config.mediaType) ? parseImageConfig(await this.ingest.readDocument(config)) : null
  }

  async #document(descriptor: Descriptor): Promise<Uint8Array> {
    if (++this.#documents > MAXIMUM_DOCUMENTS)
      throw new EngineError('INVALID_IMAGE', `the image leads to more than ${MAXIMUM_DOCUMENTS} documents`)
    if (await this.ingest.reuse(descriptor)) return this.ingest.readDocument(descriptor)
    assertSmall(descriptor)
    const { bytes, mediaType } = await this.client.manifest(this.repository, descriptor.digest, this.signal)
    if (mediaType !== descriptor.mediaType)
      throw new EngineError(
        'INVALID_IMAGE',
        `the registry says that ${descriptor.digest} is of type ${mediaType}, but what led to it says ${descriptor.mediaType} (CVE-2021-41190)`,
      )
    if (bytes.length !== descriptor.size)
      throw new EngineError('DIGEST_MISMATCH', `${descriptor.digest} should have ${descriptor.size} bytes, but has ${bytes.length}`)
    await this.ingest.writeDocument(bytes, mediaType)
    this.#hasFetched = true
    return bytes
  }

  async #config(descriptor: Descriptor): Promise<void> {
    if (await this.ingest.borrow(descriptor)) return
    assertSmall(descriptor)
    await this.blob(bareDescriptor(descriptor), this.signal, () => {})
  }
}

function assertSmall({ digest, size }: Descriptor): void {
  if (size > MAXIMUM_DOCUMENT_BYTES)
    throw new EngineError('LIMIT_EXCEEDED', `${digest} has ${size} bytes; documents have at most ${MAXIMUM_DOCUMENT_BYTES}`)
}

function notFor(wanted: readonly Platform[], offered: readonly Platform[]): EngineError {
  const names = [...new Set(offered.map(formatPlatform))]
  const wishes = [...new Set(wanted.map(formatPlatform))]
  const [first] = names
  return new EngineError(
    'PLATFORM_NOT_FOUND',
    `the image is not for ${wishes.join(' or ')}; it is for ${names.length === 0 ? 'no platform at all' : names.join(', ')}`,
    {
      ...(first === undefined ? {} : { hint: `Ask for what there is: --platform ${first}` }),
      data: { wanted: wishes, offered: names },
    },
  )
}
