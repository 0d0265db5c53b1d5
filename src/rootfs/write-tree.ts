/**
 * Layers as directories where the kernel's overlay can find them: in the memory of the store's holder while one lives and has room, else on disk.
 *
 * On disk each lies at `DIRECTORY/<id map>/<layer>/tree`. It is written elsewhere in the same folder and renamed, so that processes killed or
 * racing leave a whole tree, or a `tree.partial-*` for the next to remove. Unpacking does not wait for the disk: after a power cut a tree
 * may be cut off with its marker whole, so a new one is trusted in its boot only. Who uses it a minute later has the file system flushed
 * beside what he does, and only then the marker says that the tree lasts.
 *
 * In memory each has a name that was never used before, which its marker at `DIRECTORY/<id map>/<layer>/memory` tells.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterCleanUp, EngineError } from '../errors.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import { FIRST_DESCRIPTOR, launch } from '../launcher/client.js'
import { holderMemory } from '../launcher/holder.js'
import type { IdMap, LivingHolder } from '../launcher/id-map.js'
import { idMapOperations, livingHolder } from '../launcher/id-map.js'
import type { Operation } from '../launcher/operations.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import type { PackedLayer } from '../layer/packed-layer.js'
import { hexOf } from '../oci/digest.js'
import type { StoredLayer } from '../store/layer-store.js'
import { Lock } from '../store/lock.js'
import { bootId, mayBeAlive, ownIdentity } from '../store/process-identity.js'
import { directoriesToRestate, openStoredLayer, stackName } from './layer-stack.js'
import type { KernelLayers } from './overlay.js'
import { removeFromMemory, removeLayerTree, removeTrees } from './remove-tree.js'
import { COMPLETE, flushTrees, IN_MEMORY, LASTING, type MemoryMarker, readMarker, readMemoryMarker, writeMarker } from './tree-marker.js'
import { directoryRecords, layerRecords } from './tree-records.js'
import { substituteOperations, treeStream } from './write-directory.js'

/** What {@link ensureTrees} needs. */
export interface TreesRequest {
  /** The store's `trees` folder. */
  readonly directory: string
  readonly idMap: IdMap
  /** Base first. */
  readonly layers: readonly StoredLayer[]
  /** The merged tree of these layers; asked for only when something is missing. */
  readonly merged: () => ReadonlyFileSystem
  /** Whether they have to be on disk. */
  readonly onDisk?: boolean
  readonly signal?: AbortSignal
}

/** How a folder begins whose tree is being written; its writer's identity follows. */
export const PARTIAL = 'tree.partial-'
/** Writes begun by this process: two at once must not share a folder. */
let treesBegun = 0

/**
 * The directories to stack for these layers, written first where they are missing. When all are there this costs a few look-ups and
 * no process; else one launcher writes all that are missing, inside a user namespace with the id map.
 */
export async function ensureTrees(request: TreesRequest): Promise<KernelLayers> {
  const { directory, idMap, layers, onDisk = false } = request
  const folder = join(directory, idMap.key)
  const stack = stackName(layers)
  const written = readStack(folder, stack)
  if (written !== null) {
    const names = [...written.lowers, stack]
    if (written.boot !== null) flushTrees(folder, names)
    return { lowers: written.lowers.map((name) => join(folder, name, 'tree')), memory: null }
  }
  const holder = onDisk ? null : livingHolder(idMap)
  const held = readHeldStack(folder, stack, holder)
  if (held !== null && holder !== null) return heldLayers(folder, held, holder)
  return writeStack(folder, stack, request, holder)
}

/** The marker of a stack on disk that can be used. */
function readStack(folder: string, stack: string): { readonly boot: string | null; readonly lowers: readonly string[] } | null {
  const marker = readMarker(join(folder, stack))
  const isWhole = marker?.lowers?.every((name) => existsSync(join(folder, name, COMPLETE))) === true
  return isWhole ? { boot: marker.boot, lowers: marker.lowers ?? [] } : null
}

type HeldLowers = NonNullable<MemoryMarker['lowers']>

/** The same for one of which something is in memory. */
function readHeldStack(folder: string, stack: string, holder: LivingHolder | null): HeldLowers | null {
  const lowers = readMemoryMarker(join(folder, stack), holder)?.lowers
  const isWhole = lowers?.every(({ name, tree }) => existsSync(join(folder, name, tree === null ? COMPLETE : IN_MEMORY))) === true
  return isWhole ? lowers : null
}

function heldLayers(folder: string, lowers: HeldLowers, holder: LivingHolder): KernelLayers {
  const memory = holderMemory(holder)
  return { lowers: lowers.map(({ name, tree }) => (tree === null ? join(folder, name, 'tree') : join(memory, tree))), memory: holder }
}

/** A tree to be written: its folder's name, and what it holds. */
interface TreeJob {
  readonly name: string
  readonly lowers: readonly string[] | null
  readonly tarPath: string | null
  records(): Iterable<TreeRecord>
}

async function writeStack(folder: string, stack: string, request: TreesRequest, holder: LivingHolder | null): Promise<KernelLayers> {
  const all = request.layers.map((stored) => ({ stored, name: hexOf(stored.diffId), packed: openStoredLayer(stored) }))
  try {
    const layers = visibleLayers(all)
    const restated = new Set(layers.flatMap(({ packed }) => [...directoriesToRestate(packed)]))
    const lowers = [...topmostOfEach(layers.map(({ name }) => name)), stack]
    const jobs: TreeJob[] = layers.map(({ stored, name, packed }) => ({
      name,
      lowers: null,
      tarPath: stored.tarPath,
      records: () => layerRecords(packed),
    }))
    jobs.push({ name: stack, lowers, tarPath: null, records: () => directoryRecords(request.merged(), restated) })
    const wanted = jobs.filter(({ name }, index) => jobs.findIndex((job) => job.name === name) === index)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // Before, so that none is left that would be trusted over a tree that is only now written.
    await removeBrokenStacks(folder, request.idMap, holder)
    const missing = wanted.filter(({ name }) => name === stack || readMarker(join(folder, name)) === null)
    if (holder !== null && missing.length > 1) {
      const held = await holdTrees(folder, missing, request, holder)
      if (held !== null) {
        const trees = lowers.map((name) => ({ name, tree: held.get(name) ?? null }))
        writeMarker(join(folder, stack), IN_MEMORY, { holder: holder.identity, tree: held.get(stack) ?? '', lowers: trees }, nextPartial())
        return heldLayers(folder, trees, holder)
      }
    }
    await writeTrees(folder, missing, request)
    return { lowers: lowers.map((name) => join(folder, name, 'tree')), memory: null }
  } finally {
    for (const { packed } of all) packed.close()
  }
}

/** The layers from the last one on whose root is opaque: overlay stacks roots whatever they are marked with. */
function visibleLayers<Layer extends { readonly packed: PackedLayer }>(layers: readonly Layer[]): readonly Layer[] {
  const opaque = layers.findLastIndex(({ packed }) => packed.isOpaque(packed.root))
  return layers.slice(Math.max(0, opaque))
}

/** Overlay takes no directory twice. Of a layer that comes twice the upper one decides, and all that the lower one holds is in it too. */
function topmostOfEach(names: readonly string[]): string[] {
  return names.filter((name, index) => names.lastIndexOf(name) === index)
}

/** Stacks whose layers have been pruned. Those of another boot, or of a holder that has ended, are left to whoever wants them next. */
async function removeBrokenStacks(folder: string, idMap: IdMap, holder: LivingHolder | null): Promise<void> {
  const broken = readdirSync(folder).filter(
    (name) =>
      name.startsWith('stack-') &&
      ((readMarker(join(folder, name)) !== null && readStack(folder, name) === null) ||
        (readMemoryMarker(join(folder, name), holder) !== null && readHeldStack(folder, name, holder) === null)),
  )
  for (const name of broken) await removeLayerTree(idMap, join(folder, name))
}

const nextPartial = () => `${PARTIAL}${ownIdentity()}-${++treesBegun}`

/**
 * Has those that are not there yet written into the holder's memory. The names of all of them in it; null where they do not fit, or the holder
 * has ended, with nothing left of what was begun.
 */
async function holdTrees(
  folder: string,
  jobs: readonly TreeJob[],
  { directory, idMap, signal }: TreesRequest,
  holder: LivingHolder,
): Promise<ReadonlyMap<string, string> | null> {
  const held = new Map<string, string>()
  for (const { name } of jobs) {
    const marker = name.startsWith('stack-') ? null : readMemoryMarker(join(folder, name), holder)
    if (marker !== null) held.set(name, marker.tree)
  }
  const missing = jobs.filter(({ name }) => !held.has(name))
  const bytes = missing.reduce((sum, { tarPath }) => sum + (tarPath === null ? 0 : statSync(tarPath).size), 0)
  if (bytes > holder.memoryBytes) return null
  const memory = holderMemory(holder)
  const made = new Map(missing.map(({ name }) => [name, `${name}-${randomBytes(6).toString('hex')}`]))
  const places = missing.map(({ name }) => join(memory, made.get(name) ?? ''))
  try {
    await sendTrees(missing, places, {
      operations: [
        ...idMapOperations(idMap, holder),
        ['namespace', 'mount'],
        ['holder-memory', memory],
        ...places.map((path): Operation => ['tree-make', path]),
      ],
      signal,
    })
  } catch (error) {
    await removeFromMemory(idMap, holder, [...made.values()]).catch(() => {})
    if (isForWantOfMemory(error)) return null
    throw error
  }
  // One at a time, so that of those who wrote the same at once all use what the first has written.
  const unwanted = await publishing(directory).hold(async () =>
    missing.flatMap(({ name }) => {
      const own = made.get(name) ?? ''
      mkdirSync(join(folder, name), { recursive: true, mode: 0o700 })
      const first = name.startsWith('stack-') ? null : readMemoryMarker(join(folder, name), holder)
      held.set(name, first?.tree ?? own)
      if (first !== null) return [own]
      if (!name.startsWith('stack-')) writeMarker(join(folder, name), IN_MEMORY, { holder: holder.identity, tree: own }, nextPartial())
      return []
    }),
  )
  await removeFromMemory(idMap, holder, unwanted)
  return held
}

/** Full, gone with its holder, or unable to hold what the disk can. */
function isForWantOfMemory(error: unknown): boolean {
  if (!(error instanceof EngineError)) return false
  // A tmpfs has no xattrs of users before Linux 6.6.
  return ['ENOSPC', 'EOPNOTSUPP', 'ENOTSUP'].includes(String(error.data.errno)) || error.data.operation === 'holder-memory'
}

async function writeTrees(folder: string, jobs: readonly TreeJob[], { directory, idMap, signal }: TreesRequest): Promise<void> {
  const partial = nextPartial()
  const partials = jobs.map(({ name }) => join(folder, name, partial))
  for (const path of partials) mkdirSync(path, { recursive: true, mode: 0o700 })
  await removeTrees(
    idMap,
    jobs.flatMap(({ name }) => abandonedPartials(join(folder, name))),
  )
  try {
    await sendTrees(jobs, partials, {
      operations: [...idMapOperations(idMap), ['namespace', 'mount'], ...substituteOperations(idMap)],
      signal,
    })
  } catch (error) {
    throw await afterCleanUp(error, () => removeTrees(idMap, partials))
  }
  // One at a time, so that nobody takes away a tree that has just been put there.
  const replaced = await publishing(directory).hold(async () => {
    for (const { name, lowers } of jobs) publish(join(folder, name), partial, lowers)
    return partials
  })
  await removeTrees(idMap, replaced)
}

/** Has one launcher write each tree to its place, a directory that is there once the operations have been done. */
async function sendTrees(
  jobs: readonly TreeJob[],
  places: readonly string[],
  { operations, signal }: { readonly operations: readonly Operation[]; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const tars = jobs.map(({ tarPath }) => (tarPath === null ? null : openSync(tarPath, 'r')))
  try {
    const writes: Operation[] = []
    const descriptors: (number | 'pipe')[] = []
    const add = (descriptor: number | 'pipe') => FIRST_DESCRIPTOR + descriptors.push(descriptor) - 1
    for (const [index, place] of places.entries()) {
      const tar = tars[index]
      if (typeof tar === 'number') writes.push(['tree-source', add(tar)])
      writes.push(['tree-write', place, add('pipe')])
    }
    const launcher = launch(
      { operations: [...operations, ...writes], exec: null },
      { descriptors, ...(signal === undefined ? {} : { signal }) },
    )
    const streams = launcher.streams.filter((stream) => stream !== null)
    const sent = Promise.all(
      jobs.map(async ({ records }, index) => {
        const stream = streams[index]
        // A launcher that fails closes its end; its own words say why.
        if (stream !== undefined) await pipeline(Readable.from(treeStream(records())), stream).catch(() => {})
      }),
    )
    await launcher.done
    await sent
  } finally {
    for (const tar of tars) if (tar !== null) closeSync(tar)
  }
}

/** Held while trees come to their places, and while they are judged. */
export function publishing(directory: string): Lock {
  return new Lock(join(directory, 'publish.lock'))
}

/**
 * Renames a whole tree to its place and marks it, unless another process was first. What is to be removed is under the partial name then:
 * this tree, or one that stood in its place and that nobody uses, since it has no marker of this boot.
 */
function publish(folder: string, partial: string, lowers: readonly string[] | null): void {
  const path = (name: string) => join(folder, name)
  rmSync(path(LASTING), { force: true })
  const marked = readMarker(folder) !== null
  if (!marked || !existsSync(path('tree'))) {
    if (existsSync(path('tree'))) {
      renameSync(path('tree'), path(`${partial}-old`))
      renameSync(path(partial), path('tree'))
      renameSync(path(`${partial}-old`), path(partial))
    } else renameSync(path(partial), path('tree'))
  }
  writeMarker(folder, COMPLETE, { boot: bootId(), ...(lowers === null ? {} : { lowers }) }, partial)
}

function abandonedPartials(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(PARTIAL) && !mayBeAlive(name.slice(PARTIAL.length)))
    .map((name) => join(folder, name))
}
