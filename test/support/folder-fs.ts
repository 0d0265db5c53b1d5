import nodeFs from 'node:fs'
import { NODE_FS_CALLS, type NodeFsLike, type NodeFsStats } from '../../src/fs/node-fs-like.js'

/** Which arguments are paths; of a symlink the target is text. */
const PATHS: Readonly<Record<string, readonly number[]>> = {
  fstatSync: [],
  closeSync: [],
  readSync: [],
  writeSync: [],
  ftruncateSync: [],
  symlinkSync: [1],
  linkSync: [0, 1],
  renameSync: [0, 1],
}

/** `node:fs` with a folder of the host's as its root. A small one, for tests: nothing keeps a symlink from leading out of it. */
export function folderFs(folder: string): NodeFsLike {
  const calls = NODE_FS_CALLS.map((name) => {
    const places = PATHS[name] ?? [0]
    const call = nodeFs[name] as (...args: readonly unknown[]) => unknown
    return [name, (...args: readonly unknown[]) => call(...args.map((each, place) => (places.includes(place) ? `${folder}${each}` : each)))]
  })
  return Object.fromEntries(calls) as NodeFsLike
}

/** Two of them laid over one another, as unionfs does it: what the first has not, the second is asked for; what is made is made in the first. */
export function layeredFs(upper: NodeFsLike, lower: NodeFsLike): NodeFsLike {
  const has = (path: string): boolean => {
    try {
      upper.lstatSync(path)
      return true
    } catch {
      return false
    }
  }
  const byPath = (path: string) => (has(path) ? upper : lower)
  return {
    ...upper,
    lstatSync: (path) => (has(path) ? upper.lstatSync(path) : apart(lower.lstatSync(path))),
    readlinkSync: (path) => byPath(path).readlinkSync(path),
    readdirSync: (path) => {
      const all = [upper, lower].flatMap((each) => {
        try {
          return each.readdirSync(path)
        } catch {
          return []
        }
      })
      return [...new Set(all)]
    },
    openSync: (path, flags, mode) => (has(path) || flags === 'wx' ? upper.openSync(path, flags, mode) : ~lower.openSync(path, flags, mode)),
    ...descriptorCalls(upper, lower),
  }
}

/** Files of the one are not to be taken for files of the other. */
function apart({ ino, mode, size, nlink, atimeMs, mtimeMs, ctimeMs }: NodeFsStats): NodeFsStats {
  return { ino: Number(ino) + 2 ** 48, mode, size, nlink, atimeMs, mtimeMs, ctimeMs }
}

/** Descriptors of the lower one are shown as negative numbers: each gives its own, and they may be the same. */
function descriptorCalls(upper: NodeFsLike, lower: NodeFsLike): Pick<NodeFsLike, 'fstatSync' | 'closeSync' | 'readSync'> {
  return {
    fstatSync: (descriptor) => (descriptor < 0 ? apart(lower.fstatSync(~descriptor)) : upper.fstatSync(descriptor)),
    closeSync: (descriptor) => (descriptor < 0 ? lower.closeSync(~descriptor) : upper.closeSync(descriptor)),
    readSync: (descriptor, ...rest) => (descriptor < 0 ? lower.readSync(~descriptor, ...rest) : upper.readSync(descriptor, ...rest)),
  }
}
