import type { Credentials } from '../../fs/access.js'
import { EXECUTE, mayAccess, mayRemove, WRITE } from '../../fs/access.js'
import { ErrnoError } from '../../fs/errno.js'
import type { ByteString, FileSystem, Ino, Stat } from '../../fs/file-system.js'
import { MountTable } from '../../fs/mounts.js'
import { type DirectoryHandle, type Resolved, resolve, rootHandle } from '../../fs/resolve.js'
import { WHITEOUT_PREFIX } from '../../layer/whiteout.js'
import { WasiError } from './errno.js'
import type { Filestat } from './layouts.js'
import { filestatOf } from './layouts.js'

/** An inode of one of the file systems a guest sees. */
export interface Place {
  readonly fs: FileSystem
  readonly ino: Ino
}

/** Names that open listings may hold together: more than a directory has, and a fraction of the worker's heap. */
const MAXIMUM_LISTED = 2_000_000

/** Where a walk starts: a directory, and whether what lies above it is out of reach. */
export interface WalkStart {
  readonly handle: DirectoryHandle
  readonly confined: boolean
}

/**
 * What to do with a symlink that a path ends in: follow it; mean the symlink itself, unless a slash behind it asks for what it
 * leads to; or mean it in any case, as calls do that make, remove or rename names.
 */
export type LastSymlink = 'follow' | 'keep-unless-slash' | 'keep'

/**
 * The guest's files: a root, what is mounted in it, and who the guest is to them.
 *
 * A directory that the host gave (a preopen) reaches the whole tree, as a container's working directory does: `..` goes on up to
 * the root and stays there. A directory that the guest opened itself is a capability of its own, as preview1 has it: a path through
 * it cannot climb above it. No path is absolute. Symlinks lead wherever they lead inside the tree; there is no outside.
 */
export class GuestTree {
  readonly root: DirectoryHandle
  readonly credentials: Credentials
  readonly #mounts = new MountTable<FileSystem>()
  readonly #mounted = new Map<FileSystem, { readonly device: number; readonly readonly: boolean }>()

  /** Whether names are listed in the order of their bytes, rather than as the tree has them. */
  readonly sortsNames: boolean
  #listed = 0

  constructor(root: FileSystem, options: { readonly credentials: Credentials; readonly readonly: boolean; readonly sortsNames?: boolean }) {
    this.sortsNames = options.sortsNames ?? false
    this.root = rootHandle(root)
    this.credentials = options.credentials
    this.#mounted.set(root, { device: 1, readonly: options.readonly })
  }

  /** Mounts `fs` over a directory of the tree and gives its handle. */
  mount(over: DirectoryHandle, fs: FileSystem, options: { readonly readonly: boolean }): DirectoryHandle {
    this.#mounts.mount(over.fs, over.ino, fs)
    this.#mounted.set(fs, { device: this.#mounted.size + 1, readonly: options.readonly })
    return { fs, ino: fs.root, parent: over.parent }
  }

  /** What is mounted where. */
  get mounts(): MountTable<FileSystem> {
    return this.#mounts
  }

  /** Walks a guest's path. Throws ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, and ENOTCAPABLE for what leads out. */
  walk(start: WalkStart, path: ByteString, lastSymlink: LastSymlink): Resolved {
    if (path.startsWith('/')) throw new WasiError('ENOTCAPABLE')
    const bare = lastSymlink === 'keep' ? path.replace(/\/+$/, '') : path
    const resolved = resolve(start.handle, bare, {
      followLast: lastSymlink === 'follow',
      credentials: this.credentials,
      mounts: this.#mounts,
      beneath: start.confined,
    })
    return bare === path ? resolved : { ...resolved, mustBeDirectory: true }
  }

  /** Walks a path of the host's own, absolute or from `/`, with every right. */
  walkAsHost(path: ByteString): Resolved {
    return resolve(this.root, path, { followLast: true, mounts: this.#mounts })
  }

  /** Counts names that a listing keeps, or gives them back when negative. Throws ENOMEM. */
  takeListed(count: number): void {
    if (count > 0 && this.#listed + count > MAXIMUM_LISTED) throw new WasiError('ENOMEM')
    this.#listed += count
  }

  /** Whether a handle is the root's. */
  isRoot(handle: DirectoryHandle): boolean {
    return handle.parent === null && handle.ino === this.root.ino
  }

  stat(place: Place): Stat {
    return place.fs.stat(place.ino)
  }

  filestat(place: Place): Filestat {
    return filestatOf(this.#mounted.get(place.fs)?.device ?? 0, place.fs.stat(place.ino))
  }

  isReadonly(fs: FileSystem): boolean {
    return this.#mounted.get(fs)?.readonly ?? true
  }

  /** Throws EACCES when permission bits deny `wanted`. */
  checkAccess(place: Place, wanted: number): void {
    if (!this.mayAccess(place, wanted)) throw new ErrnoError('EACCES')
  }

  /** Whether permission bits allow all of `wanted`. uid 0 may read and write whatever they say, so they are not looked at. */
  mayAccess(place: Place, wanted: number): boolean {
    return (this.credentials.uid === 0 && (wanted & EXECUTE) === 0) || mayAccess(this.stat(place), this.credentials, wanted)
  }

  /** Throws EPERM unless the inode is the guest's. */
  checkOwner(place: Place): void {
    if (this.credentials.uid !== 0 && this.credentials.uid !== this.stat(place).uid) throw new ErrnoError('EPERM')
  }

  /** Throws EROFS where nothing may change. */
  checkWritable(fs: FileSystem): void {
    if (this.isReadonly(fs)) throw new ErrnoError('EROFS')
  }

  /**
   * The free name that a walk ended at. Throws EEXIST when there is something, EROFS, EACCES; EPERM for a name of the root's tree that
   * would take another file away when the tree is kept as a layer (image-spec, layer.md, "Whiteouts").
   */
  vacancy(resolved: Resolved): { readonly directory: Place; readonly name: ByteString } {
    if (resolved.ino !== undefined || resolved.name === null) throw new ErrnoError('EEXIST')
    this.checkAccess(resolved.parent, WRITE | EXECUTE)
    this.checkWritable(resolved.parent.fs)
    if (resolved.parent.fs === this.root.fs && resolved.name.startsWith(WHITEOUT_PREFIX)) throw new ErrnoError('EPERM')
    return { directory: resolved.parent, name: resolved.name }
  }

  /** The taken name that a walk ended at, to be removed or replaced. Throws ENOENT, EROFS, EACCES, EPERM, EBUSY for a mount. */
  occupancy(resolved: Resolved): { readonly directory: Place; readonly name: ByteString; readonly place: Place } {
    if (resolved.name === null) throw new WasiError('EBUSY')
    if (resolved.ino === undefined) throw new ErrnoError('ENOENT')
    const directory = resolved.parent
    const covered = directory.fs.lookup(directory.ino, resolved.name)
    if (covered !== undefined && this.#mounts.at(directory.fs, covered) !== undefined) throw new WasiError('EBUSY')
    const place = { fs: resolved.fs, ino: resolved.ino }
    if (!mayRemove(this.stat(directory), this.stat(place), this.credentials)) throw new ErrnoError('EACCES')
    this.checkWritable(directory.fs)
    return { directory, name: resolved.name, place }
  }
}

/** What a walk found. Throws ENOENT when there is nothing. */
export function existing(resolved: Resolved): Place {
  if (resolved.ino === undefined) throw new ErrnoError('ENOENT')
  return { fs: resolved.fs, ino: resolved.ino }
}
