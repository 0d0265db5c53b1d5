/**
 * Copying out of and into a file tree with what is mounted in it, by tar: paths are walked by handles, so that symlinks lead where they lead
 * inside the tree and nowhere else. What an archive says is bound to the place it is unpacked at: its names cannot leave it by `..`, and
 * below a directory of its own no symlink is followed.
 */
import { EngineError } from '../errors.js'
import { ErrnoError } from '../fs/errno.js'
import {
  type ByteString,
  type DirectoryEntry,
  type FileSystem,
  type Ino,
  MAXIMUM_FILE_BYTES,
  type ReadonlyFileSystem,
  type Stat,
} from '../fs/file-system.js'
import type { MountTable } from '../fs/mounts.js'
import { toUtf8 } from '../fs/names.js'
import { type DirectoryHandle, resolve } from '../fs/resolve.js'
import { archivePath, parentPath } from './archive-path.js'
import { readEntries, type TarEntry } from './entry.js'
import type { PackEntry } from './pack.js'
import { packEntryOf } from './pack-tree.js'
import type { ByteSource } from './source.js'

/** A tree and what is mounted in it. */
export interface MountedTree {
  readonly root: DirectoryHandle
  readonly mounts: MountTable<FileSystem>
  isReadonly(fs: FileSystem): boolean
}

/** An inode of one of the file systems of a tree. */
export interface TreePlace {
  readonly fs: FileSystem
  readonly ino: Ino
}

/**
 * What stands at a path: a symlink at its end itself, unless a slash or `/.` follows it. Null when there is nothing. Throws ELOOP, ENAMETOOLONG.
 */
export function placeAt({ root, mounts }: MountedTree, path: ByteString): TreePlace | null {
  try {
    const { fs, ino } = resolve(root, path, { followLast: false, mounts })
    return ino === undefined ? null : { fs, ino }
  } catch (error) {
    if (error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null
    throw error
  }
}

/** Entries of what stands at a place and of all below it, over mounts too: it bears `name`, what is below it `name/…`. For `packTar`. */
export function* placeEntries(
  { mounts }: Pick<MountedTree, 'mounts'>,
  place: TreePlace,
  name: ByteString,
): Generator<PackEntry, void, undefined> {
  const firstNames = new Map<FileSystem, Map<Ino, ByteString>>()
  const pending: (TreePlace & { readonly path: ByteString })[] = [{ ...place, path: name }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { fs, ino } = mountedAt(mounts, next)
    const { path } = next
    const { type, linkCount } = fs.stat(ino)
    const links = firstNames.get(fs) ?? new Map<Ino, ByteString>()
    firstNames.set(fs, links)
    const linkOf = type === 'directory' || linkCount < 2 ? null : (links.get(ino) ?? null)
    if (linkOf === null) links.set(ino, path)
    yield packEntryOf(fs, path, ino, linkOf)
    if (type !== 'directory') continue
    for (const entry of sorted(fs.readdir(ino)).reverse())
      pending.push({ fs, ino: entry.ino, path: path === '' ? entry.name : `${path}/${entry.name}` })
  }
}

function sorted(entries: readonly DirectoryEntry[]): DirectoryEntry[] {
  return [...entries].sort((left, right) => (left.name < right.name ? -1 : 1))
}

function mountedAt(mounts: MountTable<FileSystem>, { fs, ino }: TreePlace): TreePlace {
  for (let mounted = mounts.at(fs, ino); mounted !== undefined; mounted = mounts.at(fs, ino)) [fs, ino] = [mounted, mounted.root]
  return { fs, ino }
}

/** How the contents of a file get into the tree; by being written there, unless said. */
export type FillFile = (place: TreePlace, contents: FileContents) => void

/** What a file of an archive holds. */
export interface FileContents {
  readonly size: number
  /** Where it has bytes, in order. */
  readonly segments: readonly { readonly position: number; readonly length: number }[]
  /** Fills `buffer` from `position`; returns the bytes read. */
  read(buffer: Uint8Array, position: number): number
}

/**
 * Makes what an uncompressed tar holds below the directory at `path`. What bears its names makes way, but a directory and another thing never
 * make way for one another. Throws INVALID_ARCHIVE, UNSAFE_PATH, and INVALID_ARGUMENT for what cannot be; what was made before stays.
 */
export function unpackInto(tree: MountedTree, path: ByteString, tar: ByteSource, fill: FillFile = writeFile): void {
  const base = directoryAt(tree, path)
  if (base === null) throw noDirectory(toUtf8(path))
  const unpacking = new Unpacking(tree, base, { tar, fill, where: toUtf8(path).replace(/\/+$/, '') })
  for (const entry of readEntries(tar, { fileBytes: MAXIMUM_FILE_BYTES })) unpacking.add(entry)
  unpacking.finish()
}

function directoryAt({ root, mounts }: MountedTree, path: ByteString): DirectoryHandle | null {
  try {
    return resolve(root, path, { followLast: true, mounts }).directory
  } catch (error) {
    if (error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null
    throw error
  }
}

/** The error of copying into what is no directory. */
export function noDirectory(path: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `no such directory in the container: ${path}`, { data: { path } })
}

/** The error of copying a directory over something else, or the reverse. */
export function cannotOverwrite(path: string, what: 'directory' | 'non-directory'): EngineError {
  const other = what === 'directory' ? 'non-directory' : 'directory'
  return new EngineError('INVALID_ARGUMENT', `cannot overwrite ${what} ${path} with ${other}`, { data: { path } })
}

/** The error of copying to where nothing may be written. */
export function readOnlyPlace(path: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${path} is on a file system that is read-only in the container`, { data: { path } })
}

/** The error of copying a device. */
export function cannotMakeDevice(path: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `the archive holds a device, which can't be made: ${path}`, {
    hint: 'Leave it out: a container has its own /dev.',
    data: { path },
  })
}

interface UnpackingParts {
  readonly tar: ByteSource
  readonly fill: FillFile
  /** The place, for messages. */
  readonly where: string
}

class Unpacking {
  readonly #tree: MountedTree
  readonly #parts: UnpackingParts
  /** Directories that the archive has entries for. */
  readonly #directories = new Map<ByteString, DirectoryHandle>()
  /** Those with what they are to be when all is in them: nothing could be made in some of them then. */
  readonly #unfinished: { readonly place: TreePlace; readonly entry: TarEntry }[] = []

  constructor(tree: MountedTree, base: DirectoryHandle, parts: UnpackingParts) {
    this.#tree = tree
    this.#parts = parts
    this.#directories.set('', base)
  }

  add(entry: TarEntry): void {
    const path = archivePath(entry.name)
    // The place itself keeps what it has; no file system has a socket made from outside.
    if (path === '' || entry.type === 'socket') return
    try {
      this.#add(entry, path)
    } catch (error) {
      throw error instanceof ErrnoError ? this.#failed(error, path) : error
    }
  }

  finish(): void {
    for (const { place, entry } of this.#unfinished.reverse()) finishEntry(place, entry)
  }

  #add(entry: TarEntry, path: ByteString): void {
    const parent = this.#directory(parentPath(path))
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (this.#tree.isReadonly(parent.fs)) throw new ErrnoError('EROFS')
    const existing = parent.fs.lookup(parent.ino, name)
    if (entry.type === 'directory') this.#addDirectory(entry, path, { parent, name, existing })
    else this.#addOther(entry, path, { parent, name, existing })
  }

  #addOther(entry: TarEntry, path: ByteString, { parent, name, existing }: Target): void {
    if (existing !== undefined) {
      if (parent.fs.stat(existing).type === 'directory') throw cannotOverwrite(this.#shown(path), 'directory')
      if (this.#tree.mounts.at(parent.fs, existing) !== undefined) throw new ErrnoError('EROFS', 'a mount')
    }
    if (entry.type === 'hardlink') {
      this.#addLink(entry, { parent, name, existing })
      return
    }
    if (existing !== undefined) parent.fs.unlink(parent.ino, name)
    const { type, mode, uid, gid } = entry
    if (type === 'character-device' || type === 'block-device') throw cannotMakeDevice(this.#shown(path))
    const target = type === 'symlink' ? { target: entry.target } : {}
    const place = { fs: parent.fs, ino: parent.fs.create(parent.ino, name, { type, mode, uid, gid, ...target }) }
    if (type === 'file') this.#parts.fill(place, contentsOf(entry, this.#parts.tar))
    finishEntry(place, entry)
  }

  #addDirectory(entry: TarEntry, path: ByteString, { parent, name, existing }: Target): void {
    if (existing !== undefined && parent.fs.stat(existing).type !== 'directory') throw cannotOverwrite(this.#shown(path), 'non-directory')
    const ino = existing ?? parent.fs.create(parent.ino, name, { type: 'directory', mode: 0o700, uid: entry.uid, gid: entry.gid })
    const place = mountedAt(this.#tree.mounts, { fs: parent.fs, ino })
    if (this.#tree.isReadonly(place.fs)) throw new ErrnoError('EROFS')
    this.#directories.set(path, { ...place, parent })
    this.#unfinished.push({ place, entry })
  }

  #addLink(entry: TarEntry, { parent, name, existing }: Target): void {
    const target = archivePath(entry.target)
    const folder = this.#directory(parentPath(target))
    const ino = folder.fs.lookup(folder.ino, target.slice(target.lastIndexOf('/') + 1))
    if (ino === undefined) throw new ErrnoError('ENOENT', target)
    if (folder.fs !== parent.fs) throw new ErrnoError('EXDEV', target)
    if (existing === ino) return
    if (existing !== undefined) parent.fs.unlink(parent.ino, name)
    parent.fs.link(ino, parent.ino, name)
  }

  /** A directory of the archive's own, or one that is there, or is made, where symlinks lead. */
  #directory(path: ByteString): DirectoryHandle {
    const own = this.#directories.get(path)
    if (own !== undefined) return own
    const above = this.#directory(parentPath(path))
    const name = path.slice(path.lastIndexOf('/') + 1)
    const found = resolve(above, name, { followLast: true, mounts: this.#tree.mounts })
    if (found.directory !== null) return found.directory
    if (found.ino !== undefined || found.name === null) throw new ErrnoError('ENOTDIR', path)
    if (this.#tree.isReadonly(found.parent.fs)) throw new ErrnoError('EROFS')
    const ino = found.parent.fs.create(found.parent.ino, found.name, { type: 'directory', mode: 0o755, uid: 0, gid: 0 })
    return { fs: found.parent.fs, ino, parent: found.parent }
  }

  #shown(path: ByteString): string {
    return `${this.#parts.where}/${toUtf8(path)}`
  }

  #failed(error: ErrnoError, path: ByteString): EngineError {
    const shown = this.#shown(path)
    if (error.code === 'EROFS') return readOnlyPlace(shown)
    return new EngineError('INVALID_ARGUMENT', `${shown} cannot be made: ${error.message}`, {
      cause: error,
      data: { path: shown, errno: error.code },
      ...(error.code === 'ENOSPC' ? { hint: 'No space is left, or the limit for this container is reached.' } : {}),
    })
  }
}

interface Target {
  readonly parent: DirectoryHandle
  readonly name: ByteString
  readonly existing: Ino | undefined
}

/** What it is beside its name and its contents, its times last. */
function finishEntry({ fs, ino }: TreePlace, { mode, uid, gid, xattrs, type, mtimeNs }: TarEntry): void {
  // A symlink has no mode of its own, and to change one would be to change what it leads to.
  fs.setAttributes(ino, type === 'symlink' ? { uid, gid } : { mode, uid, gid })
  for (const [name, value] of xattrs) {
    try {
      fs.setXattr(ino, name, value)
    } catch (error) {
      // A directory of the host's has none that could be set from here.
      if (!(error instanceof ErrnoError) || error.code !== 'ENOTSUP') throw error
    }
  }
  fs.setAttributes(ino, { mtimeNs })
}

function contentsOf({ size, segments }: TarEntry, tar: ByteSource): FileContents {
  return {
    size,
    segments,
    read(buffer, position) {
      const segment = segments.find((candidate) => position >= candidate.position && position < candidate.position + candidate.length)
      if (segment !== undefined) {
        const skipped = position - segment.position
        return tar.read(buffer.subarray(0, Math.min(buffer.length, segment.length - skipped)), segment.offset + skipped)
      }
      const end = segments.find((candidate) => candidate.position > position)?.position ?? size
      const count = Math.max(0, Math.min(buffer.length, end - position))
      buffer.fill(0, 0, count)
      return count
    },
  }
}

const CHUNK_BYTES = 1 << 20

/** Writes a new file's contents, its holes left out. */
export function writeFile({ fs, ino }: TreePlace, { size, segments, read }: FileContents): void {
  const chunk = new Uint8Array(CHUNK_BYTES)
  for (const { position, length } of segments)
    for (let at = position; at < position + length; ) {
      const count = read(chunk.subarray(0, Math.min(CHUNK_BYTES, position + length - at)), at)
      if (count === 0) throw new ErrnoError('EIO', 'the archive ends inside a file')
      fs.write(ino, chunk.subarray(0, count), at)
      at += count
    }
  const last = segments.at(-1)
  if ((last === undefined ? 0 : last.position + last.length) < size) fs.setAttributes(ino, { size })
}

/** What a tree shows of an inode without its file system's own numbers. */
export type PlaceStat = Pick<Stat, 'type' | 'mode' | 'uid' | 'gid' | 'size' | 'mtimeNs'> & { readonly target: ByteString }

/** What stands at a place. */
export function statPlace({ fs, ino }: { readonly fs: ReadonlyFileSystem; readonly ino: Ino }): PlaceStat {
  const { type, mode, uid, gid, size, mtimeNs } = fs.stat(ino)
  return { type, mode, uid, gid, size, mtimeNs, target: type === 'symlink' ? fs.readlink(ino) : '' }
}
