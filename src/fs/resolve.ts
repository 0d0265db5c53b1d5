/**
 * Paths, walked with a stack of directory handles and never joined as strings. A handle knows the directory it was reached through, so `..`
 * goes back the way that was come, stays at the root, and leaves a mounted tree as it was entered. Nothing outside the handles can be
 * named.
 */
import { type Credentials, EXECUTE, mayAccess } from './access.js'
import { ErrnoError } from './errno.js'
import type { ByteString, DirectoryEntry, FileSystem, FileType, Ino, ReadonlyFileSystem } from './file-system.js'
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

const SLASH = 0x2f
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

/** A path that goes on behind a symlink's target. */
interface Interrupted {
  readonly path: ByteString
  readonly at: number
  readonly isOwn: boolean
}

function entryOf({ fs, ino: directory }: DirectoryHandle<ReadonlyFileSystem>, name: ByteString): DirectoryEntry | undefined {
  if (fs.lookupEntry !== undefined) return fs.lookupEntry(directory, name)
  const ino = fs.lookup(directory, name)
  return ino === undefined ? undefined : { name, ino, type: fs.stat(ino).type }
}

/** The first place from `at` on that is no slash. */
function behindSlashes(path: ByteString, at: number): number {
  let place = at
  while (path.charCodeAt(place) === SLASH) place++
  return place
}

class Walk<F extends ReadonlyFileSystem> {
  readonly #start: DirectoryHandle<F>
  readonly #options: ResolveOptions<F>
  #directory: DirectoryHandle<F>
  /** What is being walked: the path itself, or the target of a symlink; and where its next component begins. */
  #path: ByteString = ''
  #at = 0
  #isOwn = true
  /** What has components left behind those of a symlink's target, the next one last. */
  #interrupted: Interrupted[] | null = null
  #symlinks = 0
  #mustBeDirectory = false

  constructor(start: DirectoryHandle<F>, options: ResolveOptions<F>) {
    this.#start = start
    this.#options = options
    this.#directory = start
  }

  walk(path: ByteString): Resolved<F> {
    this.#begin(path)
    this.#mustBeDirectory = path.endsWith('/')
    while (this.#hasNext()) {
      const isOwn = this.#isOwn
      const component = this.#next()
      const found = component === '..' ? this.#ascend(isOwn) : component === '.' ? this.#stay() : this.#descend(component)
      if (found !== null) return found
    }
    return this.#here()
  }

  #begin(path: ByteString): void {
    if (path.length >= MAXIMUM_PATH_BYTES) throw new ErrnoError('ENAMETOOLONG')
    if (path.startsWith('/')) while (this.#directory.parent !== null) this.#directory = this.#directory.parent
    this.#path = path
    this.#at = behindSlashes(path, 0)
  }

  /** Whether there is a component left, which {@link #next} gives. */
  #hasNext(): boolean {
    while (this.#at === this.#path.length) {
      const interrupted = this.#interrupted?.pop()
      if (interrupted === undefined) return false
      this.#path = interrupted.path
      this.#at = interrupted.at
      this.#isOwn = interrupted.isOwn
    }
    return true
  }

  #next(): ByteString {
    const slash = this.#path.indexOf('/', this.#at)
    const end = slash < 0 ? this.#path.length : slash
    const component = this.#path.slice(this.#at, end)
    this.#at = behindSlashes(this.#path, end)
    return component
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
    const isLast = !this.#hasNext()
    const entry = entryOf(directory, name)
    if (entry === undefined) {
      if (!isLast) throw new ErrnoError('ENOENT', name)
      return this.#end(name, directory.fs, undefined, undefined, null)
    }
    const { ino, type } = entry
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
    if (this.#hasNext()) (this.#interrupted ??= []).push({ path: this.#path, at: this.#at, isOwn: this.#isOwn })
    else if (target.endsWith('/')) this.#mustBeDirectory = true
    this.#isOwn = false
    this.#begin(target)
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
