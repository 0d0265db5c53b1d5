import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path/posix'
import type { Ino, ReadonlyFileSystem } from '../fs/file-system.js'
import { fromUtf8, toUtf8 } from '../fs/names.js'
import { type HostMount, hostPathOf, isHostMount } from './sources.js'
import type { ContainerSpec, Mount, Rootfs } from './spec.js'

/** What a program is, by its first bytes. `other` is none of them: the kernel would say ENOEXEC, and EACCES for a directory. */
export type ProgramKind = 'elf' | 'script' | 'wasm' | 'directory' | 'other'

/** What a program of each kind is, in words. */
export const KIND_NAMES: Readonly<Record<ProgramKind, string>> = {
  elf: 'a native program (ELF)',
  script: 'a script for a native interpreter (#!)',
  wasm: 'a WebAssembly module',
  directory: 'a directory',
  other: 'neither a native program, nor a script, nor a WebAssembly module',
}

/** The program that a spec names, found before anything is run. */
export interface Program {
  /** Where it is in the container, symlinks resolved. */
  readonly path: string
  readonly kind: ProgramKind
  /** Whether any execute bit is set; only the native wall asks. */
  readonly executable: boolean
  /** Its inode in the image's tree; null when it lies in a bind mount. */
  readonly ino: Ino | null
}

/** O_PATH has no name in Node; the number is the same on x86-64 and aarch64. */
const O_PATH = 0o10000000
/** As Linux has it. */
const SYMLINKS_MAXIMUM = 40

/** What was found for a spec: each wall asks, and a spec is looked up in one root only. */
const found = new WeakMap<ContainerSpec, Program | null>()

/**
 * Finds `spec.process.args[0]` as execvp(3) would inside the container: with a slash, from the working directory; without, along the
 * environment's own PATH, where a file without an execute bit is passed over unless it is a Wasm module. Null when there is none.
 */
export function findProgram(spec: ContainerSpec, rootfs: Rootfs): Program | null {
  const known = found.get(spec)
  if (known !== undefined) return known
  const program = lookUp(spec, rootfs)
  found.set(spec, program)
  return program
}

function lookUp(spec: ContainerSpec, rootfs: Rootfs): Program | null {
  const name = spec.process.args[0] ?? ''
  if (name === '') return null
  const look = (path: string) => programAt(join('/', spec.process.cwd, path), spec.mounts, rootfs.tree())
  if (name.includes('/')) return name.startsWith('/') ? programAt(name, spec.mounts, rootfs.tree()) : look(name)
  let refused: Program | null = null
  for (const folder of searchPath(spec.process.env)) {
    const program = folder.startsWith('/') ? programAt(join(folder, name), spec.mounts, rootfs.tree()) : look(join(folder, name))
    if (program !== null && (program.executable || program.kind === 'wasm')) return program
    if (program?.kind !== 'directory') refused ??= program
  }
  return refused
}

/** Folders of the last PATH in `env`; none without one: no wall adds a default. An empty entry is the working directory. */
export function searchPath(env: readonly string[]): string[] {
  const path = env.findLast((variable) => variable.startsWith('PATH='))?.slice('PATH='.length)
  return path === undefined ? [] : path.split(':').map((folder) => (folder === '' ? '.' : folder))
}

/** The kind of a file that begins with `bytes`. */
export function kindOf(bytes: Uint8Array): ProgramKind {
  const starts = (magic: string) => [...magic].every((character, index) => bytes[index] === character.charCodeAt(0))
  if (starts('\x7fELF')) return 'elf'
  if (starts('\0asm')) return 'wasm'
  return starts('#!') ? 'script' : 'other'
}

/** Walks `path` as the guest will see it: symlinks stay inside, `..` ends at the root, a mount hides what the image has there. */
function programAt(path: string, mounts: readonly Mount[], tree: ReadonlyFileSystem): Program | null {
  const pending = components(path)
  const above: { readonly ino: Ino; readonly path: string }[] = []
  let here = { ino: tree.root, path: '/' }
  let followed = 0
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === '..') {
      here = above.pop() ?? here
      continue
    }
    const next = join(here.path, name)
    const mount = mounts.findLast(({ destination }) => join('/', destination) === next)
    if (mount !== undefined) return programInMount(mount, next, pending)
    if (tree.stat(here.ino).type !== 'directory') return null
    const ino = tree.lookup(here.ino, fromUtf8(name))
    if (ino === undefined) return null
    const { type } = tree.stat(ino)
    if (type === 'symlink') {
      if (++followed > SYMLINKS_MAXIMUM) return null
      const target = toUtf8(tree.readlink(ino))
      pending.unshift(...components(target))
      if (target.startsWith('/')) {
        above.length = 0
        here = { ino: tree.root, path: '/' }
      }
    } else {
      above.push(here)
      here = { ino, path: next }
    }
  }
  const { type, mode } = tree.stat(here.ino)
  if (type === 'directory') return { path: here.path, kind: 'directory', executable: false, ino: here.ino }
  if (type !== 'file') return null
  const start = new Uint8Array(4)
  const length = tree.read(here.ino, start, 0)
  return { path: here.path, kind: kindOf(start.subarray(0, length)), executable: (mode & 0o111) !== 0, ino: here.ino }
}

/** The host's file behind a bind mount: only its first bytes are read, never through a symlink in the mount, never a device or a FIFO. */
function programInMount(mount: Mount, at: string, rest: readonly string[]): Program | null {
  if (!isHostMount(mount) || rest.includes('..')) return null
  const descriptor = openBelow(mount, rest)
  if (descriptor === null) return null
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return null
    const start = new Uint8Array(4)
    const length = readSync(descriptor, start, 0, start.length, 0)
    return { path: join(at, ...rest), kind: kindOf(start.subarray(0, length)), executable: (stat.mode & 0o111) !== 0, ino: null }
  } finally {
    closeSync(descriptor)
  }
}

/** Opens a file one name at a time, so that no symlink below the source is followed, whoever puts one there meanwhile. */
function openBelow(mount: HostMount, names: readonly string[]): number | null {
  const reading = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
  let reached = -1
  try {
    // The source of a bind is the user's to name, links and all.
    const followed = mount.type === 'bind' ? 0 : constants.O_NOFOLLOW
    reached = openSync(hostPathOf(mount), (names.length === 0 ? reading : O_PATH) | followed)
    for (const [place, name] of names.entries()) {
      const flags = place === names.length - 1 ? reading : O_PATH
      const next = openSync(`/proc/self/fd/${reached}/${name}`, flags | constants.O_NOFOLLOW)
      closeSync(reached)
      reached = next
    }
    return reached
  } catch {
    if (reached >= 0) closeSync(reached)
    return null
  }
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}
