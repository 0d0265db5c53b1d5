/** The calls of `node:fs` on one path or two. */
import { EXECUTE, READ, WRITE } from './access.js'
import { ErrnoError } from './errno.js'
import type { ByteString, Stat } from './file-system.js'
import { encodeName, toFlags, toInteger, toLength, toMode, toOptions, toOwner, toPath, toTimeNs } from './node-fs-arguments.js'
import { argumentTypeError, argumentValueError, asNode, nodeError } from './node-fs-error.js'
import { BigIntStats, StatFs, Stats } from './node-fs-stats.js'
import type { SystemCalls } from './system-calls.js'

const NEW_DIRECTORY_MODE = 0o777
const PRIVATE_DIRECTORY_MODE = 0o700
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const RANDOM_LETTERS = 6
/** Names that mkdtemp tries. */
const ATTEMPTS = 100
const LINK_TYPES: readonly unknown[] = [undefined, null, 'dir', 'file', 'junction']
const IN_PLACE = toFlags('r+')

/** Each call by its name without `Sync`. */
export type PathCalls = ReturnType<typeof pathCalls>

export function pathCalls(calls: SystemCalls, dev: number) {
  /** A call that takes a path and what its own parser makes of the rest. */
  const onPath = <T>(syscall: string, path: unknown, action: (path: ByteString) => T): T => {
    const { bytes, shown } = toPath(path)
    return asNode({ syscall, path: shown }, () => action(bytes))
  }
  const onTwo = (syscall: string, [from, to]: readonly [from: unknown, to: unknown], names: readonly [string, string]) => {
    const source = toPath(from, names[0])
    const target = toPath(to, names[1])
    return (action: (from: ByteString, to: ByteString) => void): void =>
      asNode({ syscall, path: source.shown, dest: target.shown }, () => action(source.bytes, target.bytes))
  }
  const shown = (stat: Stat, options: unknown): Stats | BigIntStats =>
    toOptions(options).bigint === true ? new BigIntStats(stat, dev) : new Stats(stat, dev)

  /** The first directory that it made; undefined when all was there. */
  const makeRecursively = (path: ByteString, mode: number): ByteString | undefined => {
    let first: ByteString | undefined
    const missing = [path]
    for (let next = missing.at(-1); next !== undefined; next = missing.at(-1)) {
      try {
        calls.mkdir(next, mode)
        first ??= next
        missing.pop()
      } catch (error) {
        if (!(error instanceof ErrnoError)) throw error
        const above = parentOf(next)
        if (error.code === 'EEXIST' && calls.stat(next).type === 'directory') missing.pop()
        else if (error.code === 'ENOENT' && above !== null) missing.push(above)
        else throw error
      }
    }
    return first
  }

  const mkdir = (path: unknown, options?: unknown): string | undefined => {
    const object =
      typeof options === 'object' && options !== null ? (options as { recursive?: unknown; mode?: unknown }) : { mode: options }
    const mode = toMode(object.mode, 'mode', NEW_DIRECTORY_MODE)
    if (object.recursive !== undefined && typeof object.recursive !== 'boolean')
      throw argumentTypeError('options.recursive', 'of type boolean', object.recursive)
    if (object.recursive !== true) return onPath('mkdir', path, (bytes) => calls.mkdir(bytes, mode)) as undefined
    const first = onPath('mkdir', path, (bytes) => makeRecursively(bytes, mode))
    return first === undefined ? undefined : String(encodeName(first, {}))
  }

  const mkdtemp = (prefix: unknown, options?: unknown): string | Buffer => {
    const { bytes, shown: text } = toPath(prefix, 'prefix')
    const parsed = toOptions(options)
    return asNode({ syscall: 'mkdtemp', path: `${text}XXXXXX` }, () => {
      for (let attempt = 0; ; attempt++) {
        const path = bytes + randomLetters()
        try {
          calls.mkdir(path, PRIVATE_DIRECTORY_MODE)
          return encodeName(path, parsed)
        } catch (error) {
          if (!(error instanceof ErrnoError) || error.code !== 'EEXIST' || attempt === ATTEMPTS) throw error
        }
      }
    })
  }

  return {
    stat: (path: unknown, options?: unknown) =>
      shown(
        onPath('stat', path, (bytes) => calls.stat(bytes)),
        options,
      ),
    lstat: (path: unknown, options?: unknown) =>
      shown(
        onPath('lstat', path, (bytes) => calls.lstat(bytes)),
        options,
      ),
    statfs: (path: unknown, options?: unknown) => {
      const usage = onPath('statfs', path, (bytes) => calls.usage(bytes))
      return new StatFs(usage, toOptions(options).bigint === true ? BigInt : Number)
    },
    access: (path: unknown, mode?: unknown): void => {
      const wanted = toInteger(mode ?? 0, 'mode', { least: 0, most: READ | WRITE | EXECUTE })
      onPath('access', path, (bytes) => calls.access(bytes, wanted))
    },
    readlink: (path: unknown, options?: unknown) => {
      const parsed = toOptions(options)
      return encodeName(
        onPath('readlink', path, (bytes) => calls.readlink(bytes)),
        parsed,
      )
    },
    realpath: (path: unknown, options?: unknown) => {
      const parsed = toOptions(options)
      return encodeName(
        onPath('realpath', path, (bytes) => calls.realpath(bytes)),
        parsed,
      )
    },
    mkdir,
    mkdtemp,
    unlink: (path: unknown): void => onPath('unlink', path, (bytes) => calls.unlink(bytes)),
    rename: (from: unknown, to: unknown): void =>
      onTwo('rename', [from, to], ['oldPath', 'newPath'])((source, target) => calls.rename(source, target)),
    link: (from: unknown, to: unknown): void =>
      onTwo('link', [from, to], ['existingPath', 'newPath'])((source, target) => calls.link(source, target)),
    symlink: (target: unknown, path: unknown, type?: unknown): void => {
      if (!LINK_TYPES.includes(type)) throw argumentValueError('type', type, "must be one of: 'dir', 'file', 'junction', null, undefined")
      onTwo('symlink', [target, path], ['target', 'path'])((leads, at) => calls.symlink(leads, at))
    },
    chmod: (path: unknown, mode: unknown): void => {
      const bits = toMode(mode, 'mode')
      onPath('chmod', path, (bytes) => calls.chmod(bytes, bits))
    },
    chown: (path: unknown, uid: unknown, gid: unknown): void => {
      const owner = { uid: toOwner(uid, 'uid'), gid: toOwner(gid, 'gid') }
      onPath('chown', path, (bytes) => calls.chown(bytes, owner, { followLast: true }))
    },
    lchown: (path: unknown, uid: unknown, gid: unknown): void => {
      const owner = { uid: toOwner(uid, 'uid'), gid: toOwner(gid, 'gid') }
      onPath('lchown', path, (bytes) => calls.chown(bytes, owner, { followLast: false }))
    },
    utimes: (path: unknown, atime: unknown, mtime: unknown): void => {
      const times = { atimeNs: toTimeNs(atime), mtimeNs: toTimeNs(mtime) }
      onPath('utime', path, (bytes) => calls.utimes(bytes, times, { followLast: true }))
    },
    lutimes: (path: unknown, atime: unknown, mtime: unknown): void => {
      const times = { atimeNs: toTimeNs(atime), mtimeNs: toTimeNs(mtime) }
      onPath('lutime', path, (bytes) => calls.utimes(bytes, times, { followLast: false }))
    },
    /** Node opens the file for it, so that is what its errors name. */
    truncate: (path: unknown, length?: unknown): void => {
      if (typeof path === 'number') {
        const size = toLength(length)
        asNode({ syscall: 'ftruncate' }, () => calls.files.truncate(path, size))
        return
      }
      onPath('open', path, (bytes) => {
        const descriptor = calls.open(bytes, IN_PLACE, 0)
        try {
          calls.files.truncate(descriptor, toLength(length))
        } finally {
          calls.files.close(descriptor)
        }
      })
    },
    /** Not built: a tree tells nobody of its changes. */
    watch: (path: unknown): never => {
      throw nodeError('ENOSYS', { syscall: 'watch', path: toPath(path, 'filename').shown })
    },
  }
}

function randomLetters(): string {
  return Array.from({ length: RANDOM_LETTERS }, () => LETTERS[Math.floor(Math.random() * LETTERS.length)]).join('')
}

/** What is before the last name; null when nothing is. */
function parentOf(path: ByteString): ByteString | null {
  const bare = path.replace(/\/+$/, '')
  const slash = bare.lastIndexOf('/')
  return slash <= 0 ? null : bare.slice(0, slash)
}
