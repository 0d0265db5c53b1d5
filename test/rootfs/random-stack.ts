import type { PackEntry } from '../../src/layer/pack.js'
import { contentsOf, packEntry } from '../support/stored-layers.js'

/** A random number generator that gives the same numbers for the same seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const NAMES = ['a', 'b', 'c', 'dir', 'sub', '\xe4\xff', 'long'.repeat(40)]

/**
 * Layers that hide, replace, merge and link over few names, so that they meet often: base first, each without a name twice. Parents are
 * sometimes left out, and sometimes come after their children.
 */
export function randomStack(seed: number): PackEntry[][] {
  const next = random(seed)
  const pick = <Value>(values: readonly Value[]) => values[next(values.length)] as Value
  return Array.from({ length: 1 + next(5) }, () => {
    const entries = new Map<string, PackEntry>()
    const files: string[] = []
    const nonDirectories = new Set<string>()
    const directories = new Set<string>()
    for (let count = 3 + next(25); count > 0; count--) {
      const parts = Array.from({ length: 1 + next(3) }, () => pick(NAMES))
      const path = parts.join('/')
      const parents = parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'))
      if (parents.some((parent) => nonDirectories.has(parent)) || entries.has(path)) continue
      const attributes = {
        mode: pick([0o755, 0o644, 0o700, 0o4755, 0o1777, 0, 0o640]),
        uid: pick([0, 0, 1, 1000]),
        gid: pick([0, 0, 5]),
        mtimeNs: BigInt(next(2_000_000_000)) * 1_000_000_000n + BigInt(next(1_000_000_000)),
        xattrs: next(6) === 0 ? new Map([['user.seed', Uint8Array.of(next(256))]]) : new Map<string, Uint8Array>(),
      }
      const kind = pick(['file', 'file', 'directory', 'directory', 'symlink', 'fifo', 'link', 'whiteout', 'opaque'])
      const isDirectory = kind === 'directory' || kind === 'opaque'
      if (!isDirectory && directories.has(path)) continue
      if (kind === 'whiteout') {
        const marker = [...parts.slice(0, -1), `.wh.${parts.at(-1)}`].join('/')
        if (marker.split('/').some((part) => part.length > 255)) continue
        entries.set(marker, packEntry(marker))
      } else if (isDirectory) {
        entries.set(path, packEntry(path, { ...attributes, type: 'directory' }))
        directories.add(path)
        if (kind === 'opaque') entries.set(`${path}/.wh..wh..opq`, packEntry(`${path}/.wh..wh..opq`))
      } else {
        if (kind === 'link' && files.length === 0) continue
        if (kind === 'file') {
          entries.set(path, packEntry(path, { ...attributes, contents: contentsOf(String(next(1e9)).repeat(next(2000))) }))
          files.push(path)
        } else if (kind === 'link') entries.set(path, packEntry(path, { ...attributes, type: 'hardlink', target: pick(files) }))
        else
          entries.set(
            path,
            packEntry(path, {
              ...attributes,
              xattrs: new Map(),
              type: kind === 'fifo' ? 'fifo' : 'symlink',
              ...(kind === 'fifo' ? {} : { target: '../x' }),
            }),
          )
        nonDirectories.add(path)
      }
      for (const parent of parents) directories.add(parent)
    }
    if (next(6) === 0) entries.set('.wh..wh..opq', packEntry('.wh..wh..opq'))
    // A root entry in some layers only.
    if (next(2) === 0) entries.set('', packEntry('', { type: 'directory', mode: pick([0o755, 0o555]), mtimeNs: BigInt(next(1e9)) }))
    return [...entries.values()]
  })
}
