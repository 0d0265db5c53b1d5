import { EngineError } from '../errors.js'
import { ErrnoError } from '../fs/errno.js'
import { ObjectFileSystem } from '../fs/object-file-system.js'
import type { DiskLimits } from '../fs/quota.js'
import type { CreateRequest } from './runtime.js'
import type { ObjectMount } from './spec.js'

/** An object that is to be mounted, as a file tree. */
export interface OpenedObject {
  readonly mount: ObjectMount
  readonly fs: ObjectFileSystem
}

const BYTES_PER_INODE = 16 * 1024
const LEAST_INODES = 1024

/** Names that a guest may add to an object that may grow by so many bytes. */
export function objectInodes(bytes: number): number {
  return Math.max(LEAST_INODES, Math.ceil(bytes / BYTES_PER_INODE))
}

const growth = ({ sizeBytes }: ObjectMount): DiskLimits => ({ diskBytes: sizeBytes, inodes: objectInodes(sizeBytes) })

/**
 * The objects of a request's mounts, as file trees that hold the limits, or those that the caller gives. Throws NOT_BUILT for a container that outlives this process, in
 * which they live, CONFLICT where another process had them, INVALID_ARGUMENT where an object has no such directory.
 */
export function openObjects(
  { spec, objects = new Map(), supervision }: Pick<CreateRequest, 'spec' | 'objects' | 'supervision'>,
  limitsOf: (mount: ObjectMount) => DiskLimits = growth,
): OpenedObject[] {
  const mounts = spec.mounts.filter((mount): mount is ObjectMount => mount.type === 'fs')
  if (supervision?.outlives === true) assertMayOutlive(spec)
  return mounts.map((mount) => {
    const { destination, source } = mount
    const object = objects.get(destination)
    if (object === undefined)
      throw new EngineError('CONFLICT', `what was mounted at ${destination} was an object of the process that made the container`, {
        hint: 'Make a new container with it.',
        data: { destination },
      })
    try {
      const fs = new ObjectFileSystem(object, { root: source, owner: spec.process.user, limits: limitsOf(mount) })
      return { mount, fs }
    } catch (cause) {
      if (!(cause instanceof ErrnoError)) throw cause
      throw new EngineError('INVALID_ARGUMENT', `${source} of the file system for ${destination} is no directory: ${cause.code}`, {
        cause,
        data: { source, destination },
      })
    }
  })
}

/** Refuses a container that is to outlive the process in which its objects live. Throws NOT_BUILT. */
export function assertMayOutlive({ mounts }: Pick<CreateRequest['spec'], 'mounts'>): void {
  const object = mounts.find(({ type }) => type === 'fs')
  if (object === undefined) return
  const { destination } = object
  throw new EngineError('NOT_BUILT', `a container with a file system of this process's at ${destination} can't outlive this process`, {
    hint: 'Mount a folder or a volume, or keep the container in the foreground.',
    data: { destination },
  })
}
