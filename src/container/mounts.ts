import { statSync } from 'node:fs'
import { posix } from 'node:path'
import { EngineError } from '../errors.js'
import type { TmpfsMount } from '../runtime/spec.js'
import type { SettledMount } from '../volume/volume.js'

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

/** Bytes of `64m`, `1.5g`, `4096`, in docker's binary units; null for anything else. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgt]?)(?:i?b)?$/.exec(text.toLowerCase())
  if (match === null) return null
  const bytes = Math.floor(Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN))
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** Where a container's mounts come from; of two for one place the earlier of these wins. */
export interface MountSources {
  /** The caller's own, in which no place may stand twice. */
  readonly mounts: readonly SettledMount[]
  readonly tmpfs: Readonly<Record<string, string>>
  /** Another container's. Of two for one place the later wins, as in docker. */
  readonly inherited?: readonly SettledMount[]
  /** Places that the image wants volumes at. */
  readonly ofImage?: readonly string[]
}

/** What a container is to have mounted, checked and in the order it is made: what lies deeper comes later. */
export function resolveMounts({ mounts, tmpfs, inherited = [], ofImage = [] }: MountSources): readonly SettledMount[] {
  const byPlace = new Map<string, SettledMount>()
  for (const mount of [...mounts, ...Object.entries(tmpfs).map(([destination, options]) => parseTmpfs(destination, options))].map(
    normalize,
  )) {
    const { destination } = mount
    if (byPlace.has(destination))
      throw new EngineError('INVALID_ARGUMENT', `duplicate mount point: ${destination}`, { data: { destination } })
    byPlace.set(destination, mount)
  }
  const volumesOfImage = ofImage.map((destination): SettledMount => ({ type: 'volume', destination, readonly: false }))
  for (const mount of [...[...inherited].reverse(), ...volumesOfImage].map(normalize))
    if (!byPlace.has(mount.destination)) byPlace.set(mount.destination, mount)
  return [...byPlace.values()].sort((one, other) => depthOf(one) - depthOf(other))
}

/** `size=64m,mode=1777,ro` of `docker run --tmpfs`. */
export function parseTmpfs(destination: string, options: string): TmpfsMount {
  let sizeBytes: number | undefined
  let mode: number | undefined
  let readonly = false
  let executable = false
  for (const option of options.split(',').filter((word) => word !== '')) {
    const [name = '', value = ''] = option.split('=', 2)
    if (name === 'size') sizeBytes = tmpfsSize(value)
    else if (name === 'mode' && /^[0-7]{1,4}$/.test(value)) mode = Number.parseInt(value, 8)
    else if (option === 'ro' || option === 'rw') readonly = option === 'ro'
    else if (option === 'exec' || option === 'noexec') executable = option === 'exec'
    else if (option !== 'nosuid' && option !== 'nodev') throw invalidTmpfsOption(option)
  }
  return {
    type: 'tmpfs',
    destination,
    readonly,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(mode === undefined ? {} : { mode }),
    ...(executable ? { executable } : {}),
  }
}

function tmpfsSize(value: string): number {
  const bytes = parseBytes(value)
  if (bytes === null || bytes === 0) throw invalidTmpfsOption(`size=${value}`)
  return bytes
}

function invalidTmpfsOption(option: string): EngineError {
  const known = ['suid', 'dev', 'uid', 'gid', 'nr_inodes'].includes(option.split('=', 1)[0] ?? '')
  return new EngineError(known ? 'NOT_BUILT' : 'INVALID_ARGUMENT', `tmpfs option ${option} is ${known ? 'not built yet' : 'not valid'}`, {
    data: { option },
    hint: 'A tmpfs takes size=BYTES, mode=OCTAL, ro, rw, exec and noexec; it is always nosuid and nodev.',
  })
}

function normalize(mount: SettledMount): SettledMount {
  const destination = normalDestination(mount.destination)
  if (mount.type === 'bind') assertSource(mount.source)
  return { ...mount, destination }
}

/** A place in a container without `.`, `..` and doubled slashes. Throws INVALID_ARGUMENT. */
export function normalDestination(destination: string): string {
  if (!destination.startsWith('/'))
    throw new EngineError('INVALID_ARGUMENT', `invalid mount path: "${destination}" must be absolute`, {
      hint: `Begin it with a slash: /${destination}`,
      data: { destination },
    })
  const normal = posix.normalize(destination).replace(/(?<=.)\/+$/, '')
  if (normal === '/') throw new EngineError('INVALID_ARGUMENT', "invalid mount path: the destination can't be /", { data: { destination } })
  assertNoNul(normal)
  return normal
}

function assertSource(source: string): void {
  assertNoNul(source)
  if (!source.startsWith('/')) throw new EngineError('INVALID_ARGUMENT', `bind source must be absolute: "${source}"`, { data: { source } })
  try {
    statSync(source)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EACCES')
      throw new EngineError('INVALID_ARGUMENT', `bind source path cannot be looked at: ${source}: permission denied`, {
        cause,
        data: { source },
        hint: 'Name a folder or file that you may read yourself: a container may do no more than you.',
      })
    throw new EngineError('INVALID_ARGUMENT', `bind source path does not exist: ${source}`, {
      cause,
      data: { source },
      hint: `Make it first (mkdir -p ${source}); wolffia makes no folders on the host.`,
    })
  }
}

function assertNoNul(path: string): void {
  if (path.includes('\0')) throw new EngineError('INVALID_ARGUMENT', `a path holds a NUL byte: ${JSON.stringify(path)}`)
}

function depthOf(mount: SettledMount): number {
  return mount.destination.split('/').length
}
