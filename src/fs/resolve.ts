/**
 * Paths, walked with a stack of directory handles and never joined as strings. A handle knows the directory it was reached through, so `..`
 * goes back the way that was come, stays at the root, and leaves a mounted tree as it was entered. Nothing outside the handles can be
 * named.
 */
import { type Credentials, EXECUTE, mayAccess } from './access.js'
import { ErrnoError } from './errno.js'
import type { ByteString, FileSystem, FileType, Ino, ReadonlyFileSystem } from './file-system.js'
import type { MountTable } from './mounts.js'

/** A directory as it was reached. */
export interface DirectoryHandle<F extends ReadonlyFileSystem = FileSystem> {
  readonly fs: F
  readonly ino: Ino
  /** The directory it was reached through; null for the root. */
  readonly parent: DirectoryHandle<F> | null
}

/** How a path is walked. */
export interface ResolveOptions<F extends ReadonlyFileSystem = FileSystem> {
  /** Whether a symlink at the end is followed (most calls) or is what is meant (lstat, unlink, rename, readlink). */
  readonly followLast: boolean
  /** Asked for search permission in each directory; without, nothing is asked. */
  readonly credentials?: Credentials
  readonly mounts?: MountTable<F>
  /**
   * Refuses with EPERM, as WASI asks, an absolute path and a `..` above `start`; a symlink's target may still lead anywhere in the tree.
   */
  readonly beneath?: boolean
}

/** Where a path leads. */
export interface Resolved<F extends ReadonlyFileSystem = FileSystem> {
  /** The directory that holds the last component; for a path that ends in `.`, `..` or `/`, the directory itself. */
  readonly parent: DirectoryHandle<F>
  /** The last component; null for a path that ends in `.`, `..` or is `/`: such a path can't be made, removed or renamed. */
  readonly name: ByteString | null
  /** File system of `ino`: another than the parent's at a mount. */
  readonly fs: F
  /** Undefined when everything but the last component exists. */
  readonly ino: Ino | undefined
  readonly type: FileType | undefined
  /** Set when it is a directory: to go on from. */
  readonly directory: DirectoryHandle<F> | null
  /** The path ended in a slash: only a directory may be made there. */
  readonly mustBeDirectory: boolean
}

const MAXIMUM_PATH_BYTES = 4096
const MAXIMUM_NAME_BYTES = 255
/** Symlinks followed in one walk (Linux: path_resolution(7)). */
const MAXIMUM_SYMLINKS = 40

/** Handle of a tree's root. */
export function rootHandle<F extends ReadonlyFileSystem>(fs: F): DirectoryHandle<F> {
  return { fs, ino: fs.root, parent: null }
}

/**
 * Walks `path` from `start`, or from the root of `start` when it is absolute.
 * Throws ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EPERM (only `beneath`).
 */
export function resolve<F extends ReadonlyFileSystem>(
  start: DirectoryHandle<F>,
  path: ByteString,
  options: ResolveOptions<F>,
): Resolved<F> {
  if (path === '') throw new ErrnoError('ENOENT', 'an empty path')
  if (path.includes('\0')) throw new ErrnoError('EINVAL', 'NUL in a path')
  if (options.beneath && path.startsWith('/')) throw new ErrnoError('EPERM', 'an absolute path')
  return new Walk(start, options).walk(path)
}

class Walk<F extends ReadonlyFileSystem> {
  readonly #start: DirectoryHandle<F>
  readonly #options: ResolveOptions<F>
  #directory: DirectoryHandle<F>
  /** Components still to go, the next one last. Those of a symlink's target come on top. */
  readonly #pending: ByteString[] = []
  /** How many of the pending components the path itself has left. */
  #ownLeft = 0
  #symlinks = 0
  #mustBeDirectory = false

  constructor(start: DirectoryHandle<F>, options: ResolveOptions<F>) {
    this.#start = start
    this.#options = options
    this.#directory = start
  }

  walk(path: ByteString): Resolved<F> {
    this.#push(path)
    this.#ownLeft = this.#pending.length
    this.#mustBeDirectory = path.endsWith('/')
    for (let component = this.#pending.pop(); component !== undefined; component = this.#pending.pop()) {
      const isOwn = this.#pending.length < this.#ownLeft
      if (isOwn) this.#ownLeft = this.#pending.length
      const found = component === '..' ? this.#ascend(isOwn) : component === '.' ? this.#stay() : this.#descend(component)
      if (found !== null) return found
    }
    return this.#here()
  }

  #push(path: ByteString): void {
    if (path.length >= MAXIMUM_PATH_BYTES) throw new ErrnoError('ENAMETOOLONG')
    if (path.startsWith('/')) while (this.#directory.parent !== null) this.#directory = this.#directory.parent
    const components = path.split('/')
    for (let place = components.length - 1; place >= 0; place--) {
      const component = components[place]
      if (component) this.#pending.push(component)
    }
  }

  #stay(): null {
    this.#checkSearch()
    return null
  }

  #ascend(isOwn: boolean): null {
    this.#checkSearch()
    if (this.#options.beneath && isOwn && this.#directory === this.#start) throw new ErrnoError('EPERM', '".." above the directory')
    this.#directory = this.#directory.parent ?? this.#directory
    return null
  }

  // The result when `name` is where the walk ends, else null.
  #descend(name: ByteString): Resolved<F> | null {
    const directory = this.#directory
    this.#checkSearch()
    if (name.length > MAXIMUM_NAME_BYTES) throw new ErrnoError('ENAMETOOLONG')
    const isLast = this.#pending.length === 0
    const ino = directory.fs.lookup(directory.ino, name)
    if (ino === undefined) {
      if (!isLast) throw new ErrnoError('ENOENT', name)
      return this.#end(name, directory.fs, undefined, undefined, null)
    }
    const type = directory.fs.typeOf?.(ino) ?? directory.fs.stat(ino).type
    if (type === 'symlink' && (!isLast || this.#options.followLast || this.#mustBeDirectory)) {
      this.#follow(directory.fs.readlink(ino))
      return null
    }
    if (type !== 'directory') {
      if (!isLast || this.#mustBeDirectory) throw new ErrnoError('ENOTDIR', name)
      return this.#end(name, directory.fs, ino, type, null)
    }
    const below = this.#enter(directory, ino)
    if (isLast) return this.#end(name, below.fs, below.ino, type, below)
    this.#directory = below
    return null
  }

  #follow(target: ByteString): void {
    if (++this.#symlinks > MAXIMUM_SYMLINKS) throw new ErrnoError('ELOOP')
    if (target.endsWith('/') && this.#pending.length === 0) this.#mustBeDirectory = true
    this.#push(target)
  }

  #enter(parent: DirectoryHandle<F>, ino: Ino): DirectoryHandle<F> {
    let { fs } = parent
    let at = ino
    for (let mounted = this.#options.mounts?.at(fs, at); mounted !== undefined; mounted = this.#options.mounts?.at(fs, at)) {
      fs = mounted
      at = mounted.root
    }
    return { fs, ino: at, parent }
  }

  #checkSearch(): void {
    const { credentials } = this.#options
    const { fs, ino } = this.#directory
    if (credentials !== undefined && credentials.uid !== 0 && !mayAccess(fs.stat(ino), credentials, EXECUTE)) throw new ErrnoError('EACCES')
  }

  #end(name: ByteString, fs: F, ino: Ino | undefined, type: FileType | undefined, directory: DirectoryHandle<F> | null): Resolved<F> {
    return { parent: this.#directory, name, fs, ino, type, directory, mustBeDirectory: this.#mustBeDirectory }
  }

  #here(): Resolved<F> {
    const directory = this.#directory
    return { parent: directory, name: null, fs: directory.fs, ino: directory.ino, type: 'directory', directory, mustBeDirectory: true }
  }
}
