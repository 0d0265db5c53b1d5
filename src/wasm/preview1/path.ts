import { modeOfNewDirectory, ownerOfNew } from '../../fs/access.js'
import { ErrnoError } from '../../fs/errno.js'
import type { Resolved } from '../../fs/resolve.js'
import type { Context } from './context.js'
import { DirectoryDescriptor } from './directory-descriptor.js'
import { WasiError } from './errno.js'
import { timeChange } from './fd.js'
import { LOOKUPFLAGS } from './flags.js'
import { existing, type LastSymlink } from './guest-tree.js'
import { writeFilestat } from './layouts.js'
import { pathOpenFunctions } from './path-open.js'
import { RIGHTS } from './rights.js'

const DIRECTORY_MODE = 0o755

/** `path_*`: what can be done with a name below an open directory. */
export function pathFunctions(context: Context) {
  const { memory, table, tree, host } = context

  function directoryAt(fd: number, right: number): DirectoryDescriptor {
    const directory = table.with(fd, right)
    if (!(directory instanceof DirectoryDescriptor)) throw new WasiError('ENOTDIR')
    return directory
  }

  function walk(fd: number, right: number, pointer: number, length: number, lastSymlink: LastSymlink): Resolved {
    return tree.walk(directoryAt(fd, right), memory().path(pointer, length), lastSymlink)
  }

  return {
    ...pathOpenFunctions(context),

    path_create_directory(fd: number, pointer: number, length: number): void {
      const { directory, name } = tree.vacancy(walk(fd, RIGHTS.pathCreateDirectory, pointer, length, 'keep'))
      const parent = tree.stat(directory)
      const mode = modeOfNewDirectory(parent, DIRECTORY_MODE)
      directory.fs.create(directory.ino, name, { type: 'directory', mode, ...ownerOfNew(parent, tree.credentials) })
    },

    path_filestat_get(fd: number, flags: number, pointer: number, length: number, statPointer: number): void {
      const place = existing(walk(fd, RIGHTS.pathFilestatGet, pointer, length, lastSymlinkOf(flags)))
      writeFilestat(memory(), statPointer, tree.filestat(place))
    },

    path_filestat_set_times(fd: number, flags: number, pointer: number, length: number, atime: bigint, mtime: bigint, fst: number): void {
      const place = existing(walk(fd, RIGHTS.pathFilestatSetTimes, pointer, length, lastSymlinkOf(flags)))
      const change = timeChange(host.clock, atime, mtime, fst)
      tree.checkOwner(place)
      tree.checkWritable(place.fs)
      place.fs.setAttributes(place.ino, change)
    },

    path_link(fd: number, flags: number, oldPath: number, oldLength: number, newFd: number, newPath: number, newLength: number): void {
      const source = existing(walk(fd, RIGHTS.pathLinkSource, oldPath, oldLength, lastSymlinkOf(flags)))
      const target = walk(newFd, RIGHTS.pathLinkTarget, newPath, newLength, 'keep')
      if (target.ino === undefined && target.mustBeDirectory) throw new ErrnoError('ENOENT')
      const { directory, name } = tree.vacancy(target)
      if (tree.stat(source).type === 'directory') throw new ErrnoError('EPERM')
      if (source.fs !== directory.fs) throw new ErrnoError('EXDEV')
      directory.fs.link(source.ino, directory.ino, name)
    },

    path_readlink(fd: number, pointer: number, length: number, buffer: number, bufferLength: number, usedPointer: number): void {
      const place = existing(walk(fd, RIGHTS.pathReadlink, pointer, length, 'keep-unless-slash'))
      if (tree.stat(place).type !== 'symlink') throw new ErrnoError('EINVAL')
      const target = place.fs.readlink(place.ino)
      const into = memory().bytes(buffer, bufferLength)
      const used = Math.min(target.length, into.length)
      memory().setU32(usedPointer, used)
      for (let index = 0; index < used; index++) into[index] = target.charCodeAt(index)
    },

    path_remove_directory(fd: number, pointer: number, length: number): void {
      const resolved = walk(fd, RIGHTS.pathRemoveDirectory, pointer, length, 'keep')
      // rmdir(2): what holds the directory is not empty, and a directory is not removed by itself.
      if (resolved.name === null) throw new ErrnoError(/(^|\/)\.\.\/*$/.test(memory().path(pointer, length)) ? 'ENOTEMPTY' : 'EINVAL')
      const { directory, name } = tree.occupancy(resolved)
      if (resolved.type !== 'directory') throw new ErrnoError('ENOTDIR')
      directory.fs.rmdir(directory.ino, name)
    },

    path_unlink_file(fd: number, pointer: number, length: number): void {
      const resolved = walk(fd, RIGHTS.pathUnlinkFile, pointer, length, 'keep')
      if (resolved.type === 'directory') throw new ErrnoError('EISDIR')
      const { directory, name } = tree.occupancy(resolved)
      if (resolved.mustBeDirectory) throw new ErrnoError('ENOTDIR')
      directory.fs.unlink(directory.ino, name)
    },

    path_rename(fd: number, oldPath: number, oldLength: number, newFd: number, newPath: number, newLength: number): void {
      const source = walk(fd, RIGHTS.pathRenameSource, oldPath, oldLength, 'keep')
      const target = walk(newFd, RIGHTS.pathRenameTarget, newPath, newLength, 'keep')
      if (source.name === null || target.name === null) throw new WasiError('EBUSY')
      const from = tree.occupancy(source)
      if (source.type !== 'directory' && (source.mustBeDirectory || target.mustBeDirectory)) throw new ErrnoError('ENOTDIR')
      const to = target.ino === undefined ? tree.vacancy(target) : tree.occupancy(target)
      if (from.directory.fs !== to.directory.fs) throw new ErrnoError('EXDEV')
      to.directory.fs.rename(from.directory.ino, from.name, to.directory.ino, to.name)
    },

    path_symlink(targetPointer: number, targetLength: number, fd: number, pointer: number, length: number): void {
      const walked = walk(fd, RIGHTS.pathSymlink, pointer, length, 'keep')
      const target = memory().path(targetPointer, targetLength)
      if (target === '') throw new ErrnoError('ENOENT')
      // Preview1: a capability does not name what it cannot reach.
      if (target.startsWith('/') && directoryAt(fd, 0).confined) throw new WasiError('ENOTCAPABLE')
      if (walked.ino === undefined && walked.mustBeDirectory) throw new ErrnoError('ENOENT')
      const { directory, name } = tree.vacancy(walked)
      const owner = ownerOfNew(tree.stat(directory), tree.credentials)
      directory.fs.create(directory.ino, name, { type: 'symlink', mode: 0o777, ...owner, target })
    },
  }
}

function lastSymlinkOf(lookupflags: number): LastSymlink {
  return (lookupflags & LOOKUPFLAGS.symlinkFollow) !== 0 ? 'follow' : 'keep-unless-slash'
}
