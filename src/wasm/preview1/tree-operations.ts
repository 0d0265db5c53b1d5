/** What can be done with a name of a guest's tree, whoever asks by whatever calls. All throw what `walk` throws, and errors of the file tree. */
import { modeOfNewDirectory, ownerOfNew } from '../../fs/access.js'
import { ErrnoError } from '../../fs/errno.js'
import type { ByteString } from '../../fs/file-system.js'
import type { Resolved } from '../../fs/resolve.js'
import type { TimeChange } from './descriptor.js'
import { WasiError } from './errno.js'
import { existing, type GuestTree, type Place, type WalkStart } from './guest-tree.js'

const DIRECTORY_MODE = 0o755

/** mkdir(2), of what a walk ended at. */
export function makeDirectory(tree: GuestTree, walked: Resolved): void {
  const { directory, name } = tree.vacancy(walked)
  const parent = tree.stat(directory)
  const mode = modeOfNewDirectory(parent, DIRECTORY_MODE)
  directory.fs.create(directory.ino, name, { type: 'directory', mode, ...ownerOfNew(parent, tree.credentials) })
}

/** utimensat(2). */
export function setTimes(tree: GuestTree, place: Place, change: TimeChange): void {
  tree.checkOwner(place)
  tree.checkWritable(place.fs)
  place.fs.setAttributes(place.ino, change)
}

/** link(2), of a file to what a walk ended at. */
export function makeLink(tree: GuestTree, source: Place, target: Resolved): void {
  if (target.ino === undefined && target.mustBeDirectory) throw new ErrnoError('ENOENT')
  const { directory, name } = tree.vacancy(target)
  if (tree.stat(source).type === 'directory') throw new ErrnoError('EPERM')
  if (source.fs !== directory.fs) throw new ErrnoError('EXDEV')
  directory.fs.link(source.ino, directory.ino, name)
}

/** readlink(2), of what a walk ended at. */
export function readLink(tree: GuestTree, walked: Resolved): ByteString {
  const place = existing(walked)
  if (tree.stat(place).type !== 'symlink') throw new ErrnoError('EINVAL')
  return place.fs.readlink(place.ino)
}

/** rmdir(2), of what a walk along `path` ended at. */
export function removeDirectory(tree: GuestTree, walked: Resolved, path: ByteString): void {
  // What holds the directory is not empty, and a directory is not removed by itself.
  if (walked.name === null) throw new ErrnoError(/(^|\/)\.\.\/*$/.test(path) ? 'ENOTEMPTY' : 'EINVAL')
  const { directory, name } = tree.occupancy(walked)
  if (walked.type !== 'directory') throw new ErrnoError('ENOTDIR')
  directory.fs.rmdir(directory.ino, name)
}

/** unlink(2), of what a walk ended at. */
export function unlinkFile(tree: GuestTree, walked: Resolved): void {
  if (walked.type === 'directory') throw new ErrnoError('EISDIR')
  const { directory, name } = tree.occupancy(walked)
  if (walked.mustBeDirectory) throw new ErrnoError('ENOTDIR')
  directory.fs.unlink(directory.ino, name)
}

/** rename(2), of what one walk ended at to what another did. */
export function rename(tree: GuestTree, source: Resolved, target: Resolved): void {
  if (source.name === null || target.name === null) throw new WasiError('EBUSY')
  const from = tree.occupancy(source)
  if (source.type !== 'directory' && (source.mustBeDirectory || target.mustBeDirectory)) throw new ErrnoError('ENOTDIR')
  const to = target.ino === undefined ? tree.vacancy(target) : tree.occupancy(target)
  if (from.directory.fs !== to.directory.fs) throw new ErrnoError('EXDEV')
  to.directory.fs.rename(from.directory.ino, from.name, to.directory.ino, to.name)
}

/** symlink(2), at what a walk from `start` ended at. */
export function makeSymlink(tree: GuestTree, start: WalkStart, walked: Resolved, target: ByteString): void {
  if (target === '') throw new ErrnoError('ENOENT')
  // WASI: a capability does not name what it cannot reach.
  if (target.startsWith('/') && start.confined) throw new WasiError('ENOTCAPABLE')
  if (walked.ino === undefined && walked.mustBeDirectory) throw new ErrnoError('ENOENT')
  const { directory, name } = tree.vacancy(walked)
  const owner = ownerOfNew(tree.stat(directory), tree.credentials)
  directory.fs.create(directory.ino, name, { type: 'symlink', mode: 0o777, ...owner, target })
}
