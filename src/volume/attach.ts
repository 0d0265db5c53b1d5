import { lstatSync } from 'node:fs'
import { afterCleanUp } from '../errors.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import { idMapFor, type KeptIds } from '../launcher/id-map.js'
import type { Mount, VolumeMount } from '../runtime/spec.js'
import { fillVolume, imageContentAt, removedMeanwhile } from './copy-up.js'
import { assertDriver, assertVolumeName, type SettledMount, type Volume, type VolumeRequest } from './volume.js'
import type { VolumeStore } from './volumes.js'

/** What {@link attachVolumes} needs. */
export interface AttachRequest {
  readonly store: VolumeStore
  readonly mounts: readonly SettledMount[]
  /** The image's merged tree. */
  readonly tree: ReadonlyFileSystem
  /** Whom the container has for this user, where that is not root. */
  readonly keepId?: KeptIds | undefined
  readonly signal?: AbortSignal | undefined
}

/** Mounts for a container, its volumes made and filled. */
export interface AttachedVolumes {
  readonly mounts: readonly Mount[]
  /**
   * Says that the container has a record, which keeps everybody from removing its volumes: until then nothing did, and the anonymous ones
   * go when this process is killed. Throws CONFLICT when one was removed meanwhile.
   */
  confirm(): void
  /** Removes the anonymous ones, for a container that came to nothing. */
  discard(): Promise<void>
}

/** Makes the volumes that are not there, and fills those that are empty with what the image has at their places. */
export async function attachVolumes({ store, mounts, tree, keepId, signal }: AttachRequest): Promise<AttachedVolumes> {
  // Before anything is made: what is wrong with one of them is wrong with all.
  for (const mount of mounts) if (mount.type === 'volume') assertVolumeRequest(mount, tree)
  const attached: VolumeMount[] = []
  const inodes = new Map<string, bigint | undefined>()
  const anonymous = () => attached.flatMap((mount) => (mount.anonymous ? [mount.name] : []))
  const discard = () => store.removeUnused(anonymous())
  const attach = async (request: VolumeRequest): Promise<Mount> => {
    const { name, destination, readonly, subpath, noCopy = false } = request
    const volume =
      name === undefined ? await store.createAnonymous({ ...request, madeForContainer: true }) : await store.create({ ...request, name })
    const mount: VolumeMount = {
      type: 'volume',
      name: volume.name,
      source: volume.mountpoint,
      destination,
      readonly,
      anonymous: name === undefined,
      ...(subpath === undefined ? {} : { subpath }),
    }
    attached.push(mount)
    const content = noCopy || subpath !== undefined ? null : imageContentAt(tree, destination)
    await fillVolume({ locks: store.locks, idMap: idMapFor(store.idMap, keepId), volume, content, signal })
    inodes.set(volume.name, inodeOf(volume))
    return mount
  }
  try {
    const ready: Mount[] = []
    for (const mount of mounts) ready.push(mount.type === 'volume' ? await attach(mount) : mount)
    const confirm = () => {
      for (const { name } of attached) {
        const volume = store.find(name)
        if (volume === null || inodeOf(volume) !== inodes.get(name)) throw removedMeanwhile(name)
      }
      for (const name of anonymous()) store.confirm(name)
    }
    return { mounts: ready, confirm, discard }
  } catch (error) {
    throw await afterCleanUp(error, discard)
  }
}

function assertVolumeRequest(request: VolumeRequest, tree: ReadonlyFileSystem): void {
  if (request.name !== undefined) assertVolumeName(request.name)
  assertDriver(request)
  imageContentAt(tree, request.destination)
}

function inodeOf({ mountpoint }: Volume): bigint | undefined {
  return lstatSync(mountpoint, { bigint: true, throwIfNoEntry: false })?.ino
}
