/** The calls of `node:fs` on directories with all that is in them. */
import { posix } from 'node:path'
import { ErrnoError } from './errno.js'
import type { ByteString, DirectoryEntry, Stat } from './file-system.js'
import { encodeName, type OptionsArgument, type PathArgument, toFlags, toInteger, toOptions, toPath } from './node-fs-arguments.js'
import { argumentTypeError, asNode, type Refusal, systemError } from './node-fs-error.js'
import { Dirent } from './node-fs-stats.js'
import type { SystemCalls } from './system-calls.js'

/** A directory that is to be read, with its path below the one that was asked for. */
interface Place {
  readonly path: PathArgument
  readonly below: ByteString
}

/** One entry, and the directory it stands in. */
export interface Listed {
  readonly entry: DirectoryEntry
  readonly place: Place
}

/** What `cp` is told, settled. */
interface CopyOptions {
  readonly dereference: boolean
  readonly errorOnExist: boolean
  readonly force: boolean
  readonly preserveTimestamps: boolean
  readonly recursive: boolean
  readonly verbatimSymlinks: boolean
  readonly filter: ((source: string, destination: string) => unknown) | undefined
}

type Pair = { readonly from: ByteString; readonly to: ByteString }
/** Asks what a filter says, which may take its time. */
type Copying = Generator<unknown, void, unknown>

const ONLY_READ = toFlags('r')
const NEW_FILE = toFlags('wx')

/** Each call by its name without `Sync`. */
export type TreeCalls = ReturnType<typeof treeCalls>

export function treeCalls(calls: SystemCalls) {
  const list = (syscall: string, { path, below }: Place): Listed[] =>
    asNode({ syscall, path: path.shown }, () => calls.readdir(path.bytes)).map((entry) => ({ entry, place: { path, below } }))

  /** Directory by directory, each after the one it was found in. Symlinks are not followed. */
  function* listed(syscall: string, path: PathArgument, { recursive }: OptionsArgument): Generator<Listed> {
    const pending: Place[] = [{ path, below: '' }]
    for (let at = 0; at < pending.length; at++) {
      const place = pending[at]
      if (place === undefined) return
      for (const found of list(syscall, place).sort(byName)) {
        yield found
        if (recursive !== true || found.entry.type !== 'directory') continue
        const { name } = found.entry
        const shown = posix.join(place.path.shown, String(encodeName(name, {})))
        pending.push({ path: { bytes: `${place.path.bytes}/${name}`, shown }, below: `${place.below}${name}/` })
      }
    }
  }

  const readdir = (path: unknown, options?: unknown): (string | Buffer)[] | Dirent[] => {
    const parsed = toOptions(options)
    const found = [...listed('scandir', toPath(path), parsed)]
    if (parsed.withFileTypes === true) return found.map((each) => direntOf(each, parsed))
    return found.map(({ entry, place }) => encodeName(place.below + entry.name, parsed))
  }

  const removeAll = (path: ByteString): void => {
    const pending = [path]
    for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
      const at = next
      const step = <T>(syscall: string, action: () => T): T => asNode({ syscall, path: text(at) }, action)
      if (step('lstat', () => calls.lstat(at)).type !== 'directory') step('unlink', () => calls.unlink(at))
      else {
        const inside = step('scandir', () => calls.readdir(at)).map(({ name }) => `${at}/${name}`)
        pending.push(...inside)
        if (inside.length > 0) continue
        step('rmdir', () => calls.rmdir(at))
      }
      pending.pop()
    }
  }

  const rm = (path: unknown, options?: unknown): void => {
    const { bytes, shown } = toPath(path)
    const { force = false, recursive = false } = booleans(options, ['force', 'recursive'])
    const names = { path: shown, syscall: 'rm' }
    try {
      const isDirectory = asNode({ path: shown, syscall: 'lstat' }, () => calls.lstat(bytes)).type === 'directory'
      if (isDirectory && !recursive)
        throw systemError('ERR_FS_EISDIR', 'Path is a directory', names, { errno: 'EISDIR', reason: 'is a directory' })
    } catch (error) {
      if (force && hasCode(error, 'ENOENT')) return
      throw error
    }
    removeAll(withoutSlash(bytes))
  }

  const rmdir = (path: unknown, options?: unknown): void => {
    const { bytes, shown } = toPath(path)
    const { recursive = false } = booleans(options, ['recursive'])
    asNode({ path: shown, syscall: 'rmdir' }, () => {
      if (!recursive) calls.rmdir(bytes)
      else if (calls.lstat(bytes).type === 'directory') removeAll(withoutSlash(bytes))
      else throw new ErrnoError('ENOTDIR')
    })
  }

  const looked = (path: ByteString, { dereference }: CopyOptions): Stat | null => {
    try {
      return dereference ? calls.stat(path) : calls.lstat(path)
    } catch (error) {
      if (error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null
      throw error
    }
  }

  /** What is at both ends, when the one can become the other. */
  const checked = ({ from, to }: Pair, options: CopyOptions): { readonly source: Stat; readonly target: Stat | null } => {
    const source = asNode({ syscall: options.dereference ? 'stat' : 'lstat', path: text(from) }, () =>
      options.dereference ? calls.stat(from) : calls.lstat(from),
    )
    const target = looked(to, options)
    const isDirectory = source.type === 'directory'
    if (target?.ino === source.ino) throw copyError('EINVAL', 'Invalid src or dest', to, { reason: 'src and dest cannot be the same' })
    if (target !== null && isDirectory && target.type !== 'directory')
      throw copyError('DIR_TO_NON_DIR', 'Cannot overwrite non-directory with directory', to, {
        errno: 'EISDIR',
        reason: `cannot overwrite non-directory ${text(to)} with directory ${text(from)}`,
      })
    if (target?.type === 'directory' && !isDirectory)
      throw copyError('NON_DIR_TO_DIR', 'Cannot overwrite directory with non-directory', to, {
        errno: 'ENOTDIR',
        reason: `cannot overwrite directory ${text(to)} with non-directory ${text(from)}`,
      })
    if (isDirectory && isBelow(to, from))
      throw copyError('EINVAL', 'Invalid src or dest', to, { reason: `cannot copy ${text(from)} to a subdirectory of self ${text(to)}` })
    return { source, target }
  }

  const copyFile = ({ from, to }: Pair, source: Stat, options: CopyOptions): void => {
    const reader = calls.open(from, ONLY_READ, 0)
    try {
      const writer = calls.open(to, NEW_FILE, source.mode)
      try {
        calls.files.copy(reader, writer)
        calls.fchmod(writer, source.mode)
      } finally {
        calls.files.close(writer)
      }
    } finally {
      calls.files.close(reader)
    }
    if (options.preserveTimestamps) calls.utimes(to, source, { followLast: true })
  }

  const copyLink = ({ from, to }: Pair, target: Stat | null, { verbatimSymlinks }: CopyOptions): void => {
    const leads = calls.readlink(from)
    const kept = verbatimSymlinks || leads.startsWith('/') ? leads : posix.resolve('/', parentOf(from), leads)
    if (target !== null) calls.unlink(to)
    calls.symlink(kept, to)
  }

  function* copyDirectory(pair: Pair, { source, target }: ReturnType<typeof checked>, options: CopyOptions): Copying {
    const { from, to } = pair
    // Writable until all is in it.
    if (target === null) calls.mkdir(to, source.mode | 0o300)
    for (const { name } of [...calls.readdir(from)].sort(byEntryName)) {
      const inside = { from: `${withoutSlash(from)}/${name}`, to: `${withoutSlash(to)}/${name}` }
      yield* copyEntry(inside, options)
    }
    if (target === null) calls.chmod(to, source.mode)
    if (options.preserveTimestamps) calls.utimes(to, source, { followLast: true })
  }

  function* copyEntry(pair: Pair, options: CopyOptions): Copying {
    const { from, to } = pair
    if (options.filter !== undefined && !(yield options.filter(text(from), text(to)))) return
    const ends = checked(pair, options)
    const { source, target } = ends
    if (source.type === 'directory') yield* copyDirectory(pair, ends, options)
    else if (source.type === 'socket')
      throw copyError('SOCKET', 'Cannot copy a socket file', to, { reason: `cannot copy a socket file: ${text(to)}` })
    else if (source.type === 'fifo')
      throw copyError('FIFO_PIPE', 'Cannot copy a FIFO pipe', to, { reason: `cannot copy a FIFO pipe: ${text(to)}` })
    else if (source.type !== 'file' && source.type !== 'symlink')
      throw copyError('UNKNOWN', 'Cannot copy an unknown file type', to, { reason: `cannot copy an unknown file type: ${text(to)}` })
    else if (target !== null && !options.force) {
      if (options.errorOnExist)
        throw copyError('EEXIST', 'Target already exists', to, { errno: 'EEXIST', reason: `${text(to)} already exists` })
    } else if (source.type === 'symlink') copyLink(pair, target, options)
    else {
      if (target !== null) calls.unlink(to)
      copyFile(pair, source, options)
    }
  }

  function* copying(from: unknown, to: unknown, options?: unknown): Copying {
    const source = toPath(from, 'src')
    const target = toPath(to, 'dest')
    const parsed = copyOptions(options)
    const pair = { from: source.bytes, to: target.bytes }
    const names = { syscall: 'cp', path: source.shown, dest: target.shown }
    if (parsed.filter !== undefined && !(yield parsed.filter(source.shown, target.shown))) return
    const ends = asNode(names, () => checked(pair, parsed))
    if (ends.source.type === 'directory' && !parsed.recursive)
      throw systemError('ERR_FS_EISDIR', 'Recursive option not enabled, cannot copy a directory', names, {
        errno: 'EISDIR',
        reason: `${source.shown} is a directory (not copied)`,
      })
    asNode(names, () => makeParents(target.bytes))
    const copy = copyEntry(pair, { ...parsed, filter: askedOnce(parsed.filter, source.shown) })
    for (let answer: unknown; ; ) {
      const step = asNode(names, () => copy.next(answer))
      if (step.done === true) return
      answer = yield step.value
    }
  }

  const makeParents = (path: ByteString): void => {
    const missing: ByteString[] = []
    for (let above = parentOf(path); above !== '/' && looked(above, FOLLOWING) === null; above = parentOf(above)) missing.push(above)
    for (const above of missing.reverse()) calls.mkdir(above, 0o777)
  }

  return {
    readdir,
    rm,
    rmdir,
    /** For `Dir`. */
    list: (path: PathArgument, options: OptionsArgument) => listed('opendir', path, options),
    cp: (from: unknown, to: unknown, options?: unknown): void => {
      for (let copy = copying(from, to, options), answer: unknown; ; ) {
        const step = copy.next(answer)
        if (step.done === true) return
        if (step.value instanceof Promise) throw argumentTypeError('filter', 'a function that answers at once', step.value)
        answer = step.value
      }
    },
    /** With a filter that may answer later. */
    cpLater: async (from: unknown, to: unknown, options?: unknown): Promise<void> => {
      for (let copy = copying(from, to, options), answer: unknown; ; ) {
        const step = copy.next(answer)
        if (step.done === true) return
        answer = await step.value
      }
    },
  }
}

/** An entry as Node gives it with `withFileTypes`. */
export function direntOf({ entry, place }: Listed, options: OptionsArgument): Dirent {
  return new Dirent(encodeName(entry.name, options), entry.type, place.path.shown)
}

function byName(left: Listed, right: Listed): number {
  return byEntryName(left.entry, right.entry)
}

/** In the order of their bytes, as Node lists them. */
function byEntryName(left: DirectoryEntry, right: DirectoryEntry): number {
  return left.name < right.name ? -1 : 1
}

function booleans(options: unknown, names: readonly string[]): Readonly<Record<string, boolean>> {
  const found: Record<string, boolean> = {}
  for (const name of names) {
    const value = toOptions(options)[name]
    if (value === undefined) continue
    if (typeof value !== 'boolean') throw argumentTypeError(`options.${name}`, 'of type boolean', value)
    found[name] = value
  }
  return found
}

const COPY_FLAGS = ['dereference', 'errorOnExist', 'force', 'preserveTimestamps', 'recursive', 'verbatimSymlinks'] as const
const COPY_DEFAULTS: CopyOptions = {
  dereference: false,
  errorOnExist: false,
  force: true,
  preserveTimestamps: false,
  recursive: false,
  verbatimSymlinks: false,
  filter: undefined,
}
const FOLLOWING: CopyOptions = { ...COPY_DEFAULTS, dereference: true }

function copyOptions(options: unknown): CopyOptions {
  const { filter, mode } = toOptions(options)
  if (filter !== undefined && typeof filter !== 'function') throw argumentTypeError('options.filter', 'of type function', filter)
  toInteger(mode ?? 0, 'mode', { least: 0, most: 7 })
  return { ...COPY_DEFAULTS, ...booleans(options, COPY_FLAGS), filter: filter as CopyOptions['filter'] }
}

/** A filter that is not asked of the root again. */
function askedOnce(filter: CopyOptions['filter'], root: string): CopyOptions['filter'] {
  return filter === undefined ? undefined : (source, destination) => source === root || filter(source, destination)
}

function copyError(
  code: string,
  message: string,
  dest: ByteString,
  { errno = 'EINVAL', reason }: Partial<Refusal> & { reason: string },
): Error {
  return systemError(`ERR_FS_CP_${code}`, message, { syscall: 'cp', path: text(dest) }, { errno, reason })
}

function text(path: ByteString): string {
  return String(encodeName(path, {}))
}

function withoutSlash(path: ByteString): ByteString {
  return path.replace(/\/+$/, '') || '/'
}

function parentOf(path: ByteString): ByteString {
  return posix.dirname(posix.resolve('/', path))
}

function isBelow(path: ByteString, directory: ByteString): boolean {
  return posix.resolve('/', path).startsWith(`${posix.resolve('/', directory).replace(/\/$/, '')}/`)
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
