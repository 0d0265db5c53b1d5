/**
 * New images from old ones. Each function writes the blobs that differ into an ingest and returns a new view; what it was given stays
 * as it is. The same edits of the same image give the same digests: there is no clock in here, times are the caller's.
 *
 * Layers made here are stored uncompressed: their blob is the tar that containers read (`store/layer-store.ts`), so nothing is packed
 * and unpacked on one machine. Who sends them elsewhere compresses them.
 */
import { EngineError } from '../errors.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import { packTar } from '../layer/pack.js'
import { type ChangedTree, changedEntries, treeEntries } from '../layer/pack-tree.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { ContainerConfig, History, ImageConfig, Index, Manifest } from '../oci/image-spec.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import { formatPlatform, normalizePlatform, type Platform } from '../oci/platform.js'
import type { ByteStream } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import { fileTar, type TarFile } from './file-tar.js'
import { type Image, openImage } from './image.js'

/** What the history says about a change. Times are RFC 3339. */
export type Step = Pick<History, 'created' | 'created_by' | 'author' | 'comment'>

/** Members of a config to set; those set to undefined are removed. */
export type ConfigChange = { readonly [Name in keyof ContainerConfig]?: ContainerConfig[Name] | undefined }

/** An image without layers. */
export async function emptyImage(ingest: Ingest, platform: Platform, config: ContainerConfig = {}): Promise<Image> {
  return writeImage(ingest, { ...normalizePlatform(platform), config, rootfs: { type: 'layers', diff_ids: [] }, history: [] }, [])
}

/**
 * The image with one more layer on top: an uncompressed tar with whiteouts, as the image spec has them (layer.md). A step that changes the
 * config besides (WORKDIR makes its directory) says so in `change`.
 */
export async function withLayer(ingest: Ingest, image: Image, tar: ByteStream, step: Step = {}, change: ConfigChange = {}): Promise<Image> {
  const [config, { layers }] = await Promise.all([image.config(), image.manifest()])
  const layer = await ingest.write(tar, MEDIA_TYPE.ociLayer)
  const next: ImageConfig = {
    ...config,
    ...stepMembers(step),
    ...(Object.keys(change).length === 0 ? {} : { config: changed(config.config, change) }),
    rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, layer.digest] },
    history: [...(config.history ?? []), step],
  }
  return writeImage(ingest, next, [...layers, layer])
}

/** The image with one more layer that holds these files. */
export function withFiles(ingest: Ingest, image: Image, files: readonly TarFile[], step: Step = {}): Promise<Image> {
  return withLayer(ingest, image, fileTar(files), step)
}

/** The image with one more layer that holds this tree. */
export function withTree(ingest: Ingest, image: Image, tree: ReadonlyFileSystem, step: Step = {}): Promise<Image> {
  return withLayer(ingest, image, packTar(treeEntries(tree)), step)
}

/** The image with one more layer that makes of its tree what the union over it has become. */
export function withChanges(ingest: Ingest, image: Image, union: ChangedTree, step: Step = {}, change: ConfigChange = {}): Promise<Image> {
  return withLayer(ingest, image, packTar(changedEntries(union)), step, change)
}

/** The image with other defaults for its containers. */
export async function withContainerConfig(ingest: Ingest, image: Image, change: ConfigChange, step: Step = {}): Promise<Image> {
  const [config, { layers }] = await Promise.all([image.config(), image.manifest()])
  const next: ImageConfig = {
    ...config,
    ...stepMembers(step),
    config: changed(config.config, change),
    history: [...(config.history ?? []), { ...step, empty_layer: true }],
  }
  return writeImage(ingest, next, layers)
}

/** What an image's last step says of all of it. */
function stepMembers({ created, author }: Step): Pick<ImageConfig, 'created' | 'author'> {
  return { ...(created === undefined ? {} : { created }), ...(author === undefined ? {} : { author }) }
}

function changed(config: ContainerConfig | undefined, change: ConfigChange): ContainerConfig {
  return Object.fromEntries(Object.entries({ ...config, ...change }).filter(([, value]) => value !== undefined)) as ContainerConfig
}

/** One name for several images, each for a platform of its own. Throws INVALID_ARGUMENT when two are for the same. */
export async function composeIndex(ingest: Ingest, images: readonly Image[]): Promise<Descriptor> {
  const manifests = await Promise.all(
    images.map(async (image) => ({ ...image.descriptor, platform: normalizePlatform(await image.config()) })),
  )
  const names = manifests.map(({ platform }) => formatPlatform(platform))
  const twice = names.find((name, position) => names.indexOf(name) !== position)
  if (twice !== undefined)
    throw new EngineError('INVALID_ARGUMENT', `two of the images are for ${twice}; an index names each platform once`)
  const index: Index = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }
  return ingest.writeDocument(JSON.stringify(index), MEDIA_TYPE.ociIndex)
}

/** Writes a manifest over blobs that the ingest has. */
export function writeManifest(ingest: Ingest, config: Descriptor, layers: readonly Descriptor[]): Promise<Descriptor> {
  const manifest: Manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers }
  return ingest.writeDocument(JSON.stringify(manifest), MEDIA_TYPE.ociManifest)
}

async function writeImage(ingest: Ingest, config: ImageConfig, layers: readonly Descriptor[]): Promise<Image> {
  // The layers of the base must come along: they are kept by this ingest until it is committed.
  for (const layer of layers)
    if (!(await ingest.reuse(layer))) throw new EngineError('INVALID_IMAGE', `layer ${layer.digest} of the base image is not in the store`)
  const written = await ingest.writeDocument(JSON.stringify(inSpecOrder(config)), MEDIA_TYPE.ociConfig)
  return openImage(ingest, await writeManifest(ingest, written, layers))
}

/** Members in the order of the spec, so that equal configs have equal bytes. */
function inSpecOrder({ created, author, architecture, os, variant, config, rootfs, history }: ImageConfig): object {
  return { created, author, architecture, os, variant, config, rootfs, history }
}
