import { join, relative } from 'node:path/posix'
import { EngineError } from '../errors.js'
import { capabilityMask } from '../launcher/capabilities.js'
import { FIRST_DESCRIPTOR } from '../launcher/client.js'
import type { IdMap } from '../launcher/id-map.js'
import { idMapOperations, isMapped } from '../launcher/id-map.js'
import type { Operation, Plan } from '../launcher/operations.js'
import { octal } from '../launcher/operations.js'
import type { EtcFile } from '../rootfs/etc-files.js'
import type { OverlayRoot } from '../rootfs/overlay.js'
import { overlayOperations } from '../rootfs/overlay.js'
import { boundOperations } from '../runtime/process-bounds.js'
import type { TerminalSize } from '../runtime/runtime.js'
import { type HostMount, isHostMount } from '../runtime/sources.js'
import type { ContainerSpec, Mount } from '../runtime/spec.js'
import { guestCapabilities } from './capabilities.js'
import { deviceOperations } from './devices.js'
import { MASKED_PATHS, READ_ONLY_PATHS, thermalPaths } from './masks.js'

/** Everything a plan depends on. */
export interface PlanRequest {
  /** With the real paths of its mounts' sources (`runtime/sources`). */
  readonly spec: ContainerSpec
  readonly idMap: IdMap
  readonly root: OverlayRoot
  /** hosts, hostname and resolv.conf. */
  readonly etcFiles: readonly EtcFile[]
  readonly openStdin: boolean
  /** Whether stdin stays open when a caller has no more to say. */
  readonly keepStdin: boolean
  /** What the launcher does besides waiting. */
  readonly supervision: readonly Operation[]
  readonly terminalSize: TerminalSize
  readonly host: HostBounds
  /** The control groups that it is in; those of its caller unless said. */
  readonly groups?: readonly Operation[]
  /** What shows them to it, in a /sys and a namespace of its own. */
  readonly groupView?: readonly Operation[]
  /** For each mount of a file system of the caller's, by destination. */
  readonly trees?: ReadonlyMap<string, TreeMount>
}

/** A file system of the caller's as the kernel has it: a tmpfs that is filled from a stream. */
export interface TreeMount {
  /** All that it may hold. */
  readonly bytes: number
  readonly inodes: number
  /** Descriptor of the launcher that the tree comes from. */
  readonly from: number
  /** The one it goes to when the container has ended; null when nobody wants it back. */
  readonly to: number | null
}

/** What the host gives at most. */
export interface HostBounds {
  /** Hard RLIMIT_NOFILE and RLIMIT_NPROC of this process, -1 when unlimited: no child may have more. */
  readonly openFiles: number
  readonly processes: number
  /** Bytes that a tmpfs of a guest may take when nobody says how many. */
  readonly tmpfsBytes: number
  /** The store's folder, free of symlinks: its sockets speak for every container, and no guest is to see them. */
  readonly home?: string
}

/** As docker has it. */
const SHARED_MEMORY_BYTES = 64 * 1024 * 1024
const SHARED_MEMORY_INODES = 16 * 1024

/** Bytes of memory that go with each file of a tmpfs without being counted in its size: one inode for so many bytes bounds them. */
const BYTES_PER_INODE = 16 * 1024

/** Inodes that a tmpfs of so many bytes may hold: bounds what a guest costs by making empty files. */
export function inodesFor(bytes: number): number {
  return Math.max(1024, Math.ceil(bytes / BYTES_PER_INODE))
}

/** Whole pages, at least one: a tmpfs rounds up, and a limit must not. */
export function pages(bytes: number): number {
  return Math.max(4096, Math.floor(bytes / 4096) * 4096)
}

/**
 * What the kernel is asked for, and in which order: the native wall's whole policy. Pure, so that it can be read and tested as data.
 *
 * Throws INVALID_ARGUMENT for what no container may have (a mount over /proc), UNSUPPORTED_BY_HOST for a user that the id map lacks.
 */
export function containerPlan(request: PlanRequest): Plan {
  const { spec } = request
  assertUser(request)
  return {
    operations: [
      ...namespaceOperations(request),
      ...(request.groups ?? []),
      ...stdioOperations(request),
      ...request.supervision,
      ...(spec.privileges?.uts === 'host' ? [] : [['hostname', spec.hostname] as const]),
      ...(spec.network.mode === 'none' ? [['loopback-up'] as const] : []),
      ...overlayOperations(request.root),
      ['mount-proc', '/proc'],
      ...deviceOperations({
        terminal: spec.process.terminal,
        sharedMemory: sharedMemoryOf(spec),
      }),
      ...hostDeviceOperations(spec),
      // The first that waits for the network namespace, which is made meanwhile; before all that an image's symlinks might lead there.
      ...sysOperations(spec),
      ...(ownsSys(spec) ? (request.groupView ?? []) : []),
      ...etcOperations(request),
      ...mountOperations(request),
      ...sysctlOperations(spec),
      ...maskedPaths(spec).map((path): Operation => ['mask', path]),
      ...readOnlyPaths(spec).map((path): Operation => ['read-only', path]),
      ['directory', spec.process.cwd, octal(0o755)],
      ...(spec.readonlyRootfs ? [['root-read-only'] as const] : []),
      ['switch-root'],
      ...guestOperations(request),
    ],
    exec: { args: spec.process.args, env: spec.process.env },
  }
}

/** What a plan for one more program in a running container depends on. */
export type JoinRequest = Pick<PlanRequest, 'spec' | 'idMap' | 'openStdin' | 'supervision' | 'terminalSize' | 'host' | 'groups'> & {
  /** Its first process: pid and when it began, as /proc/PID/stat has both. */
  readonly init: { readonly pid: number; readonly start: string }
}

/** A file of a running container, to the first of the caller's descriptors. Pure. */
export function readPlan({
  init,
  path,
  maximumBytes,
}: Pick<JoinRequest, 'init'> & { readonly path: string; readonly maximumBytes: number }): Plan {
  return {
    operations: [
      ['namespace', 'user'],
      ['namespace', 'mount'],
      ['join', init.pid, init.start],
      ['file-read', path, FIRST_DESCRIPTOR, maximumBytes],
    ],
    exec: null,
  }
}

/** What of a container is seen: all that is mounted in it, or its root alone. */
export type FilesView = 'mounts' | 'root'

/** Where the wall has mounted something of its own, of which nothing is to be copied. */
const OWN_MOUNTS = ['/proc', '/sys', '/dev']

/** What makes the files of a running container the launcher's root. The guest sees nothing of it. Pure. */
export function runningFilesOperations({ init, view }: Pick<JoinRequest, 'init'> & { readonly view: FilesView }): Operation[] {
  return [
    ['namespace', 'user'],
    ['namespace', 'mount'],
    ['join', init.pid, init.start],
    ...(view === 'root'
      ? [['root-alone'] as const]
      : [['private-mounts'] as const, ...OWN_MOUNTS.map((path) => ['unmount', path] as const)]),
  ]
}

/** The same for one that does not run: its root, with what of the host's is mounted on it. Pure. */
export function stoppedFilesOperations({
  view,
  ...request
}: Pick<PlanRequest, 'spec' | 'idMap' | 'root' | 'host'> & { readonly view: FilesView }): Operation[] {
  const { spec, idMap, root } = request
  const mounted = { ...request, spec: { ...spec, mounts: spec.mounts.filter(isHostMount) } }
  return [
    ...idMapOperations(idMap, root.memory),
    ['namespace', 'mount'],
    ...overlayOperations(root),
    ...(view === 'root' ? [] : mountOperations(mounted)),
    ...(spec.readonlyRootfs && root.upper !== null ? [['root-read-only'] as const] : []),
  ]
}

/** One more program in a running container, with everything that the container's own was given and nothing more. Pure. */
export function joinPlan({ spec, init, ...request }: JoinRequest): Plan {
  const whole = { ...request, spec, keepStdin: false }
  assertUser(whole)
  return {
    operations: [
      ...['user', ...otherNamespaces(spec)].map((name): Operation => ['namespace', name]),
      ['join', init.pid, init.start],
      ...(request.groups ?? []),
      ...stdioOperations(whole),
      ...request.supervision,
      ...(spec.process.terminal ? [['open-terminal', '/dev/pts'] as const] : []),
      ...guestOperations(whole),
    ],
    exec: { args: spec.process.args, env: spec.process.env },
  }
}

function otherNamespaces({ network, privileges: { uts, cgroupns } = {} }: ContainerSpec): readonly string[] {
  const shared = [
    ...(uts === 'host' ? ['uts'] : []),
    ...(cgroupns === 'host' ? ['cgroup'] : []),
    ...(network.mode === 'host' ? ['net'] : []),
  ]
  return ['mount', 'pid', 'ipc', 'uts', 'cgroup', 'net'].filter((name) => !shared.includes(name))
}

function namespaceOperations({ spec, idMap, root }: PlanRequest): Operation[] {
  return [...idMapOperations(idMap, root.memory), ...otherNamespaces(spec).map((name): Operation => ['namespace', name])]
}

type StdioRequest = Pick<PlanRequest, 'spec' | 'openStdin' | 'keepStdin' | 'terminalSize'>

function stdioOperations({ spec, openStdin, keepStdin, terminalSize }: StdioRequest): Operation[] {
  const { terminal } = spec.process
  const { outputBytes, timeoutMs } = spec.limits
  return [
    ['stdio', terminal ? 'terminal' : 'pipes', openStdin ? (keepStdin ? 'kept' : 'open') : 'closed'],
    ...(terminal ? [['terminal-size', terminalSize.rows, terminalSize.columns] as const] : []),
    ...(outputBytes === undefined ? [] : [['output-limit', outputBytes] as const]),
    ...(timeoutMs === undefined ? [] : [['time-limit', timeoutMs] as const]),
  ]
}

/** The size of a /dev/shm of the container's own; null without one. */
function sharedMemoryOf({ privileges, mounts, resources }: ContainerSpec): { readonly bytes: number; readonly inodes: number } | null {
  if (privileges?.ipc === 'none' || mounts.some(({ destination }) => normalized(destination) === '/dev/shm')) return null
  const bytes = pages(resources?.sharedMemoryBytes ?? SHARED_MEMORY_BYTES)
  // Small files are common there.
  return { bytes, inodes: Math.max(SHARED_MEMORY_INODES, inodesFor(bytes)) }
}

/** A sysfs shows the network namespace of whoever mounts it, so the host's own network comes with the host's own /sys, read-only. */
function sysOperations(spec: ContainerSpec): Operation[] {
  return spec.network.mode === 'host' ? [['bind', '/sys', '/sys', 'recursive,ro,nosuid,nodev,noexec']] : [['mount-sysfs', '/sys']]
}

/** Whether what its own namespaces show may be mounted in its /sys. */
function ownsSys({ network, privileges: { cgroupns } = {} }: ContainerSpec): boolean {
  return network.mode !== 'host' && cgroupns !== 'host'
}

/** Files of the container's own over the image's, to be written to like docker's, but for a root that is read-only. */
function etcOperations({ spec, etcFiles }: PlanRequest): Operation[] {
  const flags = `nosuid,nodev,noexec${spec.readonlyRootfs ? ',ro' : ''}`
  return etcFiles.map(({ path, content }): Operation => ['mount-file', path, octal(0o644), content, flags])
}

/** After all that makes /dev, and like its own nodes without nodev; looked at once more whether they are devices. */
function hostDeviceOperations({ privileges: { devices = [] } = {} }: ContainerSpec): Operation[] {
  return devices.map(({ source, destination }): Operation => {
    return ['bind', source, permittedDestination(destination), 'device,no-symlinks,nosuid,noexec']
  })
}

/** While /proc/sys can still be written. */
function sysctlOperations({ privileges: { sysctls = {} } = {} }: ContainerSpec): Operation[] {
  return Object.entries(sysctls).map(([name, value]): Operation => {
    return ['sysctl', name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.')), value]
  })
}

function readOnlyPaths({ privileges: { systemPaths } = {} }: ContainerSpec): readonly string[] {
  return systemPaths === 'unconfined' ? [] : READ_ONLY_PATHS
}

/** The host's own /sys comes with the host's control groups, which tell what runs there. */
function maskedPaths({ network, privileges: { systemPaths } = {} }: ContainerSpec): readonly string[] {
  if (systemPaths === 'unconfined') return []
  const masked = [...MASKED_PATHS, ...thermalPaths()]
  return network.mode === 'host' ? [...masked, '/sys/fs'] : masked
}

/** A parent's mount before its children's, else in the order given: a later mount on the same place hides an earlier one. */
function mountOperations({ spec, host, trees }: Pick<PlanRequest, 'spec' | 'host' | 'trees'>): Operation[] {
  const depth = (mount: Mount) => normalized(mount.destination).split('/').length
  return [...spec.mounts]
    .sort((left, right) => depth(left) - depth(right))
    .flatMap((mount): Operation[] => {
      const path = permittedDestination(mount.destination)
      const readonly = mount.readonly ? ',ro' : ''
      if (isHostMount(mount))
        return [['bind', mount.source, path, `${bindFlags(mount)},nosuid,nodev${readonly}`], ...maskedStore(mount.source, path, host.home)]
      if (mount.type === 'fs') return treeOperations(path, readonly, trees?.get(mount.destination))
      const bytes = mount.sizeBytes ?? host.tmpfsBytes
      const flags = `nosuid,nodev${mount.executable === true ? '' : ',noexec'}${readonly}`
      return [['mount-tmpfs', path, bytes, inodesFor(bytes), octal(mount.mode ?? 0o1777), flags]]
    })
}

/** Reading is no change that the caller would want back. */
function treeOperations(path: string, readonly: string, tree: TreeMount | undefined): Operation[] {
  if (tree === undefined) throw new EngineError('INTERNAL', `no tree for ${path}`)
  const { bytes, inodes, from, to } = tree
  const mounted: Operation = ['mount-tree', path, bytes, inodes, `nosuid,nodev,noatime${readonly}`, from]
  return to === null ? [mounted] : [mounted, ['return-tree', to]]
}

/** The store where a folder of the host's that is mounted has it in it: a socket can be spoken to through a read-only mount, too. */
function maskedStore(source: string, path: string, home: string | undefined): Operation[] {
  if (home === undefined || (home !== source && !home.startsWith(source === '/' ? '/' : `${source}/`))) return []
  return [['mask', join(path, relative(source, home))]]
}

/** A source has been found to be free of symlinks, and has to be still. */
function bindFlags(mount: HostMount): string {
  return mount.type === 'bind' && mount.recursive === false ? 'no-symlinks' : 'recursive,no-symlinks'
}

/** Destinations that would take the wall's own place: what /proc and /sys hide and protect must not be covered (CVE-2019-16884). */
function permittedDestination(destination: string): string {
  const path = normalized(destination)
  const reserved = path === '/' || path === '/dev' || ['/proc', '/sys'].some((top) => path === top || path.startsWith(`${top}/`))
  if (!reserved && destination.startsWith('/')) return path
  throw new EngineError('INVALID_ARGUMENT', `nothing can be mounted at ${destination}`, {
    hint: destination.startsWith('/')
      ? 'The root, /proc, /sys and /dev are the container’s own; choose another place.'
      : 'The place in the container must be an absolute path.',
    data: { destination },
  })
}

function normalized(path: string): string {
  const joined = join('/', path)
  return joined.length > 1 && joined.endsWith('/') ? joined.slice(0, -1) : joined
}

/** Dropped in the guest-to-be, from its bounds to its privileges; the system call filter last, since it forbids what sets it up. */
function guestOperations({ spec, idMap, host }: Pick<PlanRequest, 'spec' | 'idMap' | 'host'>): Operation[] {
  const { user, cwd } = spec.process
  return [
    ...boundOperations(spec, host),
    ...groupOperations(idMap, user.additionalGids),
    ['user', user.uid, user.gid],
    ['working-directory', cwd],
    ...privilegeOperations(spec),
  ]
}

/** Who may gain privileges still has to have CAP_SYS_ADMIN when Landlock and the filter are set, and drops it under them (seccomp(2)). */
function privilegeOperations(spec: ContainerSpec): Operation[] {
  const { bounding, held } = guestCapabilities(spec)
  const capabilities: Operation = ['capabilities', capabilityMask(bounding).toString(16), capabilityMask(held).toString(16)]
  const filters: Operation[] = [
    // With a network namespace of its own there is no abstract socket of the host's to reach.
    ...(spec.network.mode === 'host' ? [['landlock-scope', 'abstract-unix-socket'] as const, ['landlock-scope', 'signal'] as const] : []),
    ...(spec.privileges?.seccomp === 'unconfined' ? [] : [['seccomp'] as const]),
  ]
  return spec.privileges?.noNewPrivileges === false ? [...filters, capabilities] : [capabilities, ['no-new-privileges'], ...filters]
}

/** The kernel lets nobody set groups under a single-id map; the receipt shows the groups that are in force. */
function groupOperations(idMap: IdMap, gids: readonly number[]): Operation[] {
  if (idMap.kind === 'single') return []
  return [...new Set(gids)].filter((gid) => isMapped(idMap.gids, gid)).map((gid): Operation => ['group', gid])
}

function assertUser({ spec, idMap }: Pick<PlanRequest, 'spec' | 'idMap'>): void {
  const { uid, gid } = spec.process.user
  assertGroups(spec, idMap)
  if (isMapped(idMap.uids, uid) && isMapped(idMap.gids, gid)) return
  throw new EngineError('UNSUPPORTED_BY_HOST', `user ${uid}:${gid} does not exist in a container here: only ids that are mapped do`, {
    hint:
      idMap.kind === 'single'
        ? `Use --user ${idMap.uids[0]?.inside}, or have a range of ids given to you in /etc/subuid and /etc/subgid (wolffia doctor says how).`
        : 'Choose an id within the range of /etc/subuid and /etc/subgid.',
    data: { uid, gid },
  })
}

/** Of the image's own groups the kernel may leave out what it must; of those that somebody has named it may not. */
function assertGroups({ process: { user }, privileges: { groups = [] } = {} }: ContainerSpec, idMap: IdMap): void {
  const missing = groups.find(
    (gid) => gid !== user.gid && user.additionalGids.includes(gid) && !(idMap.kind === 'range' && isMapped(idMap.gids, gid)),
  )
  if (missing === undefined) return
  throw new EngineError('UNSUPPORTED_BY_HOST', `--group-add ${missing}: nobody can be in that group in a container here`, {
    hint:
      idMap.kind === 'single'
        ? 'With a single id the kernel lets nobody set groups: have a range of ids given to you in /etc/subuid and /etc/subgid (wolffia doctor says how).'
        : 'Choose an id within the range of /etc/subgid.',
    data: { gid: missing },
  })
}
