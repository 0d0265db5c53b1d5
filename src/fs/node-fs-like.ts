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
  lstatSync(path: string): NodeFsStats
  fstatSync(descriptor: number): NodeFsStats
  readdirSync(path: string): readonly unknown[]
  readlinkSync(path: string): unknown
  openSync(path: string, flags: string, mode?: number): number
  closeSync(descriptor: number): void
  readSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number
  writeSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number
  ftruncateSync(descriptor: number, length: number): void
  mkdirSync(path: string, options: { readonly mode: number }): unknown
  symlinkSync(target: string, path: string): void
  linkSync(existing: string, path: string): void
  renameSync(from: string, to: string): void
  unlinkSync(path: string): void
  rmdirSync(path: string): void
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
