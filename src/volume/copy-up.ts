/**
 * An empty volume gets what the image has at the place it is mounted: docker's rule.
 *
 * The image's files are written beside the data, in `copy.partial`, which becomes `copy` when it is whole, and only then moved in, by the
 * launcher, so that they have their owners. Whoever comes first after a kill at any moment throws a `copy.partial` away and moves the rest
 * of a `copy` in, whatever he wants himself: nobody mounts half a copy. All of it is under a lock of the volume's. What another container
 * that has the volume already may write meanwhile is never touched.
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError } from '../errors.js'
import { ErrnoError } from '../fs/errno.js'
import type { Ino, ReadonlyFileSystem, Stat } from '../fs/file-system.js'
import { fromUtf8 } from '../fs/names.js'
import { resolve, rootHandle } from '../fs/resolve.js'
import { launcherMissing } from '../launcher/client.js'
import type { IdExtent, IdMap } from '../launcher/id-map.js'
import { removeTrees } from '../rootfs/remove-tree.js'
import { subtreeRecords } from '../rootfs/tree-records.js'
import { moveInto, writeDirectory } from '../rootfs/write-directory.js'
import { Lock } from '../store/lock.js'
import type { Volume } from './volume.js'

/** A directory of an image. */
export interface ImageContent {
  readonly tree: ReadonlyFileSystem
  readonly ino: Ino
}

/** What {@link fillVolume} needs. */
export interface FillRequest {
  /** The store's `locks` folder. */
  readonly locks: string
  readonly idMap: IdMap
  readonly volume: Volume
  /** What an empty volume is filled with; null for nothing. */
  readonly content: ImageContent | null
  readonly signal?: AbortSignal | undefined
}

const PARTIAL = 'copy.partial'
const WHOLE = 'copy'

/**
 * What an image has at a path, symlinks followed inside it; null for nothing. Throws INVALID_ARGUMENT where there is something else than a
 * directory, or a symlink leads to the root, which is no place for a volume.
 */
export function imageContentAt(tree: ReadonlyFileSystem, destination: string): ImageContent | null {
  const found = lookUp(tree, destination)
  if (found === null) return null
  if (found.type !== 'directory')
    throw new EngineError('INVALID_ARGUMENT', `no volume can be mounted at ${destination}: the image has a ${found.type} there`, {
      data: { destination },
      hint: 'Choose another place in the container.',
    })
  if (found.ino === tree.root)
    throw new EngineError('INVALID_ARGUMENT', `no volume can be mounted at ${destination}: in the image that is a symlink to the root`, {
      data: { destination },
    })
  return { tree, ino: found.ino }
}

/**
 * Finishes a copy that was begun, and copies what the image has when the volume is empty. Resolves when the volume can be mounted. Rejects with
 * CONFLICT when it was removed meanwhile, UNSAFE_PATH, RUNTIME_UNAVAILABLE where nothing but the launcher could copy and there is none.
 */
export async function fillVolume(request: FillRequest): Promise<void> {
  try {
    await fill(request)
  } catch (error) {
    if (existsSync(request.volume.mountpoint)) throw error
    throw removedMeanwhile(request.volume.name, error)
  }
}

/** The error of a container whose volume was removed before the container had a record, which would have kept it. */
export function removedMeanwhile(name: string, cause?: unknown): EngineError {
  return new EngineError('CONFLICT', `volume ${name} was removed while the container was made`, { cause, data: { volume: name } })
}

async function fill(request: FillRequest): Promise<void> {
  const places = placesOf(request.volume)
  if (!isUnfinished(places) && !isWanted(request, places)) return
  // A few hundred locks for all volumes there ever are: one in each volume's folder would keep the folder from being removed.
  const lock = new Lock(join(request.locks, `volume-${createHash('sha256').update(request.volume.name).digest('hex').slice(0, 2)}`))
  await lock.hold(
    async () => {
      await finish(request.idMap, places)
      if (request.content !== null && isWanted(request, places)) await copy(request, request.content, places)
    },
    request.signal === undefined ? {} : { signal: request.signal },
  )
}

interface Places {
  readonly data: string
  readonly partial: string
  readonly whole: string
}

/** By its real path, as the launcher follows no link here. Throws UNSAFE_PATH where something else was put in a folder's place. */
function placesOf({ name, mountpoint }: Volume): Places {
  const folder = join(realpathSync(dirname(dirname(mountpoint))), name)
  const data = join(folder, '_data')
  for (const path of [folder, data])
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new EngineError('UNSAFE_PATH', `volume ${name} is no folder of wolffia's any more: ${path} was replaced`, {
        hint: `See what it is; \`wolffia volume rm ${name}\` takes it away, and nothing of what it may lead to.`,
        data: { volume: name, path },
      })
  return { data, partial: join(folder, PARTIAL), whole: join(folder, WHOLE) }
}

function isUnfinished({ partial, whole }: Places): boolean {
  return existsSync(partial) || existsSync(whole)
}

async function finish(idMap: IdMap, { data, partial, whole }: Places): Promise<void> {
  if (existsSync(whole)) await moveInto(idMap, whole, data)
  await removeTrees(idMap, [partial, whole])
}

/** Whether the volume is empty, and not already all that an empty directory of the image would make of it. */
function isWanted({ content, idMap }: FillRequest, { data }: Places): boolean {
  if (content === null || !isEmpty(data)) return false
  const { tree, ino } = content
  return tree.readdir(ino).length > 0 || !hasAttributes(data, tree.stat(ino), idMap)
}

/** One that this user may not look into was given to a subordinate id, by an image or a guest: it has been filled. */
function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false
    throw error
  }
}

async function copy({ idMap, volume, signal }: FillRequest, { tree, ino }: ImageContent, places: Places): Promise<void> {
  const stat = tree.stat(ino)
  if (tree.readdir(ino).length === 0 && ownerOf(stat, idMap) === 'this user') {
    chmodSync(places.data, stat.mode)
    return
  }
  const missing = launcherMissing()
  if (missing !== null)
    throw new EngineError('RUNTIME_UNAVAILABLE', `volume ${volume.name} cannot be filled with what the image has there: ${missing}`, {
      hint: `Mount it empty: -v ${volume.name}:PATH:nocopy`,
    })
  mkdirSync(places.partial, { mode: 0o700 })
  try {
    await writeDirectory(idMap, places.partial, subtreeRecords(tree, ino), { signal })
    renameSync(places.partial, places.whole)
  } catch (error) {
    await removeTrees(idMap, [places.partial]).catch(() => {})
    throw error
  }
  await finish(idMap, places)
}

function hasAttributes(path: string, { mode, uid, gid }: Stat, idMap: IdMap): boolean {
  const found = lstatSync(path)
  return (found.mode & 0o7777) === mode && found.uid === onHost(idMap.uids, uid) && found.gid === onHost(idMap.gids, gid)
}

function ownerOf({ uid, gid }: Stat, idMap: IdMap): 'this user' | 'another' {
  return onHost(idMap.uids, uid) === process.geteuid?.() && onHost(idMap.gids, gid) === process.getegid?.() ? 'this user' : 'another'
}

/** An id that is not mapped is made the user's own, as the launcher substitutes it. */
function onHost(extents: readonly IdExtent[], id: number): number {
  const extent = extents.find(({ inside, count }) => id >= inside && id < inside + count) ?? extents[0]
  if (extent === undefined) return -1
  return id >= extent.inside && id < extent.inside + extent.count ? extent.outside + id - extent.inside : extent.outside
}

function lookUp(tree: ReadonlyFileSystem, destination: string) {
  try {
    const { ino, type } = resolve(rootHandle(tree), fromUtf8(destination), { followLast: true })
    return ino === undefined || type === undefined ? null : { ino, type }
  } catch (error) {
    // Nothing that leads anywhere: what the launcher makes of it is its to say.
    if (error instanceof ErrnoError) return null
    throw error
  }
}
