/**
 * The files of a sandbox. The main thread makes what is made once: the layers' union, a /dev of its own, tmpfs mounts, the directories
 * that mounts and the program need. Every worker sees the same trees; directories of the host it opens for itself.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { EngineError } from '../../errors.js'
import type { Credentials } from '../../fs/access.js'
import { ErrnoError } from '../../fs/errno.js'
import type { ByteString, FileSystem, Ino } from '../../fs/file-system.js'
import { fromUtf8, toUtf8 } from '../../fs/names.js'
import type { DirectoryHandle } from '../../fs/resolve.js'
import { type SharedUnion, UnionFs } from '../../fs/union-fs.js'
import { openFileSource } from '../../layer/file-source.js'
import { parseIndex } from '../../layer/index.js'
import { openIndex } from '../../layer/index-table.js'
import { PackedLayer } from '../../layer/packed-layer.js'
import { GuestTree } from '../preview1/guest-tree.js'
import { HostDirectory } from './host-directory.js'
import { type LazyTar, lazySource, lazyTar } from './lazy-source.js'
import { copyMemory } from './memory-copy.js'
import type { SandboxLayer, SandboxMount, StartMessage } from './protocol.js'
import { RemoteChannel, RemoteFileSystem, type RemoteSocket } from './remote-file-system.js'
import { DETERMINISTIC_START_NS } from './reproducible.js'

/** What a guest sees: its tree, and the directories it is given. */
export interface GuestFiles {
  readonly tree: GuestTree
  /** What of it is in memory that all threads share. */
  readonly unions: readonly UnionFs[]
  readonly cwd: DirectoryHandle
  readonly preopens: readonly { readonly name: string; readonly handle: DirectoryHandle }[]
}

/** The sandbox's files as another thread of it is told of them. */
export interface SharedFiles {
  readonly layers: readonly SharedLayer[]
  /** Of the root, of /dev, and of each mount that is in memory. */
  readonly unions: readonly SharedUnion[]
  /** Where /dev and each mount is: the way from the root down; null where only its path says so. */
  readonly places: readonly (readonly Step[] | null)[]
  readonly remote: RemoteSocket | null
}

interface SharedLayer {
  /** An open descriptor of the process. */
  readonly tar: number
  readonly index: SharedArrayBuffer
  readonly lazy: LazyTar | null
}

/** A directory on the way to another: the number of its file system, root first, then /dev, then mounts as they stand in the start message. */
interface Step {
  readonly system: number
  readonly ino: Ino
}

/** What of a start message is about files. */
export type FilesStart = Pick<
  StartMessage,
  'layers' | 'mounts' | 'limits' | 'readonlyRootfs' | 'user' | 'cwd' | 'preopens' | 'remoteDescriptor'
> &
  Partial<Pick<StartMessage, 'deterministic'>>

/** Whom a tree is opened for. */
export interface GuestIdentity {
  readonly user: Credentials
  /** Absolute path in the container. */
  readonly cwd: string
}

/** What the guest's changes are dated by, where that is not the host's clock; nanoseconds since the epoch. */
export type GuestTime = () => bigint

/** Devices that need no kernel: their minor numbers, major 1. */
const DEVICES = { null: 3, zero: 5, full: 7, random: 8, urandom: 9 } as const

/** The files of a sandbox, made. Throws INVALID_ARGUMENT where a mount or the working directory cannot be. */
export function makeFiles(start: FilesStart): { readonly files: GuestFiles; readonly shared: () => SharedFiles } {
  const layers = start.layers.map(loadLayer)
  const remote = start.remoteDescriptor === null ? null : RemoteChannel.socket(start.remoteDescriptor)
  // What is made before the guest runs is as old as its clock.
  const time = typeof start.deterministic === 'string' ? { now: () => DETERMINISTIC_START_NS } : {}
  const root = new UnionFs({
    lowers: layers.map((layer) => openLayer(layer, parseIndex, remote)),
    limits: { diskBytes: start.limits.diskBytes, inodes: start.limits.inodes },
    ...time,
  })
  const systems: FileSystem[] = [
    root,
    deviceFiles(time),
    ...start.mounts.map((mount) => openMount(mount, remote, (tmpfs) => makeTmpfs(tmpfs, time))),
  ]
  const unions = systems.filter((system): system is UnionFs => system instanceof UnionFs)
  const tree = new GuestTree(root, { credentials: start.user, readonly: start.readonlyRootfs })
  const places: (readonly Step[] | null)[] = []
  const mounts = mountPlaces(start).map(({ destination, readonly }, place) => {
    const over = makeDirectories(tree, fromUtf8(destination))
    places.push(stepsTo(over, systems))
    return { name: destination, handle: tree.mount(over, systemAt(systems, place + 1), { readonly }) }
  })
  const cwd = makeDirectories(tree, fromUtf8(start.cwd))
  const shared = () => ({ layers, unions: unions.map((union) => union.share()), places, remote })
  return { files: { tree, unions, cwd, preopens: preopensOf(start, tree, cwd, mounts) }, shared }
}

/** The same files for another thread, and another guest. Throws INVALID_ARGUMENT where its working directory is none. */
export function openFiles(start: FilesStart, shared: SharedFiles, guest: GuestIdentity, time?: GuestTime): GuestFiles {
  return openTrees(start, shared, guest, { treeOf: (union) => union, devices: true, ...(time === undefined ? {} : { time }) })
}

/**
 * The files as somebody outside sees them: all of them, but for the /dev that is no part of the container. With `onFork` as they are at this
 * moment, folders of the host and objects of the supervisor's excepted: it is told of each copy that is to be closed, by another thread
 * when this one is ended.
 */
export function openFilesFromOutside(start: FilesStart, shared: SharedFiles, onFork: ((fork: SharedUnion) => void) | null): GuestFiles {
  const treeOf = (union: UnionFs) => {
    if (onFork === null) return union
    const fork = union.fork()
    onFork(fork.share())
    return fork
  }
  return openTrees(start, shared, { user: HOST, cwd: '/' }, { treeOf, devices: false })
}

/** Who looks from outside may do anything. */
const HOST: Credentials = { uid: 0, gid: 0, additionalGids: [] }

function openTrees(
  start: FilesStart,
  { layers, unions, places, remote }: SharedFiles,
  guest: GuestIdentity,
  { treeOf, devices, time }: { readonly treeOf: (union: UnionFs) => UnionFs; readonly devices: boolean; readonly time?: GuestTime },
): GuestFiles {
  const lowers = layers.map((layer) => openLayer(layer, openIndex, remote))
  const attached: UnionFs[] = []
  const attach = (): UnionFs => {
    const shared = unions[attached.length]
    if (shared === undefined) throw new EngineError('INTERNAL', 'a tree of the sandbox was not shared')
    const union = UnionFs.attach(shared, attached.length === 0 ? lowers : [], {
      copy: copyMemory,
      ...(time === undefined ? {} : { now: time }),
    })
    attached.push(union)
    return treeOf(union)
  }
  const root = attach()
  const systems: FileSystem[] = [root, attach(), ...start.mounts.map((mount) => openMount(mount, remote, attach))]
  const tree = new GuestTree(root, { credentials: guest.user, readonly: start.readonlyRootfs, sortsNames: time !== undefined })
  const mounts = mountPlaces(start).map(({ destination, readonly }, place) => {
    if (place === 0 && !devices) return { name: destination, handle: tree.root }
    const over = handleOf(places[place] ?? null, systems) ?? directoryAt(tree, destination)
    return { name: destination, handle: tree.mount(over, systemAt(systems, place + 1), { readonly }) }
  })
  const cwd = directoryAt(tree, guest.cwd)
  return { tree, unions: attached, cwd, preopens: preopensOf(start, tree, cwd, mounts) }
}

/** /dev, then the mounts. */
function mountPlaces({ mounts }: Pick<FilesStart, 'mounts'>): readonly Pick<SandboxMount, 'destination' | 'readonly'>[] {
  return [{ destination: '/dev', readonly: false }, ...mounts]
}

// wasi-libc cannot tell `.` from `/` and takes the later: absolute paths must not begin at the working directory.
function preopensOf(start: FilesStart, tree: GuestTree, cwd: DirectoryHandle, mounts: GuestFiles['preopens']): GuestFiles['preopens'] {
  if (start.preopens === 'none') return []
  // /dev is reached from the root.
  return [...(tree.isRoot(cwd) ? [] : [{ name: '.', handle: cwd }]), { name: '/', handle: tree.root }, ...mounts.slice(1)]
}

function systemAt(systems: readonly FileSystem[], number: number): FileSystem {
  const system = systems[number]
  if (system === undefined) throw new EngineError('INTERNAL', `there is no file system ${number} in the sandbox`)
  return system
}

/** Null where a step has a number that is another thread's own. */
function stepsTo(handle: DirectoryHandle, systems: readonly FileSystem[]): readonly Step[] | null {
  const steps: Step[] = []
  for (let each: DirectoryHandle | null = handle; each !== null; each = each.parent) {
    if (each.fs instanceof HostDirectory && each.ino !== each.fs.root) return null
    steps.unshift({ system: systems.indexOf(each.fs), ino: each.ino })
  }
  return steps
}

function handleOf(steps: readonly Step[] | null, systems: readonly FileSystem[]): DirectoryHandle | null {
  let handle: DirectoryHandle | null = null
  for (const { system, ino } of steps ?? []) handle = { fs: systemAt(systems, system), ino, parent: handle }
  return handle
}

/** Throws INVALID_ARGUMENT. */
function directoryAt(tree: GuestTree, path: string): DirectoryHandle {
  const why = (reason: string, cause?: unknown) =>
    new EngineError('INVALID_ARGUMENT', `cannot enter the working directory ${path}: ${reason}`, {
      cause,
      hint: 'Choose another with -w.',
      data: { path },
    })
  try {
    const { ino, directory } = tree.walkAsHost(fromUtf8(path))
    if (directory !== null) return directory
    throw why(ino === undefined ? 'there is none' : 'it is not a directory')
  } catch (cause) {
    if (!(cause instanceof ErrnoError)) throw cause
    throw why(cause.code === 'ENOENT' ? 'there is none' : cause.code, cause)
  }
}

/** Keeps the tar open for all threads, and the index where all see it. */
function loadLayer({ tarPath, indexPath, lazy }: SandboxLayer): SharedLayer {
  const descriptor = openSync(indexPath, 'r')
  try {
    const index = new SharedArrayBuffer(fstatSync(descriptor).size)
    const bytes = new Uint8Array(index)
    for (let filled = 0; filled < bytes.length; ) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, filled)
      if (count === 0) break
      filled += count
    }
    const tar = openSync(tarPath, 'r')
    return { tar, index, lazy: lazy === undefined ? null : lazyTar(lazy, fstatSync(tar).size) }
  } finally {
    closeSync(descriptor)
  }
}

function openLayer({ tar, index, lazy }: SharedLayer, open: typeof parseIndex, remote: RemoteSocket | null): PackedLayer {
  if (lazy !== null && remote === null) throw new EngineError('INTERNAL', 'there is no socket for layers that are still to come')
  const source = lazy === null || remote === null ? openFileSource(tar) : lazySource(tar, lazy, new RemoteChannel(remote))
  return new PackedLayer(open(new Uint8Array(index)), source)
}

function openMount(mount: SandboxMount, remote: RemoteSocket | null, memory: (mount: TmpfsMount) => UnionFs): FileSystem {
  if (mount.type === 'bind') return new HostDirectory(mount.source)
  if (mount.type === 'tmpfs') return memory(mount)
  if (remote === null) throw new EngineError('INTERNAL', 'there is no socket for remote file systems')
  return new RemoteFileSystem(new RemoteChannel(remote), mount.number)
}

type TmpfsMount = Extract<SandboxMount, { type: 'tmpfs' }>

function makeTmpfs({ bytes, inodes, mode }: TmpfsMount, time: { readonly now?: GuestTime }): UnionFs {
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: bytes, inodes }, ...time })
  fs.setAttributes(fs.root, { mode })
  return fs
}

function deviceFiles(time: { readonly now?: GuestTime }): UnionFs {
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: 1 << 20, inodes: 1024 }, ...time })
  for (const [name, minor] of Object.entries(DEVICES))
    fs.create(fs.root, name, { type: 'character-device', mode: 0o666, uid: 0, gid: 0, device: { major: 1, minor } })
  return fs
}

function makeDirectories(tree: GuestTree, path: ByteString): DirectoryHandle {
  try {
    return madeDirectories(tree, path)
  } catch (cause) {
    if (!(cause instanceof ErrnoError)) throw cause
    throw new EngineError('INVALID_ARGUMENT', `${toUtf8(path)} cannot be made a directory in the container: ${cause.code}`, { cause })
  }
}

function madeDirectories(tree: GuestTree, path: ByteString): DirectoryHandle {
  const walked = path.split('/').filter((name) => name !== '' && name !== '.')
  let reached = '/'
  let handle = tree.root
  for (const name of walked) {
    reached += `${name}/`
    const found = tree.walkAsHost(reached.slice(0, -1))
    if (found.ino === undefined && found.name !== null)
      found.parent.fs.create(found.parent.ino, found.name, { type: 'directory', mode: 0o755, uid: 0, gid: 0 })
    const { directory } = tree.walkAsHost(reached)
    if (directory === null) throw new ErrnoError('ENOTDIR')
    handle = directory
  }
  return handle
}
