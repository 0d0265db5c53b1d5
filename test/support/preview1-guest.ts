/** A guest whose preview1 calls a test makes for it, and one that makes them at random. */
import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import { WASI_ERRNO, type WasiErrnoName } from '../../src/wasm/preview1/errno.js'
import { GuestExit } from '../../src/wasm/preview1/host.js'
import type { Random } from './soak.js'
import { type GuestOptions, makePreview1 } from './wasm-guest.js'

/** Bytes of a page of linear memory. */
export const PAGE = 65_536
/** `lookupflags`: follow a symlink at the end of a path. */
export const FOLLOW = 1
/** Which parameters are 64 bits wide, and which calls have flags before their path. */
const WIDE_PARAMETERS: Readonly<Record<string, readonly number[]>> = {
  clock_time_get: [1],
  fd_advise: [1, 2],
  fd_allocate: [1, 2],
  fd_fdstat_set_rights: [1, 2],
  fd_filestat_set_size: [1],
  fd_filestat_set_times: [1, 2],
  fd_pread: [3],
  fd_pwrite: [3],
  fd_readdir: [3],
  fd_seek: [1],
  path_filestat_set_times: [4, 5],
  path_open: [5, 6],
}
const LOOKUPFLAGS_FIRST = new Set(['path_open', 'path_filestat_get', 'path_filestat_set_times', 'path_link'])

/** A guest of one page whose calls a test makes for it. Paths are put at 0, results come at 4096. */
export function guest(options: GuestOptions = {}) {
  const parts = makePreview1(options)
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 })
  parts.preview1.attach(memory)
  const call = (name: string, ...args: (number | bigint)[]): number => {
    const errno = (parts.preview1.functions[name] as (...args: (number | bigint)[]) => number)(...args)
    return errno
  }
  const put = (text: string, at = 0): readonly [number, number] => {
    const bytes = Buffer.from(text, 'latin1')
    new Uint8Array(memory.buffer).set(bytes, at)
    return [at, bytes.length]
  }
  const open = (path: string, { fd = 3, follow = FOLLOW, oflags = 0, base = 0n, inheriting = 0n } = {}): number | WasiErrnoName => {
    const errno = call('path_open', fd, follow, ...put(path), oflags, base, inheriting, 0, 4096)
    return errno === 0 ? new DataView(memory.buffer).getUint32(4096, true) : nameOf(errno)
  }
  return { ...parts, memory, call: (name: string, ...args: (number | bigint)[]) => nameOf(call(name, ...args)), put, open }
}

function nameOf(errno: number): WasiErrnoName {
  return (Object.entries(WASI_ERRNO).find(([, number]) => number === errno)?.[0] ?? `#${errno}`) as WasiErrnoName
}

/** Empty files, with the directories they lie in. */
export function filesOf(...paths: readonly string[]): UnionFs {
  const fs = new UnionFs({ lowers: [] })
  for (const path of paths) {
    let directory = fs.root
    const names = path.split('/')
    for (const name of names.slice(0, -1))
      directory = fs.lookup(directory, name) ?? fs.create(directory, name, { type: 'directory', mode: 0o755, uid: 0, gid: 0 })
    fs.create(directory, names.at(-1) ?? '', { type: 'file', mode: 0o644, uid: 0, gid: 0 })
  }
  return fs
}

const INTERESTING = [0, 1, 2, 3, 4, 5, 100, 4096, PAGE - 8, PAGE, -1, 0x7fffffff]
const PATHS = ['a', 'box', 'box/b', '..', '.', '../..', 'box/../a', '/', 'new', 'link', '\xff', '', 'a/', 'box//']

/** Subscriptions with something in each of their fields that means something. */
function putSubscriptions(random: Random, view: DataView, at: number, count: number): void {
  for (let place = 0; place < count; place++) {
    const start = at + 48 * place
    view.setUint8(start + 8, random.pick([0, 0, 1, 2, 3]))
    view.setUint32(start + 16, random.pick([0, 1, 2, 3, 4, 5, 99]), true)
    view.setBigUint64(start + 24, BigInt(random.below(2 ** 31)) << BigInt(random.below(34)), true)
    view.setUint16(start + 40, random.below(3), true)
  }
}

/**
 * Makes calls with arguments at random: each must answer with an errno, or end the guest where it asks for that, and do nothing else to its host. No
 * time passes while it waits.
 */
export function callAtRandom(random: Random, calls: number): void {
  const begin = () => {
    const made = guest({ fs: filesOf('a', 'box/b', 'box/c'), openFiles: 64, stdin: 'x', waits: false })
    new Uint8Array(made.memory.buffer).set(random.bytes(PAGE))
    return made
  }
  let parts = begin()
  const names = Object.keys(parts.preview1.functions)
  const number = () => (random.below(3) === 0 ? random.below(2 ** 32) - 2 ** 31 : random.pick(INTERESTING))
  for (let turn = 0; turn < calls; turn++) {
    const name = random.pick(names)
    const [at, length] = parts.put(random.pick(PATHS), random.below(200))
    const wide = WIDE_PARAMETERS[name] ?? []
    const args = Array.from({ length: 9 }, (_, place) => (wide.includes(place) ? BigInt(number()) << BigInt(random.below(34)) : number()))
    if (name.startsWith('path_')) {
      const from = LOOKUPFLAGS_FIRST.has(name) ? 2 : 1
      args.splice(0, from + 2, 3 + random.below(4), ...(from === 2 ? [random.below(2)] : []), at, length)
    }
    if (name === 'poll_oneoff' && random.below(2) === 0) {
      const count = 1 + random.below(4)
      putSubscriptions(random, new DataView(parts.memory.buffer), 8192, count)
      args.splice(0, 4, 8192, 16_384, count, 4096)
    }
    try {
      assert.match(parts.call(name, ...args), /^(SUCCESS|E[A-Z0-9]+)$/)
    } catch (error) {
      if (!(error instanceof GuestExit) || !name.startsWith('proc_')) throw error
      assert.ok(error.exitCode >= 0 && error.exitCode <= 255, `${name} ends with ${error.exitCode}`)
      parts = begin()
    }
  }
}
