/**
 * Layers as directories on disk, where the kernel's overlay can find them.
 *
 * Each lies at `DIRECTORY/<id map>/<layer>/tree` and is whole if and only if the file `complete` stands beside it and was written since the
 * host was last booted, or is known to be on the disk. It is written elsewhere in the same folder and renamed, so that processes killed or
 * racing leave a whole tree, or a `tree.partial-*` for the next to remove. Unpacking does not wait for the disk: after a power cut a tree
 * may be cut off with its marker whole, so a new one is trusted in its boot only. Who uses it a minute later has the file system flushed
 * beside what he does, and only then the marker says that the tree lasts.
 */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterCleanUp } from '../errors.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import { FIRST_DESCRIPTOR, launch } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'
import { idMapOperations } from '../launcher/id-map.js'
import type { Operation } from '../launcher/operations.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import type { PackedLayer } from '../layer/packed-layer.js'
import { hexOf } from '../oci/digest.js'
import type { StoredLayer } from '../store/layer-store.js'
import { Lock } from '../store/lock.js'
import { bootId, mayBeAlive, ownIdentity } from '../store/process-identity.js'
import { directoriesToRestate, openStoredLayer, stackName } from './layer-stack.js'
import { removeLayerTree, removeTrees } from './remove-tree.js'
import { directoryRecords, layerRecords } from './tree-records.js'
import { treeStream } from './write-directory.js'

/** What {@link ensureTrees} needs. */
export interface TreesRequest {
  /** The store's `trees` folder. */
  readonly directory: string
  readonly idMap: IdMap
  /** Base first. */
  readonly layers: readonly StoredLayer[]
  /** The merged tree of these layers; asked for only when something is missing on disk. */
  readonly merged: () => ReadonlyFileSystem
  readonly signal?: AbortSignal
}

/** How a folder begins whose tree is being written; its writer's identity follows. */
export const PARTIAL = 'tree.partial-'
/** Writes begun by this process: two at once must not share a folder. */
let treesBegun = 0

/** What stands in `complete`. */
export interface Marker {
  /** The boot it was written in; null once the tree is known to be on the disk. */
  readonly boot: string | null
  /** Of a stack: names of the folders to be stacked, base first. Whoever writes one of them anew takes the marker away before. */
  readonly lowers?: readonly string[]
}

/**
 * The directories to stack for these layers, base first, written first where they are missing. When all are there this costs a few look-ups and
 * no process; else one launcher writes all that are missing, inside a user namespace with the id map.
 */
export async function ensureTrees(request: TreesRequest): Promise<string[]> {
  const folder = join(request.directory, request.idMap.key)
  const stack = stackName(request.layers)
  const present = readStack(folder, stack)
  if (present !== null && present.boot !== null) flush(folder, [...present.lowers, stack])
  const lowers = present?.lowers ?? (await writeStack(folder, stack, request))
  return lowers.map((name) => join(folder, name, 'tree'))
}

/** The marker of a stack that can be used. */
function readStack(folder: string, stack: string): Required<Marker> | null {
  const marker = readMarker(join(folder, stack))
  const isWhole = marker?.lowers?.every((name) => existsSync(join(folder, name, 'complete'))) === true
  return isWhole ? (marker as Required<Marker>) : null
}

/** Old enough that the kernel has mostly written it by itself, so that flushing takes no time. Nor is it tried more often than that. */
const FLUSHED_AFTER_MS = 60_000

/** Beside a marker: the one to take its place when the tree is on the disk. Who writes the tree anew removes it first. */
export const LASTING = 'complete.lasting'

/**
 * Makes the trees of a stack, its own last, known to be on the disk: flushes the file system, then lets the markers say so. A process of its
 * own does it, for which nobody waits and which outlives this one.
 */
function flush(folder: string, names: readonly string[]): void {
  const isRecent = (path: string) => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > Date.now() - FLUSHED_AFTER_MS
  const begun = join(folder, 'flush-begun')
  if (isRecent(begun) || isRecent(join(folder, names.at(-1) ?? '', 'complete'))) return
  writeFileSync(begun, '', { mode: 0o600 })
  const folders = names.map((name) => join(folder, name))
  for (const tree of folders) {
    const marker = readMarker(tree)
    // Gone meanwhile: its image was removed.
    if (marker === null) return
    writeFileSync(join(tree, LASTING), JSON.stringify({ ...marker, boot: null }), { mode: 0o600 })
  }
  const script = `sync -f "$0" && for tree; do mv "$tree/${LASTING}" "$tree/complete" || exit; done`
  const child = spawn('/bin/sh', ['-c', script, folder, ...folders], { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}

function writeMarker(folder: string, marker: Marker, suffix: string): void {
  const temporary = join(folder, `complete.${suffix}`)
  writeFileSync(temporary, JSON.stringify(marker), { mode: 0o600 })
  renameSync(temporary, join(folder, 'complete'))
}

/** The marker of a tree that can be used: one of this boot, or one that lasts. */
export function readMarker(folder: string): Marker | null {
  try {
    const marker: Marker = JSON.parse(readFileSync(join(folder, 'complete'), 'utf8'))
    return marker.boot === null || marker.boot === bootId() ? marker : null
  } catch {
    return null
  }
}

/** A tree to be written: its folder's name, and what it holds. */
interface TreeJob {
  readonly name: string
  readonly lowers: readonly string[] | null
  readonly tarPath: string | null
  records(): Iterable<TreeRecord>
}

async function writeStack(folder: string, stack: string, request: TreesRequest): Promise<readonly string[]> {
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
    const missing = jobs.filter(
      ({ name }, index) =>
        jobs.findIndex((job) => job.name === name) === index && (name === stack || readMarker(join(folder, name)) === null),
    )
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // Before, so that none is left that would be trusted over a tree that is only now written.
    await removeBrokenStacks(folder, request.idMap)
    await writeTrees(folder, missing, request)
    return lowers
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

/** Stacks whose layers have been pruned. Those of another boot are left to whoever wants them next. */
async function removeBrokenStacks(folder: string, idMap: IdMap): Promise<void> {
  const broken = readdirSync(folder).filter(
    (name) => name.startsWith('stack-') && readMarker(join(folder, name)) !== null && readStack(folder, name) === null,
  )
  for (const name of broken) await removeLayerTree(idMap, join(folder, name))
}

async function writeTrees(folder: string, jobs: readonly TreeJob[], { directory, idMap, signal }: TreesRequest): Promise<void> {
  const partial = `${PARTIAL}${ownIdentity()}-${++treesBegun}`
  for (const { name } of jobs) mkdirSync(join(folder, name, partial), { recursive: true, mode: 0o700 })
  await removeTrees(
    idMap,
    jobs.flatMap(({ name }) => abandonedPartials(join(folder, name))),
  )
  const tars = jobs.map(({ tarPath }) => (tarPath === null ? null : openSync(tarPath, 'r')))
  try {
    const operations: Operation[] = []
    const descriptors: (number | 'pipe')[] = []
    const add = (descriptor: number | 'pipe') => FIRST_DESCRIPTOR + descriptors.push(descriptor) - 1
    for (const [index, { name }] of jobs.entries()) {
      const tar = tars[index]
      if (typeof tar === 'number') operations.push(['tree-source', add(tar)])
      operations.push(['tree-write', join(folder, name, partial), add('pipe')])
    }
    const launcher = launch(
      {
        operations: [
          ...idMapOperations(idMap),
          ['namespace', 'mount'],
          // Under a single-id map every file of an image is its user's, as it is seen from inside.
          ...(idMap.kind === 'single' ? [['tree-substitute', 'owners'] as const] : []),
          ...operations,
        ],
        exec: null,
      },
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
  } catch (error) {
    const partials = jobs.map(({ name }) => join(folder, name, partial))
    throw await afterCleanUp(error, () => removeTrees(idMap, partials))
  } finally {
    for (const tar of tars) if (tar !== null) closeSync(tar)
  }
  // One at a time, so that nobody takes away a tree that has just been put there.
  const replaced = await publishing(directory).hold(async () => {
    for (const { name, lowers } of jobs) publish(join(folder, name), partial, lowers)
    return jobs.map(({ name }) => join(folder, name, partial))
  })
  await removeTrees(idMap, replaced)
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
  writeMarker(folder, { boot: bootId(), ...(lowers === null ? {} : { lowers }) }, partial)
}

function abandonedPartials(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(PARTIAL) && !mayBeAlive(name.slice(PARTIAL.length)))
    .map((name) => join(folder, name))
}
