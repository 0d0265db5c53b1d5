/**
 * Loads images from an archive: an OCI layout (as a tar, or a folder) or a Docker archive, plain or compressed. What it is is told by its
 * content, never by its name.
 *
 * A tar that lies on disk uncompressed is read where it lies; anything else is first unpacked into the ingest's folder, because its
 * index may come last. Nothing is visible before all of it was checked, and nothing is left when it is refused.
 */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { EngineError } from '../errors.js'
import { decompress, detectCompression } from '../layer/compression.js'
import { decompressionLimits } from '../layer/limits.js'
import type { Descriptor } from '../oci/descriptor.js'
import { isReference } from '../reference/normalize.js'
import type { Reference } from '../reference/reference.js'
import { writeBlobFile } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import { MAXIMUM_DOCUMENTS } from '../store/reachable.js'
import { withName } from '../store/references.js'
import type { Store } from '../store/store.js'
import { type ArchiveFiles, openFolderFiles, openTarFiles } from './archive-files.js'
import { assertTar, TAR_HEAD_BYTES } from './assert-tar.js'
import { loadDockerArchive } from './load-docker.js'
import { loadOciLayout } from './load-oci.js'
import { platformImages } from './platform-select.js'

// Larger pieces than Node's own choice: an archive is read once, from its start to its end.
const READ_BYTES = 1 << 20

/** An image that was loaded, once for each of its names. */
export interface LoadedImage {
  /** Null for an image that the archive has no name for. */
  readonly reference: Reference | null
  /** Of its manifest or index. */
  readonly descriptor: Descriptor
}

/** Options of {@link loadImages}. */
export interface LoadOptions {
  /** Repository for images that have only a tag in the archive (umoci's have); the archive's own file name unless said. */
  readonly repository?: string
  readonly signal?: AbortSignal
}

/**
 * Loads all images of an archive into the store, or none: from a path (an archive or an OCI layout's folder) or a stream. Rejects with
 * INVALID_ARCHIVE, INVALID_IMAGE, UNSUPPORTED_MEDIA_TYPE, DIGEST_MISMATCH, UNSAFE_PATH, LIMIT_EXCEEDED.
 */
export async function loadImages(
  store: Store,
  source: string | AsyncIterable<Uint8Array>,
  options: LoadOptions = {},
): Promise<readonly LoadedImage[]> {
  const ingest = await store.ingest(options)
  try {
    const files = await openArchive(ingest, source)
    try {
      const loaded = await loadArchive(
        ingest,
        files,
        options.repository ?? (typeof source === 'string' ? repositoryFromPath(source) : null),
      )
      if (loaded.length > MAXIMUM_DOCUMENTS)
        throw new EngineError('LIMIT_EXCEEDED', `the archive has ${loaded.length} names; at most ${MAXIMUM_DOCUMENTS} are taken from one`)
      for (const { descriptor } of loaded) await checkImages(ingest, descriptor)
      await ingest.commit((names) => loaded.reduce((all, { reference, descriptor }) => withName(all, reference, descriptor), names))
      return loaded
    } finally {
      files.close()
    }
  } finally {
    await ingest.discard()
  }
}

async function loadArchive(ingest: Ingest, files: ArchiveFiles, repository: string | null): Promise<readonly LoadedImage[]> {
  const has = async (name: string) => (await files.size(name)) !== null
  // docker save writes both forms since version 25; the OCI one keeps digests and platforms.
  if ((await has('oci-layout')) && (await has('index.json'))) return notEmpty(await loadOciLayout(ingest, files, repository))
  if (await has('manifest.json')) return notEmpty(await loadDockerArchive(ingest, files))
  if (await has('repositories'))
    throw new EngineError('UNSUPPORTED_MEDIA_TYPE', 'this is an archive of Docker before version 1.10, which is not read', {
      hint: 'Load it with docker and save it again.',
    })
  throw new EngineError('INVALID_ARCHIVE', 'the archive holds no image: neither index.json with oci-layout nor manifest.json', {
    hint: 'If it is a root file system, use: wolffia import',
  })
}

function notEmpty(loaded: readonly LoadedImage[]): readonly LoadedImage[] {
  if (loaded.length > 0) return loaded
  throw new EngineError('INVALID_ARCHIVE', 'the archive names no image')
}

async function openArchive(ingest: Ingest, source: string | AsyncIterable<Uint8Array>): Promise<ArchiveFiles> {
  if (typeof source !== 'string') return openTar(await unpack(ingest, source), null)
  const found = await stat(source).catch((cause: NodeJS.ErrnoException) => {
    throw new EngineError(
      'INVALID_ARGUMENT',
      cause.code === 'ENOENT' ? `no such file: ${source}` : `cannot read ${source}: ${cause.message}`,
      { cause },
    )
  })
  if (found.isDirectory()) return openFolderFiles(source)
  if (found.isFile() && detectCompression(await firstBytes(source)) === 'none') return openTar(source, source)
  return openTar(await unpack(ingest, createReadStream(source, { highWaterMark: READ_BYTES })), source)
}

async function openTar(path: string, name: string | null): Promise<ArchiveFiles> {
  assertTar(await firstBytes(path), name, 'load')
  return openTarFiles(path)
}

async function unpack(ingest: Ingest, source: AsyncIterable<Uint8Array>): Promise<string> {
  const path = ingest.temporaryPath()
  await writeBlobFile(path, decompress(source, decompressionLimits(process.env)), {}, { signal: ingest.signal, flush: false })
  return path
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAR_HEAD_BYTES), 0, TAR_HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Everything that would make an image unusable and can be known without unpacking its layers. */
async function checkImages(ingest: Ingest, descriptor: Descriptor): Promise<void> {
  for (const { image } of await platformImages(ingest, descriptor)) await image.layers()
}

/** `images/My-App.tar.gz` as `my-app`, when that can be a name. */
function repositoryFromPath(path: string): string | null {
  const name = basename(path)
    .toLowerCase()
    .replace(/(\.(oci|docker|tar|tgz|gz|zst|zstd))+$/, '')
  return isReference(name) && !/[:@]/.test(name) ? name : null
}
