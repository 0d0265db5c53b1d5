import * as nodeFs from 'node:fs'
import { EngineError } from '../errors.js'
import { NODE_FS_CALLS, type NodeFsLike } from '../fs/node-fs-like.js'
import type { Limits } from '../runtime/limits.js'
import type { FileSystemObjects, ObjectMount } from '../runtime/spec.js'
import type { SettledMount } from '../volume/volume.js'
import { normalDestination } from './mounts.js'
import type { CreateOptions, ObjectMountRequest } from './options.js'

/** What a guest may add to an object when nobody says how much: it is memory of this process. */
const DEFAULT_BYTES = 256 * 1024 * 1024

/** The mounts of the options, and apart from them the objects among these, which no record can hold. Throws INVALID_ARGUMENT. */
export function settleObjects({ mounts = [], limits }: Pick<CreateOptions, 'mounts' | 'limits'>): {
  readonly mounts: readonly SettledMount[]
  readonly objects: FileSystemObjects
} {
  const objects = new Map<string, NodeFsLike>()
  const settle = (request: ObjectMountRequest): SettledMount => {
    const mount = settleObject(request, limits)
    objects.set(mount.destination, request.fs)
    return mount
  }
  return { mounts: mounts.map((mount) => (mount.type === 'fs' ? settle(mount) : mount)), objects }
}

/** The mount of an object, without the object. Throws INVALID_ARGUMENT. */
export function settleObject(request: ObjectMountRequest, limits: Limits | undefined): ObjectMount {
  const { fs, source = '/', readonly = false, sizeBytes } = request
  const destination = normalDestination(request.destination)
  assertObject(fs, destination)
  return { type: 'fs', source, destination, readonly, sizeBytes: sizeBytes ?? limits?.diskBytes ?? DEFAULT_BYTES }
}

function assertObject(fs: NodeFsLike, destination: string): void {
  if (fs?.lstatSync === (nodeFs.lstatSync as unknown))
    throw new EngineError(
      'INVALID_ARGUMENT',
      `the host's own files can't be mounted at ${destination} as an object: nothing would bound it`,
      {
        hint: "Mount a folder: { type: 'bind', source: '/folder', … }",
        data: { destination },
      },
    )
  const missing = NODE_FS_CALLS.find((call) => typeof fs?.[call] !== 'function')
  if (missing !== undefined)
    throw new EngineError(
      'INVALID_ARGUMENT',
      `what is to be mounted at ${destination} is no file system like node:fs: it has no ${missing}`,
      {
        hint: 'A memfs Volume is one.',
        data: { destination, missing },
      },
    )
}
