import { randomBytes } from 'node:crypto'
import { EngineError } from '../errors.js'
import type { BindMount, ObjectMount, TmpfsMount } from '../runtime/spec.js'

/** Data that outlives containers: a folder under a name. */
export interface Volume {
  readonly name: string
  /** There is one driver: a folder of the store. */
  readonly driver: 'local'
  /** Folder with the data, on the host. */
  readonly mountpoint: string
  readonly labels: Readonly<Record<string, string>>
  /** Null for one whose description cannot be read. */
  readonly createdAt: Date | null
  /** Made without a name for a container, or by `create` without one. */
  readonly anonymous: boolean
}

/** What a new volume is to be. */
export interface NewVolume {
  /** 64 random hex digits, and an anonymous volume, unless said. */
  readonly name?: string
  /** Only `local` is built. */
  readonly driver?: string
  /** Of the driver; local has none that is built. */
  readonly options?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
}

/** A volume for a container: made when it is not there, and filled with what the image has at the destination while it is empty. */
export interface VolumeRequest {
  readonly type: 'volume'
  /** An anonymous one of the container's own unless said. */
  readonly name?: string
  /** Absolute path in the container. */
  readonly destination: string
  readonly readonly: boolean
  /** Leaves an empty volume empty. */
  readonly noCopy?: boolean
  /** A directory or file in the volume, which must be there, to be mounted instead of the whole; nothing is copied then. */
  readonly subpath?: string
  /** For a volume that is made now. */
  readonly driver?: string
  readonly options?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
}

/** What somebody wants mounted. */
export type MountRequest = BindMount | TmpfsMount | VolumeRequest

/** The same, with objects of this process named and kept apart. */
export type SettledMount = MountRequest | ObjectMount

/** Docker's label for a volume that nobody named. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous'

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/
const LONGEST_NAME = 255

/** A name for an anonymous volume. */
export function anonymousName(): string {
  return randomBytes(32).toString('hex')
}

/** Throws INVALID_ARGUMENT for what no volume can be called, by docker's rule. */
export function assertVolumeName(name: string): void {
  const invalid = (why: string, hint?: string) =>
    new EngineError('INVALID_ARGUMENT', `invalid volume name ${JSON.stringify(name)}: ${why}`, {
      data: { volume: name },
      ...(hint === undefined ? {} : { hint }),
    })
  if (!NAME.test(name))
    throw invalid(
      'only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
      name.includes('/') ? 'For a folder of the host write a path that begins with / or ./' : undefined,
    )
  if (name.length === 1) throw invalid('it is too short, names have at least two characters')
  if (name.length > LONGEST_NAME) throw invalid(`it is too long, names have at most ${LONGEST_NAME} characters`)
}

/** Throws NOT_BUILT for a driver, or an option of one, that there is not. */
export function assertDriver({ driver = 'local', options = {} }: Pick<NewVolume, 'driver' | 'options'>): void {
  if (driver !== 'local')
    throw new EngineError('NOT_BUILT', `volume driver ${JSON.stringify(driver)} is not built`, {
      data: { driver },
      hint: 'There is local, which keeps data in a folder of the store.',
    })
  const [option] = Object.keys(options)
  if (option !== undefined)
    throw new EngineError('NOT_BUILT', `option ${JSON.stringify(option)} of volume driver local is not built`, {
      data: { option },
      hint: 'To mount takes root, which wolffia does without: mount it yourself and bind the folder (-v /mnt/data:/data).',
    })
}
