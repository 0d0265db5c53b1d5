/**
 * The other engine: `@wasmer/wasi` over the container's root. Loaded only by the guest's thread of a sandbox that was asked for it, and never
 * given anything of the host's: its files are a tree in memory behind our Node face, its stdio, clocks and randomness are ours.
 */
import { constants } from 'node:os'
import { posix } from 'node:path'
import { WASI } from '@wasmer/wasi'
import { ErrnoError } from '../../fs/errno.js'
import type { FileSystem } from '../../fs/file-system.js'
import { toUtf8 } from '../../fs/names.js'
import { nodeFsOf } from '../../fs/node-fs.js'
import { nodeError } from '../../fs/node-fs-error.js'
import { WHITEOUT_PREFIX } from '../../layer/whiteout.js'
import { WASI_ERRNO } from '../preview1/errno.js'
import { GuestExit, type Host, type InputStream, type OutputStream } from '../preview1/host.js'
import { PREVIEW1, PREVIEW1_NAMES } from '../preview1/names.js'
import type { SandboxLimits } from './protocol.js'

/** What the engine is given. */
export interface WasmerParts {
  readonly host: Host
  readonly root: FileSystem
  readonly readonlyRootfs: boolean
  readonly credentials: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] }
  /** Absolute paths in the container, by the names the guest has for them. */
  readonly preopens: Readonly<Record<string, string>>
  readonly stdin: InputStream
  readonly outputs: readonly [OutputStream, OutputStream]
  readonly terminal: boolean
  readonly limits: SandboxLimits
}

type Functions = Readonly<Record<string, (...args: (number | bigint)[]) => number>>

const STDERR = 2

/** Runs `_start`. Throws {@link GuestExit} when the guest ends itself; what else it throws is a trap. */
export function runWithWasmer(
  module: WebAssembly.Module,
  parts: WasmerParts,
  onExports: (exports: WebAssembly.Instance['exports']) => void,
): void {
  const { host, preopens } = parts
  let exit: GuestExit | null = null
  const leave = (ended: GuestExit): never => {
    exit = ended
    throw ended
  }
  const bindings = {
    hrtime: host.clock.monotonicNs,
    exit: (code: number) => leave(new GuestExit(code & 255)),
    kill: (name: string) => leave(new GuestExit(128 + (constants.signals[name as NodeJS.Signals] ?? constants.signals.SIGKILL))),
    randomFillSync: <Buffer>(buffer: Buffer, offset: number, size: number): Buffer => {
      const bytes = buffer as unknown as Uint8Array
      const [start, length] = [offset >>> 0, size >>> 0]
      if (start + length > bytes.length) throw new RangeError('random_get: out of bounds')
      host.random(bytes.subarray(start, start + length))
      return buffer
    },
    isTTY: (descriptor: number) => parts.terminal && descriptor <= STDERR,
    fs: engineFs(parts),
    path: posix,
  }
  const env = Object.fromEntries(
    host.env.map((each) => [toUtf8(each.slice(0, each.indexOf('='))), toUtf8(each.slice(each.indexOf('=') + 1))]),
  )
  const wasi = new WASI({ args: host.args.map(toUtf8), env, preopens, bindings })
  const functions = linked(wasi.wasiImport as Functions, () => exit)
  const { exports } = new WebAssembly.Instance(module, { [PREVIEW1]: functions })
  onExports(exports)
  if (exports.memory instanceof WebAssembly.Memory) {
    wasi.setMemory(exports.memory as never)
    // Some of its functions look at the memory before they have made sure that they see it.
    wasi.refreshMemory()
  }
  ;(exports._start as () => void)()
  // A guest with exception handling can catch what ends it.
  if (exit !== null) throw exit
}

/** Every function of preview1: what the engine has none of is ENOSYS, and none serves a guest that has ended. */
function linked(own: Functions, ended: () => GuestExit | null): Functions {
  const missing = () => WASI_ERRNO.ENOSYS
  return Object.fromEntries(
    [...PREVIEW1_NAMES].map((name) => {
      const call = own[name] ?? missing
      return [
        name,
        (...args: (number | bigint)[]) => {
          const exit = ended()
          if (exit !== null) throw exit
          return call(...args)
        },
      ]
    }),
  )
}

/** The calls of `node:fs` that the engine makes: on the container's root, and on the guest's stdio by the descriptors 0 to 2. */
function engineFs({ root, readonlyRootfs, credentials, stdin, outputs, terminal, limits }: WasmerParts) {
  const fs = nodeFsOf(withoutWhiteouts(root), { credentials, readonly: readonlyRootfs, openFiles: limits.openFiles })
  const isStdio = (descriptor: number) => descriptor <= STDERR
  const badDescriptor = (syscall: string) => nodeError('EBADF', { syscall })
  return {
    ...fs,
    readSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number {
      if (!isStdio(descriptor)) return fs.readSync(descriptor, buffer, offset, length, position)
      if (descriptor !== 0) throw badDescriptor('read')
      return stdin.read(buffer.subarray(offset, offset + length))
    },
    writeSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number {
      if (!isStdio(descriptor)) return fs.writeSync(descriptor, buffer, offset, length, position)
      const output = outputs[descriptor - 1]
      if (output === undefined) throw badDescriptor('write')
      try {
        output.write(buffer.subarray(offset, offset + length))
      } catch (error) {
        if (error instanceof ErrnoError) throw nodeError(error.code, { syscall: 'write' })
        throw error
      }
      return length
    },
    fstatSync: (descriptor: number) => (isStdio(descriptor) ? streamStats(terminal) : fs.fstatSync(descriptor)),
    closeSync: (descriptor: number) => {
      if (!isStdio(descriptor)) fs.closeSync(descriptor)
    },
    fsyncSync: (descriptor: number) => {
      if (!isStdio(descriptor)) fs.fsyncSync(descriptor)
    },
    fdatasyncSync: (descriptor: number) => {
      if (!isStdio(descriptor)) fs.fdatasyncSync(descriptor)
    },
  }
}

function streamStats(terminal: boolean) {
  const [no, yes] = [() => false, () => true]
  const kind = { isBlockDevice: no, isDirectory: no, isFile: no, isSocket: no, isSymbolicLink: no }
  const numbers = { dev: 0, ino: 0, nlink: 1, size: 0, mode: 0, atimeMs: 0, mtimeMs: 0, ctimeMs: 0 }
  return { ...kind, ...numbers, isCharacterDevice: terminal ? yes : no, isFIFO: terminal ? no : yes }
}

/** A tree in which no name can be made that would take another file away when it is kept as a layer (image-spec, layer.md, "Whiteouts"). */
function withoutWhiteouts(tree: FileSystem): FileSystem {
  const refuse = (name: string): void => {
    if (name.startsWith(WHITEOUT_PREFIX)) throw new ErrnoError('EPERM')
  }
  const guarded: Partial<FileSystem> = {
    create: (directory, name, inode) => {
      refuse(name)
      return tree.create(directory, name, inode)
    },
    link: (ino, directory, name) => {
      refuse(name)
      tree.link(ino, directory, name)
    },
    rename: (from, fromName, to, toName) => {
      refuse(toName)
      tree.rename(from, fromName, to, toName)
    },
  }
  return new Proxy(tree, {
    get(target, property) {
      const own = guarded[property as keyof FileSystem]
      if (own !== undefined) return own
      const value = Reflect.get(target, property, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
