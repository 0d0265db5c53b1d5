import { EngineError } from '../../errors.js'
import { ErrnoError } from '../../fs/errno.js'
import { fromUtf8 } from '../../fs/names.js'
import type { Resolved } from '../../fs/resolve.js'
import { KIND_NAMES, kindOf, searchPath } from '../../runtime/magic.js'
import { assertModuleSize } from '../module.js'
import type { GuestTree } from '../preview1/guest-tree.js'

/** What a guest is started with. */
export interface Command {
  readonly args: readonly string[]
  readonly env: readonly string[]
  /** Absolute path in the container. */
  readonly cwd: string
}

/**
 * The bytes of `args[0]`, found as execvp(3) would: with a slash, from the working directory; without, along the environment's own PATH.
 * Throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, WRONG_RUNTIME for a program of the native wall, LIMIT_EXCEEDED.
 */
export function findModule(tree: GuestTree, { args: [name = ''], env, cwd }: Command): Uint8Array {
  const from = (path: string) => (path.startsWith('/') ? path : `${cwd}/${path}`)
  if (name.includes('/')) {
    const found = walk(tree, from(name))
    if (found === null) throw notFound(name, 'in the container')
    return moduleIn(tree, found, name)
  }
  for (const folder of name === '' ? [] : searchPath(env)) {
    const found = walk(tree, from(`${folder}/${name}`))
    if (found !== null && found.type !== 'directory') return moduleIn(tree, found, `${folder}/${name}`)
  }
  throw notFound(name, `in the container's PATH (${searchPath(env).join(':')})`)
}

/** Null for nothing, and for what cannot be reached. */
function walk(tree: GuestTree, path: string): Resolved | null {
  try {
    const resolved = tree.walkAsHost(fromUtf8(path))
    return resolved.ino === undefined ? null : resolved
  } catch (error) {
    if (error instanceof ErrnoError) return null
    throw error
  }
}

function moduleIn(tree: GuestTree, { fs, ino, type }: Resolved, path: string): Uint8Array {
  if (ino === undefined || type !== 'file') throw refusal(path, `it is a ${type}`)
  const { size } = tree.stat({ fs, ino })
  const start = new Uint8Array(4)
  const kind = kindOf(start.subarray(0, fs.read(ino, start, 0)))
  if (kind === 'elf' || kind === 'script')
    throw new EngineError('WRONG_RUNTIME', `${path} is ${KIND_NAMES[kind]}, which the wasm wall cannot run`, {
      hint: 'A container behind the Wasm wall runs WebAssembly modules only.',
      data: { path, kind },
    })
  if (kind !== 'wasm') throw refusal(path, `it is ${KIND_NAMES[kind]}: exec format error`)
  assertModuleSize(size)
  const bytes = new Uint8Array(size)
  let filled = 0
  // Read to its end, wherever that is by now: others write to the tree meanwhile.
  for (let count = -1; count !== 0 && filled < size; filled += count) count = fs.read(ino, bytes.subarray(filled), filled)
  return filled === size ? bytes : bytes.slice(0, filled)
}

function refusal(path: string, why: string): EngineError {
  return new EngineError('COMMAND_NOT_EXECUTABLE', `${path} cannot be executed: ${why}`, { data: { path } })
}

function notFound(command: string, where: string): EngineError {
  return new EngineError('COMMAND_NOT_FOUND', `${JSON.stringify(command)}: no such program ${where}`, {
    hint: command.startsWith('-')
      ? "wolffia's own options stand before the container; what comes after it is the program and its own arguments."
      : 'Name a program that the container has.',
    data: { command },
  })
}
