/**
 * Loads the images of a Docker archive, as `docker save` and skopeo's `docker-archive:` write it: `manifest.json` names for each image
 * its config, its layers and its names. The config is kept byte for byte; the manifest, which such archives lack, is made.
 */
import { EngineError } from '../errors.js'
import { detectCompression } from '../layer/compression.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { DiffId } from '../oci/digest.js'
import { MAXIMUM_LAYERS, parseImageConfig } from '../oci/document.js'
import { list, object, optional, string } from '../oci/field.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import { parseReference, withDefaultTag } from '../reference/normalize.js'
import type { Ingest } from '../store/ingest.js'
import { MAXIMUM_DOCUMENTS } from '../store/reachable.js'
import { type ArchiveFiles, readArchiveDocument } from './archive-files.js'
import { writeManifest } from './edit.js'
import type { LoadedImage } from './load.js'

/** One image of manifest.json. */
interface DockerImage {
  readonly config: string
  readonly layers: readonly string[]
  readonly repoTags: readonly string[]
}

const LAYER_TYPES = { none: MEDIA_TYPE.ociLayer, gzip: MEDIA_TYPE.ociLayerGzip, zstd: MEDIA_TYPE.ociLayerZstd } as const

/**
 * Copies every image of the archive into the ingest. An uncompressed layer is checked against its diffId on the way; of a compressed one
 * only the image's author can know the digest, so what it unpacks to is checked when it is first used (`LayerStore.ensure`). Rejects with
 * INVALID_ARCHIVE, INVALID_IMAGE, DIGEST_MISMATCH.
 */
export async function loadDockerArchive(ingest: Ingest, files: ArchiveFiles): Promise<readonly LoadedImage[]> {
  const loaded: LoadedImage[] = []
  const copied = new Map<string, Descriptor>()
  for (const image of await readImages(files)) {
    const descriptor = await loadOne(ingest, files, image, copied)
    const references = image.repoTags.map((name) => withDefaultTag(parseReference(name)))
    loaded.push(
      ...(references.length === 0 ? [{ reference: null, descriptor }] : references.map((reference) => ({ reference, descriptor }))),
    )
  }
  return loaded
}

async function loadOne(ingest: Ingest, files: ArchiveFiles, image: DockerImage, copied: Map<string, Descriptor>): Promise<Descriptor> {
  const bytes = await readArchiveDocument(files, image.config)
  const { rootfs } = parseImageConfig(bytes)
  const diffIds = rootfs.diff_ids
  if (diffIds.length !== image.layers.length)
    throw new EngineError(
      'INVALID_IMAGE',
      `manifest.json names ${image.layers.length} layers, but ${image.config} has ${diffIds.length} rootfs.diff_ids`,
    )
  const config = await ingest.writeDocument(bytes, MEDIA_TYPE.ociConfig)
  const layers: Descriptor[] = []
  for (const [position, diffId] of diffIds.entries()) {
    const name = image.layers[position] ?? ''
    const key = `${name} ${diffId}`
    const layer = copied.get(key) ?? (await copyLayer(ingest, files, name, diffId))
    copied.set(key, layer)
    layers.push(layer)
  }
  return writeManifest(ingest, config, layers)
}

async function copyLayer(ingest: Ingest, files: ArchiveFiles, name: string, diffId: DiffId): Promise<Descriptor> {
  const size = await files.size(name)
  if (size === null)
    throw new EngineError('INVALID_ARCHIVE', `manifest.json names a layer ${JSON.stringify(name)} that the archive does not hold`)
  const compression = await sniff(files.content(name))
  const mediaType = LAYER_TYPES[compression]
  if (compression !== 'none') return ingest.write(files.content(name), mediaType, { size })
  if (await ingest.reuse({ digest: diffId, size })) return { mediaType, digest: diffId, size }
  return ingest.write(files.content(name), mediaType, { digest: diffId, size })
}

async function sniff(content: AsyncIterable<Uint8Array>): Promise<keyof typeof LAYER_TYPES> {
  for await (const chunk of content) return detectCompression(chunk)
  return 'none'
}

async function readImages(files: ArchiveFiles): Promise<readonly DockerImage[]> {
  const images = list(parseList(await readArchiveDocument(files, 'manifest.json')), 'manifest.json', (value, field) => {
    const members = object(value, field)
    const layers = members.Layers === null ? [] : list(members.Layers, `${field}.Layers`, string)
    if (layers.length > MAXIMUM_LAYERS) throw new EngineError('INVALID_IMAGE', `${field}.Layers has more than ${MAXIMUM_LAYERS} entries`)
    const { RepoTags = [] } = optional(members, 'RepoTags', field, (found, place) => list(found, place, string))
    return { config: string(members.Config, `${field}.Config`), layers, repoTags: RepoTags }
  })
  if (images.length > MAXIMUM_DOCUMENTS)
    throw new EngineError('INVALID_ARCHIVE', `manifest.json names more than ${MAXIMUM_DOCUMENTS} images`)
  return images
}

function parseList(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new EngineError('INVALID_ARCHIVE', `manifest.json is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}
