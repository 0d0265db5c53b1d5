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
import { makeDirectory, makeLink, makeSymlink, readLink, removeDirectory, rename, setTimes, unlinkFile } from './tree-operations.js'

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
      makeDirectory(tree, walk(fd, RIGHTS.pathCreateDirectory, pointer, length, 'keep'))
    },

    path_filestat_get(fd: number, flags: number, pointer: number, length: number, statPointer: number): void {
      const place = existing(walk(fd, RIGHTS.pathFilestatGet, pointer, length, lastSymlinkOf(flags)))
      writeFilestat(memory(), statPointer, tree.filestat(place))
    },

    path_filestat_set_times(fd: number, flags: number, pointer: number, length: number, atime: bigint, mtime: bigint, fst: number): void {
      const place = existing(walk(fd, RIGHTS.pathFilestatSetTimes, pointer, length, lastSymlinkOf(flags)))
      setTimes(tree, place, timeChange(host.clock, atime, mtime, fst))
    },

    path_link(fd: number, flags: number, oldPath: number, oldLength: number, newFd: number, newPath: number, newLength: number): void {
      const source = existing(walk(fd, RIGHTS.pathLinkSource, oldPath, oldLength, lastSymlinkOf(flags)))
      makeLink(tree, source, walk(newFd, RIGHTS.pathLinkTarget, newPath, newLength, 'keep'))
    },

    path_readlink(fd: number, pointer: number, length: number, buffer: number, bufferLength: number, usedPointer: number): void {
      const target = readLink(tree, walk(fd, RIGHTS.pathReadlink, pointer, length, 'keep-unless-slash'))
      const into = memory().bytes(buffer, bufferLength)
      const used = Math.min(target.length, into.length)
      memory().setU32(usedPointer, used)
      for (let index = 0; index < used; index++) into[index] = target.charCodeAt(index)
    },

    path_remove_directory(fd: number, pointer: number, length: number): void {
      removeDirectory(tree, walk(fd, RIGHTS.pathRemoveDirectory, pointer, length, 'keep'), memory().path(pointer, length))
    },

    path_unlink_file(fd: number, pointer: number, length: number): void {
      unlinkFile(tree, walk(fd, RIGHTS.pathUnlinkFile, pointer, length, 'keep'))
    },

    path_rename(fd: number, oldPath: number, oldLength: number, newFd: number, newPath: number, newLength: number): void {
      const source = walk(fd, RIGHTS.pathRenameSource, oldPath, oldLength, 'keep')
      rename(tree, source, walk(newFd, RIGHTS.pathRenameTarget, newPath, newLength, 'keep'))
    },

    path_symlink(targetPointer: number, targetLength: number, fd: number, pointer: number, length: number): void {
      const walked = walk(fd, RIGHTS.pathSymlink, pointer, length, 'keep')
      makeSymlink(tree, directoryAt(fd, 0), walked, memory().path(targetPointer, targetLength))
    },
  }
}

function lastSymlinkOf(lookupflags: number): LastSymlink {
  return (lookupflags & LOOKUPFLAGS.symlinkFollow) !== 0 ? 'follow' : 'keep-unless-slash'
}
