/**
 * Where the mounts of a container come from on the host, as paths without a symlink in them: found here, once, and opened by the launcher
 * following none. Whoever can write in a folder on the way, another container for one, may put a symlink there in between; it leads to
 * an error and nowhere else (CVE-2023-0778).
 */
import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { EngineError } from '../errors.js'
import type { BindMount, ContainerSpec, Mount, VolumeMount } from './spec.js'

/** A mount that shows something of the host's. */
export type HostMount = BindMount | VolumeMount

/** Whether a mount shows something of the host's. */
export function isHostMount(mount: Mount): mount is HostMount {
  return mount.type === 'bind' || mount.type === 'volume'
}

/** Path of what a mount shows. */
export function hostPathOf(mount: HostMount): string {
  return mount.type === 'volume' && mount.subpath !== undefined ? join(mount.source, mount.subpath) : mount.source
}

/** The spec with each source's real path; a volume's is what is mounted of it. Throws INVALID_ARGUMENT, VOLUME_NOT_FOUND, UNSAFE_PATH. */
export function withRealSources(spec: ContainerSpec): ContainerSpec {
  if (!spec.mounts.some(isHostMount)) return spec
  return { ...spec, mounts: spec.mounts.map((mount) => (isHostMount(mount) ? withRealSource(mount) : mount)) }
}

function withRealSource(mount: HostMount): HostMount {
  if (mount.type === 'bind') return { ...mount, source: realSource(mount) }
  const { subpath, ...whole } = mount
  return { ...whole, source: subpath === undefined ? realData(mount) : realSubpath(mount, subpath) }
}

/** docker's `-v` makes a missing source as root; nothing here should make folders that the user did not ask for. */
function realSource({ source, destination }: BindMount): string {
  try {
    return realpathSync(source)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `${source} does not exist, so it cannot be mounted at ${destination}`, {
      cause,
      hint: `mkdir -p ${source}, or --tmpfs ${destination} for a place that is gone afterwards.`,
      data: { source, destination },
    })
  }
}

/** The folder of all volumes may be a link of the user's own, to another disk for one; what is in it may not. */
function realData({ name, source }: VolumeMount): string {
  const folder = join(realVolumes(dirname(dirname(source)), name), name)
  const data = join(folder, basename(source))
  for (const path of [folder, data]) assertFolder(path, name)
  return data
}

function realVolumes(volumes: string, name: string): string {
  try {
    return realpathSync(volumes)
  } catch (cause) {
    throw gone(name, cause)
  }
}

function assertFolder(path: string, name: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw gone(name)
  if (!stat.isDirectory())
    throw new EngineError('UNSAFE_PATH', `volume ${name} is no folder of wolffia's any more: ${path} was replaced`, {
      hint: `See what it is; \`wolffia volume rm ${name}\` takes it away, and nothing of what it may lead to.`,
      data: { volume: name, path },
    })
}

function realSubpath(mount: VolumeMount, subpath: string): string {
  let path = realData(mount)
  for (const part of subpath.split('/').filter((name) => name !== '' && name !== '.')) {
    if (part === '..')
      throw new EngineError('UNSAFE_PATH', `volume-subpath ${subpath} leads up with "..", out of volume ${mount.name}`, {
        data: { volume: mount.name, subpath },
      })
    path = join(path, part)
    if (isLink(path))
      throw new EngineError('UNSAFE_PATH', `volume-subpath ${subpath} of volume ${mount.name} leads through a symlink: ${part}`, {
        hint: 'Name the place itself.',
        data: { volume: mount.name, subpath },
      })
  }
  return path
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    // Not there, or in a folder of a subordinate id's: the launcher says so, and follows no link either.
    return false
  }
}

function gone(name: string, cause?: unknown): EngineError {
  return new EngineError('VOLUME_NOT_FOUND', `no such volume: ${name}`, {
    cause,
    hint: 'It was removed after the container was made.',
    data: { volume: name },
  })
}
