/**
 * What wolffia asks of an object that looks like `node:fs`: synchronous calls on paths, which memfs's `Volume` has, and its `fs`, and others.
 * Numbers may be bigints where Node has both.
 */

/** What of a file's `Stats` is read. */
export interface NodeFsStats {
  /** Tells files apart: two names with one number are one file. */
  readonly ino: number | bigint
  /** Kind and permission bits, as stat(2) has them. */
  readonly mode: number | bigint
  readonly size: number | bigint
  readonly nlink: number | bigint
  readonly atimeMs: number | bigint
  readonly mtimeMs: number | bigint
  readonly ctimeMs: number | bigint
}

/** The calls, each as `node:fs` has it. */
export interface NodeFsLike {
  /** Attributes of what bears the name, of a symlink its own. */
  lstatSync(path: string): NodeFsStats
  /** Attributes of an open file, also when it has no name any more. */
  fstatSync(descriptor: number): NodeFsStats
  /** Names in a directory. */
  readdirSync(path: string): readonly unknown[]
  /** Target of a symlink. */
  readlinkSync(path: string): unknown
  /** A descriptor; flags `r`, `r+` and `wx` are used. */
  openSync(path: string, flags: string, mode?: number): number
  /** Gives a descriptor back. */
  closeSync(descriptor: number): void
  /** Bytes read, 0 at the end. */
  readSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number
  /** Bytes written. */
  writeSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number
  /** Cuts off, or adds zeros. */
  ftruncateSync(descriptor: number, length: number): void
  /** Makes one directory. */
  mkdirSync(path: string, options: { readonly mode: number }): unknown
  /** Makes a symlink, whatever its target says. */
  symlinkSync(target: string, path: string): void
  /** Makes another name for a file. */
  linkSync(existing: string, path: string): void
  /** Moves, and replaces. */
  renameSync(from: string, to: string): void
  /** Removes a name that is not a directory's. */
  unlinkSync(path: string): void
  /** Removes an empty directory. */
  rmdirSync(path: string): void
  /** Sets permission bits. */
  chmodSync(path: string, mode: number): void
  /** Seconds since the epoch. */
  utimesSync(path: string, atime: number, mtime: number): void
}

/** Their names. */
export const NODE_FS_CALLS = [
  'lstatSync',
  'fstatSync',
  'readdirSync',
  'readlinkSync',
  'openSync',
  'closeSync',
  'readSync',
  'writeSync',
  'ftruncateSync',
  'mkdirSync',
  'symlinkSync',
  'linkSync',
  'renameSync',
  'unlinkSync',
  'rmdirSync',
  'chmodSync',
  'utimesSync',
] as const satisfies readonly (keyof NodeFsLike)[]
