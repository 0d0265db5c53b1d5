/**
 * An image is an immutable view of blobs: what its descriptor says never changes, a changed image is another one (`edit.ts`).
 * Nothing is read before it is asked for, and layers are never held in memory.
 */
import type { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import type { DecompressionMeter } from '../layer/compression.js'
import { decompressionLimits } from '../layer/limits.js'
import type { Descriptor } from '../oci/descriptor.js'
import { parseImageConfig, parseManifest } from '../oci/document.js'
import type { ImageConfig, Manifest } from '../oci/image-spec.js'
import { isConfigType, isManifestType, layerCompression, MEDIA_TYPE } from '../oci/media-type.js'
import type { BlobSource } from '../store/blob-source.js'
import type { Layer } from '../store/layer-store.js'
import { readWasmArtifact } from './wasm-artifact.js'

/** An image for one platform. */
export interface Image {
  /** Of its manifest. */
  readonly descriptor: Descriptor
  manifest(): Promise<Manifest>
  config(): Promise<ImageConfig>
  /** Base first. Rejects with INVALID_IMAGE when manifest and config disagree about their number. */
  layers(): Promise<readonly Layer[]>
}

/** Config and layers of an image, read together. */
export interface ImageContents {
  readonly config: ImageConfig
  readonly layers: readonly Layer[]
}

/**
 * The image whose manifest `descriptor` points to. Its calls reject with INVALID_IMAGE, DIGEST_MISMATCH and, for artifacts that
 * are no images, UNSUPPORTED_MEDIA_TYPE.
 */
export function openImage(source: BlobSource, descriptor: Descriptor): Image {
  if (!isManifestType(descriptor.mediaType))
    throw new EngineError('UNSUPPORTED_MEDIA_TYPE', `${descriptor.digest} is of type ${descriptor.mediaType}, which is no image`, {
      data: { mediaType: descriptor.mediaType },
    })
  const manifest = once(async () => parseManifest(await source.readDocument(descriptor), descriptor.mediaType))
  const contents = once(async () => readContents(source, await manifest()))
  return {
    descriptor,
    manifest,
    config: async () => (await contents()).config,
    layers: async () => (await contents()).layers,
  }
}

async function readContents(source: BlobSource, manifest: Manifest): Promise<ImageContents> {
  const { config: descriptor } = manifest
  if (descriptor.mediaType === MEDIA_TYPE.wasmConfig) return readWasmArtifact(source, manifest)
  if (!isConfigType(descriptor.mediaType))
    throw new EngineError(
      'UNSUPPORTED_MEDIA_TYPE',
      `this is an artifact of type ${manifest.artifactType ?? descriptor.mediaType}, not an image to run`,
      {
        data: { mediaType: descriptor.mediaType },
      },
    )
  const config = parseImageConfig(await source.readDocument(descriptor))
  const diffIds = config.rootfs.diff_ids
  if (diffIds.length !== manifest.layers.length)
    throw new EngineError(
      'INVALID_IMAGE',
      `the manifest has ${manifest.layers.length} layers, but config.rootfs.diff_ids has ${diffIds.length}`,
    )
  const uncompressed = unpacker()
  const layers = manifest.layers.map((layer, position) => {
    if (layerCompression(layer.mediaType) === undefined)
      throw new EngineError(
        'UNSUPPORTED_MEDIA_TYPE',
        `manifest.layers[${position}].mediaType is ${layer.mediaType}, which is no layer of files`,
        {
          data: { mediaType: layer.mediaType },
        },
      )
    const diffId = diffIds[position]
    if (diffId === undefined) throw new EngineError('INTERNAL', 'a layer without diffId')
    return {
      descriptor: layer,
      diffId,
      uncompressed: async () => uncompressed(await source.open(layer)),
      path: () => source.pathOf(layer.digest),
    }
  })
  return { config, layers }
}

/**
 * Unpacks an image's layers, all under one meter: a bomb may be spread over a thousand of them. The decoders are loaded when a layer is first
 * wanted from its blob, which is once.
 */
function unpacker(): (blob: Readable) => Promise<Readable> {
  let meter: DecompressionMeter | undefined
  return async (blob) => {
    const compression = await import('../layer/compression.js')
    meter ??= new compression.DecompressionMeter(decompressionLimits(process.env))
    return compression.decompress(blob, meter)
  }
}

/** Calls `read` when first wanted and remembers what it gave; a failure is not remembered. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () =>
    (result ??= read().catch((error) => {
      result = undefined
      throw error
    }))
}
