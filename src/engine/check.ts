/**
 * Whether all that is kept is whole. Everything is read once without a lock, however long that takes; what seems to be wrong is then looked at
 * again while nothing changes, which takes a moment, since what was read is remembered. So the commands of others neither wait for a check nor
 * are mistaken for damage.
 */
import { rmSync } from 'node:fs'
import { relative } from 'node:path'
import { checkContainers } from '../container/check-containers.js'
import { summaryOf } from '../container/record.js'
import type { ContainerState } from '../container/state.js'
import { EngineError, messageOf } from '../errors.js'
import { openImage } from '../image/image.js'
import { platformImages } from '../image/platform-select.js'
import type { IdMap } from '../launcher/id-map.js'
import { type DiffId, type Digest, hexOf } from '../oci/digest.js'
import { familiarReference } from '../reference/normalize.js'
import { TreesCheck } from '../rootfs/check-trees.js'
import { isStackIndexSound, stackIndexPath } from '../rootfs/layer-stack.js'
import { checkLeftovers, checkPermissions } from '../store/check-folders.js'
import { checkImages } from '../store/check-images.js'
import { checkLayers } from '../store/check-layers.js'
import { FileDigests } from '../store/file-digests.js'
import { type Flaw, type FlawKind, flaw } from '../store/flaw.js'
import type { Layer, StoredLayer } from '../store/layer-store.js'
import { findUnused, prune, whileNothingChanges } from '../store/prune.js'
import type { NamedDescriptor } from '../store/references.js'
import type { Store } from '../store/store.js'
import { pruneOptions } from './prune-options.js'

/** Something that is not as it should be. */
export interface Damage {
  /** What is damaged; `leftover`, `permissions` and `foreign` are what lies there and should not, or is open to others. */
  readonly kind: FlawKind
  /** Where, below the home. */
  readonly path: string
  /** What is wrong with it, as the rest of a sentence that begins with the path. */
  readonly problem: string
  /** Images that cannot be used for it, as a user names them. */
  readonly images: readonly string[]
  /** What the user can do about it; null when it is repaired, and when `repair` would do it. */
  readonly remedy: string | null
  /** It was found, put right, and not found again. */
  readonly repaired: boolean
}

/** What `check` has found. */
export interface CheckReport {
  /** Folder everything is kept in. */
  readonly home: string
  /** Nothing is damaged, or not any more. */
  readonly whole: boolean
  readonly damages: readonly Damage[]
  /** How much was looked at; files and bytes are those of blobs and layers, each read once. */
  readonly checked: {
    readonly images: number
    readonly files: number
    readonly bytes: number
    readonly layers: number
    readonly trees: number
    readonly containers: number
  }
}

/** Options of `check`. */
export interface CheckOptions {
  /** Makes anew what can be made of what is sound, takes out what is damaged or nobody's, and looks again. */
  readonly repair?: boolean
  readonly signal?: AbortSignal
}

/** What {@link checkHome} looks at. */
export interface CheckParts {
  readonly store: Store
  readonly state: ContainerState
  readonly idMap: IdMap
  /** Removes what killed commands have left of containers. */
  readonly sweep: () => Promise<void>
  /**
   * Brings an image in again from where it came from, by its name: the last thing a repair tries for one that has lost what only its origin
   * has. Null where no image comes from anywhere by itself.
   */
  readonly bringIn: ((reference: string) => Promise<unknown>) | null
}

/** How often a repair may bring to light what needs another. */
const ROUNDS = 4

/** Checks a home, and repairs what it is asked to. */
export async function checkHome(parts: CheckParts, { repair = false, signal }: CheckOptions = {}): Promise<CheckReport> {
  const check = new HomeCheck(parts, signal)
  const found = new Map<string, Flaw>()
  const failures = new Map<string, string>()
  const look = async () => {
    const flaws = await check.look()
    for (const each of flaws) if (!found.has(keyOf(each))) found.set(keyOf(each), each)
    return flaws
  }
  let left = await look()
  for (let round = 0; repair && round < ROUNDS && left.some((each) => each.repair !== null); round++) {
    for (const action of new Set(left.map((each) => each.repair))) {
      if (signal?.aborted) throw new EngineError('ABORTED', 'stopped before everything was repaired', { cause: signal.reason })
      await action?.().catch((error: unknown) => {
        for (const each of left) if (each.repair === action) failures.set(keyOf(each), messageOf(error))
      })
    }
    left = await look()
  }
  if (repair && parts.bringIn !== null) left = await bringIn(parts.bringIn, left, { failures, look })
  const lasting = new Map(left.map((each) => [keyOf(each), each]))
  const damages = [...found].map(([key, first]): Damage => {
    const { kind, path, problem, images, remedy } = lasting.get(key) ?? { ...first, remedy: null }
    const failure = failures.get(key)
    const repaired = repair && !lasting.has(key)
    const advice =
      repaired || failure === undefined ? remedy : `${remedy === null ? '' : `${remedy} `}(It could not be repaired: ${failure})`
    return { kind, path, problem, images, remedy: advice, repaired }
  })
  return { home: parts.store.root, whole: left.length === 0, damages, checked: check.counts() }
}

/** Has the images brought in again that have lost something which no repair could make. */
async function bringIn(
  bring: (reference: string) => Promise<unknown>,
  left: readonly Flaw[],
  { failures, look }: { readonly failures: Map<string, string>; readonly look: () => Promise<readonly Flaw[]> },
): Promise<readonly Flaw[]> {
  const hurt = left.filter(({ kind }) => kind === 'blob' || kind === 'names' || kind === 'container')
  const names = new Set(hurt.flatMap(({ images }) => images).filter((name) => !name.startsWith('sha256:')))
  for (const name of names)
    await bring(name).catch((error: unknown) => {
      for (const each of hurt) if (each.images.includes(name)) failures.set(keyOf(each), messageOf(error))
    })
  return names.size === 0 ? left : look()
}

function keyOf({ kind, path }: Flaw): string {
  return `${kind} ${path}`
}

/** An image's layers, where they can be told. */
interface KnownImage {
  readonly name: string
  readonly layers: readonly Layer[]
}

/** A check that can be made again at little cost. */
class HomeCheck {
  readonly #digests = new FileDigests()
  readonly #trees = new TreesCheck()
  #counted = { images: 0, layers: 0, containers: 0 }

  constructor(
    private readonly parts: CheckParts,
    private readonly signal: AbortSignal | undefined,
  ) {}

  counts(): CheckReport['checked'] {
    const { files, bytes } = this.#digests
    return { ...this.#counted, files, bytes, trees: this.#trees.trees }
  }

  /** All flaws there are now. */
  async look(): Promise<readonly Flaw[]> {
    const { store, state } = this.parts
    // Reads everything, and may be misled by whoever is at work.
    await this.#flaws()
    const options = { ...pruneOptions(store.root, state), ...(this.signal === undefined ? {} : { signal: this.signal }) }
    return whileNothingChanges(store, options, () => this.#flaws())
  }

  async #flaws(): Promise<readonly Flaw[]> {
    const { store } = this.parts
    const permissions = checkPermissions(store.root)
    try {
      return [...permissions, ...(await this.#contentFlaws())]
    } catch (error) {
      // What cannot be entered cannot be judged.
      if (permissions.length === 0) throw error
      return permissions
    }
  }

  async #contentFlaws(): Promise<readonly Flaw[]> {
    const { store } = this.parts
    const { flaws, names } = await checkImages(store, this.#digests)
    const found = [...checkLeftovers(store.root), ...flaws]
    // Without names everything would be nobody's.
    if (names === null) return found
    const images = await this.#knownImages(names)
    return [...found, ...(await this.#layerFlaws(images)), ...(await this.#unused(found))]
  }

  async #knownImages(names: readonly NamedDescriptor[]): Promise<readonly KnownImage[]> {
    const { store } = this.parts
    const known: KnownImage[] = []
    this.#counted = { ...this.#counted, images: new Set(names.map(({ descriptor }) => descriptor.digest)).size }
    for (const { reference, descriptor } of names)
      try {
        for (const { image } of await platformImages(store.layout, descriptor))
          known.push({
            name: reference === null ? descriptor.digest : familiarReference(reference),
            layers: await openImage(store.layout, image.descriptor).layers(),
          })
      } catch (error) {
        // One that cannot be read has been told of.
        if (!(error instanceof EngineError)) throw error
      }
    return known
  }

  /** Of layers, of what is made of them, and of the containers that stand on them. */
  async #layerFlaws(images: readonly KnownImage[]): Promise<readonly Flaw[]> {
    const { store, state, idMap, sweep } = this.parts
    const byDiffId = new Map<DiffId, { layer: Layer; images: Set<string> }>()
    for (const { name, layers } of images)
      for (const layer of layers) {
        const known = byDiffId.get(layer.diffId) ?? { layer, images: new Set() }
        known.images.add(name)
        byDiffId.set(layer.diffId, known)
      }
    const imagesOf = (diffId: DiffId) => [...(byDiffId.get(diffId)?.images ?? [])]
    const layerOf = (diffId: DiffId) => byDiffId.get(diffId)?.layer ?? null
    const { flaws, layers } = await checkLayers({ store, digests: this.#digests, layerOf, imagesOf })
    const damaged = new Set(flaws.flatMap(({ kind, path }) => (kind === 'layer' ? [path] : [])))
    const records = await state.list()
    this.#counted = { ...this.#counted, layers, containers: records.length }
    const running = records.filter((record) => record.runtime === 'native' && RUNNING.has(summaryOf(record).status))
    const stored = new Set<Digest>(await store.layout.digests())
    const present = new Set<DiffId>(await store.layers.diffIds())
    const soundLayer = (diffId: DiffId) => (present.has(diffId) && !damaged.has(`layers/${hexOf(diffId)}`) ? store.layers.at(diffId) : null)
    const treeFlaws = await this.#trees.flaws({
      root: store.root,
      idMap,
      soundLayer,
      imagesOf,
      runningOn: (diffId) => running.filter(({ image }) => image.diffIds.includes(diffId)).map(({ name }) => name),
    })
    const hasLayer = (diffId: DiffId) => present.has(diffId) || stored.has(layerOf(diffId)?.descriptor.digest ?? diffId)
    return [...flaws, ...this.#stackFlaws(images, soundLayer), ...treeFlaws, ...(await checkContainers({ state, hasLayer, sweep }))]
  }

  /** Indexes of many layers in one. */
  #stackFlaws(images: readonly KnownImage[], soundLayer: (diffId: DiffId) => StoredLayer | null): readonly Flaw[] {
    const { root } = this.parts.store
    return images.flatMap(({ name, layers }) => {
      const sound = layers.map(({ diffId }) => soundLayer(diffId)).filter((layer) => layer !== null)
      if (sound.length < layers.length || sound.length === 0 || isStackIndexSound(sound)) return []
      const path = stackIndexPath(sound)
      const repair = async () => rmSync(path, { force: true })
      return [flaw('layer', relative(root, path), 'is not the index of the layers together that it is for', { images: [name], repair })]
    })
  }

  /** What {@link prune} would remove. */
  async #unused(known: readonly Flaw[]): Promise<readonly Flaw[]> {
    // What an image with a damaged manifest still has looks as if it were nobody's, and is wanted when the manifest comes back.
    if (known.some(({ kind }) => kind === 'blob' || kind === 'names')) return []
    const { store, state } = this.parts
    const options = pruneOptions(store.root, state)
    const { blobs, layers, notes, trees } = await findUnused(store, options)
    const paths = [
      ...blobs.map((digest) => `blobs/sha256/${hexOf(digest)}`),
      ...layers.map((diffId) => `layers/${hexOf(diffId)}`),
      ...notes.map((diffId) => `packed/${hexOf(diffId)}`),
      ...trees,
    ]
    const told = new Set(known.map(({ path }) => path))
    const repair = () => prune(store, options)
    return paths.filter((path) => !told.has(path)).map((path) => flaw('leftover', path, 'is part of no image and no container', { repair }))
  }
}

const RUNNING: ReadonlySet<string> = new Set(['running', 'paused', 'restarting'])
