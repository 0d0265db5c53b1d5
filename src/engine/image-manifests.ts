/** Documents of an image as they are, in its registry or here: looked at, and not kept. */
import { EngineError, messageOf } from '../errors.js'
import { findImage } from '../image/find.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import { parseImageConfig, parseIndex, parseManifest, parseWasmArtifactConfig } from '../oci/document.js'
import { isConfigType, isIndexType, isManifestType, MEDIA_TYPE } from '../oci/media-type.js'
import type { Platform } from '../oci/platform.js'
import { parseReference, withDefaultTag } from '../reference/normalize.js'
import { formatReference, type Reference } from '../reference/reference.js'
import { readBlob } from '../registry/blob-download.js'
import type { RegistryClient } from '../registry/client.js'
import { readConfiguration, resolveName } from '../registry/configuration.js'
import { type OpenClientOptions, openClient } from '../registry/open-client.js'
import type { Store } from '../store/store.js'

/** What `images.manifest` takes. */
export interface ManifestOptions {
  /** Also each manifest of an index, and platforms. */
  readonly verbose?: boolean
  /** Its registry may speak plain HTTP, or have any certificate. */
  readonly insecure?: boolean
  readonly signal?: AbortSignal
}

/** A manifest or an index. */
export interface ImageManifest {
  /** Name in full, of a manifest of an index with its digest: `docker.io/library/alpine:3.20@sha256:…`; an id where it has no name. */
  readonly reference: string
  readonly mediaType: string
  readonly digest: Digest
  readonly sizeBytes: number
  /** What it is for, where it was asked for and is said. */
  readonly platform: Platform | null
  /** Its bytes. */
  readonly bytes: Uint8Array
}

/** An image's document with those below it. */
export interface ImageManifests extends ImageManifest {
  /** Of an index those that there are, with `verbose`. */
  readonly manifests: readonly ImageManifest[]
  /** Why it is not the registry's but what is here; null where it is the registry's. */
  readonly notFromRegistry: string | null
}

/** Reads documents, by what leads to them. */
interface DocumentSource {
  /** Null for what is not there. */
  document(descriptor: Descriptor): Promise<Uint8Array | null>
  config(descriptor: Descriptor): Promise<Uint8Array>
}

/** Codes after which a name may still be one that is only here. */
const NOT_THERE = new Set(['IMAGE_NOT_FOUND', 'ACCESS_DENIED', 'REGISTRY_FAILED'])

/** What the registry has under a name, or else what is here. Rejects with what the registry says where neither has it. */
export async function imageManifests(
  store: Store,
  typed: string,
  { verbose = false, insecure = false, signal }: ManifestOptions,
  clientOptions: OpenClientOptions = {},
): Promise<ImageManifests> {
  if (/^(sha256:)?[0-9a-f]{12,64}$/.test(typed)) {
    const found = await localOrNull(store, typed, verbose, 'it is named by its id')
    if (found !== null) return found
  }
  const configuration = await readConfiguration(clientOptions.environment ?? process.env)
  const reference = withTagOrDigest(resolveName(typed, configuration))
  try {
    using opened = await openClient({ ...clientOptions, insecureRegistries: insecure ? [reference.domain] : [] })
    return await remote(opened.client, reference, verbose, signal)
  } catch (error) {
    if (!(error instanceof EngineError) || !NOT_THERE.has(error.code)) throw error
    for (const name of new Set([typed, formatReference(reference), formatReference(withTagOrDigest(parseReference(typed)))])) {
      const found = await localOrNull(store, name, verbose, messageOf(error))
      if (found !== null) return found
    }
    throw error
  }
}

function withTagOrDigest(reference: Reference): Reference {
  return reference.digest === undefined ? withDefaultTag(reference) : reference
}

async function remote(client: RegistryClient, reference: Reference, verbose: boolean, signal?: AbortSignal): Promise<ImageManifests> {
  const { bytes, mediaType, digest } = await client.manifest(reference, reference.digest ?? reference.tag ?? '', signal)
  const source: DocumentSource = {
    document: async (descriptor) => (await client.manifest(reference, descriptor.digest, signal)).bytes,
    config: (descriptor) => readBlob(client, reference, descriptor, signal === undefined ? {} : { signal }),
  }
  const top = { reference: formatReference(reference), descriptor: { mediaType, digest, size: bytes.length }, bytes }
  return { ...(await whole(source, top, verbose)), notFromRegistry: null }
}

async function localOrNull(store: Store, typed: string, verbose: boolean, reason: string): Promise<ImageManifests | null> {
  try {
    return await local(store, typed, verbose, reason)
  } catch (error) {
    if (error instanceof EngineError && error.code === 'IMAGE_NOT_FOUND') return null
    throw error
  }
}

async function local(store: Store, typed: string, verbose: boolean, reason: string): Promise<ImageManifests> {
  const { descriptor, names, reference } = await findImage(store, typed)
  const { layout } = store
  const source: DocumentSource = {
    // Of an image for several platforms some may be here only.
    document: async (child) => ((await layout.has(child.digest)) ? layout.readDocument(child) : null),
    config: (config) => layout.readDocument(config),
  }
  const name = reference ?? names[0]
  const bytes = await layout.readDocument(descriptor)
  const top = { reference: name === undefined ? descriptor.digest : formatReference(name), descriptor, bytes }
  return { ...(await whole(source, top, verbose)), notFromRegistry: reason }
}

interface Top {
  readonly reference: string
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

async function whole(source: DocumentSource, top: Top, verbose: boolean): Promise<Omit<ImageManifests, 'notFromRegistry'>> {
  const { reference, descriptor, bytes } = top
  const isIndex = isIndexType(descriptor.mediaType)
  const platform = verbose && !isIndex ? await platformOf(source, bytes, descriptor.mediaType) : null
  const manifests: ImageManifest[] = []
  for (const child of verbose && isIndex ? parseIndex(bytes, descriptor.mediaType).manifests : []) {
    if (!isManifestType(child.mediaType) && !isIndexType(child.mediaType)) continue
    const below = await source.document(child)
    if (below === null) continue
    manifests.push(shown({ reference: `${reference.replace(/@.*/, '')}@${child.digest}`, descriptor: child, bytes: below }, child.platform))
  }
  return { ...shown(top, platform), manifests }
}

function shown({ reference, descriptor: { mediaType, digest, size }, bytes }: Top, platform: Platform | null = null): ImageManifest {
  return { reference, mediaType, digest, sizeBytes: size, platform, bytes }
}

async function platformOf(source: DocumentSource, bytes: Uint8Array, mediaType: string): Promise<Platform | null> {
  const { config } = parseManifest(bytes, mediaType)
  const isArtifact = config.mediaType === MEDIA_TYPE.wasmConfig
  if (!isArtifact && !isConfigType(config.mediaType)) return null
  const { os, architecture, variant } = (isArtifact ? parseWasmArtifactConfig : parseImageConfig)(await source.config(config))
  return { os, architecture, ...(variant === undefined ? {} : { variant }) }
}
