/**
 * Blobs on their way into the store. They are gathered in a folder of the ingest's own, where nobody looks, and become visible
 * all at once with the names that refer to them ({@link Ingest.commit}). A process killed at any moment leaves either the store as
 * it was or the whole of the new; its folder is known to be left behind by the process identity in its name.
 *
 * Blobs that the store has already are hard-linked into the folder, so that a concurrent `rmi` cannot take them away.
 *
 * Flush policy: every blob is flushed before it gets its name, the folder of blobs before index.json is replaced, index.json
 * before and its folder after. What index.json names is therefore whole even after a power cut.
 */
import { randomBytes } from 'node:crypto'
import { link, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.js'
import { type Digest, hexOf } from '../oci/digest.js'
import { type ByteStream, digestOf, type ExpectedBlob, missingBlob, openBlobFile, readBlobFile, writeBlobFile } from './blob-file.js'
import type { BlobSource } from './blob-source.js'
import type { Lock } from './lock.js'
import type { OciLayout } from './oci-layout.js'
import { IDENTITY_PATTERN, mayBeAlive, ownIdentity, type ProcessIdentity } from './process-identity.js'
import { reachableFrom } from './reachable.js'
import type { NamedDescriptor, References } from './references.js'

const DIRECTORY_NAME = new RegExp(`^(${IDENTITY_PATTERN})-[0-9a-f]+$`)

/** What an ingest is committed to. */
export interface IngestTarget {
  readonly root: string
  readonly layout: OciLayout
  readonly references: References
  readonly lock: Lock
}

/** A set of blobs that is not yet part of the store; after the commit it reads from there. Dispose of it (`await using`, or {@link discard}) when done. */
export class Ingest implements BlobSource, AsyncDisposable {
  readonly #staged = new Set<Digest>()
  #count = 0

  private constructor(
    private readonly target: IngestTarget,
    /** Folder for unfinished files; gone after commit or discard. */
    readonly directory: string,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** Begins an empty ingest. Removes what killed processes left. */
  static async begin(target: IngestTarget, options: { readonly signal?: AbortSignal } = {}): Promise<Ingest> {
    const parent = join(target.root, 'ingest')
    await mkdir(parent, { recursive: true, mode: 0o700 })
    await removeLeftovers(parent)
    const directory = join(parent, `${ownIdentity()}-${randomBytes(6).toString('hex')}`)
    await mkdir(directory, { mode: 0o700 })
    return new Ingest(target, directory, options.signal)
  }

  /** Path for an unfinished file of the caller's, in this ingest's folder. */
  temporaryPath(): string {
    return join(this.directory, `unfinished-${this.#count++}`)
  }

  /** Writes a blob, checked against what is expected of it. Rejects with DIGEST_MISMATCH. */
  async write(source: ByteStream, mediaType: string, expected: ExpectedBlob = {}): Promise<Descriptor> {
    const path = this.temporaryPath()
    const { digest, size } = await writeBlobFile(path, source, expected, { signal: this.signal, flush: true })
    await this.#stage(digest, path)
    return { mediaType, digest, size }
  }

  /** Writes a JSON document or another small blob. */
  writeDocument(content: string | Uint8Array, mediaType: string): Promise<Descriptor> {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    return this.write([bytes], mediaType, { digest: digestOf(bytes), size: bytes.length })
  }

  /** Makes a blob of the store part of this ingest, so that it stays; false when the store has none of that digest and size. */
  async reuse({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
    if (this.#staged.has(digest)) return true
    const existing = await this.target.layout.pathOf(digest)
    return existing !== null && (await this.#link(existing, digest, size))
  }

  /** As {@link reuse}, or else a blob that another ingest under way has: it was checked there, and stays ours when that one is given up. */
  async borrow({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
    if (await this.reuse({ digest, size })) return true
    const parent = dirname(this.directory)
    for (const name of await readdir(parent))
      if (DIRECTORY_NAME.test(name) && (await this.#link(join(parent, name, hexOf(digest)), digest, size))) return true
    // That one may have been committed meanwhile.
    return this.reuse({ digest, size })
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.pathOf(digest)) !== null
  }

  async pathOf(digest: Digest): Promise<string | null> {
    return this.#staged.has(digest) ? join(this.directory, hexOf(digest)) : this.target.layout.pathOf(digest)
  }

  async open(descriptor: Descriptor, start = 0): Promise<Readable> {
    return openBlobFile(await this.#existing(descriptor), descriptor, start)
  }

  async readDocument(descriptor: Descriptor): Promise<Uint8Array> {
    return readBlobFile(await this.#existing(descriptor), descriptor)
  }

  /**
   * Makes visible what the names lead to that `edit` returns, and those names, as one step for everybody else. What no name leads to, the
   * blobs of intermediate images for one, is dropped. Ends the ingest.
   */
  async commit(edit: (names: readonly NamedDescriptor[]) => readonly NamedDescriptor[]): Promise<void> {
    const { layout, references, lock } = this.target
    await lock.hold(
      async () => {
        const names = edit(await references.list())
        // Before anything is visible.
        references.assertRoom(names)
        const { blobs } = await reachableFrom(
          this,
          names.map((name) => name.descriptor).filter(({ digest }) => this.#staged.has(digest)),
        )
        for (const digest of this.#staged) if (blobs.has(digest)) await layout.adopt(digest, join(this.directory, hexOf(digest)))
        await layout.flush()
        await references.replace(names)
      },
      this.signal === undefined ? {} : { signal: this.signal },
    )
    await this.discard()
  }

  /** Drops everything that was not committed. Idempotent. */
  async discard(): Promise<void> {
    this.#staged.clear()
    await rm(this.directory, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.discard()
  }

  /** Where a blob is: here, taken from the store if need be, or, after the commit, in the store. */
  async #existing(descriptor: Descriptor): Promise<string> {
    await this.reuse(descriptor)
    const path = await this.pathOf(descriptor.digest)
    if (path === null) throw missingBlob(descriptor)
    return path
  }

  /** Another name for a finished file, in this ingest's folder; false when it is not there or of another size. */
  async #link(existing: string, digest: Digest, size: number): Promise<boolean> {
    const path = join(this.directory, hexOf(digest))
    try {
      await link(existing, path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return false
      if (code !== 'EEXIST') throw error
    }
    if ((await lstat(path)).size !== size) {
      await rm(path)
      return false
    }
    this.#staged.add(digest)
    return true
  }

  async #stage(digest: Digest, path: string): Promise<void> {
    await rename(path, join(this.directory, hexOf(digest)))
    this.#staged.add(digest)
  }
}

/** How much the ingests of a process have written, as a text that changes when they write more. */
export async function progressOf(root: string, identity: ProcessIdentity): Promise<string> {
  const parent = join(root, 'ingest')
  const names = await readdir(parent).catch(() => [])
  const seen: string[] = []
  for (const name of names.filter((own) => DIRECTORY_NAME.exec(own)?.[1] === identity))
    for (const file of await readdir(join(parent, name)).catch(() => []))
      seen.push(`${name}/${file} ${(await lstat(join(parent, name, file)).catch(() => null))?.size}`)
  return seen.sort().join('\n')
}

/** Removes the folders of ingests whose process is gone. */
export async function removeLeftovers(parent: string): Promise<void> {
  for (const name of leftIngests(await readdir(parent)).dead) await rm(join(parent, name), { recursive: true, force: true })
}

/** Of the names in the folder of all ingests: those whose process is gone, and those that are no ingests. */
export function leftIngests(names: readonly string[]): { readonly dead: readonly string[]; readonly strange: readonly string[] } {
  const identityOf = (name: string) => DIRECTORY_NAME.exec(name)?.[1]
  return {
    dead: names.filter((name) => !mayBeAlive(identityOf(name) ?? ownIdentity())),
    strange: names.filter((name) => identityOf(name) === undefined),
  }
}
