import * as assert from 'uvu/assert'
import { formatListing, listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { packTar } from '../../src/layer/pack.js'
import { changedEntries } from '../../src/layer/pack-tree.js'
import { contentsOf, inoOf, layerOf, mustFind, rawTar } from '../layer/tar.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('fs/union, forks')

const OWNER = { uid: 0, gid: 0 }
const lower = () =>
  layerOf(
    rawTar([
      { name: 'd', typeflag: '5', mode: 0o755 },
      { name: 'd/low', body: 'low' },
      { name: 'd/deep', typeflag: '5', mode: 0o755 },
      { name: 'd/deep/file', body: 'x'.repeat(200_000) },
      { name: 'x', body: 'below' },
      { name: 'link', typeflag: '1', link: 'x' },
    ]),
  )
const union = () => new UnionFs({ lowers: [lower()], now: () => 1n })
const file = (fs: UnionFs, name: string) => fs.create(fs.root, name, { type: 'file', mode: 0o600, ...OWNER })

/** All that there is to be seen of a tree. */
function view(fs: UnionFs): string {
  const contents = [...listTree(fs)].map(({ path, type }) => (type === 'file' ? `${path}=${contentsOf(fs, path)}` : path))
  const changes = [...fs.changes()].map(({ path, kind, opaque }) => `${kind} ${path}${opaque ? ' opaque' : ''}`)
  const { diskBytes, inodes } = fs.usage
  return [formatListing(listTree(fs)), ...contents, ...changes, diskBytes, inodes].join('\n')
}

test('both sides begin alike, and neither sees what the other changes', () => {
  const first = union()
  first.write(mustFind(first, 'x'), Buffer.from('ABC'), 0)
  const second = first.fork()
  assert.is(view(second), view(first))
  const before = view(first)
  second.write(mustFind(second, 'x'), Buffer.from('zz'), 1)
  second.unlink(mustFind(second, 'd'), 'low')
  second.rename(second.root, 'd', second.root, 'e')
  second.setAttributes(mustFind(second, 'link'), { mode: 0o111 })
  assert.is(view(first), before)
  const after = view(second)
  first.write(mustFind(first, 'd/deep/file'), Buffer.from('mine'), 100_000)
  file(first, 'new')
  first.setXattr(mustFind(first, 'x'), 'user.a', Buffer.from('b'))
  assert.is(view(second), after)
  assert.equal([contentsOf(first, 'x'), contentsOf(second, 'x'), contentsOf(second, 'link')], ['ABCow', 'Azzow', 'Azzow'])
})

test('what is open stays open on the side that opened it, and is not open on the other', () => {
  const first = union()
  const open = file(first, 'open')
  first.write(open, Buffer.from('open'), 0)
  first.retain(open)
  const second = first.fork()
  for (const fs of [first, second]) fs.unlink(fs.root, 'open')
  assert.is(first.read(open, new Uint8Array(4), 0), 4)
  assert.throws(() => second.read(open, new Uint8Array(4), 0), /ENOENT/)
  assert.equal([first.usage.diskBytes, second.usage.diskBytes], [256, 0])
  first.release(open)
  assert.throws(() => first.stat(open), /ENOENT/)
  assert.is(first.usage.diskBytes, 0)
})

test('a fork takes the same time and memory whatever is in the tree', () => {
  const fs = new UnionFs({ lowers: [] })
  for (let number = 0; number < 5_000; number++) file(fs, `file-${number}`)
  const used = fs.memoryBytes
  const forks = Array.from({ length: 1000 }, () => fs.fork())
  assert.ok(fs.memoryBytes - used < 2 ** 20, `${fs.memoryBytes - used} bytes for 1,000 forks`)
  assert.is(forks[999]?.readdir(fs.root).length, 5_000)
})

test('pages that nobody has any more are given back', () => {
  const fs = new UnionFs({ lowers: [] })
  const big = file(fs, 'big')
  const fill = (to: UnionFs, byte: number) => {
    for (let page = 0; page < 100; page++) to.write(big, new Uint8Array(65_536).fill(byte), page * 65_536)
  }
  fill(fs, 1)
  const used = fs.memoryBytes
  for (let round = 0; round < 50; round++) {
    const fork = fs.fork()
    fill(fork, 2)
    fill(fs, 3)
    assert.equal([contentsOf(fork, 'big')[5], contentsOf(fs, 'big')[5]], ['\x02', '\x03'])
    fork.close()
    assert.equal(contentsOf(fs, 'big')[99 * 65_536], '\x03')
  }
  assert.ok(fs.memoryBytes - used < 2 ** 21, `${fs.memoryBytes - used} bytes more`)
})

test('the first tree may go before its forks', () => {
  const first = union()
  file(first, 'a')
  const second = first.fork()
  const third = first.fork()
  const seen = view(second)
  first.write(mustFind(first, 'a'), Buffer.from('gone'), 0)
  first.close()
  assert.equal([view(second), view(third)], [seen, seen])
  third.unlink(third.root, 'a')
  third.close()
  assert.is(view(second), seen)
  second.write(mustFind(second, 'd/deep/file'), Buffer.from('!'), 70_000)
  assert.is(contentsOf(second, 'd/deep/file')[70_000], '!')
})

test('a fork becomes a layer as its origin would', () => {
  const first = union()
  first.unlink(first.root, 'x')
  file(first, 'y')
  const second = first.fork()
  const tar = (fs: UnionFs) => Buffer.concat([...packTar(changedEntries(fs))])
  assert.ok(tar(second).equals(tar(first)))
  first.close()
  second.rmdir(second.root, emptied(second))
  assert.ok(tar(second).includes('.wh.d'))
})

/** Empties the directory d and names it. */
function emptied(fs: UnionFs): string {
  const d = mustFind(fs, 'd')
  fs.unlink(mustFind(fs, 'd/deep'), 'file')
  fs.rmdir(d, 'deep')
  fs.unlink(d, 'low')
  return 'd'
}

type Step = { readonly kind: 'fork' | 'close'; readonly tree: number } | Change
type Change =
  | { readonly kind: 'create' | 'mkdir' | 'unlink' | 'rmdir' | 'xattr' | 'chmod'; readonly tree: number; readonly at: string }
  | { readonly kind: 'write' | 'truncate'; readonly tree: number; readonly at: string; readonly position: number }
  | { readonly kind: 'rename' | 'link'; readonly tree: number; readonly at: string; readonly to: string }

const tree = fc.nat(5)
const at = fc.constantFrom('x', 'y', 'link', 'd', 'd/low', 'd/y', 'd/deep', 'd/deep/file', 'd/deep/z')
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('fork', 'close'), tree }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('create', 'mkdir', 'unlink', 'rmdir', 'xattr', 'chmod'), tree, at }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('write', 'truncate'), tree, at, position: fc.nat(300_000) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('rename', 'link'), tree, at, to: at }) },
) as fc.Arbitrary<Step>

function isFork(step: Step): step is Exclude<Step, Change> {
  return step.kind === 'fork' || step.kind === 'close'
}

/** Does a step, the same on both; a step that cannot be done is refused by both. */
function perform(fs: UnionFs, each: Change): string {
  const place = (path: string) => {
    const slash = path.lastIndexOf('/')
    return { directory: inoOf(fs, path.slice(0, Math.max(0, slash))) ?? -1, name: path.slice(slash + 1) }
  }
  try {
    const { directory, name } = place(each.at)
    const ino = inoOf(fs, each.at) ?? -1
    if ('to' in each) {
      const to = place(each.to)
      if (each.kind === 'link') fs.link(ino, to.directory, to.name)
      else fs.rename(directory, name, to.directory, to.name)
    } else if ('position' in each) {
      if (each.kind === 'write') fs.write(ino, Buffer.from('written'), each.position)
      else fs.setAttributes(ino, { size: each.position })
    } else if (each.kind === 'xattr') fs.setXattr(ino, 'user.x', Buffer.from('value'))
    else if (each.kind === 'chmod') fs.setAttributes(ino, { mode: 0o700 })
    else if (each.kind === 'unlink') fs.unlink(directory, name)
    else if (each.kind === 'rmdir') fs.rmdir(directory, name)
    else fs.create(directory, name, { type: each.kind === 'mkdir' ? 'directory' : 'file', mode: 0o755, ...OWNER })
    return 'done'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

test('forks of forks, changed and closed in any order, are what trees of their own would be', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      // Beside each tree, the steps that made it, to be done again in a tree of its own.
      let trees: { readonly fs: UnionFs; readonly history: Change[] }[] = [{ fs: union(), history: [] }]
      for (const each of steps) {
        const chosen = trees[each.tree % trees.length]
        if (chosen === undefined) continue
        if (isFork(each)) {
          if (each.kind === 'fork') {
            if (trees.length < 6) trees.push({ fs: chosen.fs.fork(), history: [...chosen.history] })
            continue
          }
          if (trees.length === 1) continue
          chosen.fs.close()
          trees = trees.filter((other) => other !== chosen)
        } else {
          perform(chosen.fs, each)
          chosen.history.push(each)
        }
      }
      for (const { fs, history } of trees) {
        const own = union()
        for (const each of history) perform(own, each)
        assert.is(view(fs), view(own))
      }
      for (const { fs } of trees.slice(1)) fs.close()
    }),
    { numRuns: 120 },
  )
})

test.run()
