import { Volume } from 'memfs'
import { ERRNO, ErrnoError, type ErrnoName } from '../../src/fs/errno.js'
import type { AttributeChange, FileSystem, FileType, Ino, NewInode, Stat } from '../../src/fs/file-system.js'

/**
 * memfs as the oracle of the file-system contract, as far as it goes: it has paths and no inode calls, so this keeps one path for each
 * inode. Names are ASCII; xattrs, devices and unlinked files it does not have.
 */
export function memfsFileSystem(volume = new Volume()): FileSystem {
  if (!volume.existsSync('/')) volume.mkdirSync('/')
  const paths = new Map<Ino, string>()
  const inoAt = (path: string): Ino => {
    const ino = Number(volume.lstatSync(path).ino)
    paths.set(ino, path)
    return ino
  }
  const root = inoAt('/')
  const pathOf = (ino: Ino): string => {
    const path = paths.get(ino)
    if (path === undefined) throw new ErrnoError('ENOENT', `no inode ${ino}`)
    return path
  }
  const inside = (directory: Ino, name: string): string => {
    if (!volume.lstatSync(pathOf(directory)).isDirectory()) throw new ErrnoError('ENOTDIR')
    return `${pathOf(directory).replace(/\/$/, '')}/${name}`
  }
  const missing = (operation: string): never => {
    throw new Error(`memfs has no ${operation}`)
  }
  const statOf = (path: string): Stat => {
    const stat = volume.lstatSync(path, { bigint: true })
    const type: FileType = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file'
    return {
      ino: Number(stat.ino),
      type,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      linkCount: Number(stat.nlink),
      size: Number(stat.size),
      device: null,
      atimeNs: stat.atimeMs * 1_000_000n,
      mtimeNs: stat.mtimeMs * 1_000_000n,
      ctimeNs: stat.ctimeMs * 1_000_000n,
    }
  }
  const withFile = <T>(ino: Ino, flags: string, use: (descriptor: number) => T): T => {
    // memfs opens and reads a directory, and links one: here and in `rename` the adapter refuses what it lets through.
    if (statOf(pathOf(ino)).type === 'directory') throw new ErrnoError('EISDIR')
    const descriptor = volume.openSync(pathOf(ino), flags)
    try {
      return use(descriptor)
    } finally {
      volume.closeSync(descriptor)
    }
  }
  return asErrno({
    root,
    lookup: (directory: Ino, name: string) => {
      const path = inside(directory, name)
      try {
        return inoAt(path)
      } catch (error) {
        if ((error as { code?: string }).code === 'ENOENT') return undefined
        throw error
      }
    },
    stat: (ino: Ino) => statOf(pathOf(ino)),
    readdir: (directory: Ino) =>
      (volume.readdirSync(pathOf(directory)) as string[]).map((name) => {
        const path = inside(directory, name)
        return { name, ino: inoAt(path), type: statOf(path).type }
      }),
    readlink: (ino: Ino) => String(volume.readlinkSync(pathOf(ino))),
    read: (ino: Ino, buffer: Uint8Array, position: number) =>
      withFile(ino, 'r', (descriptor) => volume.readSync(descriptor, buffer, 0, buffer.length, position)),
    xattrs: () => new Map(),
    create: (directory: Ino, name: string, { type, mode, target }: NewInode) => {
      const path = inside(directory, name)
      if (name.length > 255) throw new ErrnoError('ENAMETOOLONG')
      if (type === 'directory') volume.mkdirSync(path, mode)
      else if (type === 'symlink') volume.symlinkSync(target ?? '', path)
      else if (type === 'file') volume.closeSync(volume.openSync(path, 'wx', mode))
      else missing(type)
      return inoAt(path)
    },
    setAttributes: (ino: Ino, { mode, uid, gid, size, atimeNs, mtimeNs }: AttributeChange) => {
      const path = pathOf(ino)
      const stat = statOf(path)
      if (size !== undefined) volume.truncateSync(path, size)
      if (mode !== undefined) volume.chmodSync(path, mode)
      if (uid !== undefined || gid !== undefined) volume.lchownSync(path, uid ?? stat.uid, gid ?? stat.gid)
      if (atimeNs !== undefined || mtimeNs !== undefined)
        volume.utimesSync(path, Number(atimeNs ?? stat.atimeNs) / 1e9, Number(mtimeNs ?? stat.mtimeNs) / 1e9)
    },
    setXattr: () => missing('xattrs'),
    removeXattr: () => missing('xattrs'),
    write: (ino: Ino, buffer: Uint8Array, position: number) =>
      withFile(ino, 'r+', (descriptor) => volume.writeSync(descriptor, buffer, 0, buffer.length, position)),
    link: (ino: Ino, directory: Ino, name: string) => {
      const path = inside(directory, name)
      if (name.length > 255) throw new ErrnoError('ENAMETOOLONG')
      if (statOf(pathOf(ino)).type === 'directory') throw new ErrnoError(volume.existsSync(path) ? 'EEXIST' : 'EPERM')
      volume.linkSync(pathOf(ino), path)
    },
    unlink: (directory: Ino, name: string) => {
      const path = inside(directory, name)
      const { ino } = statOf(path)
      volume.unlinkSync(path)
      forgetPath(paths, ino, path, volume)
    },
    rmdir: (directory: Ino, name: string) => volume.rmdirSync(inside(directory, name)),
    rename: (from: Ino, fromName: string, to: Ino, toName: string) => {
      const source = inside(from, fromName)
      const destination = inside(to, toName)
      if (toName.length > 255) throw new ErrnoError('ENAMETOOLONG')
      if (destination.startsWith(`${source}/`)) throw new ErrnoError('EINVAL')
      const kind = statOf(source).type
      const old = (volume.readdirSync(pathOf(to)) as string[]).includes(toName) ? statOf(destination) : null
      const replaced = old?.type ?? null
      if (replaced === 'directory' && kind !== 'directory') throw new ErrnoError('EISDIR')
      if (replaced !== null && replaced !== 'directory' && kind === 'directory') throw new ErrnoError('ENOTDIR')
      if (replaced === 'directory' && volume.readdirSync(destination).length > 0 && destination !== source)
        throw new ErrnoError('ENOTEMPTY')
      // memfs forgets to count a hard link down when rename replaces one of its names.
      if (replaced !== null && replaced !== 'directory' && source !== destination) volume.unlinkSync(destination)
      volume.renameSync(source, destination)
      if (old !== null) forgetPath(paths, old.ino, destination, volume)
      for (const [ino, path] of paths)
        if (path === source || path.startsWith(`${source}/`)) paths.set(ino, destination + path.slice(source.length))
    },
    retain: () => missing('retain'),
    release: () => missing('release'),
  })
}

/** Forgets that `path` leads to `ino`, and finds another of its names if there is one. */
function forgetPath(paths: Map<Ino, string>, ino: Ino, path: string, volume: Volume): void {
  if (paths.get(ino) !== path) return
  paths.delete(ino)
  const visit = (folder: string): void => {
    for (const name of volume.readdirSync(folder) as string[]) {
      const each = `${folder.replace(/\/$/, '')}/${name}`
      const stat = volume.lstatSync(each)
      if (Number(stat.ino) === ino) paths.set(ino, each)
      if (stat.isDirectory()) visit(each)
    }
  }
  visit('/')
}

function asErrno(fs: FileSystem): FileSystem {
  return new Proxy(fs, {
    get: (target, key) => {
      const value = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        try {
          return Reflect.apply(value, target, args)
        } catch (error) {
          const { code } = error as { code?: string }
          if (code !== undefined && code in ERRNO && !(error instanceof ErrnoError)) throw new ErrnoError(code as ErrnoName)
          throw error
        }
      }
    },
  })
}
