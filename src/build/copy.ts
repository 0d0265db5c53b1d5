/**
 * COPY: what it takes of a source tree, and where it goes in an image's. The image is a union in memory, whose changes become the layer;
 * contents stay where they are until that is packed. Every path, the destination's symlinks included, is walked by handles inside its own
 * tree: no image and no context can name anything else (CVE-2020-1726, CVE-2024-1753, CVE-2024-9676).
 */
import { EngineError } from '../errors.js'
import { ErrnoError } from '../fs/errno.js'
import type { ByteString, Ino, ReadonlyFileSystem, Stat } from '../fs/file-system.js'
import { fromUtf8, toUtf8 } from '../fs/names.js'
import { resolve, rootHandle } from '../fs/resolve.js'
import type { UnionFs } from '../fs/union-fs.js'
import { CopiedTree, contentsIn } from '../layer/copied-tree.js'
import { nearest } from '../reference/nearest.js'
import { componentMatcher, isPattern } from './ignore.js'

/** Whom files are given to. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** One COPY, with everything in it known. */
export interface CopyRequest {
  readonly tree: ReadonlyFileSystem
  /** `the build context`, `the stage build`: where files are missing from, in messages. */
  readonly treeName: string
  readonly sources: readonly string[]
  /** Absolute. */
  readonly destination: string
  /** Ended in a slash or a dot, so that it is a directory. */
  readonly isDirectory: boolean
  /** Null leaves the owners of the tree. */
  readonly owner: Owner | null
  /** Null leaves modes as they are. */
  readonly mode: number | null
  /** Why a path is not there though the folder has it; null when that is not known. */
  readonly whyMissing: (path: ByteString) => string | null
}

/** Does a COPY in `union` and returns the tree whose changes are its layer. Throws INVALID_ARGUMENT, UNSAFE_PATH. */
export function copyInto(union: UnionFs, request: CopyRequest): CopiedTree {
  const copied = new CopiedTree(union)
  const found = request.sources.flatMap((source) => selectSources(request, source))
  if (found.length > 1 && !request.isDirectory)
    throw new EngineError(
      'INVALID_ARGUMENT',
      'when using COPY with more than one source file, the destination must be a directory and end with a /',
      { hint: `Write ${request.destination}/ as the last word.` },
    )
  const copy = new Copy(union, copied, request)
  for (const source of found) copy.add(source)
  return copied
}

interface Selected {
  readonly ino: Ino
  /** Its last component; empty for the root of the tree. */
  readonly name: ByteString
}

function selectSources(request: CopyRequest, source: string): readonly Selected[] {
  const { tree, treeName } = request
  const path = fromUtf8(source)
  if (path.includes('\0')) throw new EngineError('INVALID_ARGUMENT', `a path holds a NUL byte: ${JSON.stringify(source)}`)
  if (climbs(path))
    throw new EngineError('UNSAFE_PATH', `forbidden path outside ${treeName}: ${source}`, {
      hint: 'Only what is below it can be copied: build from a folder above, and name the Dockerfile with -f.',
      data: { source },
    })
  const found = isPattern(path) ? matches(tree, path) : exact(tree, path)
  if (found.length > 0) return found
  throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(source)} is not in ${treeName}`, {
    hint: hintForMissing(request, path.replace(/^(\.?\/)+/, '')),
    data: { source },
  })
}

function hintForMissing({ tree, treeName, whyMissing }: CopyRequest, path: ByteString): string {
  const target = targetOf(tree, path)
  if (target !== null) return `It is a symlink to ${toUtf8(target)}, and that is not in ${treeName}: symlinks are followed inside only.`
  const known = tree.readdir(tree.root).map((entry) => toUtf8(entry.name))
  const near = nearest(toUtf8(path), known)
  return whyMissing(path) ?? (near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'Paths begin at its top.')
}

/** Where a symlink leads; null for anything else. */
function targetOf(tree: ReadonlyFileSystem, path: ByteString): ByteString | null {
  try {
    const { fs, ino, type } = resolve(rootHandle(tree), path, { followLast: false })
    return ino !== undefined && type === 'symlink' ? fs.readlink(ino) : null
  } catch (error) {
    if (error instanceof ErrnoError) return null
    throw error
  }
}

/** Whether `..` leads above the top, wherever symlinks go. */
function climbs(path: ByteString): boolean {
  let depth = 0
  for (const part of path.split('/')) {
    if (part === '..') depth--
    else if (part !== '' && part !== '.') depth++
    if (depth < 0) return true
  }
  return false
}

function exact(tree: ReadonlyFileSystem, path: ByteString): readonly Selected[] {
  try {
    const { ino } = resolve(rootHandle(tree), path, { followLast: true })
    // A symlink is copied as what it leads to, under its own name.
    const name = path.split('/').findLast((part) => part !== '' && part !== '.') ?? ''
    return ino === undefined ? [] : [{ ino, name }]
  } catch (error) {
    if (error instanceof ErrnoError) return []
    throw error
  }
}

/** What a pattern matches, in the order of names. Its components are matched one at a time; none of them takes a slash. */
function matches(tree: ReadonlyFileSystem, pattern: ByteString): readonly Selected[] {
  let paths: readonly ByteString[] = ['']
  for (const component of pattern.split('/').filter((part) => part !== '' && part !== '.')) {
    const step = isPattern(component) ? componentMatcher(component) : null
    paths = paths.flatMap((path) => {
      if (step === null) return [`${path}/${component}`]
      const [directory] = exact(tree, path === '' ? '/' : path)
      if (directory === undefined || tree.stat(directory.ino).type !== 'directory') return []
      return tree
        .readdir(directory.ino)
        .map(({ name }) => name)
        .filter(step)
        .sort()
        .map((name) => `${path}/${name}`)
    })
  }
  return paths.flatMap((path) => exact(tree, path))
}

/** Symlinks followed in one walk (Linux: path_resolution(7)). */
const MAXIMUM_SYMLINKS = 40

/** Makes the directories of a path that are missing, and returns the last one. Symlinks on the way are followed inside the tree. */
export function makeDirectories(union: UnionFs, path: ByteString, owner: Owner): Ino {
  return walk(union, path, { owner, isFile: false }).directory
}

interface WalkOptions {
  /** Of directories that are made. */
  readonly owner: Owner
  /** Whether the last component is a file's: what it is then is left to the caller, but for a symlink, which is followed. */
  readonly isFile: boolean
}

/** As `fs/resolve`, but what is missing on the way is made, where symlinks lead too. */
function walk(
  union: UnionFs,
  path: ByteString,
  { owner: { uid, gid }, isFile }: WalkOptions,
): { readonly directory: Ino; readonly name: ByteString } {
  const componentsOf = (text: ByteString) => text.split('/').filter((part) => part !== '' && part !== '.')
  const pending = componentsOf(path).reverse()
  let handle = rootHandle(union)
  let symlinks = 0
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === '..') {
      handle = handle.parent ?? handle
      continue
    }
    const isLast = pending.length === 0
    const ino = union.lookup(handle.ino, name)
    const type = ino === undefined ? undefined : union.stat(ino).type
    if (ino !== undefined && type === 'symlink') {
      if (++symlinks > MAXIMUM_SYMLINKS) throw cannotMake(path, 'too many symlinks')
      const target = union.readlink(ino)
      if (target.startsWith('/')) handle = rootHandle(union)
      pending.push(...componentsOf(target).reverse())
    } else if (isFile && isLast) return { directory: handle.ino, name }
    else if (ino === undefined) handle = { fs: union, ino: makeDirectory(union, handle.ino, name, { path, uid, gid }), parent: handle }
    else if (type === 'directory') handle = { fs: union, ino, parent: handle }
    else throw cannotMake(path, `${toUtf8(name)} is a ${type} in the image`)
  }
  if (isFile) throw cannotMake(path, 'it is no name for a file')
  return { directory: handle.ino, name: '' }
}

function makeDirectory(union: UnionFs, directory: Ino, name: ByteString, { path, uid, gid }: Owner & { readonly path: ByteString }): Ino {
  try {
    return union.create(directory, name, { type: 'directory', mode: 0o755, uid, gid })
  } catch (error) {
    throw error instanceof ErrnoError ? cannotMake(path, error.message) : error
  }
}

function cannotMake(path: ByteString, why: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${toUtf8(path)} cannot be made in the image: ${why}`, { data: { path: toUtf8(path) } })
}

class Copy {
  readonly #union: UnionFs
  readonly #copied: CopiedTree
  readonly #request: CopyRequest
  /** Files of the source with several names, and what they have become. */
  readonly #links = new Map<Ino, Ino>()

  constructor(union: UnionFs, copied: CopiedTree, request: CopyRequest) {
    this.#union = union
    this.#copied = copied
    this.#request = request
  }

  add({ ino, name }: Selected): void {
    const { tree, destination, isDirectory } = this.#request
    const path = fromUtf8(destination)
    if (tree.stat(ino).type === 'directory') {
      const before = this.#existing(path)
      const target = makeDirectories(this.#union, path, this.#newOwner())
      this.#copyContents(ino, target)
      if (before === undefined) this.#setAttributes(ino, target)
      return
    }
    const existing = this.#existing(path)
    if (isDirectory || existing?.type === 'directory') {
      this.#copyNode(ino, makeDirectories(this.#union, path, this.#newOwner()), name)
      return
    }
    // A symlink at the end is written through, inside the image.
    const last = walk(this.#union, path, { owner: this.#newOwner(), isFile: true })
    this.#copyNode(ino, last.directory, last.name)
  }

  #existing(path: ByteString): Stat | undefined {
    try {
      const { ino } = resolve(rootHandle(this.#union), path === '' ? '/' : path, { followLast: true })
      return ino === undefined ? undefined : this.#union.stat(ino)
    } catch (error) {
      if (error instanceof ErrnoError) return undefined
      throw error
    }
  }

  #newOwner(): Owner {
    return this.#request.owner ?? { uid: 0, gid: 0 }
  }

  #copyContents(source: Ino, target: Ino): void {
    // A stack and not recursion: a tree may be deeper than ours. Attributes last, or a directory's time would be that of its last entry.
    const made: (readonly [Ino, Ino])[] = []
    const pending: (readonly [Ino, Ino])[] = [[source, target]]
    for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
      const [from, to] = pair
      for (const { name, ino } of [...this.#request.tree.readdir(from)].sort((left, right) => (left.name < right.name ? -1 : 1))) {
        const copy = this.#copyNode(ino, to, name)
        if (copy === null) continue
        pending.push([ino, copy])
        made.push([ino, copy])
      }
    }
    for (const [from, to] of made.reverse()) this.#setAttributes(from, to)
  }

  /** Copies one node; returns the new inode of a directory, whose contents and attributes are still to come, else null. */
  #copyNode(source: Ino, directory: Ino, name: ByteString): Ino | null {
    const { tree } = this.#request
    const stat = tree.stat(source)
    const existing = this.#union.lookup(directory, name)
    const existingType = existing === undefined ? undefined : this.#union.stat(existing).type
    if (stat.type === 'directory') {
      if (existingType === 'directory') return existing ?? null
      if (existingType !== undefined)
        throw new EngineError('INVALID_ARGUMENT', `cannot copy to non-directory: ${toUtf8(name)} is a ${existingType} in the image`, {
          hint: existingType === 'symlink' ? 'Copy to where that symlink leads.' : 'Remove it first: RUN rm …',
        })
      return this.#union.create(directory, name, { type: 'directory', mode: 0o755, uid: 0, gid: 0 })
    }
    if (stat.type === 'socket') return null
    if (existingType === 'directory')
      throw new EngineError('INVALID_ARGUMENT', `cannot copy a ${stat.type} over the directory ${toUtf8(name)} of the image`)
    const known = this.#links.get(source)
    if (existing !== undefined && existing === known) return null
    if (existing !== undefined) this.#union.unlink(directory, name)
    if (known !== undefined) {
      this.#union.link(known, directory, name)
      return null
    }
    const ino = this.#create(stat, source, directory, name)
    if (stat.linkCount > 1) this.#links.set(source, ino)
    return null
  }

  #create(stat: Stat, source: Ino, directory: Ino, name: ByteString): Ino {
    const { tree } = this.#request
    const { type, mode, device } = stat
    if ((type === 'character-device' || type === 'block-device') && device === null)
      throw new EngineError('INVALID_ARGUMENT', `${toUtf8(name)} in ${this.#request.treeName} is a device`, {
        hint: 'Leave it out with .dockerignore.',
      })
    const ino = this.#union.create(directory, name, {
      type,
      mode,
      uid: 0,
      gid: 0,
      ...(type === 'symlink' ? { target: tree.readlink(source) } : {}),
      ...(device === null ? {} : { device }),
    })
    if (type === 'file') this.#copied.fill(ino, contentsIn(tree, source))
    this.#setAttributes(source, ino)
    return ino
  }

  #setAttributes(source: Ino, target: Ino): void {
    const { tree, mode, owner } = this.#request
    const stat = tree.stat(source)
    for (const [name, value] of tree.xattrs(source)) this.#union.setXattr(target, name, value)
    this.#union.setAttributes(target, {
      mode: mode ?? stat.mode,
      uid: owner?.uid ?? stat.uid,
      gid: owner?.gid ?? stat.gid,
      mtimeNs: stat.mtimeNs,
    })
  }
}
