/**
 * The calls of test/fixtures/calls.c made of one of our trees: paths by `fs/resolve`, the rest by `fs/file-system`, and between them only what
 * Linux decides above every file system.
 */
import { modeOfNewDirectory } from '../../src/fs/access.js'
import { ErrnoError } from '../../src/fs/errno.js'
import type { FileSystem, Ino, Stat } from '../../src/fs/file-system.js'
import { type DirectoryHandle, type Resolved, resolve, rootHandle } from '../../src/fs/resolve.js'

const NOW_NS = 1_500_000_000n * 1_000_000_000n
const OWNER = { uid: 0, gid: 0 }

interface Opened {
  readonly ino: Ino
  readonly append: boolean
  readonly isDirectory: boolean
  position: number
}

/** One process's view: a working directory and eight descriptors. */
export class PosixCalls {
  readonly #fs: FileSystem
  #directory: DirectoryHandle
  readonly #slots: (Opened | undefined)[] = []

  constructor(fs: FileSystem) {
    this.#fs = fs
    this.#directory = rootHandle(fs)
  }

  /** Makes one call, fields as a line for calls.c has them, and gives the line that it would print. */
  perform([call = '', ...fields]: readonly string[]): string {
    try {
      return this.#perform(call, fields)
    } catch (error) {
      if (error instanceof ErrnoError) return error.code
      throw error
    }
  }

  #perform(call: string, fields: readonly string[]): string {
    const [first = '', second = '', third = '', fourth = ''] = fields
    const fs = this.#fs
    switch (call) {
      case 'chdir': {
        const { directory, ino } = this.#resolve(first)
        if (directory === null) throw new ErrnoError(ino === undefined ? 'ENOENT' : 'ENOTDIR')
        this.#directory = directory
        return 'done'
      }
      case 'mkdir':
        return this.#make(first, (parent, name) => {
          const mode = modeOfNewDirectory(fs.stat(parent), Number.parseInt(second, 8))
          fs.create(parent, name, { type: 'directory', mode, ...OWNER })
        })
      case 'symlink':
        if (first === '') throw new ErrnoError('ENOENT')
        return this.#make(second, (parent, name) => fs.create(parent, name, { type: 'symlink', target: first, mode: 0o777, ...OWNER }))
      case 'link': {
        const ino = found(this.#resolve(first, false))
        return this.#make(second, (parent, name) => fs.link(ino, parent, name))
      }
      case 'rename':
        return this.#rename(first, second)
      case 'unlink':
        return this.#remove(first, (parent, name) => fs.unlink(parent, name))
      case 'rmdir':
        return this.#remove(first, (parent, name) => fs.rmdir(parent, name))
      case 'truncate':
        return this.#resize(found(this.#resolve(first)), Number(second))
      case 'chmod':
        fs.setAttributes(found(this.#resolve(first)), { mode: Number.parseInt(second, 8) })
        return 'done'
      case 'utimens':
        fs.setAttributes(found(this.#resolve(first, false)), { atimeNs: BigInt(second), mtimeNs: BigInt(third) })
        return 'done'
      case 'stat':
        return described(fs.stat(found(this.#resolve(first))))
      case 'lstat':
        return described(fs.stat(found(this.#resolve(first, false))))
      case 'readlink':
        return fs.readlink(found(this.#resolve(first, false)))
      case 'open':
        return this.#open(Number(first), second, third)
      case 'tree':
        return this.#tree(this.#directory.ino, '')
    }
    const opened = this.#slots[Number(first)]
    if (opened === undefined) return 'closed'
    switch (call) {
      case 'close':
        this.#close(Number(first))
        return 'done'
      case 'fstat':
        return described(fs.stat(opened.ino))
      case 'ftruncate':
        // A descriptor that is not open for writing: EINVAL, whatever it is of.
        if (opened.isDirectory) throw new ErrnoError('EINVAL')
        return this.#resize(opened.ino, Number(second))
      case 'write': {
        if (opened.isDirectory) throw new ErrnoError('EBADF')
        if (opened.append) opened.position = fs.stat(opened.ino).size
        const count = this.#write(opened.ino, new Uint8Array(Number(second)).fill(Number(third)), opened.position)
        opened.position += count
        return String(count)
      }
      case 'pwrite': {
        if (opened.isDirectory) throw new ErrnoError('EBADF')
        // With O_APPEND, Linux appends whatever the position (pwrite(2), "Bugs").
        const position = opened.append ? fs.stat(opened.ino).size : Number(second)
        return String(this.#write(opened.ino, new Uint8Array(Number(third)).fill(Number(fourth)), position))
      }
      case 'pread': {
        const buffer = new Uint8Array(Number(third))
        const count = fs.read(opened.ino, buffer, Number(second))
        return `${count} ${hashOf(buffer.subarray(0, count))}`
      }
    }
    return 'unknown'
  }

  #resolve(path: string, followLast = true): Resolved {
    return resolve(this.#directory, path, { followLast })
  }

  #make(path: string, make: (parent: Ino, name: string) => unknown): string {
    const { parent, name } = this.#resolve(path, false)
    if (name === null) throw new ErrnoError('EEXIST')
    make(parent.ino, name)
    return 'done'
  }

  #remove(path: string, remove: (parent: Ino, name: string) => void): string {
    const { parent, name } = this.#resolve(path, false)
    if (name === null) throw new Error(`no test removes ${path}`)
    remove(parent.ino, name)
    return 'done'
  }

  #rename(from: string, to: string): string {
    const source = this.#resolve(from, false)
    const target = this.#resolve(to, false)
    if (source.name === null || target.name === null) throw new Error(`no test renames ${from} to ${to}`)
    this.#fs.rename(source.parent.ino, source.name, target.parent.ino, target.name)
    return 'done'
  }

  #write(ino: Ino, buffer: Uint8Array, position: number): number {
    const count = this.#fs.write(ino, buffer, position)
    const stat = this.#fs.stat(ino)
    if (count > 0 && withoutSetuid(stat) !== stat.mode) this.#fs.setAttributes(ino, { mode: withoutSetuid(stat) })
    return count
  }

  #resize(ino: Ino, size: number): string {
    if (size < 0) throw new ErrnoError('EINVAL')
    const { type } = this.#fs.stat(ino)
    if (type !== 'file') throw new ErrnoError(type === 'directory' ? 'EISDIR' : 'EINVAL')
    this.#fs.setAttributes(ino, { size, mode: withoutSetuid(this.#fs.stat(ino)) })
    return 'done'
  }

  #open(slot: number, flags: string, path: string): string {
    this.#close(slot)
    const has = (letter: string) => flags.includes(letter)
    const where = this.#resolve(path, !has('n') && !(has('c') && has('x')))
    let { ino } = where
    if (ino === undefined) {
      if (!has('c') || where.name === null) throw new ErrnoError('ENOENT')
      ino = this.#fs.create(where.parent.ino, where.name, { type: 'file', mode: 0o640, ...OWNER })
    } else {
      if (has('c') && has('x')) throw new ErrnoError('EEXIST')
      const { type } = this.#fs.stat(ino)
      if (has('d') && type !== 'directory') throw new ErrnoError('ENOTDIR')
      if (type === 'symlink') throw new ErrnoError('ELOOP')
      if (!has('d') && type === 'directory') throw new ErrnoError('EISDIR')
      if (has('t') && type === 'file') this.#resize(ino, 0)
    }
    this.#fs.retain(ino)
    this.#slots[slot] = { ino, append: has('a'), isDirectory: has('d'), position: 0 }
    return 'done'
  }

  #close(slot: number): void {
    const opened = this.#slots[slot]
    if (opened !== undefined) this.#fs.release(opened.ino)
    this.#slots[slot] = undefined
  }

  #tree(directory: Ino, path: string): string {
    const entries = [...this.#fs.readdir(directory)].sort((left, right) => (left.name < right.name ? -1 : 1))
    return entries
      .map(({ name, ino, type }) => {
        const below = path === '' ? name : `${path}/${name}`
        const head = `|${below} ${described(this.#fs.stat(ino))}`
        if (type === 'symlink') return `${head} ${this.#fs.readlink(ino)}`
        if (type === 'directory') return head + this.#tree(ino, below)
        const buffer = new Uint8Array(300_000)
        return `${head} ${hashOf(buffer.subarray(0, this.#fs.read(ino, buffer, 0)))}`
      })
      .join('')
  }
}

/** What changes contents takes setuid away, and setgid where the group may execute: a container's root is not the host's. */
function withoutSetuid({ mode }: Stat): number {
  return mode & ~(0o4000 | ((mode & 0o2010) === 0o2010 ? 0o2000 : 0))
}

function found({ ino }: Resolved): Ino {
  if (ino === undefined) throw new ErrnoError('ENOENT')
  return ino
}

function described({ type, mode, linkCount, size, mtimeNs }: Stat): string {
  const seconds = mtimeNs / 1_000_000_000n
  const time = mtimeNs >= NOW_NS ? 'now' : `${seconds}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`
  return [type, mode.toString(8), ...(type === 'directory' ? [] : [linkCount, size]), time].join(' ')
}

/** FNV-1a, of 32 bits. */
function hashOf(bytes: Uint8Array): number {
  let hash = 2_166_136_261
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16_777_619) >>> 0
  return hash
}
