import { lstat, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type DiffId, type Digest, digestFromHex } from '../oci/digest.js'
import { removeLeftovers } from './ingest.js'
import { type Reachable, reachableFrom } from './reachable.js'
import type { Store } from './store.js'

const HEX = /^[0-9a-f]{64}$/
/** Beside trees of one id map (`rootfs/` writes it). */
const FLUSH_BEGUN = 'flush-begun'

/** What {@link prune} must know from outside. */
export interface PruneOptions {
  /** DiffIds of layers that containers stand on; asked within {@link holdContainers}. */
  readonly usedLayers?: () => Promise<Iterable<DiffId>>
  /**
   * Runs an action while no container comes into being, so that none can stand on what is being removed. Whoever makes one looks
   * after its layers again once there is a record of it: it was seen here, or it sees that they are gone.
   */
  readonly holdContainers?: <T>(action: () => Promise<T>) => Promise<T>
  /**
   * Removes an unpacked tree. Its files may belong to subordinate owners, which only a process inside their user namespace can
   * remove; without this function they are removed as far as the user himself may.
   */
  readonly removeTree?: (path: string) => Promise<void>
  /**
   * What an image had that has just lost its last name. While another name leads to nothing that can be read, no more than this is removed: what
   * seems to be nobody's may be that other image's, and mends it when its manifest comes back.
   */
  readonly released?: Reachable
  readonly signal?: AbortSignal
}

/** What was removed. */
export interface Pruned {
  readonly blobs: readonly Digest[]
  readonly layers: readonly DiffId[]
  /** Layers of which there was a note what they become when they are packed. */
  readonly notes: readonly DiffId[]
  /** Paths of unpacked trees, below the store's root. */
  readonly trees: readonly string[]
  /** Bytes of the blobs. */
  readonly bytes: number
}

/** Removes every blob, layer and tree that no name, no container and no ingest under way leads to, and what killed processes left. */
export function prune(store: Store, options: PruneOptions = {}): Promise<Pruned> {
  return whileNothingChanges(store, options, () => pruneLocked(store, options))
}

/** Runs `action` under the store's lock, and within it under that of the containers: always in this order. */
export function whileNothingChanges<T>(
  store: Store,
  { holdContainers = (held) => held(), signal }: PruneOptions,
  action: () => Promise<T>,
): Promise<T> {
  return store.lock.hold(() => holdContainers(action), signal === undefined ? {} : { signal })
}

/** {@link prune} for a caller within {@link whileNothingChanges}. */
export async function pruneLocked(store: Store, options: PruneOptions): Promise<Pruned> {
  const ingests = join(store.root, 'ingest')
  await mkdir(ingests, { recursive: true, mode: 0o700 })
  await removeLeftovers(ingests)
  const { blobs, layers, notes, trees } = await findUnused(store, options)
  const { removeTree = removeFolder } = options
  let bytes = 0
  for (const digest of blobs) bytes += await store.layout.remove(digest)
  for (const diffId of layers) await store.layers.remove(diffId)
  for (const diffId of notes) await store.packed.forget(diffId)
  for (const tree of trees) await removeTree(join(store.root, tree))
  await forgetFlushes(store.root)
  return { blobs, layers, notes, trees, bytes }
}

/** What {@link prune} would remove, for a caller within {@link whileNothingChanges}. */
export async function findUnused(
  store: Store,
  { usedLayers, released }: Pick<PruneOptions, 'usedLayers' | 'released'>,
): Promise<Omit<Pruned, 'bytes'>> {
  const {
    blobs: kept,
    diffIds,
    lost,
  } = await reachableFrom(
    store.layout,
    (await store.references.list()).map((name) => name.descriptor),
  )
  const keptLayers = new Set([...diffIds, ...((await usedLayers?.()) ?? []), ...(await layersUnderWay(join(store.root, 'ingest')))])
  const mayGo = (digest: Digest) => lost.size === 0 || released?.blobs.has(digest) === true || released?.diffIds.has(digest) === true
  const blobs = (await store.layout.digests()).filter((digest) => !kept.has(digest) && mayGo(digest))
  const layers = (await store.layers.diffIds()).filter((diffId) => !keptLayers.has(diffId) && mayGo(diffId))
  const notes = store.packed.diffIds().filter((diffId) => !kept.has(diffId) && mayGo(diffId))
  return { blobs, layers, notes, trees: await unusedTrees(store.root, (diffId) => keptLayers.has(diffId) || !mayGo(diffId)) }
}

/** What a build has made so far and stands on: layers made here are stored as they are, so that a blob's digest is the layer's. */
async function layersUnderWay(ingests: string): Promise<readonly DiffId[]> {
  const names = await Promise.all((await foldersIn(ingests)).map((name) => readdir(join(ingests, name)).catch(() => [])))
  return names
    .flat()
    .filter((name) => HEX.test(name))
    .map(digestFromHex)
}

/**
 * Unpacked trees, `trees/<id-map key>/<diffId hex>`, of layers that are not kept, and trees made for a stack of layers one of which is not
 * kept: their `complete` or `memory` names the folders they belong on top of (`rootfs/` writes both).
 */
async function unusedTrees(root: string, isKept: (diffId: DiffId) => boolean): Promise<readonly string[]> {
  const isGone = (name: string) => HEX.test(name) && !isKept(digestFromHex(name))
  const found: string[] = []
  for (const map of await foldersIn(join(root, 'trees')))
    for (const name of await foldersIn(join(root, 'trees', map))) {
      const folder = join('trees', map, name)
      if (isGone(name) || (!HEX.test(name) && (await lowersOf(join(root, folder))).some(isGone))) found.push(folder)
    }
  return found
}

/** When trees of an id map were last flushed says nothing when there are none any more. */
async function forgetFlushes(root: string): Promise<void> {
  for (const map of await foldersIn(join(root, 'trees'))) {
    const folder = join(root, 'trees', map)
    if ((await readdir(folder)).every((name) => name === FLUSH_BEGUN)) await rm(join(folder, FLUSH_BEGUN), { force: true })
  }
}

/** None for a tree that is not complete: it may be under way, and its maker removes what killed makers left. */
async function lowersOf(folder: string): Promise<readonly string[]> {
  const lowers = await Promise.all(['complete', 'memory'].map((marker) => lowersIn(join(folder, marker))))
  return lowers.flat()
}

/** Of a stack in a holder's memory each lower is named with where it is. */
async function lowersIn(marker: string): Promise<readonly string[]> {
  try {
    const { lowers } = JSON.parse(await readFile(marker, 'utf8')) as { lowers?: unknown }
    const names = Array.isArray(lowers) ? lowers.map((lower) => (typeof lower === 'string' ? lower : lower?.name)) : []
    return names.filter((name) => typeof name === 'string')
  } catch {
    return []
  }
}

async function foldersIn(path: string): Promise<readonly string[]> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const stats = await Promise.all(names.map(async (name) => ({ name, stat: await lstat(join(path, name)).catch(() => null) })))
  return stats.filter(({ stat }) => stat?.isDirectory()).map(({ name }) => name)
}

function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true })
}
