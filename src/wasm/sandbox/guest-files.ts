import { readFileSync } from 'node:fs'
import { EngineError } from '../../errors.js'
import { ErrnoError } from '../../fs/errno.js'
import type { FileSystem } from '../../fs/file-system.js'
import { fromUtf8, toUtf8 } from '../../fs/names.js'
import type { DirectoryHandle } from '../../fs/resolve.js'
import { UnionFs } from '../../fs/union-fs.js'
import { openFileSource } from '../../layer/file-source.js'
import { parseIndex } from '../../layer/index.js'
import { PackedLayer } from '../../layer/packed-layer.js'
import { GuestTree } from '../preview1/guest-tree.js'
import { HostDirectory } from './host-directory.js'
import type { SandboxLayer, SandboxMount, StartMessage } from './protocol.js'

/** What a guest sees: its tree, and the directories it is given. */
export interface GuestFiles {
  readonly tree: GuestTree
  /** The writable layer and what lies below it. */
  readonly root: UnionFs
  readonly preopens: readonly { readonly name: string; readonly handle: DirectoryHandle }[]
}

/** Gives the remote file system with this number. */
export type OpenRemote = (number: number) => FileSystem

/** Devices that need no kernel: their minor numbers, major 1. */
const DEVICES = { null: 3, zero: 5, full: 7, random: 8, urandom: 9 } as const

/**
 * Builds the guest's files: the layers' union, a /dev of its own, the mounts, the working directory.
 * What is missing on the way to a mount or to the working directory is made, as the native wall does. Throws INVALID_ARGUMENT where that
 * cannot be.
 */
export function openGuestFiles(start: StartMessage, openRemote: OpenRemote): GuestFiles {
  const root = new UnionFs({
    lowers: start.layers.map(openLayer),
    limits: { diskBytes: start.limits.diskBytes, inodes: start.limits.inodes },
  })
  const tree = new GuestTree(root, { credentials: start.user, readonly: start.readonlyRootfs })
  const mountAt = (destination: string, fs: FileSystem, readonly: boolean) =>
    tree.mount(makeDirectories(tree, fromUtf8(destination)), fs, { readonly })
  mountAt('/dev', deviceFiles(), false)
  const mounts = start.mounts.map((mount) => ({
    name: mount.destination,
    handle: mountAt(mount.destination, openMount(mount, openRemote), mount.readonly),
  }))
  const cwd = makeDirectories(tree, fromUtf8(start.cwd))
  // wasi-libc cannot tell `.` from `/` and takes the later: absolute paths must not begin at the working directory.
  const preopens = [...(tree.isRoot(cwd) ? [] : [{ name: '.', handle: cwd }]), { name: '/', handle: tree.root }, ...mounts]
  return { tree, root, preopens: start.preopens === 'all' ? preopens : [] }
}

function openLayer({ tarPath, indexPath }: SandboxLayer): PackedLayer {
  return new PackedLayer(parseIndex(readFileSync(indexPath)), openFileSource(tarPath))
}

function openMount(mount: SandboxMount, openRemote: OpenRemote): FileSystem {
  if (mount.type === 'remote') return openRemote(mount.number)
  if (mount.type === 'bind') return new HostDirectory(mount.source)
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: mount.bytes, inodes: mount.inodes } })
  fs.setAttributes(fs.root, { mode: mount.mode })
  return fs
}

function deviceFiles(): FileSystem {
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: 1 << 20, inodes: 1024 } })
  for (const [name, minor] of Object.entries(DEVICES))
    fs.create(fs.root, name, { type: 'character-device', mode: 0o666, uid: 0, gid: 0, device: { major: 1, minor } })
  return fs
}

function makeDirectories(tree: GuestTree, path: string): DirectoryHandle {
  try {
    return madeDirectories(tree, path)
  } catch (cause) {
    if (!(cause instanceof ErrnoError)) throw cause
    throw new EngineError('INVALID_ARGUMENT', `${toUtf8(path)} cannot be made a directory in the container: ${cause.code}`, { cause })
  }
}

function madeDirectories(tree: GuestTree, path: string): DirectoryHandle {
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
