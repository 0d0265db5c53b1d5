import { EXECUTE, ownerOfNew, READ, WRITE } from '../../fs/access.js'
import { ErrnoError } from '../../fs/errno.js'
import type { ByteString, FileType } from '../../fs/file-system.js'
import type { DirectoryHandle, Resolved } from '../../fs/resolve.js'
import type { Context } from './context.js'
import type { Descriptor } from './descriptor.js'
import { DeviceDescriptor } from './device-descriptor.js'
import { DirectoryDescriptor } from './directory-descriptor.js'
import { WasiError } from './errno.js'
import { FileDescriptor } from './file-descriptor.js'
import { FDFLAGS_ALL, LOOKUPFLAGS, OFLAGS, OFLAGS_ALL } from './flags.js'
import type { GuestTree, Place } from './guest-tree.js'
import { CHANGING_RIGHTS, DIRECTORY_RIGHTS, decodeRights, FILE_RIGHTS, PREOPEN_INHERITING, RIGHTS } from './rights.js'

/** How something is to be opened, in the words of preview1. */
export interface OpenRequest {
  readonly oflags: number
  readonly fdflags: number
  readonly rights: { readonly base: number; readonly inheriting: number }
}

const CREATE_MODE = 0o644
/** Of opening a file that others make and remove. */
const ATTEMPTS = 8

/** `path_open`. */
export function pathOpenFunctions(context: Context) {
  const { memory, table } = context
  return {
    path_open(
      fd: number,
      lookupflags: number,
      pathPointer: number,
      pathLength: number,
      oflags: number,
      base: bigint,
      inheriting: bigint,
      fdflags: number,
      openedPointer: number,
    ): void {
      const directory = table.with(fd, RIGHTS.pathOpen)
      if ((oflags & ~OFLAGS_ALL) !== 0 || (fdflags & ~FDFLAGS_ALL) !== 0) throw new WasiError('EINVAL')
      if (!(directory instanceof DirectoryDescriptor)) throw new WasiError('ENOTDIR')
      if ((oflags & OFLAGS.creat) !== 0) requireRight(directory, RIGHTS.pathCreateFile)
      if ((oflags & OFLAGS.trunc) !== 0) requireRight(directory, RIGHTS.pathFilestatSetSize)
      const rights = { base: inherited(base, directory), inheriting: inherited(inheriting, directory) }
      memory().u32(openedPointer)
      table.checkRoom()
      const follows = (lookupflags & LOOKUPFLAGS.symlinkFollow) !== 0
      const opened = openAt(context, directory, memory().path(pathPointer, pathLength), { oflags, fdflags, rights, follows })
      memory().setU32(openedPointer, table.add(opened))
    },
  }
}

/** openat(2). Throws as a walk does, EISDIR, EEXIST, ENOTDIR, EACCES, EROFS. The caller closes what it gives. */
export function openAt(
  context: Pick<Context, 'tree' | 'host'>,
  directory: DirectoryDescriptor,
  path: ByteString,
  request: OpenRequest & { readonly follows: boolean },
): Descriptor {
  const { tree } = context
  const { oflags } = request
  const exclusive = (oflags & OFLAGS.creat) !== 0 && (oflags & OFLAGS.excl) !== 0
  if (path.endsWith('/') && (oflags & (OFLAGS.creat | OFLAGS.directory)) === OFLAGS.creat) {
    // open(2): once the way there is found, whatever is at its end.
    tree.walk(directory, path, 'keep')
    throw new WasiError('EISDIR')
  }
  const lastSymlink = request.follows && !exclusive ? 'follow' : 'keep-unless-slash'
  for (let attempt = 1; ; attempt++) {
    try {
      const opened = openResolved(context, tree.walk(directory, path, lastSymlink), request)
      opened.flags = request.fdflags
      return opened
    } catch (error) {
      // Another thread may make the file between the walk and the making: it is opened then, unless this was to make it.
      if (exclusive || attempt === ATTEMPTS || !(error instanceof ErrnoError) || error.code !== 'EEXIST') throw error
    }
  }
}

function requireRight(descriptor: Descriptor, right: number): void {
  if ((descriptor.rightsBase & right) === 0) throw new WasiError('ENOTCAPABLE')
}

/** Rights asked for a new descriptor, which must be among those its directory passes on. */
function inherited(asked: bigint, directory: DirectoryDescriptor): number {
  const rights = decodeRights(asked)
  if (rights === null || (rights & ~directory.rightsInheriting) !== 0) throw new WasiError('ENOTCAPABLE')
  return rights
}

function openResolved(context: Pick<Context, 'tree' | 'host'>, resolved: Resolved, request: OpenRequest): Descriptor {
  const { oflags } = request
  const { tree } = context
  if (resolved.ino === undefined) {
    if ((oflags & OFLAGS.creat) === 0) throw new WasiError('ENOENT')
    if (resolved.mustBeDirectory) throw new WasiError('EISDIR')
    if ((oflags & OFLAGS.directory) !== 0) throw new WasiError('EINVAL')
    // Who has just made a file may write it, whatever its mode says (open(2)).
    return openFile(tree, createFile(tree, resolved), request)
  }
  if ((oflags & OFLAGS.creat) !== 0 && (oflags & OFLAGS.excl) !== 0) throw new WasiError('EEXIST')
  if (resolved.type === 'symlink') throw new WasiError('ELOOP')
  if (resolved.directory !== null) return openDirectory(tree, resolved.directory, request)
  if ((oflags & OFLAGS.directory) !== 0) throw new WasiError('ENOTDIR')
  const place = { fs: resolved.fs, ino: resolved.ino }
  checkOpen(tree, place, resolved.type, request)
  if (resolved.type === 'file')
    return openFile(tree, place, { oflags, fdflags: request.fdflags, rights: permitted(tree, place, request.rights) })
  const rights = request.rights.base & FILE_RIGHTS & ~(RIGHTS.fdSeek | RIGHTS.fdTell)
  return new DeviceDescriptor(tree.stat(place).device, () => tree.filestat(place), context.host, rights)
}

function createFile(tree: GuestTree, resolved: Resolved): Place {
  const { directory, name } = tree.vacancy(resolved)
  const owner = ownerOfNew(tree.stat(directory), tree.credentials)
  return { fs: directory.fs, ino: directory.fs.create(directory.ino, name, { type: 'file', mode: CREATE_MODE, ...owner }) }
}

/** Permission bits of something that exists, and whether its file system may change. */
function checkOpen(tree: GuestTree, place: Place, type: FileType | undefined, { oflags, rights }: OpenRequest): void {
  const writing = (rights.base & RIGHTS.fdWrite) !== 0 || (oflags & OFLAGS.trunc) !== 0
  tree.checkAccess(place, ((rights.base & RIGHTS.fdRead) !== 0 ? READ : 0) | (writing ? WRITE : 0))
  if (writing && type === 'file') tree.checkWritable(place.fs)
}

/**
 * Rights to resize belong to those who may write. Go asks for them on every file it opens, to read as well, so without them the file is
 * opened all the same.
 */
function permitted(tree: GuestTree, place: Place, { base, inheriting }: OpenRequest['rights']): OpenRequest['rights'] {
  return { base: tree.mayAccess(place, WRITE) ? base : base & ~(RIGHTS.fdFilestatSetSize | RIGHTS.fdAllocate), inheriting }
}

function openFile(tree: GuestTree, place: Place, { oflags, rights }: OpenRequest): Descriptor {
  if ((oflags & OFLAGS.trunc) !== 0) place.fs.setAttributes(place.ino, { size: 0 })
  const possible = tree.isReadonly(place.fs) ? FILE_RIGHTS & ~CHANGING_RIGHTS : FILE_RIGHTS
  return new FileDescriptor(tree, place, { base: rights.base & possible, inheriting: rights.inheriting })
}

function openDirectory(tree: GuestTree, handle: DirectoryHandle, { oflags, rights }: OpenRequest): Descriptor {
  if ((oflags & OFLAGS.creat) !== 0 && (oflags & OFLAGS.directory) === 0) throw new WasiError('EISDIR')
  if ((rights.base & RIGHTS.fdWrite) !== 0 || (oflags & OFLAGS.trunc) !== 0) throw new WasiError('EISDIR')
  if ((rights.base & RIGHTS.fdReaddir) !== 0) tree.checkAccess(handle, READ)
  const rightsBase = rights.base & DIRECTORY_RIGHTS
  return new DirectoryDescriptor({ tree, handle, preopenName: null, rightsBase, rightsInheriting: rights.inheriting })
}

/** A directory that the host gives: every right, and the whole tree in reach. */
export function preopenedDirectory(tree: GuestTree, handle: DirectoryHandle, preopenName: string): DirectoryDescriptor {
  tree.checkAccess(handle, EXECUTE)
  return new DirectoryDescriptor({ tree, handle, preopenName, rightsBase: DIRECTORY_RIGHTS, rightsInheriting: PREOPEN_INHERITING })
}
