/**
 * Layers as both walls read them: the uncompressed tar and its index, in `layers/<diffId>/`, made when first wanted. They are
 * derived from blobs, may go at any time nobody uses them, and are then made again.
 *
 * A layer's folder appears by one rename, after the tar's digest was found to be the diffId. A layer blob that is stored
 * uncompressed is not copied: the tar is another name (hard link) of the blob. One that has lost a file is made again, file by file over what
 * is there, so that whoever reads it meanwhile finds the one or the other, which are alike.
 */
import { lstatSync } from 'node:fs'
import { link, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import { openFileSource } from '../layer/file-source.js'
import { indexTar, serializeIndex } from '../layer/index.js'
import { indexLimits } from '../layer/limits.js'
import type { ByteSource } from '../layer/source.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type DiffId, digestFromHex, hexOf } from '../oci/digest.js'
import { missingBlob, writeBlobFile } from './blob-file.js'
import { Ingest, type IngestTarget } from './ingest.js'
import { flushFolder } from './oci-layout.js'

/** A layer that is on disk, uncompressed and indexed. */
export interface StoredLayer {
  readonly diffId: DiffId
  /** The uncompressed tar. */
  readonly tarPath: string
  /** Its index (`layer/index`), beside it. */
  readonly indexPath: string
  /** Set where what the tar holds comes when it is first read: its bytes mean nothing before. @internal */
  readonly lazy?: LazyContents
}

/** Contents that come from elsewhere when they are wanted, checked, into the tar that they are read from. */
export interface LazyContents {
  /** Brings what is missing of these bytes of the tar. Rejects with what kept it away. */
  ensure(position: number, length: number): Promise<void>
  /** The tar for this process, which throws {@link MissingContents} for what is not there yet. */
  source(): ByteSource
}

/** Thrown where contents are read that have not come: {@link bring} brings them, and what was tried is to be tried again. */
export class MissingContents extends Error {
  override readonly name = 'MissingContents'

  constructor(
    /** Brings the whole file. */
    readonly bring: () => Promise<void>,
  ) {
    super('contents that have not come yet')
  }
}

/** A layer of an image: how it is stored, and how its uncompressed tar is had. */
export interface Layer {
  /** The blob as the manifest names it. */
  readonly descriptor: Descriptor
  readonly diffId: DiffId
  /** The uncompressed tar, not yet checked against {@link diffId}. */
  uncompressed(): Promise<Readable>
  /** Path of the blob, where it lies outside the store: in an ingest that is still under way. */
  path?(): Promise<string | null>
  /** The layer as it is read without its blob, outside the store. */
  readonly stored?: StoredLayer
}

/** The layers of a store. */
export class LayerStore {
  readonly #directory: string
  readonly #making = new Map<DiffId, Promise<StoredLayer>>()

  constructor(private readonly target: IngestTarget) {
    this.#directory = join(target.root, 'layers')
  }

  /** The layer if it is there already. */
  async find(diffId: DiffId): Promise<StoredLayer | null> {
    const layer = this.at(diffId)
    // At once: of a hundred layers each would wait for its turn in the thread pool, which costs ten times the look.
    return [layer.indexPath, layer.tarPath].every((path) => lstatSync(path, { throwIfNoEntry: false })?.isFile()) ? layer : null
  }

  /** The layer, made when it is not there. Rejects with DIGEST_MISMATCH when the blob's contents are not the diffId, INVALID_ARCHIVE. */
  async ensure(layer: Layer, options: { readonly signal?: AbortSignal } = {}): Promise<StoredLayer> {
    if (layer.stored !== undefined) return layer.stored
    const found = await this.find(layer.diffId)
    if (found !== null) return found
    const running = this.#making.get(layer.diffId)
    if (running !== undefined) return running
    const making = this.#make(layer, options).finally(() => this.#making.delete(layer.diffId))
    this.#making.set(layer.diffId, making)
    return making
  }

  /** Makes the layer again from its blob, over what is there. Rejects as {@link ensure}. */
  remake(layer: Layer, options: { readonly signal?: AbortSignal } = {}): Promise<StoredLayer> {
    return this.#make(layer, { ...options, over: true })
  }

  /** Where a layer lies, whether it is there or not. */
  at(diffId: DiffId): StoredLayer {
    const folder = join(this.#directory, hexOf(diffId))
    return { diffId, tarPath: join(folder, 'tar'), indexPath: join(folder, 'index') }
  }

  /** DiffIds of all layers that are there. */
  async diffIds(): Promise<readonly DiffId[]> {
    const names = await readdir(this.#directory).catch(() => [])
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map(digestFromHex)
  }

  /** Removes a layer that nobody uses: it is gone by one rename, its bytes after. */
  async remove(diffId: DiffId): Promise<void> {
    const ingest = await Ingest.begin(this.target)
    await rename(join(this.#directory, hexOf(diffId)), join(ingest.directory, 'removed')).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await ingest.discard()
  }

  async #make(layer: Layer, options: { readonly signal?: AbortSignal; readonly over?: boolean }): Promise<StoredLayer> {
    const ingest = await Ingest.begin(this.target, options)
    try {
      const folder = ingest.temporaryPath()
      await mkdir(folder, { mode: 0o700 })
      const tarPath = join(folder, 'tar')
      await this.#makeTar(layer, tarPath, options.signal)
      await writeIndex(tarPath, join(folder, 'index'))
      await flushFolder(folder)
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      const made = this.at(layer.diffId)
      await rename(folder, join(this.#directory, hexOf(layer.diffId))).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
        // Another process was first, and theirs is as good; or what stands there has lost a file.
        if (options.over !== true && (await this.find(layer.diffId)) !== null) return
        await replace(tarPath, made.tarPath)
        await replace(join(folder, 'index'), made.indexPath)
      })
      return made
    } finally {
      await ingest.discard()
    }
  }

  async #makeTar(layer: Layer, tarPath: string, signal?: AbortSignal): Promise<void> {
    const { descriptor, diffId, uncompressed } = layer
    // Blobs were checked when they came, so a blob with this very digest is the tar.
    const blob = descriptor.digest === diffId ? ((await this.target.layout.pathOf(diffId)) ?? (await layer.path?.()) ?? null) : null
    if (blob !== null)
      return link(blob, tarPath).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'ENOENT' ? missingBlob(descriptor) : error
      })
    try {
      await writeBlobFile(tarPath, await uncompressed(), { digest: diffId }, { signal, flush: true })
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'DIGEST_MISMATCH') throw error
      throw new EngineError(
        'DIGEST_MISMATCH',
        `layer ${descriptor.digest} unpacks to ${error.data.found}, but the image's config says ${diffId}`,
        {
          cause: error,
          hint: 'The image is damaged or was changed: make or fetch it again.',
          data: { layer: descriptor.digest, expected: diffId, found: error.data.found },
        },
      )
    }
  }
}

/** By rename, also over what no file can be renamed over. */
async function replace(from: string, to: string): Promise<void> {
  if (lstatSync(to, { throwIfNoEntry: false })?.isDirectory()) await rm(to, { recursive: true })
  await rename(from, to)
}

async function writeIndex(tarPath: string, indexPath: string): Promise<void> {
  const source = openFileSource(tarPath)
  try {
    const file = await open(indexPath, 'wx', 0o600)
    try {
      await file.writeFile(serializeIndex(indexTar(source, indexLimits(process.env))))
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    source.close()
  }
}
