import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../src/errors.js'
import { hasProgram } from './has-program.js'
import { require, Unavailable } from './unavailable.js'
import { packageRoot, type Workbench } from './workbench.js'

/** A program of `guests/`. */
export type GuestName = 'append' | 'attacks' | 'cpu' | 'files' | 'net' | 'probe' | 'talk' | 'wait'

/** Those that a root tree has for the matrix, and where. */
export const GUESTS: readonly GuestName[] = ['append', 'attacks', 'cpu', 'files', 'net', 'probe', 'talk']
export const GUEST_FOLDER = '/.bench'
/** What a guest ends with when the mode lacks what it is to measure; its output says what. */
export const LACKING = 3
/** A file of the tree that is larger than others, and the guest `append` for those that run modules of the tree. */
export const LARGE_FILE = `${GUEST_FOLDER}/large`
export const LARGE_FILE_MIB = 8
export const APPEND_MODULE = `${GUEST_FOLDER}/append.wasm`
/** The native attacks of `images/attacks/`, beside the guest `attacks`, which runs them. */
export const ATTACK_FOLDER = `${GUEST_FOLDER}/corpus`

/** A guest of `guests/` for both walls, from the same source, by compilers of the same mind (-O2). */
export interface CompiledGuest {
  readonly nativePath: string
  readonly modulePath: string
}

/** Compiles it once for a run. Rejects with Unavailable where a compiler is missing. */
export function compileGuest(workbench: Workbench, name: GuestName): Promise<CompiledGuest> {
  return workbench.once(`guest ${name}`, async () => {
    require(hasProgram('clang') && hasProgram('cc'), 'a C compiler and clang with wasi-libc are needed (Debian: gcc clang lld wasi-libc)')
    const source = join(packageRoot, 'bench/guests', `${name}.c`)
    const nativePath = join(workbench.directory, `${name}-guest`)
    const modulePath = `${nativePath}.wasm`
    const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2']
    await compile('clang', [...flags, '-static', '-o', nativePath, source, '-lm'])
    await compile('clang', ['--target=wasm32-wasi', ...flags, '-o', modulePath, source, '-lm'])
    return { nativePath, modulePath }
  })
}

/** Compiles a guest of `guests/` that has no `main` and needs no library. Rejects with Unavailable where clang is missing. */
export async function compileLibrary(workbench: Workbench, name: string, definitions: readonly string[]): Promise<string> {
  require(hasProgram('clang'), 'clang with a linker for WebAssembly is needed (Debian: clang lld)')
  const modulePath = join(workbench.directory, `${[name, ...definitions].join('-')}.wasm`)
  const source = join(packageRoot, 'bench/guests', `${name}.c`)
  const flags = ['--target=wasm32', '-std=c11', '-O2', '-nostdlib', '-Wl,--no-entry', ...definitions.map((each) => `-D${each}`)]
  await compile('clang', [...flags, '-o', modulePath, source])
  return modulePath
}

async function compile(compiler: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(compiler, [...args]).catch((error) => {
    throw new Unavailable(messageOf(error))
  })
}
