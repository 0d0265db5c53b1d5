import { hostname as ownHostname } from 'node:os'
import { posix } from 'node:path'
import { EngineError } from '../errors.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import { readTextFile } from '../fs/text-file.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { DEFAULT_LIMITS, type Limits } from '../runtime/limits.js'
import { ownHardLimits } from '../runtime/process-files.js'
import type { ContainerSpec, Mount, ProcessSpec } from '../runtime/spec.js'
import { bareEnvironment, linuxEnvironment } from './environment.js'
import type { CreateOptions } from './options.js'
import { keptIds, settlePrivileges } from './privileges.js'
import { settleResources } from './resources.js'
import { type ResolvedUser, resolveUser } from './user.js'

/** Bytes of /etc/passwd and /etc/group that are looked at: a file made to exhaust us ends there. */
const USER_FILE_BYTES = 1024 * 1024
const HOSTNAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$/

/** What {@link containerSpec} joins. */
export interface SpecSources {
  readonly id: string
  readonly options: CreateOptions
  /** The image's defaults. */
  readonly image: ContainerConfig
  /** Digest of its manifest, for a recording. */
  readonly imageId?: string
  readonly tree: ReadonlyFileSystem
  /** Resolved, its volumes made. */
  readonly mounts: readonly Mount[]
  /** `linux` gives the environment of a Linux system; `bare` only what image and caller give, and nobody to be but 0. */
  readonly world: 'linux' | 'bare'
}

/** What a wall is asked to run: the image's defaults with the caller's options over them, by docker's rules, checked. */
export function containerSpec({ id, options, image, imageId = '', tree, mounts, world }: SpecSources): ContainerSpec {
  const isHostsName = options.privileges?.uts === 'host'
  if (isHostsName && options.hostname !== undefined)
    throw new EngineError('INVALID_ARGUMENT', 'conflicting options: hostname and the UTS mode', { hint: 'Leave --hostname or --uts out.' })
  const hostname = isHostsName ? ownHostname() : (options.hostname ?? id.slice(0, 12))
  if (!isHostsName && !HOSTNAME.test(hostname))
    throw new EngineError('INVALID_ARGUMENT', `invalid hostname: ${JSON.stringify(hostname)}`, {
      data: { hostname },
      hint: 'A host name has at most 64 letters, digits, dots and dashes.',
    })
  if (world === 'bare' && ((options.extraHosts ?? []).length > 0 || (options.additionalGroups ?? []).length > 0))
    throw new EngineError('NOT_BUILT', '--add-host and --group-add are for a Linux system: a WASI module has neither hosts nor groups', {
      hint: 'Leave them out.',
    })
  const keepId = keptIds(options.privileges ?? {})
  // As podman: who keeps his ids is himself, whoever the image says.
  const user = userOf(
    options.user ?? (keepId === undefined ? image.User : `${keepId.uid}:${keepId.gid}`) ?? '',
    options.additionalGroups,
    tree,
    world,
  )
  const privileges = settlePrivileges(options.privileges ?? {}, {
    network: options.network ?? 'none',
    uid: user.uid,
    keepId,
    groups: world === 'linux' ? user.namedGids : [],
  })
  const { limits, resources } = settleResources(options.resources ?? {}, {
    limits: options.limits ?? {},
    ownSharedMemory: privileges?.ipc !== 'none' && !mounts.some(({ destination }) => destination === '/dev/shm'),
  })
  const terminal = options.tty ?? false
  const env =
    world === 'linux'
      ? linuxEnvironment(image.Env ?? [], options.env ?? {}, { hostname, home: user.home, terminal })
      : bareEnvironment(image.Env ?? [], options.env ?? {})
  const process: ProcessSpec = {
    args: argsOf(options, image),
    env,
    cwd: workingDirOf(options.workingDir, image.WorkingDir),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    terminal,
  }
  return {
    hostname,
    ...(options.extraHosts?.length ? { extraHosts: options.extraHosts } : {}),
    process,
    mounts,
    network: { mode: options.network ?? 'none' },
    limits: limitsOf(limits, world),
    ...(resources === undefined ? {} : { resources }),
    readonlyRootfs: options.readonlyRootfs ?? false,
    ephemeral: options.autoRemove ?? false,
    annotations: options.annotations ?? {},
    ...(privileges === undefined ? {} : { privileges }),
    ...(options.deterministic === undefined ? {} : { deterministic: options.deterministic }),
    ...(options.recording === undefined ? {} : { recording: { ...options.recording, image: imageId } }),
    ...(options.wasiEngine === undefined ? {} : { wasiEngine: options.wasiEngine }),
  }
}

/** Entrypoint and command: an entrypoint given drops the image's command, a command given replaces it. */
function argsOf({ entrypoint, command, image: reference }: CreateOptions, image: ContainerConfig): readonly string[] {
  const args =
    entrypoint === undefined ? [...(image.Entrypoint ?? []), ...(command ?? image.Cmd ?? [])] : [...entrypoint, ...(command ?? [])]
  if (args.length === 0 || args[0] === '')
    throw new EngineError('INVALID_ARGUMENT', `no command specified, and image ${reference} names none`, {
      hint: `Say what to run: wolffia run ${reference} PROGRAM [ARGUMENT...]`,
    })
  const withNul = args.find((arg) => arg.includes('\0'))
  if (withNul !== undefined) throw new EngineError('INVALID_ARGUMENT', `an argument holds a NUL byte: ${JSON.stringify(withNul)}`)
  return args
}

function workingDirOf(wanted: string | undefined, ofImage: string | undefined): string {
  if (wanted !== undefined && (!wanted.startsWith('/') || wanted.includes('\0')))
    throw new EngineError('INVALID_ARGUMENT', `the working directory '${wanted}' is invalid, it needs to be an absolute path`, {
      hint: `Begin it with a slash: /${wanted}`,
      data: { workingDir: wanted },
    })
  return posix.join('/', wanted ?? ofImage ?? '/').replace(/(?<=.)\/$/, '')
}

function userOf(wanted: string, more: readonly string[] | undefined, tree: ReadonlyFileSystem, world: SpecSources['world']): ResolvedUser {
  const passwd = readTextFile(tree, '/etc/passwd', USER_FILE_BYTES)
  const group = readTextFile(tree, '/etc/group', USER_FILE_BYTES)
  const user = resolveUser(wanted, { passwd, group }, more)
  return world === 'linux' ? user : { ...user, additionalGids: [] }
}

/** The caller's limits, and the defaults of the world for what nobody said. Of root's processes the kernel would not count a single one. */
function limitsOf(wanted: Limits, world: SpecSources['world']): Limits {
  const openFiles = Math.min(DEFAULT_LIMITS.openFiles, hardLimit('Max open files'))
  const defaults: Limits =
    world === 'linux'
      ? { ...(process.geteuid?.() === 0 ? {} : { pids: Math.min(DEFAULT_LIMITS.pids, hardLimit('Max processes')) }), openFiles }
      : { memoryBytes: DEFAULT_LIMITS.wasmMemoryBytes, tableElements: DEFAULT_LIMITS.tableElements, openFiles }
  return { ...defaults, ...wanted }
}

/** Our own hard limit, above which no guest's can be. */
function hardLimit(name: string): number {
  const hard = ownHardLimits()[name] ?? -1
  return hard < 0 ? Number.POSITIVE_INFINITY : hard
}
