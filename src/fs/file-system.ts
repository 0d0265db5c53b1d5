/**
 * A file tree in memory, as inodes.
 *
 * Two invariants hold for everything in `fs/` and `layer/`:
 *
 * - Names and link targets are **byte strings**: JavaScript strings in which each character is one byte (latin1). Linux
 *   names are bytes, not Unicode; this keeps them exact and comparable. `names.ts` converts to and from UTF-8 at the edges.
 * - Every call is **synchronous**: a WASI call must return before the guest goes on. Paths never appear below
 *   `resolve.ts`: each call takes an inode and one name.
 *
 * Calls throw {@link ErrnoError} with the errno that Linux gives for the same mistake.
 */

/** A name or link target as bytes, one character each (latin1). */
export type ByteString = string

/** Number of an inode, unique within one file system and never reused while that file system lives. */
export type Ino = number

/** Kinds of file (POSIX `st_mode & S_IFMT`). */
export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device'
/** All of them by number. Stored indexes of layers have these numbers, so they stay. */
export const FILE_TYPES: readonly FileType[] = ['file', 'directory', 'symlink', 'fifo', 'socket', 'character-device', 'block-device']

/** Device number of a character or block device. */
export interface DeviceNumber {
  readonly major: number
  readonly minor: number
}

/** Attributes of an inode, as stat(2) gives them. Times are nanoseconds since the epoch. */
export interface Stat {
  readonly ino: Ino
  readonly type: FileType
  /** Permission bits with setuid, setgid and sticky: `0o7777` at most. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly linkCount: number
  /** Bytes; for a symlink the length of its target. */
  readonly size: number
  readonly device: DeviceNumber | null
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** One name in a directory. `.` and `..` are never listed. */
export interface DirectoryEntry {
  readonly name: ByteString
  readonly ino: Ino
  readonly type: FileType
}

/** The longest file, holes included: no file system under a container is likely to hold a longer one. Beyond it is EFBIG. */
export const MAXIMUM_FILE_BYTES = 2 ** 40
/** The longest path from the root, without a leading slash: with one, and with the NUL behind it, it is Linux's PATH_MAX. */
export const MAXIMUM_PATH_BYTES = 4094

/** A run of a file's bytes. */
export interface FileSegment {
  readonly position: number
  readonly length: number
}

/** Is told of an entry of a directory, whose name is `length` bytes of `bytes` from `start` on; only to be read while it is told. */
export type EntryVisitor = (bytes: Uint8Array, start: number, length: number, ino: Ino, type: FileType) => void

/** What every file tree can be asked: a layer, a union, a host directory behind a handle. */
export interface ReadonlyFileSystem {
  /** Inode of the root directory. */
  readonly root: Ino
  /** Inode of `name` in `directory`, or undefined when there is none. `.` and `..` are the caller's business. Throws ENOTDIR. */
  lookup(directory: Ino, name: ByteString): Ino | undefined
  /** The same with the inode's type, where that takes no second call. Throws ENOTDIR. */
  lookupEntry?(directory: Ino, name: ByteString): DirectoryEntry | undefined
  /** Attributes of an inode, of a symlink its own. */
  stat(ino: Ino): Stat
  /** Entries in an order that stays the same while the directory is unchanged. Throws ENOTDIR. */
  readdir(directory: Ino): readonly DirectoryEntry[]
  /** The same without an object for each entry, where a tree has the names as bytes. The visitor does not ask the tree anything. */
  visitEntries?(directory: Ino, visit: EntryVisitor): void
  /** Target of a symlink. Throws EINVAL for anything else. */
  readlink(ino: Ino): ByteString
  /** Reads into `buffer` from byte `position`; returns the bytes read, 0 at the end. Throws EISDIR, EIO. */
  read(ino: Ino, buffer: Uint8Array, position: number): number
  /** Where a file may hold anything but zeros, in order and without overlaps; the rest are holes. A tree without it knows of no holes. */
  segments?(ino: Ino): Iterable<FileSegment>
  /** Extended attributes, values byte for byte. */
  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array>
}

/** What a new inode is to be. */
export interface NewInode {
  readonly type: FileType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** For symlinks. */
  readonly target?: ByteString
  /** For devices. */
  readonly device?: DeviceNumber
}

/** Attributes to change; what is absent stays. Setting any of them sets ctime. */
export interface AttributeChange {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly atimeNs?: bigint
  readonly mtimeNs?: bigint
}

/** A file tree that can be written. Permission bits are judged by the caller (`resolve.ts`), not here. */
export interface FileSystem extends ReadonlyFileSystem {
  /** Makes `name` in `directory`. Throws EEXIST, ENOTDIR, ENOSPC, and ENAMETOOLONG for a name or, in a union, a path that is too long. */
  create(directory: Ino, name: ByteString, inode: NewInode): Ino
  setAttributes(ino: Ino, change: AttributeChange): void
  setXattr(ino: Ino, name: ByteString, value: Uint8Array): void
  removeXattr(ino: Ino, name: ByteString): void
  /** Writes all of `buffer` at byte `position`, filling a gap with zeros; returns its length. Throws ENOSPC, EFBIG, EISDIR. */
  write(ino: Ino, buffer: Uint8Array, position: number): number
  /** Makes another name for `ino`. Throws EEXIST, EPERM for directories. */
  link(ino: Ino, directory: Ino, name: ByteString): void
  /** Removes a name that is not a directory's. The inode lives on while it has names or is {@link retain}ed. */
  unlink(directory: Ino, name: ByteString): void
  /** Removes an empty directory. Throws ENOTEMPTY, ENOTDIR. */
  rmdir(directory: Ino, name: ByteString): void
  /** Renames as rename(2) does, replacing a target of the same kind. Throws EINVAL when a directory would go below itself. */
  rename(from: Ino, fromName: ByteString, to: Ino, toName: ByteString): void
  /** Keeps the inode alive without a name: an open descriptor. */
  retain(ino: Ino): void
  /** Gives back one {@link retain}. */
  release(ino: Ino): void
  /** Several calls as one, where threads share the tree: no other thread's comes between. Absent where only one has it. */
  atomically?<T>(work: () => T): T
}

/** One difference between a union's lower layers and what is visible now. */
export interface Change {
  /** Path from the root without a leading slash, byte string. */
  readonly path: ByteString
  readonly kind: 'added' | 'modified' | 'deleted'
  /** A directory that took the place of another: nothing of the lower one shows through. */
  readonly opaque?: true
}
