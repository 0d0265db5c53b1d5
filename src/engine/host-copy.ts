/**
 * `cp` between a container and the host, by docker's rules: what a copy is called, and where it goes, depends on what stands at both ends and
 * on how their paths are written. On the host every name of an archive is made below a handle of the destination.
 */
import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import type { Container, ContainerPathStat } from '../container/container.js'
import { spoolTar } from '../container/files.js'
import { EngineError } from '../errors.js'
import type { AttributeChange, ByteString, FileSystem, Ino, NewInode } from '../fs/file-system.js'
import { MountTable } from '../fs/mounts.js'
import { fromUtf8 } from '../fs/names.js'
import { rootHandle } from '../fs/resolve.js'
import { type PackEntry, packTar } from '../layer/pack.js'
import { placeEntries, unpackInto } from '../layer/tree-copy.js'
import { HostDirectory } from '../wasm/sandbox/host-directory.js'

/** Options of a copy. */
export interface HostCopyOptions {
  /** Copies what a symlink at the end of the source leads to, and not the symlink. */
  readonly followLink?: boolean
  /** Into a container: keeps the owners' numbers; without, all is root's. */
  readonly keepOwners?: boolean
  readonly signal?: AbortSignal
}

/** What was copied. */
export interface HostCopied {
  /** Of the archive that was sent. */
  readonly bytes: number
  /** Where it went, as docker shows it. */
  readonly destination: string
}

/** What stands at an end of a copy. */
interface End {
  readonly path: string
  readonly exists: boolean
  readonly isDirectory: boolean
}

const MAXIMUM_SYMLINKS = 40

const WITHOUT_SET_ID = 0o1777

/** Copies out of a container. `temporaryPath` is a path for a new file, which is gone afterwards. Rejects with FILE_NOT_FOUND, INVALID_ARGUMENT. */
export async function copyToHost(
  container: Container,
  source: string,
  destination: string,
  { followLink = false, signal, temporaryPath }: HostCopyOptions & { readonly temporaryPath: string },
): Promise<HostCopied> {
  const to = absolutePath(destination)
  assertOutputPath(to)
  const linked = followLink ? await container.statPath(source) : null
  const from = linked?.type === 'symlink' ? withEnding(linked.linkTarget, source) : source
  const stat = await container.statPath(from)
  const { directory, name } = placeFor({ isDirectory: stat.type === 'directory' }, hostEnd(to))
  const { tar } = await container.copyOut(from, { name: name ?? lastName(source) })
  const counted = new Counter(tar)
  const spooled = await spoolTar(counted, temporaryPath, signal)
  const folder = openFolder(directory, DestinationFolder)
  try {
    unpackInto({ root: rootHandle<FileSystem>(folder), mounts: new MountTable(), isReadonly: () => false }, '/', spooled)
  } catch (error) {
    throw onHost(error, directory)
  } finally {
    folder.close()
    spooled.close()
  }
  return { bytes: counted.bytes, destination: to }
}

/** Copies into a container. Rejects with FILE_NOT_FOUND, INVALID_ARGUMENT, CONFLICT. */
export async function copyFromHost(
  container: Container,
  source: string,
  destination: string,
  { followLink = false, keepOwners = false, signal }: HostCopyOptions = {},
): Promise<HostCopied> {
  const given = absolutePath(source)
  const found = lookAt(given)
  const path = followLink ? withEnding(realpathSync(given), given) : given
  const { isDirectory } = followLink ? { isDirectory: statSync(given).isDirectory() } : { isDirectory: isDirectoryItself(given, found) }
  const to = await containerEnd(container, destination)
  const { directory, name } = placeFor({ isDirectory }, to)
  const tar = new Counter(hostTar(path, { name: name ?? lastName(given), keepOwners }))
  await container.copyIn(directory, tar, signal === undefined ? {} : { signal })
  return { bytes: tar.bytes, destination: `${container.name}:${to.path}` }
}

/** Unpacks a tar into a directory of a container, also where a symlink leads to it. Rejects as {@link copyFromHost}. */
export async function copyTarTo(container: Container, destination: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
  const { path, isDirectory } = await containerEnd(container, destination)
  if (!isDirectory) throw new EngineError('INVALID_ARGUMENT', `destination "${container.name}:${destination}" must be a directory`)
  await container.copyIn(path, tar)
}

/** Where a copy goes in a container, behind a symlink at its end. */
async function containerEnd(container: Container, destination: string): Promise<End> {
  const first = await statOrNull(container, destination)
  const path = first?.type === 'symlink' ? first.linkTarget : destination
  const stat = first?.type === 'symlink' ? await statOrNull(container, path) : first
  if (stat !== null && stat.type !== 'directory' && stat.type !== 'file')
    throw new EngineError('INVALID_ARGUMENT', `destination "${container.name}:${destination}" must be a directory or a regular file`)
  return { path, exists: stat !== null, isDirectory: stat?.type === 'directory' }
}

async function statOrNull(container: Container, path: string): Promise<ContainerPathStat | null> {
  try {
    return await container.statPath(path)
  } catch (error) {
    if (error instanceof EngineError && error.code === 'FILE_NOT_FOUND') return null
    throw error
  }
}

/** Docker's table of cases: the directory that a copy is unpacked in, and what it is called there; null for its own last name. */
export function placeFor(source: Pick<End, 'isDirectory'>, destination: End): { readonly directory: string; readonly name: string | null } {
  const { path, exists, isDirectory } = destination
  if (exists && isDirectory) return { directory: path, name: null }
  if (exists && source.isDirectory)
    throw new EngineError('INVALID_ARGUMENT', 'cannot copy directory', { data: { destination: path }, hint: `${path} is a file.` })
  if (!exists && !source.isDirectory && /(^|\/)\.?$/.test(path))
    throw new EngineError('INVALID_ARGUMENT', 'no such directory', { data: { destination: path }, hint: `${path} must be made first.` })
  return splitPath(path)
}

/** A path's directory and last name, without a slash at its end; `x/.` is `.` in `x`. */
function splitPath(path: string): { readonly directory: string; readonly name: string } {
  const isCurrent = /(^|\/)\.$/.test(path)
  return isCurrent ? { directory: path.slice(0, -1) || '.', name: '.' } : { directory: dirname(path), name: basename(path) }
}

/** What a copy is called without another name. */
function lastName(path: string): string {
  const name = splitPath(path).name
  return ['', '.', '..', '/'].includes(name) ? '.' : name
}

/** As `resolve`, but an ending that says "a directory" stays. */
function absolutePath(path: string): string {
  if (path.includes('\0')) throw new EngineError('INVALID_ARGUMENT', `a path holds a NUL byte: ${JSON.stringify(path)}`)
  return withEnding(resolve(path), path)
}

function withEnding(path: string, like: string): string {
  const ending = /(^|\/)\.$/.test(like) ? '/.' : like.endsWith('/') ? '/' : ''
  return path.replace(/\/+$/, '') + (ending === '' && /^\/+$/.test(path) ? '/' : ending)
}

function assertOutputPath(path: string): void {
  const directory = dirname(path)
  if (!isThere(directory))
    throw new EngineError('INVALID_ARGUMENT', `invalid output path: directory "${directory}" does not exist`, { data: { path } })
  const found = statSync(path.replace(/(?<=.)\/+$/, ''), { throwIfNoEntry: false })
  if (found !== undefined && !found.isDirectory() && !found.isFile())
    throw new EngineError('INVALID_ARGUMENT', `invalid output path: "${path}" must be a directory or a regular file`, { data: { path } })
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Where a copy goes on the host, behind symlinks at its end. */
function hostEnd(path: string): End {
  let at = path
  for (let count = 0; count < MAXIMUM_SYMLINKS; count++) {
    const bare = at.replace(/(?<=.)\/+$/, '')
    const found = lstatSync(bare, { throwIfNoEntry: false })
    if (found?.isSymbolicLink() !== true) return { path: at, exists: found !== undefined, isDirectory: found?.isDirectory() === true }
    const target = readlinkSync(bare)
    at = isAbsolute(target) ? target : join(dirname(bare), target)
  }
  throw new EngineError('INVALID_ARGUMENT', `too many symlinks: ${path}`, { data: { path } })
}

/** A guest's program must not become one of this user's that others may run: setuid and setgid stay behind. */
class DestinationFolder extends HostDirectory {
  override create(directory: Ino, name: ByteString, inode: NewInode): Ino {
    return super.create(directory, name, { ...inode, mode: inode.mode & WITHOUT_SET_ID })
  }

  override setAttributes(ino: Ino, change: AttributeChange): void {
    super.setAttributes(ino, change.mode === undefined ? change : { ...change, mode: change.mode & WITHOUT_SET_ID })
  }
}

function openFolder(path: string, Folder = HostDirectory): HostDirectory {
  try {
    const real = realpathSync(path)
    if (statSync(real).isDirectory()) return new Folder(real)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `cannot copy to ${path}: ${(cause as Error).message}`, { cause, data: { path } })
  }
  throw new EngineError('INVALID_ARGUMENT', `${path} is not a directory`, { data: { path } })
}

function lookAt(path: string): Stats {
  try {
    return lstatSync(path)
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file or directory' : (cause as Error).message
    throw new EngineError('INVALID_ARGUMENT', `lstat ${path}: ${why}`, { cause, data: { path } })
  }
}

/** Behind a slash a symlink is still one, behind `/.` it is what it leads to. */
function isDirectoryItself(path: string, found: Stats): boolean {
  return path.endsWith('/') ? lstatSync(path.replace(/(?<=.)\/+$/, '')).isDirectory() : found.isDirectory()
}

function* hostTar(path: string, { name, keepOwners }: { readonly name: string; readonly keepOwners: boolean }): Generator<Uint8Array> {
  const { directory, name: last } = path === '/' ? { directory: '/', name: '.' } : splitPath(path)
  const folder = openFolder(directory)
  try {
    const ino = last === '.' ? folder.root : folder.lookup(folder.root, fromUtf8(last))
    if (ino === undefined) throw new EngineError('INVALID_ARGUMENT', `lstat ${path}: no such file or directory`, { data: { path } })
    const entries = placeEntries({ mounts: new MountTable<FileSystem>() }, { fs: folder, ino }, fromUtf8(name))
    yield* packTar(keepOwners ? entries : rootsOwn(entries))
  } catch (error) {
    throw onHost(error, path)
  } finally {
    folder.close()
  }
}

/** This user's files are root's in a container, who is this user. */
function* rootsOwn(entries: Iterable<PackEntry>): Generator<PackEntry> {
  for (const entry of entries) yield { ...entry, uid: 0, gid: 0 }
}

/** What the host has refused, in words. */
function onHost(error: unknown, path: string): unknown {
  if (error instanceof EngineError && error.data.errno === 'EACCES') {
    // It is told by its place in the folder that is unpacked into.
    const place = join(path, String(error.data.path))
    return new EngineError('INVALID_ARGUMENT', `${place} cannot be made: permission denied`, {
      cause: error,
      hint: 'Name a folder that you may write.',
      data: { path: place, errno: 'EACCES' },
    })
  }
  if (error instanceof EngineError || !(error instanceof Error) || !('code' in error)) return error
  return new EngineError('INVALID_ARGUMENT', `${path}: ${error.message}`, { cause: error, data: { path, errno: error.code } })
}

/** Counts what passes. */
class Counter implements AsyncIterable<Uint8Array> {
  bytes = 0
  readonly #source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>

  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#source = source
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source) {
      this.bytes += chunk.length
      yield chunk
    }
  }
}
