import { type IdMap, idMapOperations } from '../launcher/id-map.js'
import { type Operation, octal, type Plan } from '../launcher/operations.js'
import { OOM_SCORE_ADJUST } from '../runtime/process-bounds.js'
import type { TerminalSize } from '../runtime/runtime.js'
import { type HostMount, isHostMount } from '../runtime/sources.js'
import type { ContainerSpec } from '../runtime/spec.js'
import type { NodeFiles } from './node-files.js'
import { MEMORY_COPY_ENVIRONMENT } from './sandbox/memory-copy.js'
import type { SandboxLayer } from './sandbox/protocol.js'
import { SESSIONS_MAXIMUM, SESSIONS_SOCKET } from './sandbox/session-protocol.js'
import { GUEST_THREADS_MAXIMUM } from './thread-names.js'

/** What the plan of a walled sandbox depends on. */
export interface SandboxPlanRequest {
  /** With the real paths of its mounts' sources (`runtime/sources`). */
  readonly spec: ContainerSpec
  /** Ids of the sandbox's own namespace; the guest's ids are its files' business and need none. */
  readonly idMap: IdMap
  readonly node: NodeFiles
  /** Host path of the folder with what the sandbox executes. */
  readonly sandboxPath: string
  readonly nodeFlags: readonly string[]
  /** Host paths of the image's layers, base first. */
  readonly layers: readonly SandboxLayer[]
  /** Host path of what its program was transpiled to; none unless said. */
  readonly transpiled?: string | null
  /** How many descriptors the sandbox inherits from 3 on. */
  readonly descriptors: number
  /** File of that folder that Node executes. */
  readonly program: string
  /**
   * Folder of the host in which it listens, at one descriptor more; null for one that listens nowhere. `later`: it is nobody's yet, and its launcher is
   * told when it begins, by what comes at the first of the launcher's descriptors that the sandbox has not.
   */
  readonly sessionsFolder: string | 'later' | null
  readonly openStdin: boolean
  /** Whether stdin stays open when a caller has no more to say. */
  readonly keepStdin: boolean
  /** The control groups that it is in; those of its caller unless said. */
  readonly groups?: readonly Operation[]
  /** What the launcher does besides waiting. */
  readonly supervision: readonly Operation[]
  readonly terminalSize: TerminalSize
  /** The longest file it may write. */
  readonly fileBytes: number
}

const COPY_ENVIRONMENT = Object.entries(MEMORY_COPY_ENVIRONMENT).map(([name, value]) => `${name}=${value}`)

/** First of `LaunchOptions.descriptors` in the launcher, and where the sandbox has it. */
const LAUNCHER_DESCRIPTOR = 6
const SANDBOX_DESCRIPTOR = 3
const ROOT_BYTES = 1024 * 1024
/** Besides what each layer and mount takes. */
const ROOT_INODES = 256
/** Threads of Node: V8's and libuv's pools, a worker for each program and for each thread of those that have several. */
const THREADS = 64 + SESSIONS_MAXIMUM * 2 + GUEST_THREADS_MAXIMUM * 4
const OPEN_FILES = 4096
/** What /proc tells of the kernel and of others, hidden from a guest that has broken out of V8. */
const MASKED = ['/proc/keys', '/proc/key-users', '/proc/kallsyms', '/proc/kcore', '/proc/kmsg', '/proc/timer_list', '/proc/interrupts']
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** Where the bind mount or volume with this place in the spec is, in the sandbox's own root. */
export function bindPath(place: number): string {
  return `/binds/${place}`
}

/** Where what the program was transpiled to is, in the sandbox's own root. */
export const TRANSPILED_PATH = '/transpiled'

/** Where the layer with this place in the stack is, in the sandbox's own root. */
export function layerPaths(place: number): SandboxLayer {
  return { tarPath: `/layers/${place}.tar`, indexPath: `/layers/${place}.index` }
}

/**
 * The native wall around a sandbox process: every namespace, and a root that holds Node, its libraries, one folder of wolffia's and
 * nothing else of the host. Layers come through mounts that are read-only and not as descriptors: under a single id their files are
 * the sandbox's own, and a descriptor of one's own file is opened anew for writing through /proc/self/fd. It has no network whatever
 * the container asks for: preview1 has no sockets to use one with.
 */
export function sandboxPlan({ spec, node, ...request }: SandboxPlanRequest): Plan {
  const { terminal } = spec.process
  const namespaces = ['mount', 'pid', 'ipc', 'uts', 'cgroup', 'net']
  return {
    operations: [
      ...idMapOperations(request.idMap),
      ...namespaces.map((name): Operation => ['namespace', name]),
      ...(request.groups ?? []),
      ['stdio', terminal ? 'terminal' : 'pipes', request.openStdin ? (request.keepStdin ? 'kept' : 'open') : 'closed'],
      ...request.supervision,
      ...(terminal ? [['terminal-size', request.terminalSize.rows, request.terminalSize.columns] as const] : []),
      ...Array.from({ length: request.descriptors }, (_, index): Operation => {
        return ['keep-descriptor', LAUNCHER_DESCRIPTOR + index, SANDBOX_DESCRIPTOR + index]
      }),
      ...listeningOperations(request),
      ['hostname', spec.hostname],
      ['mount-private'],
      ['root-tmpfs', ROOT_BYTES, ROOT_INODES + 2 * request.layers.length + spec.mounts.length, octal(0o755)],
      ...fileOperations(node, request),
      ...(terminal ? [['mount-devpts', '/dev/pts'] as const] : []),
      ...['null', 'urandom'].map((name): Operation => ['bind', `/dev/${name}`, `/dev/${name}`, 'nosuid,noexec']),
      ['mount-proc', '/proc'],
      ...MASKED.map((path): Operation => ['mask', path]),
      ...READ_ONLY.map((path): Operation => ['read-only', path]),
      ...layerOperations(request.layers),
      ...(request.transpiled == null ? [] : [['bind', request.transpiled, TRANSPILED_PATH, 'ro,nosuid,nodev,noexec'] as const]),
      ...bindOperations(spec),
      ['root-read-only'],
      ['switch-root'],
      ['rlimit', 'nproc', THREADS, THREADS],
      ['rlimit', 'nofile', OPEN_FILES, OPEN_FILES],
      ['rlimit', 'core', 1, 1],
      ['rlimit', 'fsize', request.fileBytes, request.fileBytes],
      ['umask', octal(0o022)],
      ['oom-score-adjust', spec.resources?.oomScoreAdjust ?? OOM_SCORE_ADJUST],
      ['user', 0, 0],
      ['working-directory', '/'],
      ['capabilities', '0', '0'],
      ['no-new-privileges'],
      ['seccomp'],
    ],
    exec: { args: ['/node', ...request.nodeFlags, `/sandbox/${request.program}`], env: ['LD_LIBRARY_PATH=/lib', ...COPY_ENVIRONMENT] },
  }
}

/** Where a sandbox that was started `later` listens from now on. */
export function bindingOperation(folder: string): Operation {
  return ['bind-socket', folder, SESSIONS_SOCKET]
}

/** The file without a name that such a sandbox has at this descriptor gets one. */
export function namingOperation(descriptor: number, path: string): Operation {
  return ['name-file', descriptor - SANDBOX_DESCRIPTOR + LAUNCHER_DESCRIPTOR, path]
}

function listeningOperations({ sessionsFolder, descriptors }: Pick<SandboxPlanRequest, 'sessionsFolder' | 'descriptors'>): Operation[] {
  if (sessionsFolder === null) return []
  const next = LAUNCHER_DESCRIPTOR + descriptors
  if (sessionsFolder === 'later')
    return [
      ['begin-later', next],
      ['unbound-socket', next + 1],
      ['keep-descriptor', next + 1, SANDBOX_DESCRIPTOR + descriptors],
    ]
  return [
    ['listening-socket', sessionsFolder, SESSIONS_SOCKET, LAUNCHER_DESCRIPTOR + descriptors],
    ['keep-descriptor', LAUNCHER_DESCRIPTOR + descriptors, SANDBOX_DESCRIPTOR + descriptors],
  ]
}

function fileOperations(node: NodeFiles, { sandboxPath }: Pick<SandboxPlanRequest, 'sandboxPath'>): Operation[] {
  const { interpreter, libraries } = node
  return [
    ['bind', node.node, '/node', 'ro,nosuid,nodev'],
    ...(interpreter === null ? [] : [['bind', interpreter.source, interpreter.path, 'ro,nosuid,nodev'] as const]),
    ...libraries.map(({ name, source }): Operation => ['bind', source, `/lib/${name}`, 'ro,nosuid,nodev']),
    ['bind', sandboxPath, '/sandbox', 'ro,nosuid,nodev,noexec'],
  ]
}

function layerOperations(layers: readonly SandboxLayer[]): Operation[] {
  return layers.flatMap(({ tarPath, indexPath }, place): Operation[] => {
    const inside = layerPaths(place)
    return [
      ['bind', tarPath, inside.tarPath, 'ro,nosuid,nodev,noexec'],
      ['bind', indexPath, inside.indexPath, 'ro,nosuid,nodev,noexec'],
    ]
  })
}

function bindOperations({ mounts }: ContainerSpec): Operation[] {
  return mounts.flatMap((mount, place): Operation[] =>
    isHostMount(mount)
      ? [['bind', mount.source, bindPath(place), `${bindFlags(mount)},nosuid,nodev,noexec${mount.readonly ? ',ro' : ''}`]]
      : [],
  )
}

/** A source has been found to be free of symlinks, and has to be still. */
function bindFlags(mount: HostMount): string {
  return mount.type === 'bind' && mount.recursive === false ? 'no-symlinks' : 'recursive,no-symlinks'
}
