/** Makes the changes of `change-records` in a file tree that others may write to meanwhile; what the launcher's `path-write` does for the kernel's. */
import { EngineError } from '../errors.js'
import { ErrnoError } from '../fs/errno.js'
import type { AttributeChange, ByteString, FileSystem, FileType, Ino } from '../fs/file-system.js'
import { toUtf8 } from '../fs/names.js'
import type { TreeEntry, TreeRecord } from '../launcher/tree-stream.js'
import { cannotChange } from './change-records.js'

/**
 * Takes the records in their order. No symlink is followed on the way to a path. Throws CONFLICT where something else stands by now,
 * LIMIT_EXCEEDED, and INVALID_ARCHIVE for what is no such record; what came before stays.
 */
export function applyRecords(fs: FileSystem, records: Iterable<TreeRecord>): void {
  const applying = new Applying(fs)
  try {
    for (const record of records) {
      try {
        applying.take(record)
      } catch (error) {
        throw error instanceof ErrnoError ? cannotChange(toUtf8(applying.path), error.code, error) : error
      }
    }
  } finally {
    applying.close()
  }
}

class Applying {
  /** Of the record that is being taken. */
  path: ByteString = ''
  readonly #fs: FileSystem
  /** The file or directory that bytes and xattrs are for. */
  #current: { readonly ino: Ino; readonly entry: TreeEntry } | null = null
  /** Directories, whose times come when all is in them. */
  readonly #dated: { readonly ino: Ino; readonly entry: TreeEntry }[] = []

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  take(record: TreeRecord): void {
    switch (record.record) {
      case 'entry':
        this.#finish()
        this.#make(record.entry)
        return
      case 'remove':
        this.#finish()
        this.#atomically(() => this.#remove(record.path))
        return
      case 'attributes':
        this.#finish()
        this.#atomically(() => this.#change(record))
        return
      case 'data':
        this.#fs.write(this.#filled().ino, record.bytes, record.offset)
        return
      case 'xattr':
        this.#fs.setXattr(this.#filled().ino, record.name, record.value)
        return
      case 'end':
        this.#finish()
        for (const { ino, entry } of this.#dated.reverse()) this.#fs.setAttributes(ino, timesOf(entry))
        return
      default:
        throw noChange(record.record)
    }
  }

  /** Gives back what is held of the tree. */
  close(): void {
    if (this.#current !== null && this.#current.entry.kind !== 'directory') this.#fs.release(this.#current.ino)
    this.#current = null
    for (const { ino } of this.#dated) this.#fs.release(ino)
    this.#dated.length = 0
  }

  #make(entry: TreeEntry): void {
    const ino = this.#atomically(() => {
      const [parent, name] = this.#parent(entry.path)
      const existing = this.#fs.lookup(parent, name)
      if (entry.kind === 'hard-link') return this.#link(entry, { parent, name, existing })
      const made =
        entry.kind === 'directory' ? this.#directory(entry, { parent, name, existing }) : this.#file(entry, { parent, name, existing })
      // Whoever removes it meanwhile does not take it from under us.
      this.#fs.retain(made)
      return made
    })
    if (ino === null) return
    this.#current = { ino, entry }
    if (entry.kind === 'directory') this.#dated.push(this.#current)
  }

  #directory(entry: TreeEntry, { parent, name, existing }: Place): Ino {
    if (existing === undefined) return this.#fs.create(parent, name, { ...attributesOf(entry), type: 'directory' })
    if (this.#fs.stat(existing).type !== 'directory') throw new ErrnoError('ENOTDIR')
    this.#fs.setAttributes(existing, attributesOf(entry))
    return existing
  }

  #file(entry: TreeEntry, { parent, name, existing }: Place): Ino {
    if (existing !== undefined) this.#fs.unlink(parent, name)
    const { target = '' } = entry
    const type = entry.kind as FileType
    return this.#fs.create(parent, name, { ...attributesOf(entry), type, ...(type === 'symlink' ? { target } : {}) })
  }

  #link({ target = '' }: TreeEntry, { parent, name, existing }: Place): null {
    const [folder, last] = this.#parent(target)
    const ino = this.#fs.lookup(folder, last)
    if (ino === undefined) throw new ErrnoError('ENOENT')
    if (ino === existing) return null
    if (existing !== undefined) this.#fs.unlink(parent, name)
    this.#fs.link(ino, parent, name)
    return null
  }

  #remove(path: ByteString): void {
    let place: readonly [Ino, ByteString]
    try {
      place = this.#parent(path)
    } catch (error) {
      // With what it was in.
      if (error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return
      throw error
    }
    this.#removeName(...place)
  }

  #removeName(parent: Ino, name: ByteString): void {
    const ino = this.#fs.lookup(parent, name)
    if (ino === undefined) return
    if (this.#fs.stat(ino).type !== 'directory') {
      this.#fs.unlink(parent, name)
      return
    }
    for (const entry of this.#fs.readdir(ino)) this.#removeName(ino, entry.name)
    this.#fs.rmdir(parent, name)
  }

  #change({ sets, entry }: Extract<TreeRecord, { record: 'attributes' }>): void {
    const { mode, uid, gid } = entry
    const ino = entry.path === '' ? this.#fs.root : this.#fs.lookup(...this.#parent(entry.path))
    this.path = entry.path
    if (ino === undefined) throw new ErrnoError('ENOENT')
    if (this.#fs.stat(ino).type !== entry.kind) throw new ErrnoError('EBUSY')
    this.#fs.setAttributes(ino, {
      ...(sets.includes('mode') ? { mode } : {}),
      ...(sets.includes('owner') ? { uid, gid } : {}),
      ...(sets.includes('times') ? timesOf(entry) : {}),
    })
  }

  #finish(): void {
    if (this.#current === null) return
    const { ino, entry } = this.#current
    this.path = entry.path
    if (entry.kind === 'file') this.#fs.setAttributes(ino, { size: entry.size ?? 0, mode: entry.mode })
    if (entry.kind !== 'directory') {
      this.#fs.setAttributes(ino, timesOf(entry))
      this.#fs.release(ino)
    }
    this.#current = null
  }

  #filled(): { readonly ino: Ino } {
    if (this.#current === null) throw noChange('data of no file')
    return this.#current
  }

  /** The directory that a path is in, and its last name. Throws ENOENT, ENOTDIR, ELOOP for a symlink on the way. */
  #parent(path: ByteString): readonly [parent: Ino, name: ByteString] {
    this.path = path
    const names = path.split('/')
    if (names.some((name) => name === '' || name === '.' || name === '..')) throw noChange(JSON.stringify(path))
    const last = names.pop() ?? ''
    let directory = this.#fs.root
    for (const name of names) {
      const next = this.#fs.lookup(directory, name)
      if (next === undefined) throw new ErrnoError('ENOENT')
      const { type } = this.#fs.stat(next)
      if (type !== 'directory') throw new ErrnoError(type === 'symlink' ? 'ELOOP' : 'ENOTDIR')
      directory = next
    }
    return [directory, last]
  }

  #atomically<T>(work: () => T): T {
    return this.#fs.atomically === undefined ? work() : this.#fs.atomically(work)
  }
}

interface Place {
  readonly parent: Ino
  readonly name: ByteString
  readonly existing: Ino | undefined
}

function attributesOf({ mode, uid, gid }: TreeEntry): { readonly mode: number; readonly uid: number; readonly gid: number } {
  return { mode, uid, gid }
}

function timesOf({ atimeNs, mtimeNs }: TreeEntry): AttributeChange {
  return { atimeNs, mtimeNs }
}

function noChange(what: string): EngineError {
  return new EngineError('INVALID_ARCHIVE', `not the changes of a tree: ${what}`)
}
