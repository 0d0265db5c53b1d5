/** Sequences of operations on a small tree, so that they meet often, and what a tree is afterwards. */

import { ErrnoError } from '../../src/fs/errno.js'
import type { FileSystem, Ino } from '../../src/fs/file-system.js'
import { listTree } from '../../src/fs/list.js'
import { fc } from '../support/properties.js'

const DIRECTORIES = ['', 'a', 'b', 'a/c', 'b/c', 'a/c/d']
const directory = fc.constantFrom(...DIRECTORIES)
const name = fc.constantFrom('a', 'b', 'c', 'd', 'f')
type Place = readonly [directory: string, name: string]
const place: fc.Arbitrary<Place> = fc.tuple(directory, name)

/** One of them. */
export type Operation =
  | { readonly kind: 'mkdir' | 'create' | 'symlink' | 'unlink' | 'rmdir'; readonly at: Place }
  | { readonly kind: 'write'; readonly at: Place; readonly position: number; readonly length: number; readonly byte: number }
  | { readonly kind: 'truncate'; readonly at: Place; readonly size: number }
  | { readonly kind: 'chmod'; readonly at: Place; readonly mode: number }
  | { readonly kind: 'rename' | 'link'; readonly at: Place; readonly to: Place }

const size = fc.oneof(fc.nat(300), fc.nat(200_000), fc.constantFrom(0, 65_535, 65_536, 65_537, 131_072))
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('mkdir', 'create', 'symlink', 'unlink', 'rmdir'), at: place }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write'),
      at: place,
      position: size,
      length: fc.nat(70_000),
      byte: fc.integer({ min: 1, max: 255 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate'), at: place, size }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('chmod'), at: place, mode: fc.constantFrom(0o700, 0o755, 0o777) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('rename', 'link'), at: place, to: place }) },
) as fc.Arbitrary<Operation>

const attributes = { mode: 0o777, uid: 0, gid: 0 }

/** Does one operation; returns what it throws, as far as all implementations agree on it. */
export function perform(fs: FileSystem, each: Operation, { symlinksMove = true } = {}): string {
  const walk = (path: string): Ino => {
    let ino = fs.root
    for (const part of path.split('/').filter(Boolean)) {
      const next = fs.lookup(ino, part)
      if (next === undefined) throw new ErrnoError('ENOENT')
      ino = next
    }
    return ino
  }
  const found = ([folder, last]: Place) => {
    const ino = fs.lookup(walk(folder), last)
    if (ino === undefined) throw new ErrnoError('ENOENT')
    return ino
  }
  // Who follows symlinks differs, and is the caller's business: contents and modes are asked of files alone.
  const file = (at: Place) => {
    const ino = found(at)
    if (fs.stat(ino).type !== 'file') throw new ErrnoError('EINVAL')
    return ino
  }
  try {
    const [folder, last] = each.at
    if ('to' in each) {
      if (each.kind === 'link') fs.link(file(each.at), walk(each.to[0]), each.to[1])
      else {
        const ino = found(each.at)
        const to = walk(each.to[0])
        // memfs has no rule for a name that is renamed to another name of its own file.
        if (fs.lookup(to, each.to[1]) === ino) return 'same'
        if (!symlinksMove && fs.stat(ino).type === 'symlink') return 'symlink'
        // Over a directory above it: memfs has EISDIR, Linux ENOTEMPTY.
        if (!symlinksMove && `${folder}/`.startsWith(`${each.to.filter(Boolean).join('/')}/`)) return 'above'
        fs.rename(walk(folder), last, to, each.to[1])
      }
    } else if (each.kind === 'mkdir') fs.create(walk(folder), last, { type: 'directory', ...attributes })
    else if (each.kind === 'create') fs.create(walk(folder), last, { type: 'file', ...attributes })
    else if (each.kind === 'symlink') fs.create(walk(folder), last, { type: 'symlink', target: 'nowhere', ...attributes })
    else if (each.kind === 'unlink') fs.unlink(walk(folder), last)
    else if (each.kind === 'rmdir') fs.rmdir(walk(folder), last)
    else if (each.kind === 'write') fs.write(file(each.at), new Uint8Array(each.length).fill(each.byte), each.position)
    else if (each.kind === 'truncate') fs.setAttributes(file(each.at), { size: each.size })
    else if ('mode' in each) fs.setAttributes(file(each.at), { mode: each.mode })
    return 'done'
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error
    return error.code === 'EPERM' ? 'EISDIR' : error.code
  }
}

/** Everything two trees must share, contents included; times and directories' link counts are not. */
export function snapshot(fs: FileSystem): string[] {
  return [...listTree(fs)].map(({ path, ino, type, mode, size: bytes, target, linkOf }) => {
    let contents = ''
    if (type === 'file') {
      const buffer = new Uint8Array(bytes ?? 0)
      fs.read(ino, buffer, 0)
      contents = runs(buffer)
    }
    const shown = path === '' || type === 'symlink' ? '' : mode.toString(8)
    return [path, type, shown, type === 'directory' ? '' : fs.stat(ino).linkCount, bytes, target, linkOf, contents].join(' ')
  })
}

function runs(buffer: Uint8Array): string {
  let text = ''
  for (let start = 0; start < buffer.length; ) {
    let end = start
    while (end < buffer.length && buffer[end] === buffer[start]) end++
    text += `${buffer[start]}x${end - start},`
    start = end
  }
  return text
}

// Begun with some directories and files, else most operations would find nothing.
const furniture: readonly Operation[] = [
  { kind: 'mkdir', at: ['', 'a'] },
  { kind: 'mkdir', at: ['', 'b'] },
  { kind: 'mkdir', at: ['a', 'c'] },
  { kind: 'create', at: ['a/c', 'f'] },
  { kind: 'write', at: ['a/c', 'f'], position: 10, length: 70_000, byte: 1 },
  { kind: 'link', at: ['a/c', 'f'], to: ['b', 'd'] },
]
/** Some of them, behind {@link furniture}. */
export const operations = fc.array(operation, { minLength: 1, maxLength: 40 }).map((all) => [...furniture, ...all])
