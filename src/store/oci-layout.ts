/**
 * The store's blobs, in an OCI image layout (image-spec, image-layout.md) that skopeo and umoci can read and write.
 *
 * Invariant: what stands under `blobs/sha256/` is complete and is what its name says. Blobs come only through an
 * {@link Ingest} (`ingest.ts`), which has checked and flushed them before.
 */
import { linkSync, lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { link, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type Digest, digestFromHex, hexOf } from '../oci/digest.js'
import { describe } from '../oci/field.js'
import { openBlobFile, readBlobFile } from './blob-file.js'
import type { BlobSource } from './blob-source.js'
import { readPlainFile } from './plain-file.js'

const LAYOUT_VERSION = '1.0.0'
/** Of `oci-layout`, which says one thing. */
const MAXIMUM_LAYOUT_BYTES = 4096
const EMPTY_INDEX = '{"schemaVersion":2,"manifests":[]}'

/** Blobs by digest. */
export class OciLayout implements BlobSource {
  readonly #blobs: string

  private constructor(
    /** Folder that holds `oci-layout`, `index.json` and `blobs/`. */
    readonly root: string,
  ) {
    this.#blobs = join(root, 'blobs/sha256')
  }

  /** Opens the layout in `root`, a folder of ours that exists; makes what is missing. Throws INVALID_IMAGE for another version. */
  static async open(root: string): Promise<OciLayout> {
    const layout = new OciLayout(root)
    checkLayoutVersion(root)
    mkdirSync(layout.#blobs, { recursive: true, mode: 0o700 })
    writeIfMissing(join(root, 'index.json'), EMPTY_INDEX)
    return layout
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.pathOf(digest)) !== null
  }

  async pathOf(digest: Digest): Promise<string | null> {
    const path = this.#path(digest)
    return lstatSync(path, { throwIfNoEntry: false })?.isFile() ? path : null
  }

  open(descriptor: Descriptor): Promise<Readable> {
    return openBlobFile(this.#path(descriptor.digest), descriptor)
  }

  readDocument(descriptor: Descriptor): Promise<Uint8Array> {
    return readBlobFile(this.#path(descriptor.digest), descriptor)
  }

  /** Digests of all blobs. */
  async digests(): Promise<readonly Digest[]> {
    return (await readdir(this.#blobs)).filter((name) => /^[0-9a-f]{64}$/.test(name)).map(digestFromHex)
  }

  /**
   * Gives a finished file its place among the blobs, by a hard link. One that is there already stays, unless it is plainly not what it should
   * be: another size, or no file at all. The caller holds the lock.
   */
  async adopt(digest: Digest, path: string): Promise<void> {
    try {
      await link(path, this.#path(digest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const [there, ours] = await Promise.all([lstat(this.#path(digest)), lstat(path)])
      if (there.isFile() && there.size === ours.size) return
      await rm(this.#path(digest), { recursive: true })
      await link(path, this.#path(digest))
    }
  }

  /** Flushes the folder of blobs, so that new names last. */
  async flush(): Promise<void> {
    await flushFolder(this.#blobs)
  }

  /** Removes a blob; returns its bytes on disk. The caller holds the lock and knows that nothing refers to it. */
  async remove(digest: Digest): Promise<number> {
    const stat = await lstat(this.#path(digest)).catch(() => null)
    await rm(this.#path(digest), { force: true })
    return stat?.size ?? 0
  }

  #path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest))
  }
}

/** Makes names in a folder last over a power cut. */
export async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Replaces a file by rename, flushed: readers see the old or the new one, whole, whatever happens. The caller holds the lock, so the new
 * one has always the same name beside it, and what a killed process left of it is overwritten.
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}

function checkLayoutVersion(root: string): void {
  const path = join(root, 'oci-layout')
  writeIfMissing(path, JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION }))
  const wayOut = `If the folder is a store of wolffia's, write it anew: echo '{"imageLayoutVersion":"${LAYOUT_VERSION}"}' > ${path}`
  let version: unknown
  try {
    version = (JSON.parse(readPlainFile(path, MAXIMUM_LAYOUT_BYTES).toString()) as { imageLayoutVersion?: unknown }).imageLayoutVersion
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    throw new EngineError('INVALID_IMAGE', `${path} is not JSON`, { cause, hint: wayOut })
  }
  if (version !== LAYOUT_VERSION)
    throw new EngineError('INVALID_IMAGE', `${path} is of version ${describe(version)}; only ${LAYOUT_VERSION} is read`, {
      hint: wayOut,
    })
}

/** Whole or not at all, and never over what another process has just made. */
function writeIfMissing(path: string, content: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return
  const temporary = `${path}.${process.pid}.${process.hrtime.bigint()}.new`
  writeFileSync(temporary, content, { flag: 'wx', mode: 0o600, flush: true } as object)
  try {
    linkSync(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}
