/**
 * What has become of a tree that was given away (`rootfs/lent-tree`): taken in whole and within its bounds, then written over the one it came
 * from, where it differs from what was given.
 *
 * Whoever had it is hostile. Nothing is kept of what it has left alone, what it is said to hold is counted before it is held, and no name of
 * its leads anywhere but to the directory it was listed in. What the owner has changed meanwhile stays unless both have changed the same
 * name: then it is as the guest left it. What the owner has put where the guest needs a place of another kind stays too, and is told.
 */
import { createHash, type Hash } from 'node:crypto'
import { EngineError } from '../errors.js'
import { ErrnoError, type ErrnoName } from '../fs/errno.js'
import type { ByteString, FileSystem, Ino } from '../fs/file-system.js'
import { toBytes, toUtf8 } from '../fs/names.js'
import { errnoName } from '../launcher/failure.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import type { LentInode, LentTree } from './lent-tree.js'

/** Bounds of what may come to a tree, and what is no change of the guest's. */
export interface ReturnOptions {
  /** Bytes of files and of symlinks' targets. */
  readonly bytes: number
  /** Names. */
  readonly inodes: number
  /** Where something else was mounted below the tree: a place that was made for it is not the guest's doing. */
  readonly places: readonly ByteString[]
}

/** Something of the guest's that the tree could not take. */
export interface LeftOut {
  readonly path: ByteString
  readonly why: string
}

interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
}

interface Returned {
  readonly entry: TreeEntry
  /** What it was when it was given: it had this name then. */
  readonly lent: LentInode | null
  /** What is in a file, of one that has changed. */
  pieces: readonly Piece[] | null
  /** Its number in the tree, once it is there. */
  ino: Ino | null
  /** All of it is new there. */
  isMade: boolean
}

/** Of a path, on average: whoever owns the tree walks each of them component by component, and holds them all. */
const PATH_BYTES = 256
/** Told one by one; of more there is only the number. */
const LEFT_OUT_TOLD = 100
/** How long the owner's process does nothing else. */
const BREATH_MS = 20
const decoder = new TextDecoder('utf-8', { fatal: true })

/** A tree as it comes back. */
export class ReturnedTree {
  /** What the tree could not take, the first of them. */
  readonly leftOut: LeftOut[] = []
  leftOutCount = 0
  readonly #lent: LentTree
  readonly #options: ReturnOptions
  readonly #names = new Map<ByteString, Returned>()
  readonly #claimed = new Set<LentInode>()
  #contents: Contents | null = null
  #entries = 0
  #pathBytes = 0
  #bytes = 0

  constructor(lent: LentTree, options: ReturnOptions) {
    this.#lent = lent
    this.#options = options
  }

  /** One record of the stream. Throws LIMIT_EXCEEDED for more than may come back, LAUNCHER_FAILED for a tree that could not be read. */
  take(record: TreeRecord): void {
    switch (record.record) {
      case 'entry':
        this.#finishContents()
        this.#takeEntry(record.entry)
        return
      case 'data':
        this.#contents?.add(record.offset, record.bytes)
        return
      case 'broken': {
        const about = record.argument === '' ? '' : ` of ${JSON.stringify(toUtf8(record.argument))}`
        throw new EngineError('LAUNCHER_FAILED', `${record.call}${about} failed with ${errnoName(record.errno)}`)
      }
      case 'end':
        this.#finishContents()
        return
      case 'xattr':
      case 'copy':
      case 'remove':
      case 'attributes':
        return
    }
  }

  #takeEntry(entry: TreeEntry): void {
    const { path, kind, target = '', size = 0 } = entry
    if (++this.#entries > this.#lent.names.size + this.#options.inodes)
      throw new EngineError('LIMIT_EXCEEDED', `more than ${this.#options.inodes} names came to it`)
    this.#pathBytes += path.length
    if (this.#pathBytes > this.#lent.pathBytes + this.#options.inodes * PATH_BYTES)
      throw new EngineError('LIMIT_EXCEEDED', `more than ${this.#options.inodes * PATH_BYTES} bytes of paths came to it`)
    if (!this.#isTaken(entry)) return
    if (kind === 'hard-link') {
      const other = this.#names.get(target)
      if (other !== undefined) this.#names.set(path, other)
      return
    }
    this.#bytes += kind === 'symlink' ? target.length : size
    if (this.#bytes > this.#lent.bytes + this.#options.bytes)
      throw new EngineError('LIMIT_EXCEEDED', `more than ${this.#options.bytes} bytes came to it`)
    const lent = this.#lent.names.get(path)
    const isSame = lent !== undefined && lent.type === kind && lent.target === target && !this.#claimed.has(lent)
    if (isSame) this.#claimed.add(lent)
    const returned: Returned = { entry, lent: isSame ? lent : null, pieces: null, ino: null, isMade: false }
    this.#names.set(path, returned)
    if (kind === 'file') this.#contents = new Contents(returned)
  }

  /** Whether the tree can hold such a thing under such a name. Of a directory that it cannot, nothing is told of what is in it. */
  #isTaken({ path, kind, target = '' }: TreeEntry): boolean {
    if (path !== '' && this.#names.get(parentOf(path))?.entry.kind !== 'directory') return false
    if (!isUtf8(nameOf(path)) || (kind === 'symlink' && !isUtf8(target))) {
      this.#leaveOut(path, 'its name or target is not UTF-8')
      return false
    }
    if (kind === 'directory' || kind === 'file' || kind === 'symlink' || (kind === 'hard-link' && this.#names.has(target))) return true
    this.#leaveOut(path, kind === 'hard-link' ? 'what it is another name of is left out' : `it is a ${kind.replace('-', ' ')}`)
    return false
  }

  #finishContents(): void {
    this.#contents?.finish()
    this.#contents = null
  }

  /**
   * Writes what has changed, in pieces between which the owner's process has its turns. Throws LIMIT_EXCEEDED when the tree has no room after
   * all; what came before in the order of names is written then.
   */
  async applyTo(tree: FileSystem): Promise<void> {
    const work = new Application(tree, this.#lent, this.#names, this.#options.places, (path, why) => this.#leaveOut(path, why))
    let since = performance.now()
    for (const step of work.steps()) {
      step()
      if (performance.now() - since < BREATH_MS) continue
      await new Promise(setImmediate)
      since = performance.now()
    }
  }

  #leaveOut(path: ByteString, why: string): void {
    this.leftOutCount++
    if (this.leftOut.length < LEFT_OUT_TOLD) this.leftOut.push({ path, why })
  }
}

/** A file's bytes as they come, and whether they are those that were given. */
class Contents {
  readonly #returned: Returned
  readonly #pieces: Piece[] = []
  /** Of one that may be as it was. */
  readonly #hash: Hash | null
  #end = 0

  constructor(returned: Returned) {
    this.#returned = returned
    const { lent, entry } = returned
    this.#hash = lent !== null && lent.size === entry.size ? createHash('sha256') : null
  }

  add(offset: number, bytes: Uint8Array): void {
    const { size = 0 } = this.#returned.entry
    if (offset < this.#end || offset + bytes.length > size) throw new EngineError('INVALID_ARCHIVE', 'not a tree stream: data out of place')
    this.#skipTo(offset)
    this.#hash?.update(bytes)
    this.#end = offset + bytes.length
    // The stream's buffer is larger than what is kept of it.
    this.#pieces.push({ offset, bytes: new Uint8Array(bytes) })
  }

  finish(): void {
    const { lent, entry } = this.#returned
    if (this.#hash !== null) this.#skipTo(entry.size ?? 0)
    const isAsItWas = this.#hash !== null && this.#hash.digest('hex') === lent?.sha256
    this.#returned.pieces = isAsItWas ? null : this.#pieces
  }

  /** Holes are zeros. */
  #skipTo(offset: number): void {
    if (this.#hash === null || offset === this.#end) return
    const zeros = new Uint8Array(Math.min(64 * 1024, offset - this.#end))
    for (; this.#end < offset; this.#end += zeros.length) {
      if (offset - this.#end < zeros.length) this.#hash.update(zeros.subarray(0, offset - this.#end))
      else this.#hash.update(zeros)
    }
    this.#end = offset
  }
}

/** What the owner has put there meanwhile is of another kind. */
const TAKEN: ReadonlySet<ErrnoName> = new Set(['EEXIST', 'EISDIR', 'ENOTDIR', 'ENOTEMPTY'])

/** One writing of a returned tree. */
class Application {
  readonly #directories = new Map<ByteString, Ino>()
  /** Directories whose times this writing has changed. */
  readonly #stirred = new Set<ByteString>()

  constructor(
    readonly tree: FileSystem,
    readonly lent: LentTree,
    readonly names: ReadonlyMap<ByteString, Returned>,
    readonly places: readonly ByteString[],
    readonly leaveOut: (path: ByteString, why: string) => void,
  ) {
    for (const [path, { type, ino }] of lent.names) if (type === 'directory') this.#directories.set(path, ino)
  }

  /** Removals first, since they make room; attributes last, from below, since what is made in a directory changes its times. */
  *steps(): Generator<() => void> {
    for (const path of [...this.lent.names.keys()].reverse()) yield () => this.#attempt(path, () => this.#remove(path))
    for (const [path, returned] of this.names) yield () => this.#attempt(path, () => this.#make(path, returned))
    for (const returned of [...new Set(this.names.values())].reverse())
      yield () => this.#attempt(returned.entry.path, () => this.#dress(returned))
  }

  #attempt(path: ByteString, step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error
      if (error.code === 'ENOSPC' || error.code === 'EIO')
        throw new EngineError('LIMIT_EXCEEDED', `it has no room for ${JSON.stringify(toUtf8(path))} (${error.message})`, { cause: error })
      this.leaveOut(path, TAKEN.has(error.code) ? 'its place is taken' : error.code)
    }
  }

  #remove(path: ByteString): void {
    const lent = this.lent.names.get(path)
    if (path === '' || lent === undefined || this.#isStill(path, lent)) return
    const place = this.#look(path)
    if (place?.ino === undefined) return
    const isDirectory = this.tree.stat(place.ino).type === 'directory'
    if (isDirectory !== (lent.type === 'directory')) return
    try {
      if (isDirectory) this.tree.rmdir(place.parent, nameOf(path))
      else this.tree.unlink(place.parent, nameOf(path))
      this.#stirred.add(parentOf(path))
    } catch (error) {
      // What the owner has put in it stays.
      if (!(error instanceof ErrnoError && error.code === 'ENOTEMPTY')) throw error
    }
  }

  /** Whether what bears the name is what bore it. */
  #isStill(path: ByteString, lent: LentInode): boolean {
    const returned = this.names.get(path)
    return returned !== undefined && (returned.lent === lent || (returned.entry.kind === 'directory' && lent.type === 'directory'))
  }

  #make(path: ByteString, returned: Returned): void {
    const { entry, lent } = returned
    const before = this.lent.names.get(path)
    if (path === '' || (before === undefined && this.#isPlace(path, returned))) return
    if (lent !== null && before === lent) this.#renew(path, returned)
    else if (entry.kind === 'directory') this.#directory(path)
    else {
      const parent = this.#directory(parentOf(path))
      const made = this.#made(returned)
      this.#clear(parent, path)
      if (made === null) this.#create(parent, path, returned)
      else this.#link(made, parent, path)
    }
  }

  /** A name that is what it was; what is in it may not be. */
  #renew(path: ByteString, returned: Returned): void {
    const { entry, pieces } = returned
    if (entry.kind !== 'file' || pieces === null || returned.ino !== null) return
    const parent = this.#directory(parentOf(path))
    const ino = this.tree.lookup(parent, nameOf(path))
    if (ino !== undefined && this.tree.stat(ino).type === 'file') this.#write(ino, returned)
    else {
      this.#clear(parent, path)
      this.#create(parent, path, returned)
    }
  }

  #create(parent: Ino, path: ByteString, returned: Returned): void {
    const { kind, mode, target = '' } = returned.entry
    const isLink = kind === 'symlink'
    const ino = this.tree.create(parent, nameOf(path), {
      type: isLink ? kind : 'file',
      mode,
      uid: 0,
      gid: 0,
      ...(isLink ? { target } : {}),
    })
    this.#stirred.add(parentOf(path))
    returned.isMade = true
    returned.ino = ino
    if (!isLink) this.#write(ino, returned)
  }

  #write(ino: Ino, returned: Returned): void {
    returned.ino = ino
    const { size = 0 } = returned.entry
    if (!returned.isMade) this.tree.setAttributes(ino, { size: 0 })
    // Whole at first, so that it need not grow with each piece.
    if (size > 0) this.tree.setAttributes(ino, { size })
    for (const { offset, bytes } of returned.pieces ?? []) this.tree.write(ino, bytes, offset)
    returned.pieces = []
  }

  /** What another name of it is to lead to; null when none of its names is made yet, be it that the places of the ones before are taken. */
  #made({ entry, lent, ino }: Returned): Ino | null {
    if (ino !== null || lent === null) return ino
    const present = this.#look(entry.path)?.ino
    if (present === undefined) throw new ErrnoError('ENOENT')
    if (this.tree.stat(present).type !== entry.kind) throw new ErrnoError('EEXIST')
    return present
  }

  #link(ino: Ino, parent: Ino, path: ByteString): void {
    this.tree.link(ino, parent, nameOf(path))
    this.#stirred.add(parentOf(path))
  }

  /** Takes away what bears the name, but for a directory. */
  #clear(parent: Ino, path: ByteString): void {
    const ino = this.tree.lookup(parent, nameOf(path))
    if (ino === undefined) return
    if (this.tree.stat(ino).type === 'directory') throw new ErrnoError('EISDIR')
    this.tree.unlink(parent, nameOf(path))
    this.#stirred.add(parentOf(path))
  }

  /** A directory of the returned tree, made where it is missing. */
  #directory(path: ByteString): Ino {
    if (path === '') return this.tree.root
    const known = this.#directories.get(path)
    if (known !== undefined && this.#isThere(known)) return known
    const parent = this.#directory(parentOf(path))
    const present = this.tree.lookup(parent, nameOf(path))
    if (present !== undefined && this.tree.stat(present).type !== 'directory') throw new ErrnoError('ENOTDIR')
    const returned = this.names.get(path)
    const ino = present ?? this.tree.create(parent, nameOf(path), { type: 'directory', mode: 0o700, uid: 0, gid: 0 })
    if (present === undefined) this.#stirred.add(parentOf(path))
    if (returned !== undefined && present === undefined) returned.isMade = true
    this.#directories.set(path, ino)
    return ino
  }

  #isThere(ino: Ino): boolean {
    try {
      this.tree.stat(ino)
      return true
    } catch {
      return false
    }
  }

  /** Where a name is to be found, and what bears it; undefined when its directory is gone. */
  #look(path: ByteString): { readonly parent: Ino; readonly ino: Ino | undefined } | undefined {
    const parent = this.#directories.get(parentOf(path))
    if (parent === undefined || !this.#isThere(parent)) return undefined
    return { parent, ino: this.tree.lookup(parent, nameOf(path)) }
  }

  #isPlace(path: ByteString, { entry }: Returned): boolean {
    return (entry.kind === 'directory' || entry.size === 0) && this.places.some((place) => place === path || place.startsWith(`${path}/`))
  }

  #dress({ entry, lent, pieces, ino, isMade }: Returned): void {
    const { mode, mtimeNs, atimeNs } = entry
    const isNew = isMade || lent === null
    const isModeNew = isNew || mode !== lent.mode
    const isStirred = this.#stirred.has(entry.path)
    // Objects that are no file systems may tell the time of a new mode as that of a new content: memfs does.
    const areTimesNew = isModeNew || isStirred || pieces !== null || mtimeNs !== lent.mtimeNs || atimeNs !== lent.atimeNs
    if (entry.kind === 'symlink' || (!isModeNew && !areTimesNew)) return
    const at = entry.path === '' ? this.tree.root : (ino ?? this.#look(entry.path)?.ino)
    if (at === undefined || this.tree.stat(at).type !== entry.kind) return
    this.tree.setAttributes(at, { ...(isModeNew ? { mode } : {}), ...(areTimesNew ? { mtimeNs, atimeNs } : {}) })
  }
}

function isUtf8(name: ByteString): boolean {
  try {
    decoder.decode(toBytes(name))
    return true
  } catch {
    return false
  }
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1)
}
