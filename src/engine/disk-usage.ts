import { lstatSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ContainerSummary } from '../container/container.js'
import { EngineError } from '../errors.js'
import { findImage } from '../image/find.js'
import { hexOf } from '../oci/digest.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { folderNames } from '../store/folder-names.js'
import type { StoredLayer } from '../store/layer-store.js'
import { reachableFrom } from '../store/reachable.js'
import type { Store } from '../store/store.js'
import { TRANSPILED } from '../store/transpiled-components.js'
import { folderBytes } from '../volume/folder-bytes.js'
import type { Engine } from './engine.js'
import type { ImageSummary } from './image-summary.js'
import type { VolumeSummary } from './volumes.js'

/** What takes how much of the disk, in bytes. */
export interface DiskUsageReport {
  /** `bytes` of all images together, what several share once; `reclaimableBytes` of those that no container uses. */
  readonly images: { readonly items: readonly ImageUsage[]; readonly bytes: number; readonly reclaimableBytes: number }
  readonly containers: readonly ContainerUsage[]
  readonly volumes: readonly VolumeUsage[]
}

/** An image: its blobs as they are stored, its layers where they are kept uncompressed beside them, and as the kernel reads them. */
export interface ImageUsage {
  readonly image: ImageSummary
  readonly bytes: number
  /** Of it, what other images have too. */
  readonly sharedBytes: number
  /** How many containers were made from it. */
  readonly containers: number
}

/** A container. */
export interface ContainerUsage {
  readonly container: ContainerSummary
  /** Null for a dead one. */
  readonly spec: ContainerSpec | null
  /** Of the files it has written; 0 where only its guest knows. */
  readonly bytes: number
}

/** A volume. */
export interface VolumeUsage {
  readonly volume: VolumeSummary
  readonly bytes: number
}

/** What takes how much of the disk. @internal */
export async function diskUsage(engine: Engine, store: Store): Promise<DiskUsageReport> {
  const containers = await engine.containers.list({ all: true })
  const users = new Map<string, number>()
  for (const { image } of containers) if (image !== null) users.set(image.id, (users.get(image.id) ?? 0) + 1)
  const treesOf = unpackedTrees(join(store.root, 'trees'))
  const measured = await Promise.all(
    (await engine.images.list()).map(async (image) => ({ image, parts: await partsOf(store, image, treesOf) })),
  )
  const owners = new Map<string, number>()
  for (const { parts } of measured) for (const part of parts.keys()) owners.set(part, (owners.get(part) ?? 0) + 1)
  const items = measured.map(({ image, parts }): ImageUsage => {
    const shared = new Map([...parts].filter(([part]) => (owners.get(part) ?? 0) > 1))
    return { image, bytes: sum(parts), sharedBytes: sum(shared), containers: users.get(image.id) ?? 0 }
  })
  const all = new Map(measured.flatMap(({ parts }) => [...parts]))
  const used = new Map(measured.filter(({ image }) => users.has(image.id)).flatMap(({ parts }) => [...parts]))
  return {
    images: { items, bytes: sum(all), reclaimableBytes: sum(all) - sum(used) },
    containers: await Promise.all(containers.map((container) => usageOf(engine, container))),
    volumes: (await engine.volumes.list()).map((volume) => ({ volume, bytes: folderBytes(volume.mountpoint) })),
  }
}

async function usageOf(engine: Engine, container: ContainerSummary): Promise<ContainerUsage> {
  try {
    const found = await engine.containers.get(container.id)
    return { container, spec: container.image === null ? null : found.spec, bytes: (await found.size()).writtenBytes }
  } catch (error) {
    // Gone, or dead.
    if (error instanceof EngineError) return { container, spec: null, bytes: 0 }
    throw error
  }
}

/** Files of an image with their sizes. A layer that is stored uncompressed is the same file twice, which counts once. */
async function partsOf(store: Store, { id }: ImageSummary, treesOf: TreesOf): Promise<ReadonlyMap<string, number>> {
  const { descriptor } = await findImage(store, id)
  const { blobs, diffIds } = await reachableFrom(store.layout, [descriptor])
  const parts = new Map<string, number>()
  const add = (path: string | null | undefined) => {
    const stat = path ? lstatSync(path, { throwIfNoEntry: false }) : undefined
    if (stat !== undefined) parts.set(`${stat.dev}:${stat.ino}`, stat.size)
  }
  for (const digest of blobs) add(await store.layout.pathOf(digest))
  for (const diffId of diffIds) {
    const layer = await store.layers.find(diffId)
    add(layer?.tarPath)
    add(layer?.indexPath)
    if (layer !== null) for (const path of transpiledBeside(layer)) add(path)
    for (const [path, bytes] of treesOf(hexOf(diffId))) parts.set(path, bytes)
  }
  return parts
}

/** What components were transpiled to. */
function transpiledBeside({ indexPath }: StoredLayer): readonly string[] {
  const folder = dirname(indexPath)
  return folderNames(folder)
    .filter((name) => TRANSPILED.test(name))
    .map((name) => join(folder, name))
}

/** Where a layer is unpacked, with the bytes there: once for each map of ids that containers had. */
type TreesOf = (layer: string) => readonly (readonly [path: string, bytes: number])[]

/** Each tree is walked once, however many images have it. What a holder has in memory is not on the disk. */
function unpackedTrees(directory: string): TreesOf {
  const known = new Map<string, number>()
  const maps = lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(directory) : []
  return (layer) =>
    maps.flatMap((map) => {
      const path = join(directory, map, layer, 'tree')
      const bytes = known.get(path) ?? folderBytes(path)
      known.set(path, bytes)
      return bytes === 0 ? [] : [[path, bytes] as const]
    })
}

function sum(parts: ReadonlyMap<string, number>): number {
  return [...parts.values()].reduce((total, bytes) => total + bytes, 0)
}
