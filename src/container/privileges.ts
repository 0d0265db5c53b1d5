import { EngineError } from '../errors.js'
import { type CapabilityName, capabilityName } from '../launcher/capabilities.js'
import { parseSeccompProfile } from '../launcher/seccomp-profile.js'
import type { DeviceSpec, PrivilegeSpec } from '../runtime/spec.js'

/** What a container is to be able to do more, or less, than others, in docker's words. */
export interface PrivilegeOptions {
  /**
   * Every capability over the container's own namespaces, no system call filter, nothing of /proc and /sys hidden, setuid programs in force.
   * Of the host it gives nothing: no device, no file, no process. What is said besides goes before it.
   */
  readonly privileged?: boolean
  /** `NET_ADMIN`, `cap_net_admin`, `ALL`. */
  readonly capAdd?: readonly string[]
  readonly capDrop?: readonly string[]
  /** True unless said: no program gains by being setuid or having file capabilities. */
  readonly noNewPrivileges?: boolean
  /** A profile as docker has them, JSON and what it is called; `builtin` unless said. */
  readonly seccomp?: 'builtin' | 'unconfined' | { readonly source: string; readonly json: string }
  readonly systemPaths?: 'unconfined'
  /** Devices of the host's that its user may open. */
  readonly devices?: readonly DeviceSpec[]
  /** Kernel parameters of the container's own namespaces: `{ 'net.ipv4.ip_forward': '1' }`. */
  readonly sysctls?: Readonly<Record<string, string>>
  /** `none` has no /dev/shm. */
  readonly ipc?: 'private' | 'none'
  readonly uts?: 'private' | 'host'
  readonly cgroupns?: 'private' | 'host'
  /**
   * Your own ids in the container are what they are outside, or these, and 0 is one of the subordinate ids. It runs as them unless a user is said,
   * and what they write into a folder of yours is yours.
   */
  readonly keepId?: { readonly uid?: number; readonly gid?: number }
}

/** The largest id that docker and podman take. */
const MAXIMUM_ID = 2 ** 31 - 1

/** The ids that are kept, checked; undefined where none are to be. Throws INVALID_ARGUMENT. */
export function keptIds({ keepId }: PrivilegeOptions): PrivilegeSpec['keepId'] {
  if (keepId === undefined) return undefined
  const { uid = process.geteuid?.() ?? 0, gid = process.getegid?.() ?? 0 } = keepId
  for (const id of [uid, gid])
    if (!Number.isInteger(id) || id < 0 || id > MAXIMUM_ID)
      throw new EngineError('INVALID_ARGUMENT', `keep-id: ${id} is no id; they go from 0 to ${MAXIMUM_ID}`, { data: { id } })
  return { uid, gid }
}

/** What {@link settlePrivileges} depends on besides. */
export interface PrivilegeCircumstances {
  readonly network: 'none' | 'host'
  /** Whom the container runs as. */
  readonly uid: number
  /** What {@link keptIds} has made of the options. */
  readonly keepId?: PrivilegeSpec['keepId']
  /** Groups that were named for it. */
  readonly groups: readonly number[]
}

/** Parameters of an IPC namespace (docker's list); those of a network namespace and of its message queues have prefixes of their own. */
const IPC_SYSCTLS = ['msgmax', 'msgmnb', 'msgmni', 'sem', 'shmall', 'shmmax', 'shmmni', 'shm_rmid_forced'].map((name) => `kernel.${name}`)

/** The options as a spec has them, checked; undefined when nothing differs from the usual. Throws INVALID_ARGUMENT in docker's words. */
export function settlePrivileges(options: PrivilegeOptions, circumstances: PrivilegeCircumstances): PrivilegeSpec | undefined {
  const { privileged = false, devices = [], ipc, uts, cgroupns } = options
  const capAdd = capabilitiesOf(options.capAdd ?? [], 'CapAdd')
  const capDrop = capabilitiesOf(options.capDrop ?? [], 'CapDrop')
  const noNewPrivileges = options.noNewPrivileges ?? !privileged
  const seccomp = options.seccomp ?? (privileged ? 'unconfined' : 'builtin')
  const systemPaths = options.systemPaths ?? (privileged ? 'unconfined' : undefined)
  const sysctls = sysctlsOf(options.sysctls ?? {}, circumstances)
  assertEffective(capAdd, noNewPrivileges, circumstances)
  const spec: PrivilegeSpec = {
    ...(privileged ? { privileged } : {}),
    ...(privileged ? { capAdd: ['ALL'] } : capAdd.length > 0 ? { capAdd } : {}),
    // As docker: nothing is taken from a privileged one.
    ...(capDrop.length > 0 && !privileged ? { capDrop } : {}),
    ...(noNewPrivileges ? {} : { noNewPrivileges }),
    ...(seccomp === 'builtin' ? {} : { seccomp: seccomp === 'unconfined' ? seccomp : profileOf(seccomp) }),
    ...(systemPaths === undefined ? {} : { systemPaths }),
    ...(devices.length > 0 ? { devices: devices.map(checkedDevice) } : {}),
    ...(Object.keys(sysctls).length > 0 ? { sysctls } : {}),
    ...(ipc === 'none' ? { ipc } : {}),
    ...(uts === 'host' ? { uts } : {}),
    ...(cgroupns === 'host' ? { cgroupns } : {}),
    ...(circumstances.keepId === undefined ? {} : { keepId: circumstances.keepId }),
    ...(circumstances.groups.length > 0 ? { groups: circumstances.groups } : {}),
  }
  return Object.keys(spec).length > 0 ? spec : undefined
}

function capabilitiesOf(names: readonly string[], option: 'CapAdd' | 'CapDrop'): readonly (CapabilityName | 'ALL')[] {
  const settled = names.map((given) => {
    const name = given.toUpperCase() === 'ALL' ? 'ALL' : capabilityName(given)
    if (name !== null) return name
    throw new EngineError('INVALID_ARGUMENT', `invalid ${option}: unknown capability: "CAP_${given.toUpperCase().replace(/^CAP_/, '')}"`, {
      hint: 'Name one as capabilities(7) does, with CAP_ or without, or ALL.',
      data: { [option]: given },
    })
  })
  return [...new Set(settled)]
}

/** A user other than root has no capability, and nothing to gain one by. */
function assertEffective(capAdd: readonly string[], noNewPrivileges: boolean, { uid }: PrivilegeCircumstances): void {
  const [first] = capAdd
  if (first === undefined || uid === 0 || !noNewPrivileges) return
  throw new EngineError('INVALID_ARGUMENT', `capability ${first} is of no use to user ${uid}, who holds none and can gain none`, {
    hint: 'Run as root of the container, with -u 0, or let its setuid programs work: --security-opt no-new-privileges=false.',
    data: { capability: first, uid },
  })
}

function profileOf({ source, json }: { readonly source: string; readonly json: string }) {
  return { source, profile: parseSeccompProfile(json, source) }
}

function checkedDevice({ source, destination }: DeviceSpec): DeviceSpec {
  for (const path of [source, destination])
    if (!path.startsWith('/') || path.includes('\0'))
      throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(path)} is not an absolute path`, { data: { device: path } })
  return { source, destination }
}

function sysctlsOf(wanted: Readonly<Record<string, string>>, { network }: PrivilegeCircumstances): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(wanted).map(([given, value]) => {
      const name = sysctlName(given)
      const isNetwork = name.startsWith('net.')
      if (!isNetwork && !name.startsWith('fs.mqueue.') && !IPC_SYSCTLS.includes(name)) throw notAllowed(given, value)
      // What could lead elsewhere in /proc/sys is no name of a parameter.
      if (!/^[\w-]+(\.[\w/:@-]+)+$/.test(name) || name.split(/[./]/).includes('') || /[\n\0]/.test(value)) throw notAllowed(given, value)
      if (isNetwork && network === 'host')
        throw new EngineError('INVALID_ARGUMENT', `sysctl '${given}' is not allowed in the host's network namespace`, {
          hint: 'Leave --network host out, or the parameter.',
          data: { sysctl: given },
        })
      return [name, value]
    }),
  )
}

/** With dots, as sysctl(8) has it: where the first separator is a slash, the two change places. */
function sysctlName(given: string): string {
  const isPath = /^[^./]*\//.test(given)
  return isPath ? given.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/')) : given
}

function notAllowed(name: string, value: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `sysctl '${name}=${value}' is not allowed`, {
    hint: `A container has of its own: net.*, fs.mqueue.* and ${IPC_SYSCTLS.join(', ')}. All others are the host's.`,
    data: { sysctl: name },
  })
}
