/**
 * A file tree as an object that libraries take for `node:fs`. Its own files may import from `node:`, for what they give back is Node's:
 * Buffers, streams, errors with its words. What a call does is said in `system-calls`, which may not.
 */
import { Blob } from 'node:buffer'
import { constants } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { ReadonlyFileSystem } from './file-system.js'
import { assertNotAborted, toBytesArgument, toOptions } from './node-fs-arguments.js'
import { descriptorCalls, readTransfer, writeTransfer } from './node-fs-descriptors.js'
import { Dir, openDirectory } from './node-fs-dir.js'
import { argumentTypeError } from './node-fs-error.js'
import { FileHandle, type HandleCalls } from './node-fs-file-handle.js'
import { type Call, promised, promiseWithCallback, withCallback, withResults } from './node-fs-forms.js'
import { pathCalls } from './node-fs-paths.js'
import { Dirent, Stats } from './node-fs-stats.js'
import { streamClasses } from './node-fs-streams.js'
import { treeCalls } from './node-fs-trees.js'
import { type SystemCallOptions, SystemCalls } from './system-calls.js'

/**
 * `node:fs` over a file tree: synchronous, with callbacks, with promises, and as streams. Paths begin at the tree's root, also relative ones;
 * no call reaches the host's files. What Node has and a tree does not throws ENOSYS by name: `watch`, `watchFile`.
 */
export type NodeFs = typeof import('node:fs')

/** One that holds something open. Disposing it (`await using`) closes the files that are open in it; each call after that is EBADF. */
export type OpenNodeFs = NodeFs & AsyncDisposable

/** How {@link nodeFsOf} shows a tree. */
export interface NodeFsOptions extends SystemCallOptions {
  /** Done when it is disposed, once. */
  readonly onClose?: () => void | Promise<void>
}

/** Numbers of devices (`Stats.dev`), so that files of two trees are never taken for one. */
const devices = new WeakMap<ReadonlyFileSystem, number>()
let lastDevice = 0

/**
 * A tree as `node:fs`. One that cannot be written, or that is to be only read, is EROFS to whoever tries. Who asks is decided by
 * `credentials`, the tree's root unless said.
 */
export function nodeFsOf(tree: ReadonlyFileSystem, { onClose, ...options }: NodeFsOptions = {}): OpenNodeFs {
  const calls = new SystemCalls(tree, options)
  const sync = syncCalls(calls, deviceOf(tree))
  const callbacks = callbackCalls(sync)
  const streams = streamsOf(callbacks)
  const promises = promiseCalls(sync, streams)
  const object = {
    ...named(sync),
    ...callbacks,
    cp: promiseWithCallback(sync.cpLater),
    openAsBlob: promises.openAsBlob,
    ...streams,
    FileReadStream: streams.ReadStream,
    FileWriteStream: streams.WriteStream,
    promises: promises.calls,
    constants,
    F_OK: constants.F_OK,
    R_OK: constants.R_OK,
    W_OK: constants.W_OK,
    X_OK: constants.X_OK,
    Stats,
    Dirent,
    Dir,
    [Symbol.asyncDispose]: async () => {
      if (calls.close()) await onClose?.()
    },
  }
  return object as unknown as OpenNodeFs
}

function deviceOf(tree: ReadonlyFileSystem): number {
  const device = devices.get(tree) ?? ++lastDevice
  devices.set(tree, device)
  return device
}

type SyncCalls = ReturnType<typeof syncCalls>

/** Each call by its name without `Sync`, as far as Node has it in all forms; and what the forms are made of. */
function syncCalls(calls: SystemCalls, device: number) {
  const { transfer, ...descriptors } = descriptorCalls(calls, device)
  const paths = pathCalls(calls, device)
  const { list, ...trees } = treeCalls(calls)
  return {
    ...paths,
    ...trees,
    ...descriptors,
    exists: (path: unknown): boolean => {
      try {
        paths.access(path)
        return true
      } catch {
        return false
      }
    },
    opendir: (path: unknown, options?: unknown): Dir => openDirectory(list, path, options),
    read: (...args: unknown[]) => {
      const asked = readTransfer(args, { mustHaveBuffer: false })
      return { bytesRead: transfer.read(asked), buffer: asked.buffer }
    },
    readInto: (...args: unknown[]): number => transfer.read(readTransfer(args, { mustHaveBuffer: true })),
    write: (...args: unknown[]) => {
      const asked = writeTransfer(args)
      return { bytesWritten: transfer.write(asked), buffer: asked.buffer }
    },
  }
}

/** What is made of the others only. */
const PARTS = ['cpLater', 'readInto', 'read', 'write', 'watch'] as const

/** Under the names that end in `Sync`. */
function named(sync: SyncCalls): Record<string, unknown> {
  const plain = Object.entries(sync).filter(([name]) => !(PARTS as readonly string[]).includes(name))
  return {
    ...Object.fromEntries(plain.map(([name, call]) => [`${name}Sync`, call])),
    statSync: unlessMissing(sync.stat),
    lstatSync: unlessMissing(sync.lstat),
    readSync: sync.readInto,
    writeSync: (...args: unknown[]): number => sync.write(...args).bytesWritten,
    realpathSync: Object.assign((...args: Parameters<SyncCalls['realpath']>) => sync.realpath(...args), { native: sync.realpath }),
    watch: sync.watch,
    watchFile: sync.watch,
    // Nothing was watched.
    unwatchFile: () => {},
  }
}

/** With `throwIfNoEntry: false` undefined stands for what is not there. */
function unlessMissing(stat: Call): Call {
  return (path: unknown, options?: unknown) => {
    try {
      return stat(path, options)
    } catch (error) {
      if (isMissing(error) && toOptions(options).throwIfNoEntry === false) return undefined
      throw error
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function callbackCalls(sync: SyncCalls) {
  const plain = Object.entries(sync).filter(([name]) => !(PARTS as readonly string[]).includes(name))
  const forms = Object.fromEntries(plain.map(([name, call]) => [name, withCallback(call as Call)]))
  const realpath = withCallback(sync.realpath)
  const exists = (...args: unknown[]): void => {
    const callback = args.at(-1)
    if (typeof callback !== 'function') throw argumentTypeError('cb', 'of type function', callback)
    setImmediate(callback as (exists: boolean) => void, sync.exists(args[0]))
  }
  return {
    ...(forms as Record<Exclude<keyof SyncCalls, (typeof PARTS)[number]>, Call<void>>),
    exists: Object.assign(exists, { [promisify.custom]: promised(sync.exists) }),
    realpath: Object.assign(realpath, { native: realpath }),
    read: withResults(sync.read, ({ bytesRead, buffer }) => [bytesRead, buffer]),
    write: withResults(sync.write, ({ bytesWritten, buffer }) => [bytesWritten, buffer]),
    readv: withResults(
      (fd: unknown, buffers: unknown, position?: unknown) => ({ bytesRead: sync.readv(fd, buffers, position), buffers }),
      ({ bytesRead, buffers }) => [bytesRead, buffers],
    ),
    writev: withResults(
      (fd: unknown, buffers: unknown, position?: unknown) => ({ bytesWritten: sync.writev(fd, buffers, position), buffers }),
      ({ bytesWritten, buffers }) => [bytesWritten, buffers],
    ),
  }
}

function streamsOf({ open, close, read, write, writev, fsync }: ReturnType<typeof callbackCalls>) {
  const { ReadStream, WriteStream } = streamClasses({ open, close, read, write, writev, fsync })
  return {
    ReadStream,
    WriteStream,
    createReadStream: (path: unknown, options?: unknown) => new ReadStream(path, options),
    createWriteStream: (path: unknown, options?: unknown) => new WriteStream(path, options),
  }
}

/** Calls of `fs.promises`; those on descriptors are a FileHandle's there. */
const PROMISES = [
  ...(['access', 'stat', 'lstat', 'statfs', 'readlink', 'realpath', 'mkdir', 'mkdtemp', 'unlink', 'rename', 'link', 'symlink'] as const),
  ...(['chmod', 'chown', 'lchown', 'utimes', 'lutimes', 'truncate', 'readdir', 'rm', 'rmdir', 'opendir', 'copyFile'] as const),
] satisfies readonly (keyof SyncCalls)[]

function promiseCalls(sync: SyncCalls, streams: ReturnType<typeof streamsOf>) {
  const writeFile = (file: unknown, contents: unknown, options?: unknown): Promise<void> =>
    isPieces(contents) ? writePieces(sync, { file, pieces: contents, options }) : promised(sync.writeFile)(file, contents, options)
  const handleCalls: HandleCalls = {
    close: sync.close,
    read: sync.read,
    write: sync.write,
    readv: (fd, buffers, position) => ({ bytesRead: sync.readv(fd, buffers, position), buffers }),
    writev: (fd, buffers, position) => ({ bytesWritten: sync.writev(fd, buffers, position), buffers }),
    readFile: promised(sync.readFile),
    writeFile,
    fstat: sync.fstat,
    fsync: sync.fsync,
    fdatasync: sync.fdatasync,
    ftruncate: sync.ftruncate,
    fchmod: sync.fchmod,
    fchown: sync.fchown,
    futimes: sync.futimes,
    createReadStream: (path, options) => streams.createReadStream(path, options) as unknown as Readable,
    createWriteStream: (path, options) => streams.createWriteStream(path, options) as unknown as Writable,
  }
  const calls = {
    ...Object.fromEntries(PROMISES.map((name) => [name, promised(sync[name] as Call)])),
    open: async (path: unknown, flags?: unknown, mode?: unknown) => new FileHandle(sync.open(path, flags, mode), handleCalls),
    readFile: async (file: unknown, options?: unknown) => promised(sync.readFile)(descriptorOf(file), options),
    writeFile: async (file: unknown, contents: unknown, options?: unknown) => writeFile(descriptorOf(file), contents, options),
    appendFile: async (file: unknown, contents: unknown, options?: unknown) =>
      promised(sync.appendFile)(descriptorOf(file), contents, options),
    cp: sync.cpLater,
    watch: sync.watch,
    constants,
  }
  const openAsBlob = async (path: unknown, options: { readonly type?: string } = {}): Promise<Blob> =>
    new Blob([sync.readFile(path) as Buffer], { type: options.type ?? '' })
  return { calls, openAsBlob }
}

/** Where a descriptor may stand for a path, a handle may. */
function descriptorOf(file: unknown): unknown {
  if (typeof file === 'number') throw argumentTypeError('path', 'of type string or an instance of Buffer or URL', file)
  return file instanceof FileHandle ? file.fd : file
}

type Pieces = Iterable<unknown> | AsyncIterable<unknown>

function isPieces(contents: unknown): contents is Pieces {
  if (typeof contents !== 'object' || contents === null || ArrayBuffer.isView(contents)) return false
  return Symbol.iterator in contents || Symbol.asyncIterator in contents
}

/** Piece by piece as they come. */
async function writePieces(
  sync: SyncCalls,
  { file, pieces, options }: { readonly file: unknown; readonly pieces: Pieces; readonly options: unknown },
): Promise<void> {
  const parsed = toOptions(options)
  const descriptor = typeof file === 'number' ? file : sync.open(file, parsed.flag ?? 'w', parsed.mode)
  try {
    for await (const piece of pieces) {
      assertNotAborted(parsed)
      sync.write(descriptor, toBytesArgument(piece, parsed.encoding))
    }
  } finally {
    if (descriptor !== file) sync.close(descriptor)
  }
}
