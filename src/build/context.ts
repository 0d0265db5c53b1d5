/**
 * The files a build may COPY from, as file trees, so that one walk serves all of them: a folder of the host, a tar that was sent, the layers
 * of an image. Paths are walked by `fs/resolve`: a symlink leads where it would in a container that had the tree as its root, and
 * nowhere else.
 */
import { accessSync, closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { EngineError } from '../errors.js'
import { ErrnoError } from '../fs/errno.js'
import type { ByteString, DirectoryEntry, FileType, Ino, ReadonlyFileSystem, Stat } from '../fs/file-system.js'
import { fromBytes, toUtf8 } from '../fs/names.js'
import { resolve, rootHandle } from '../fs/resolve.js'
import { IGNORES_NOTHING, type Ignore, parseIgnore } from './ignore.js'

/** A tree that is read from, until it is closed. */
export interface ContextTree extends ReadonlyFileSystem {
  close(): void
}

/** Not in Node's constants; the same number on all of Linux that wolffia is for. */
const O_PATH = 0o10000000
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

interface HostNode {
  readonly parent: Ino
  readonly name: ByteString
  readonly stat: Stat
  children: Map<ByteString, Ino> | null
}

/**
 * A folder of the host, by handles: every component of a path is opened below the one before without following a symlink, so that nothing
 * outside the folder is reached, even while somebody changes it. Owners are 0:0, as a context's are.
 */
export class HostTree implements ContextTree {
  readonly root: Ino = 1
  readonly #descriptor: number
  readonly #nodes: HostNode[] = []
  #file: { readonly ino: Ino; readonly descriptor: number } | null = null

  /** Throws INVALID_ARGUMENT when there is no such folder. */
  constructor(path: string) {
    try {
      accessSync(`${path}/.`, constants.R_OK | constants.X_OK)
      this.#descriptor = openSync(path, O_PATH | constants.O_DIRECTORY)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      const why =
        code === 'ENOENT'
          ? 'not found'
          : code === 'ENOTDIR'
            ? 'is no folder'
            : `cannot be read: ${code === 'EACCES' ? 'permission denied' : code}`
      throw new EngineError('INVALID_ARGUMENT', `unable to prepare context: path ${JSON.stringify(path)} ${why}`, {
        cause,
        hint: 'Name the folder with the files to build from: wolffia build .',
      })
    }
    this.#nodes.push({ parent: 0, name: '', stat: statOf(this.root, bufferOf(this.#descriptor, '.')), children: null })
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    return this.#children(directory).get(name)
  }

  stat(ino: Ino): Stat {
    return this.#node(ino).stat
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return Array.from(this.#children(directory), ([name, ino]) => ({ name, ino, type: this.#node(ino).stat.type }))
  }

  readlink(ino: Ino): ByteString {
    const { parent, name, stat } = this.#node(ino)
    if (stat.type !== 'symlink') throw new ErrnoError('EINVAL', 'not a symlink')
    return this.#inDirectory(parent, (directory) => fromBytes(readlinkSync(bufferOf(directory, name), { encoding: 'buffer' })))
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    if (this.#file?.ino !== ino) {
      this.#closeFile()
      this.#file = { ino, descriptor: this.#open(ino) }
    }
    return readSync(this.#file.descriptor, buffer, 0, buffer.length, position)
  }

  xattrs(): ReadonlyMap<ByteString, Uint8Array> {
    return new Map()
  }

  close(): void {
    this.#closeFile()
    closeSync(this.#descriptor)
  }

  #closeFile(): void {
    if (this.#file !== null) closeSync(this.#file.descriptor)
    this.#file = null
  }

  #node(ino: Ino): HostNode {
    const node = this.#nodes[ino - 1]
    if (node === undefined) throw new ErrnoError('ENOENT', `inode ${ino}`)
    return node
  }

  #children(directory: Ino): Map<ByteString, Ino> {
    const node = this.#node(directory)
    if (node.stat.type !== 'directory') throw new ErrnoError('ENOTDIR', node.name)
    node.children ??= this.#inDirectory(directory, (descriptor) => this.#read(directory, descriptor))
    return node.children
  }

  #read(directory: Ino, descriptor: number): Map<ByteString, Ino> {
    const names = readdirSync(`/proc/self/fd/${descriptor}`, { encoding: 'buffer' }).map((name) => fromBytes(name))
    const children = new Map<ByteString, Ino>()
    for (const name of names.sort()) {
      const ino = this.#nodes.length + 1
      this.#nodes.push({ parent: directory, name, stat: statOf(ino, bufferOf(descriptor, name)), children: null })
      children.set(name, ino)
    }
    return children
  }

  /** The file, opened; it must still be what was seen. */
  #open(ino: Ino): number {
    const { parent, name, stat } = this.#node(ino)
    if (stat.type !== 'file') throw new ErrnoError('EINVAL', `contents of a ${stat.type}`)
    const descriptor = this.#inDirectory(parent, (directory) => this.#changed(ino, () => openSync(bufferOf(directory, name), FILE)))
    const now = fstatSync(descriptor, { bigint: true })
    if (now.isFile() && Number(now.size) === stat.size && now.mtimeNs === stat.mtimeNs) return descriptor
    closeSync(descriptor)
    throw this.#hasChanged(ino)
  }

  /** Walks down to a directory, one handle at a time. */
  #inDirectory<T>(ino: Ino, use: (descriptor: number) => T): T {
    const names: ByteString[] = []
    for (let node = this.#node(ino); node.parent !== 0; node = this.#node(node.parent)) names.push(node.name)
    let descriptor = this.#descriptor
    const closeOwn = () => {
      if (descriptor !== this.#descriptor) closeSync(descriptor)
    }
    try {
      for (const name of names.reverse()) {
        const next = this.#changed(ino, () => openSync(bufferOf(descriptor, name), DIRECTORY))
        closeOwn()
        descriptor = next
      }
      return use(descriptor)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (error instanceof EngineError || error instanceof ErrnoError || code === undefined) throw error
      throw new EngineError('INVALID_ARGUMENT', `cannot read ${this.#pathOf(ino)} in the build context: ${code}`, {
        cause: error,
        hint: 'Make it readable, or leave it out with .dockerignore.',
      })
    } finally {
      closeOwn()
    }
  }

  #changed<T>(ino: Ino, open: () => T): T {
    try {
      return open()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENOENT') throw this.#hasChanged(ino)
      throw error
    }
  }

  #hasChanged(ino: Ino): EngineError {
    return new EngineError('CONFLICT', `${this.#pathOf(ino)} was changed in the build context while it was read`, {
      hint: 'Build again when nothing writes there.',
    })
  }

  #pathOf(ino: Ino): string {
    const names: ByteString[] = []
    for (let node = this.#node(ino); node.parent !== 0; node = this.#node(node.parent)) names.push(node.name)
    return names.length === 0 ? 'the folder' : toUtf8(names.reverse().join('/'))
  }
}

function bufferOf(directory: number, name: ByteString): Buffer {
  return Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1')
}

function statOf(ino: Ino, path: Buffer): Stat {
  const found = lstatSync(path, { bigint: true })
  const types: readonly (readonly [FileType, boolean])[] = [
    ['file', found.isFile()],
    ['directory', found.isDirectory()],
    ['symlink', found.isSymbolicLink()],
    ['fifo', found.isFIFO()],
    ['socket', found.isSocket()],
    ['character-device', found.isCharacterDevice()],
  ]
  const type = types.find(([, is]) => is)?.[0] ?? 'block-device'
  const { atimeNs, mtimeNs, ctimeNs } = found
  const mode = Number(found.mode) & 0o7777
  return { ino, type, mode, uid: 0, gid: 0, linkCount: 1, size: Number(found.size), device: null, atimeNs, mtimeNs, ctimeNs }
}

/** A context without what its .dockerignore leaves out. */
export class KeptTree implements ContextTree {
  readonly root: Ino = 1
  readonly #tree: ContextTree
  readonly #ignore: Ignore
  readonly #nodes: { readonly ino: Ino; readonly path: ByteString; children: Map<ByteString, Ino> | null }[]

  constructor(tree: ContextTree, ignore: Ignore) {
    this.#tree = tree
    this.#ignore = ignore
    this.#nodes = [{ ino: tree.root, path: '', children: null }]
  }

  lookup(directory: Ino, name: ByteString): Ino | undefined {
    return this.#children(directory).get(name)
  }

  stat(ino: Ino): Stat {
    return { ...this.#tree.stat(this.#inner(ino)), ino }
  }

  readdir(directory: Ino): readonly DirectoryEntry[] {
    return Array.from(this.#children(directory), ([name, ino]) => ({ name, ino, type: this.stat(ino).type }))
  }

  readlink(ino: Ino): ByteString {
    return this.#tree.readlink(this.#inner(ino))
  }

  read(ino: Ino, buffer: Uint8Array, position: number): number {
    return this.#tree.read(this.#inner(ino), buffer, position)
  }

  xattrs(ino: Ino): ReadonlyMap<ByteString, Uint8Array> {
    return this.#tree.xattrs(this.#inner(ino))
  }

  close(): void {
    this.#tree.close()
  }

  #inner(ino: Ino): Ino {
    return this.#node(ino).ino
  }

  #node(ino: Ino) {
    const node = this.#nodes[ino - 1]
    if (node === undefined) throw new ErrnoError('ENOENT', `inode ${ino}`)
    return node
  }

  #children(directory: Ino): Map<ByteString, Ino> {
    const node = this.#node(directory)
    if (node.children !== null) return node.children
    const children = new Map<ByteString, Ino>()
    for (const { name, ino, type } of this.#tree.readdir(node.ino)) {
      const path = node.path === '' ? name : `${node.path}/${name}`
      if (!this.#keeps(path, ino, type)) continue
      this.#nodes.push({ ino, path, children: null })
      children.set(name, this.#nodes.length)
    }
    node.children = children
    return children
  }

  /** An ignored directory stays for what is taken back below it. */
  #keeps(path: ByteString, ino: Ino, type: FileType): boolean {
    if (!this.#ignore.ignores(path)) return true
    if (type !== 'directory' || !this.#ignore.hasExceptions) return false
    return this.#tree.readdir(ino).some((entry) => this.#keeps(`${path}/${entry.name}`, entry.ino, entry.type))
  }
}

/** Bytes of a .dockerignore that are read. */
const IGNORE_BYTES = 1 << 20

/** The context that `.dockerignore`, or `DOCKERFILE.dockerignore` before it, leaves of a tree. Throws INVALID_ARGUMENT for a broken pattern. */
export function keptContext(tree: ContextTree, dockerfileName: string): { readonly tree: ContextTree; readonly ignore: Ignore } {
  for (const name of [`${dockerfileName}.dockerignore`, '.dockerignore']) {
    const text = readContextFile(tree, name, IGNORE_BYTES)
    if (text === null) continue
    const ignore = parseIgnore(text, name)
    return { tree: new KeptTree(tree, ignore), ignore }
  }
  return { tree, ignore: IGNORES_NOTHING }
}

/** The bytes of a file of the context; null when there is none. Throws LIMIT_EXCEEDED. */
export function readContextFile(tree: ReadonlyFileSystem, path: ByteString, maximumBytes: number): ByteString | null {
  try {
    const { fs, ino, type } = resolve(rootHandle(tree), path, { followLast: true })
    if (ino === undefined || type !== 'file') return null
    const { size } = fs.stat(ino)
    if (size > maximumBytes) throw new EngineError('LIMIT_EXCEEDED', `${path} has more than ${maximumBytes} bytes`)
    const bytes = new Uint8Array(size)
    let length = 0
    for (let count = 1; count > 0 && length < size; length += count) count = fs.read(ino, bytes.subarray(length), length)
    return fromBytes(bytes.subarray(0, length))
  } catch (error) {
    if (error instanceof ErrnoError) return null
    throw error
  }
}
