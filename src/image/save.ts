/**
 * Saves images as one tar, or as a folder, that docker, podman, skopeo, umoci (unpacked) and wolffia itself read: an OCI layout, and beside it, for a Docker archive,
 * the `manifest.json` of `docker save` since version 25, which names the same blobs. The same images give the same bytes.
 *
 * Blobs go out as they are stored, so that an image keeps its id, unless a compression is asked for: then each layer is packed anew, whatever it
 * was packed with, and gets another manifest, but the same config.
 */
import { chmod, constants, copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import type { Compression } from '../layer/compression.js'
import { openFileSource } from '../layer/file-source.js'
import { ARCHIVE_END, type PackEntry, packEntry } from '../layer/pack.js'
import { bytesSource } from '../layer/source.js'
import { bareDescriptor, type Descriptor } from '../oci/descriptor.js'
import { hexOf } from '../oci/digest.js'
import { isConfigType, isIndexType, isManifestType, MEDIA_TYPE } from '../oci/media-type.js'
import { familiarReference, parseReference } from '../reference/normalize.js'
import { formatReference, type Reference, sameRepository } from '../reference/reference.js'
import { missingBlob } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import { childrenOf } from '../store/reachable.js'
import { type NamedDescriptor, REFERENCE_ANNOTATION } from '../store/references.js'
import type { Store } from '../store/store.js'
import { composeIndex, writeManifest } from './edit.js'
import { findAmong } from './find.js'
import { type Image, openImage } from './image.js'
import { CONTAINERD_NAME_ANNOTATION } from './load-oci.js'
import { packLayer } from './pack-layer.js'
import { hostPlatform, type PlatformWish, platformImages, selectImage } from './platform-select.js'

/** What is saved, and how. */
export interface SaveRequest {
  /** Names and ids; a name without a tag means all tags there are of it. */
  readonly images: readonly string[]
  /** `oci-archive` leaves out what only docker reads. */
  readonly format: 'docker-archive' | 'oci-archive'
  /** Of the layers; as they are stored unless said. */
  readonly compression?: Compression
  /** Of an image for several, what alone is saved. */
  readonly wish?: PlatformWish
  readonly signal?: AbortSignal
}

/** An image to be saved, with the names it goes under. */
interface Saved {
  readonly descriptor: Descriptor
  readonly names: readonly Reference[]
}

/** Layers that are packed at once: each has a thread of Node's pool to itself. */
const LAYERS_AT_ONCE = 4

/**
 * The archive, in pieces. All that can fail for want of something fails before the first; whoever stops early must end the generator. Rejects
 * with IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, INVALID_IMAGE, DIGEST_MISMATCH, UNSUPPORTED_BY_HOST.
 */
export async function* saveImages(store: Store, request: SaveRequest): AsyncGenerator<Uint8Array, void, undefined> {
  const ingest = await store.ingest(request.signal === undefined ? {} : { signal: request.signal })
  try {
    const { blobs, documents } = await layoutFiles(store, ingest, request)
    for (const entry of archiveEntries(blobs, documents)) yield* packEntry(entry)
    yield ARCHIVE_END
  } finally {
    await ingest.discard()
  }
}

/**
 * The same as the folder of an OCI layout, which is there as a whole or not at all. One that is there already must be empty. Rejects likewise,
 * and with INVALID_ARGUMENT.
 */
export async function saveLayout(store: Store, folder: string, request: Omit<SaveRequest, 'format'>): Promise<void> {
  const { signal } = request
  const ingest = await store.ingest(signal === undefined ? {} : { signal })
  const unfinished = `${folder.replace(/\/+$/, '')}.${process.pid}.new`
  try {
    const { blobs, documents } = await layoutFiles(store, ingest, { ...request, format: 'oci-archive' })
    await mkdir(join(unfinished, 'blobs/sha256'), { recursive: true })
    for (const [name, path] of blobs) {
      if (signal?.aborted) throw new EngineError('ABORTED', 'stopped before everything was saved', { cause: signal.reason })
      // Shared with the store where the file system can, and never the store's own file.
      await copyFile(path, join(unfinished, name), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
      await chmod(join(unfinished, name), 0o644)
    }
    for (const [name, text] of documents) await writeFile(join(unfinished, name), text)
    await rename(unfinished, folder)
  } catch (error) {
    throw isTaken(error) ? taken(folder, error) : error
  } finally {
    await rm(unfinished, { recursive: true, force: true })
    await ingest.discard()
  }
}

/** Throws INVALID_ARGUMENT unless {@link saveLayout} can make this folder. */
export async function assertLayoutFolder(folder: string): Promise<void> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => error)
  if (Array.isArray(found) ? found.length > 0 : found.code !== 'ENOENT') throw taken(folder, Array.isArray(found) ? undefined : found)
}

function isTaken(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function taken(folder: string, cause: unknown): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${folder} is there already, and no empty folder`, {
    cause,
    hint: 'Name a folder that is not there yet, or remove this one.',
    data: { path: folder },
  })
}

/** The files of a layout: blobs by name with where they lie, held by the ingest, and its documents. */
interface LayoutFiles {
  readonly blobs: readonly (readonly [name: string, path: string])[]
  readonly documents: readonly (readonly [name: string, text: string])[]
}

async function layoutFiles(store: Store, ingest: Ingest, { images, format, compression, wish }: SaveRequest): Promise<LayoutFiles> {
  const names = await store.references.list()
  const found = images.flatMap((text) => imagesOf(names, text))
  const saved: Saved[] = []
  const packed = new Map<string, Promise<Descriptor>>()
  for (const { descriptor, names } of merged(found)) {
    const wanted = wish === undefined ? descriptor : (await selectImage(ingest, descriptor, wish)).image.descriptor
    saved.push({ descriptor: compression === undefined ? wanted : await repacked(ingest, wanted, { compression, packed }), names })
  }
  const blobs = await blobsOf(ingest, saved)
  const paths = await Promise.all(blobs.map(({ digest }) => ingest.pathOf(digest)))
  return {
    blobs: blobs.map((blob, at) => [blobName(blob), paths[at] ?? ''] as const),
    documents: [
      ['index.json', json({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: saved.flatMap(namedDescriptors) })],
      ...(format === 'docker-archive' ? [['manifest.json', json(await dockerManifest(ingest, saved))] as const] : []),
      ['oci-layout', json({ imageLayoutVersion: '1.0.0' })],
    ],
  }
}

/** What a person means by a word: an id, a name with its tag, or all tags of a name. */
function imagesOf(names: readonly NamedDescriptor[], text: string): readonly Saved[] {
  const reference = referenceOf(text)
  const tags =
    reference === null || reference.tag !== undefined || reference.digest !== undefined
      ? []
      : names.flatMap(({ reference: own, descriptor }) =>
          own !== null && sameRepository(own, reference) ? [{ descriptor, names: [own] }] : [],
        )
  if (tags.length > 0) return tags
  const { descriptor, reference: own } = findAmong(names, text)
  return [{ descriptor, names: own === null ? [] : [own] }]
}

function referenceOf(text: string): Reference | null {
  try {
    return parseReference(text)
  } catch {
    return null
  }
}

/** Each image once, with all names it was asked for by, in the order of the first. */
function merged(found: readonly Saved[]): readonly Saved[] {
  const byDigest = new Map<string, { readonly descriptor: Descriptor; readonly names: Map<string, Reference> }>()
  for (const { descriptor, names } of found) {
    const image = byDigest.get(descriptor.digest) ?? { descriptor: bareDescriptor(descriptor), names: new Map<string, Reference>() }
    for (const name of names) image.names.set(formatReference(name), name)
    byDigest.set(descriptor.digest, image)
  }
  return [...byDigest.values()].map(({ descriptor, names }) => ({ descriptor, names: [...names.values()] }))
}

interface Repacking {
  readonly compression: Compression
  /** Layers that are packed already, or being so, by diffId. */
  readonly packed: Map<string, Promise<Descriptor>>
}

async function repacked(ingest: Ingest, descriptor: Descriptor, repacking: Repacking): Promise<Descriptor> {
  const made: Image[] = []
  for (const { image } of await platformImages(ingest, descriptor))
    made.push(openImage(ingest, await repackedImage(ingest, image, repacking)))
  const [only] = made
  return isIndexType(descriptor.mediaType) || only === undefined ? composeIndex(ingest, made) : only.descriptor
}

async function repackedImage(ingest: Ingest, image: Image, { compression, packed }: Repacking): Promise<Descriptor> {
  const { config } = await image.manifest()
  // A module in an artifact of its own is no layer.
  if (!isConfigType(config.mediaType)) return image.descriptor
  const layers = await inTurns(await image.layers(), LAYERS_AT_ONCE, (layer) => {
    const known = packed.get(layer.diffId) ?? packLayer(ingest, layer, compression)
    packed.set(layer.diffId, known)
    return known
  })
  return writeManifest(ingest, { ...bareDescriptor(config), mediaType: MEDIA_TYPE.ociConfig }, layers)
}

/** As `Promise.all`, but with so many under way, and all of them at their end when one has failed. */
async function inTurns<T, R>(items: readonly T[], atOnce: number, action: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  const waiting = [...items.entries()]
  const work = async () => {
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results[next[0]] = await action(next[1])
    } finally {
      waiting.length = 0
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, work))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return results
}

/** All that is saved, each blob once, in the order of their digests; held by the ingest, so that nobody's removal takes one away. */
async function blobsOf(ingest: Ingest, saved: readonly Saved[]): Promise<readonly Descriptor[]> {
  const blobs = new Map<string, Descriptor>()
  const take = async (descriptor: Descriptor): Promise<void> => {
    if (blobs.has(descriptor.digest)) return
    if (!(await ingest.reuse(descriptor))) throw missingBlob(descriptor)
    blobs.set(descriptor.digest, descriptor)
    const { mediaType } = descriptor
    if (!isIndexType(mediaType) && !isManifestType(mediaType)) return
    // Of an image for many platforms some may be stored only; of a manifest everything must be.
    for (const child of childrenOf(await ingest.readDocument(descriptor), mediaType))
      if (!isIndexType(mediaType) || (await ingest.has(child.digest))) await take(child)
  }
  for (const { descriptor } of saved) await take(descriptor)
  return [...blobs.values()].sort((left, right) => (left.digest < right.digest ? -1 : 1))
}

/** Lines of index.json: one for each name, as docker writes them, or one for none. */
function namedDescriptors({ descriptor, names }: Saved): readonly Descriptor[] {
  if (names.length === 0) return [descriptor]
  return names.map((name) => ({
    ...descriptor,
    annotations: { [CONTAINERD_NAME_ANNOTATION]: formatReference(name), [REFERENCE_ANNOTATION]: name.tag ?? 'latest' },
  }))
}

/** `manifest.json`: for each image the platform that docker would load. What is no image of files is in the layout alone. */
async function dockerManifest(ingest: Ingest, saved: readonly Saved[]): Promise<readonly object[]> {
  const all: object[] = []
  for (const { descriptor, names } of saved) {
    const platforms = await platformImages(ingest, descriptor)
    const { image } = await selectImage(ingest, descriptor, { preferred: [hostPlatform(), ...platforms.map(({ platform }) => platform)] })
    const { config, layers } = await image.manifest()
    if (!isConfigType(config.mediaType)) continue
    all.push({ Config: blobName(config), RepoTags: names.map(familiarReference), Layers: layers.map(blobName) })
  }
  return all
}

function blobName({ digest }: Pick<Descriptor, 'digest'>): string {
  return `blobs/sha256/${hexOf(digest)}`
}

function json(value: object): string {
  return `${JSON.stringify(value)}\n`
}

/** Folders first, and all of them root's and of no time. A blob is open while it is packed. */
function* archiveEntries(
  blobs: readonly (readonly [name: string, path: string])[],
  documents: readonly (readonly [name: string, text: string])[],
): Generator<PackEntry> {
  const entry = { uid: 0, gid: 0, mtimeNs: 0n }
  for (const path of ['blobs', 'blobs/sha256']) yield { ...entry, path, type: 'directory', mode: 0o755 }
  for (const [path, file] of blobs) {
    const contents = openFileSource(file)
    try {
      yield { ...entry, path, type: 'file', mode: 0o644, contents }
    } finally {
      contents.close()
    }
  }
  for (const [path, text] of documents)
    yield { ...entry, path, type: 'file', mode: 0o644, contents: bytesSource(new TextEncoder().encode(text)) }
}
