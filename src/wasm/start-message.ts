import { totalmem } from 'node:os'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import { DEFAULT_LIMITS } from '../runtime/limits.js'
import { isHostMount } from '../runtime/sources.js'
import type { ContainerSpec, Mount, ProcessSpec } from '../runtime/spec.js'
import { WASM_PAGE_BYTES } from './module.js'
import type { GuestProcess, SandboxLimits, SandboxMount, StartMessage } from './sandbox/protocol.js'
import { GUEST_THREADS_MAXIMUM } from './thread-names.js'

/** What a {@link StartMessage} depends on besides the spec. */
export interface StartMessageParts {
  readonly spec: ContainerSpec
  /** Path of the module in the container. */
  readonly program: string
  readonly transpiled: StartMessage['transpiled']
  readonly preopens: StartMessage['preopens']
  readonly layers: StartMessage['layers']
  readonly imageLayers: number
  /** Where the sandbox finds the bind mount or volume with this place in the spec. */
  readonly bindPath: (place: number, source: string) => string
  readonly keepsUpper: boolean
  readonly endDescriptor: number | null
  readonly remoteDescriptor: number | null
  readonly sessions: StartMessage['sessions']
  readonly outlives: boolean
  readonly prewarmed: boolean
  readonly recordingDescriptor: number | null
  /** What the layers' tars hold together. */
  readonly layerBytes: number
}

/** Bytes of JavaScript heap that go with each inode uncounted: one inode for so many bytes of disk bounds them. */
const BYTES_PER_INODE = 16 * 1024
const LEAST_INODES = 1024
/** What the worker's heap has room for, and half of what a layer may hold. */
const MOST_INODES = 1_000_000
/** Pages of WebAssembly's 4 GiB. */
const MEMORY_PAGES_MAXIMUM = 65_536
/** The largest table V8 makes. */
const TABLE_MAXIMUM = 10_000_000

/** What the sandbox is told: the spec, with every limit decided. Throws INVALID_ARGUMENT for a mount that cannot be. */
export function startMessage({ spec, ...parts }: StartMessageParts): StartMessage {
  return {
    ...guestProcess(spec.process),
    program: parts.program,
    transpiled: parts.transpiled,
    preopens: parts.preopens,
    engine: spec.wasiEngine ?? 'wolffia',
    layers: parts.layers,
    imageLayers: parts.imageLayers,
    mounts: sandboxMounts(spec, parts.bindPath),
    readonlyRootfs: spec.readonlyRootfs,
    keepsUpper: parts.keepsUpper,
    endDescriptor: parts.endDescriptor,
    remoteDescriptor: parts.remoteDescriptor,
    sessions: parts.sessions,
    outlives: parts.outlives,
    prewarmed: parts.prewarmed,
    deterministic: spec.deterministic?.seed ?? null,
    recording: recordingOf(spec, parts.recordingDescriptor),
    limits: sandboxLimits(spec, parts.layerBytes),
  }
}

function recordingOf({ recording }: ContainerSpec, descriptor: number | null): StartMessage['recording'] {
  return recording === undefined || descriptor === null ? null : { mode: recording.mode, descriptor }
}

/** A process as a sandbox is told of it. */
export function guestProcess({ args, env, cwd, user, terminal }: ProcessSpec): GuestProcess {
  return { args, env, cwd: join('/', cwd), user, terminal }
}

/** Inodes that so many bytes of disk may come with. */
export function inodesFor(bytes: number): number {
  return Math.min(Math.max(LEAST_INODES, Math.ceil(bytes / BYTES_PER_INODE)), MOST_INODES)
}

/** Limits as a sandbox holds them, over layers whose tars have so many bytes. */
export function sandboxLimits({ limits }: ContainerSpec, layerBytes: number): SandboxLimits {
  const diskBytes = limits.diskBytes ?? diskDefault()
  const inodes = inodesFor(diskBytes)
  return {
    memoryPages: memoryPages(limits.memoryBytes ?? DEFAULT_LIMITS.wasmMemoryBytes),
    tableElements: Math.min(limits.tableElements ?? DEFAULT_LIMITS.tableElements, TABLE_MAXIMUM),
    openFiles: limits.openFiles ?? DEFAULT_LIMITS.openFiles,
    threads: Math.min(limits.pids ?? GUEST_THREADS_MAXIMUM, GUEST_THREADS_MAXIMUM),
    diskBytes,
    inodes,
    outputBytes: limits.outputBytes ?? null,
    fuel: limits.fuel ?? null,
    // What the guest may hold; for each inode its headers, which two longest paths make 10 KiB, and the small holes that are filled; and what
    // it may have changed of the layers, whose headers can grow.
    upperBytes: diskBytes + inodes * BYTES_PER_INODE + 2 * layerBytes,
  }
}

/** Whole pages within so many bytes, as the engine counts memory. */
export function memoryPages(bytes: number): number {
  return Math.min(Math.floor(bytes / WASM_PAGE_BYTES), MEMORY_PAGES_MAXIMUM)
}

/** A quarter of the host's memory, as a tmpfs of the native wall has. */
function diskDefault(): number {
  return Math.floor(totalmem() / 4)
}

/** A parent's mount before its children's, else in the order given. Throws INVALID_ARGUMENT for one that cannot be. */
export function sandboxMounts({ mounts }: ContainerSpec, bindPath: StartMessageParts['bindPath']): SandboxMount[] {
  const depth = (mount: SandboxMount): number => mount.destination.split('/').length
  return mounts.map((mount, place) => sandboxMount(mount, place, bindPath)).sort((left, right) => depth(left) - depth(right))
}

function sandboxMount(mount: Mount, place: number, bindPath: StartMessageParts['bindPath']): SandboxMount {
  const destination = permittedDestination(mount.destination)
  const { readonly } = mount
  if (isHostMount(mount)) return { type: 'bind', destination, source: bindPath(place, mount.source), readonly }
  if (mount.type === 'fs') return { type: 'remote', destination, number: place, readonly }
  const bytes = mount.sizeBytes ?? diskDefault()
  return { type: 'tmpfs', destination, bytes, inodes: inodesFor(bytes), mode: mount.mode ?? 0o1777, readonly }
}

function permittedDestination(destination: string): string {
  const path = join('/', destination).replace(/(.)\/$/, '$1')
  if (destination.startsWith('/') && path !== '/' && path !== '/dev') return path
  throw new EngineError('INVALID_ARGUMENT', `nothing can be mounted at ${destination}`, {
    hint: destination.startsWith('/')
      ? 'The root and /dev are the container’s own; choose another place.'
      : 'The place in the container must be an absolute path.',
    data: { destination },
  })
}
