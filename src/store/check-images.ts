/** Whether every name leads to an image all of whose blobs are there and are what they are called. */
import { lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError, messageOf } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type Digest, hexOf } from '../oci/digest.js'
import { parseIndex, parseManifest } from '../oci/document.js'
import { isIndexType, isManifestType } from '../oci/media-type.js'
import { familiarReference } from '../reference/normalize.js'
import type { FileDigests } from './file-digests.js'
import { type Flaw, flaw } from './flaw.js'
import { kindOf } from './plain-file.js'
import { MAXIMUM_DOCUMENTS, MAXIMUM_INDEX_DEPTH } from './reachable.js'
import { rebuildNames } from './rebuild-names.js'
import type { NamedDescriptor } from './references.js'
import type { Store } from './store.js'

/** A blob that is damaged or missing, and whom that hurts. */
interface Hurt {
  readonly descriptor: Descriptor
  readonly problem: string
  readonly images: Set<string>
}

/** Names and blobs; null for the names when there is no telling what they are. */
export async function checkImages(
  store: Store,
  digests: FileDigests,
): Promise<{ readonly flaws: readonly Flaw[]; readonly names: readonly NamedDescriptor[] | null }> {
  const names = await store.references.list().catch((error: unknown) => {
    // Damaged, or not to be read at all: whatever is there now cannot be used.
    return messageOf(error)
  })
  if (typeof names === 'string') {
    const remedy = 'What stays without its name can be named again: wolffia tag ID NAME'
    return {
      flaws: [flaw('names', 'index.json', `cannot be read: ${names}`, { remedy, repair: () => rebuildNames(store) })],
      names: null,
    }
  }
  const walk = new Walk(store, digests)
  for (const { reference, descriptor } of names)
    await walk.from(descriptor, reference === null ? descriptor.digest : familiarReference(reference))
  return { flaws: walk.flaws(), names }
}

/** One walk over all that names lead to. */
class Walk {
  readonly #hurts = new Map<Digest, Hurt>()
  readonly #unreadable = new Map<string, Flaw>()
  readonly #problems = new Map<Digest, string | null>()

  constructor(
    private readonly store: Store,
    private readonly digests: FileDigests,
  ) {}

  flaws(): readonly Flaw[] {
    return [...this.#unreadable.values(), ...[...this.#hurts.values()].map((hurt) => this.#flawOf(hurt))]
  }

  /** All that `root` leads to, and which of it is not as it should be. */
  async from(root: Descriptor, name: string): Promise<void> {
    const seen = new Set<Digest>()
    const visit = async (descriptor: Descriptor, depth: number): Promise<void> => {
      if (seen.has(descriptor.digest)) return
      seen.add(descriptor.digest)
      const problem = await this.#problemOf(descriptor)
      if (problem !== null) return this.#hurt(descriptor, problem, name)
      const { mediaType } = descriptor
      const isIndex = isIndexType(mediaType)
      if (!isIndex && !isManifestType(mediaType)) return
      if (depth > MAXIMUM_INDEX_DEPTH || seen.size > MAXIMUM_DOCUMENTS)
        throw new EngineError('INVALID_IMAGE', 'it leads to more than an image can have')
      const children = partsOf(await this.store.layout.readDocument(descriptor), mediaType)
      // Of an image for many platforms some may be stored only; what is there must be whole.
      const wanted = isIndex ? children.filter((child) => this.#isThere(child)) : children
      if (isIndex && children.length > 0 && wanted.length === 0) throw new EngineError('INVALID_IMAGE', 'none of its platforms is stored')
      for (const child of wanted) await visit(child, depth + 1)
    }
    try {
      await visit(root, 0)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      const remedy = `Remove it, or bring it in again: wolffia rmi ${name}`
      this.#unreadable.set(
        name,
        flaw('names', 'index.json', `leads from ${name} to no image: ${error.message}`, { images: [name], remedy }),
      )
    }
  }

  #isThere({ digest }: Descriptor): boolean {
    return lstatSync(pathOf(this.store, digest), { throwIfNoEntry: false }) !== undefined
  }

  async #problemOf(descriptor: Descriptor): Promise<string | null> {
    const known = this.#problems.get(descriptor.digest)
    if (known !== undefined) return known
    const problem = await blobProblem(this.store, this.digests, descriptor)
    this.#problems.set(descriptor.digest, problem)
    return problem
  }

  #hurt(descriptor: Descriptor, problem: string, name: string): void {
    const hurt = this.#hurts.get(descriptor.digest) ?? { descriptor, problem, images: new Set<string>() }
    hurt.images.add(name)
    this.#hurts.set(descriptor.digest, hurt)
  }

  #flawOf({ descriptor, problem, images }: Hurt): Flaw {
    const repair = () => repairBlob(this.store, this.digests, descriptor)
    const isMissing = !this.#isThere(descriptor)
    const bringIn = 'the image in again: wolffia load -i ARCHIVE'
    const remedy = isMissing ? `Bring ${bringIn}` : `Take it out with --repair, then bring ${bringIn}`
    return flaw('blob', `blobs/sha256/${hexOf(descriptor.digest)}`, problem, {
      images: [...images],
      remedy,
      repair:
        isMissing && lstatSync(this.store.layers.at(descriptor.digest).tarPath, { throwIfNoEntry: false }) === undefined ? null : repair,
    })
  }
}

/** What must be there of a manifest, and may be of an index; not what either is only about (`subject`). Throws INVALID_IMAGE. */
function partsOf(bytes: Uint8Array, mediaType: string): readonly Descriptor[] {
  if (isIndexType(mediaType)) return parseIndex(bytes, mediaType).manifests
  const { config, layers } = parseManifest(bytes, mediaType)
  return [config, ...layers]
}

/** What is wrong with a blob, or null. */
async function blobProblem(store: Store, digests: FileDigests, { digest, size, mediaType }: Descriptor): Promise<string | null> {
  const path = pathOf(store, digest)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return `is missing (${mediaType})`
  if (!stat.isFile()) return `is a ${kindOf(stat)}, where a file must be`
  // Before anything is read: what should be small may be as large as the disk.
  if (stat.size !== size) return `has ${stat.size} bytes, and should have ${size}`
  try {
    const found = await digests.of(path)
    return found === digest ? null : `is damaged: its bytes are ${found}`
  } catch (error) {
    return `cannot be read: ${messageOf(error)}`
  }
}

/**
 * Takes a damaged blob out, so that a sound one can come in, and puts the layer's tar in its place where that is the same bytes. Does nothing
 * when somebody has brought it in again meanwhile.
 */
async function repairBlob(store: Store, digests: FileDigests, descriptor: Descriptor): Promise<void> {
  const { digest } = descriptor
  const { tarPath } = store.layers.at(digest)
  // Read before the lock is taken, as that may take its time.
  const isInLayers = await digests.of(tarPath).then(
    (found) => found === digest,
    () => false,
  )
  await store.lock.hold(async () => {
    if ((await blobProblem(store, digests, descriptor)) === null) return
    await rm(pathOf(store, digest), { recursive: true, force: true })
    if (isInLayers) await store.layout.adopt(digest, tarPath)
    await store.layout.flush()
  })
}

function pathOf(store: Store, digest: Digest): string {
  return join(store.root, 'blobs/sha256', hexOf(digest))
}
