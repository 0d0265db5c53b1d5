import { accessSync, constants, realpathSync, type Stats, statSync } from 'node:fs'
import { EngineError } from '../errors.js'
import type { IdMap } from '../launcher/id-map.js'
import type { ContainerSpec, DeviceSpec } from '../runtime/spec.js'

/**
 * The spec with the real path of each device. A container may open what its user may: no more, and where a range of ids takes the user's
 * groups away, no less is promised. Throws INVALID_ARGUMENT in docker's words, UNSUPPORTED_BY_HOST with the way out.
 */
export function withRealDevices(spec: ContainerSpec, { kind }: Pick<IdMap, 'kind'>): ContainerSpec {
  const { devices, ...others } = spec.privileges ?? {}
  if (devices === undefined) return spec
  return { ...spec, privileges: { ...others, devices: devices.map((device) => withRealSource(device, kind)) } }
}

function withRealSource({ source, destination }: DeviceSpec, kind: IdMap['kind']): DeviceSpec {
  const gathering = `error gathering device information while adding custom device ${JSON.stringify(source)}`
  let path: string
  let status: Stats
  try {
    path = realpathSync(source)
    status = statSync(path)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `${gathering}: no such file or directory`, { cause, data: { source } })
  }
  if (!status.isCharacterDevice() && !status.isBlockDevice())
    throw new EngineError('INVALID_ARGUMENT', `${gathering}: not a device node`, {
      hint: status.isDirectory() ? 'Name each of the devices in it.' : 'A file or folder is shared with -v, --volume.',
      data: { source },
    })
  if (!mayOpen(path))
    throw new EngineError('UNSUPPORTED_BY_HOST', `you may not open ${source}, so neither may a container of yours`, {
      hint: 'Have yourself added to its group, or given a rule of its own; as root: setfacl -m u:NAME:rw FILE.',
      data: { source },
    })
  if (kind === 'range' && opensByGroup(status))
    throw new EngineError(
      'UNSUPPORTED_BY_HOST',
      `you may open ${source} as a member of group ${status.gid}, whom a container with a range of ids does not belong to`,
      { hint: `Have the device opened to you by name; as root: setfacl -m u:NAME:rw ${path}`, data: { source, gid: status.gid } },
    )
  return { source: path, destination }
}

function mayOpen(path: string): boolean {
  return [constants.R_OK, constants.W_OK].some((mode) => {
    try {
      accessSync(path, mode)
      return true
    } catch {
      return false
    }
  })
}

/** Whether nothing but a supplementary group opens it: the primary one is a container's own. */
function opensByGroup({ mode, uid, gid }: Stats): boolean {
  const own = process.geteuid?.()
  if (own === 0 || (mode & 0o006) !== 0 || (uid === own && (mode & 0o600) !== 0)) return false
  return gid !== process.getegid?.() && (process.getgroups?.() ?? []).includes(gid)
}
