/** Whether each layer's tar is what its folder is called, and its index that of the tar. */
import { closeSync, createReadStream, lstatSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../errors.js'
import { openFileSource } from '../layer/file-source.js'
import { indexTar, parseIndex, serializeIndex } from '../layer/index.js'
import { decompressionLimits, indexLimits } from '../layer/limits.js'
import { type DiffId, hexOf } from '../oci/digest.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import type { FileDigests } from './file-digests.js'
import { type Flaw, flaw, foreign, leftover } from './flaw.js'
import { folderNames } from './folder-names.js'
import type { Layer, StoredLayer } from './layer-store.js'
import { openPlainFile, readPlainFile } from './plain-file.js'
import { IDENTITY_PATTERN, mayBeAlive } from './process-identity.js'
import type { Store } from './store.js'
import { isTranspiledSound, TRANSPILED } from './transpiled-components.js'

/** Of many layers in one: made by `rootfs/`, which judges what is in it. */
export const STACK_INDEX = /^stack-[0-9a-f]{64}$/
/** Larger than that of any layer within the limits. */
const MAXIMUM_INDEX_BYTES = 2 ** 31 - 1
const UNFINISHED = new RegExp(`^(?:stack|component)-[0-9a-f]{64}\\.(${IDENTITY_PATTERN})-\\d+$`)

/** What a check of layers must know of the images there are. */
export interface LayersRequest {
  readonly store: Store
  readonly digests: FileDigests
  /** How a layer is had from a blob; null for one that no image has. */
  readonly layerOf: (diffId: DiffId) => Layer | null
  /** Names of images that have it. */
  readonly imagesOf: (diffId: DiffId) => readonly string[]
}

/** Which layers are damaged, and what killed processes left beside them. */
export async function checkLayers(request: LayersRequest): Promise<{ readonly flaws: readonly Flaw[]; readonly layers: number }> {
  const { store, digests, imagesOf } = request
  const flaws: Flaw[] = []
  const diffIds = await store.layers.diffIds()
  for (const diffId of diffIds) {
    const folder = join('layers', hexOf(diffId))
    const problem = await layerProblem(store.layers.at(diffId), digests)
    if (problem === 'gone') continue
    if (problem !== null) flaws.push(flaw('layer', folder, problem, { images: imagesOf(diffId), repair: () => remake(diffId, request) }))
    flaws.push(...strangers(store.root, folder))
  }
  return { flaws, layers: diffIds.length }
}

/** What is wrong with a layer, or null; `gone` when it is being removed. */
async function layerProblem(layer: StoredLayer, digests: FileDigests): Promise<string | null> {
  const tar = await tarProblem(layer, digests)
  if (tar !== null) return lstatSync(join(layer.tarPath, '..'), { throwIfNoEntry: false }) === undefined ? 'gone' : tar
  const isThere = lstatSync(layer.indexPath, { throwIfNoEntry: false }) !== undefined
  if (!isThere) return 'has lost its index'
  try {
    const kept = readPlainFile(layer.indexPath, MAXIMUM_INDEX_BYTES)
    return kept.equals(indexOf(layer.tarPath)) ? null : 'has an index that is not that of its tar'
  } catch (error) {
    return `has an index that cannot be read: ${messageOf(error)}`
  }
}

async function tarProblem({ diffId, tarPath, indexPath }: StoredLayer, digests: FileDigests): Promise<string | null> {
  try {
    if (isLargerThanIndexed(tarPath, indexPath)) return 'has a tar that is larger than its index says'
    const found = await digests.of(tarPath)
    return found === diffId ? null : `has a tar that is damaged: its bytes are ${found}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'has lost its tar' : `has a tar that cannot be read: ${messageOf(error)}`
  }
}

/** Told by looking: what somebody has made as large as the disk is not read for it. An index that cannot be read says nothing. */
function isLargerThanIndexed(tarPath: string, indexPath: string): boolean {
  const { size } = lstatSync(tarPath)
  try {
    return size > parseIndex(readPlainFile(indexPath, MAXIMUM_INDEX_BYTES)).tarBytes
  } catch {
    return size > decompressionLimits(process.env).maximumBytes
  }
}

function indexOf(tarPath: string): Buffer {
  const { descriptor } = openPlainFile(tarPath)
  const source = openFileSource(descriptor)
  try {
    return Buffer.from(serializeIndex(indexTar(source, indexLimits(process.env))))
  } finally {
    closeSync(descriptor)
  }
}

/** Makes it again: from its own tar where that is sound, else from the blob. What cannot be made is taken away, so that it is missed by name. */
async function remake(diffId: DiffId, { store, digests, layerOf }: LayersRequest): Promise<void> {
  const stored = store.layers.at(diffId)
  const isTarSound = (await tarProblem(stored, digests)) === null
  const layer = isTarSound ? fromOwnTar(stored) : layerOf(diffId)
  if (layer === null) return store.layers.remove(diffId)
  try {
    await store.layers.remake(layer)
  } catch (error) {
    await store.layers.remove(diffId)
    throw error
  }
}

function fromOwnTar({ diffId, tarPath }: StoredLayer): Layer {
  return {
    descriptor: { mediaType: MEDIA_TYPE.ociLayer, digest: diffId, size: lstatSync(tarPath).size },
    diffId,
    uncompressed: async () => createReadStream(tarPath),
    path: async () => tarPath,
  }
}

/** What lies in a layer's folder beside the layer. */
function strangers(root: string, folder: string): readonly Flaw[] {
  return folderNames(join(root, folder)).flatMap((name) => {
    if (name === 'tar' || name === 'index' || STACK_INDEX.test(name)) return []
    const path = join(folder, name)
    if (TRANSPILED.test(name)) return isTranspiledSound(join(root, path), null) ? [] : [brokenTranspiled(root, path)]
    const identity = UNFINISHED.exec(name)?.[1]
    if (identity === undefined) return [foreign(root, path)]
    if (mayBeAlive(identity)) return []
    return [leftover(root, path)]
  })
}

function brokenTranspiled(root: string, path: string): Flaw {
  return flaw('layer', path, 'is not what a component was transpiled to', { repair: async () => rmSync(join(root, path), { force: true }) })
}
