import * as assert from 'uvu/assert'
import type { Ino } from '../../src/fs/file-system.js'
import { Heap } from '../../src/fs/heap.js'
import { InodeTable } from '../../src/fs/inode-table.js'
import type { LayerFileSystem } from '../../src/fs/layer-file-system.js'
import { formatListing, listTree } from '../../src/fs/list.js'
import { PAGE_BYTES } from '../../src/fs/pages.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { packTar } from '../../src/layer/pack.js'
import { changedEntries } from '../../src/layer/pack-tree.js'
import { fails } from '../contract/file-system.js'
import { contentsOf, inoOf, layerOf, mustFind, type RawEntry, rawTar } from '../layer/tar.js'
import { suite } from '../support/suite.js'

const test = suite('fs/union-fs')

const layer = (...entries: RawEntry[]) => layerOf(rawTar(entries))
const stack = (...lowers: LayerFileSystem[]) => new UnionFs({ lowers, now: () => 99n })
const names = (fs: UnionFs, path = '') =>
  fs
    .readdir(mustFind(fs, path))
    .map(({ name }) => name)
    .sort()
const directory = (name: string, mode = 0o755): RawEntry => ({ name, typeflag: '5', mode })
const owner = { uid: 0, gid: 0 }
const changes = (fs: UnionFs) => [...fs.changes()].map(({ path, kind, opaque }) => `${kind} ${path}${opaque ? ' opaque' : ''}`)

/** Counts what is asked of a layer. */
function counting(inner: LayerFileSystem): LayerFileSystem & { readonly calls: Record<string, number> } {
  const calls: Record<string, number> = {}
  return new Proxy(inner, {
    get: (target, key) => {
      if (key === 'calls') return calls
      const value = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls[String(key)] = (calls[String(key)] ?? 0) + 1
        return Reflect.apply(value, target, args)
      }
    },
  }) as LayerFileSystem & { readonly calls: Record<string, number> }
}

test('a higher layer hides the same name of a lower one, and directories merge', () => {
  const fs = stack(
    layer({ name: 'd/a', body: 'low' }, { name: 'd/b', body: 'low' }),
    layer({ name: 'd/b', body: 'high' }, { name: 'd/c', body: 'high' }),
  )
  assert.equal(names(fs, 'd'), ['a', 'b', 'c'])
  assert.equal([contentsOf(fs, 'd/a'), contentsOf(fs, 'd/b'), contentsOf(fs, 'd/c')], ['low', 'high', 'high'])
})

test('a whiteout hides a name in all layers below its own and in none above', () => {
  const fs = stack(
    layer({ name: 'a', body: '0' }, { name: 'd/x' }),
    layer({ name: '.wh.a' }, { name: '.wh.d' }),
    layer({ name: 'a', body: '2' }, { name: 'd/y' }),
  )
  assert.is(contentsOf(fs, 'a'), '2')
  assert.equal(names(fs, 'd'), ['y'])
})

test('nothing shows through an opaque directory, nor through a root that is one', () => {
  const fs = stack(
    layer({ name: 'd/low' }, { name: 'e/low' }),
    layer({ name: 'd/.wh..wh..opq' }, { name: 'd/mid' }),
    layer({ name: 'd/high' }),
  )
  assert.equal(names(fs, 'd'), ['high', 'mid'])
  assert.equal(names(fs, 'e'), ['low'])
  assert.equal(names(stack(layer({ name: 'a' }), layer({ name: '.wh..wh..opq' }, { name: 'b' }))), ['b'])
})

test('a file between two directories keeps them apart', () => {
  const fs = stack(layer({ name: 'd/low' }), layer({ name: 'd', body: 'file' }), layer({ name: 'd/high' }))
  assert.equal(names(fs, 'd'), ['high'])
})

test('a directory with no entry of its own has the attributes of the layer below', () => {
  const fs = stack(layer({ ...directory('tmp', 0o1777), uid: 5 }), layer({ name: 'tmp/x' }))
  const { mode, uid } = fs.stat(mustFind(fs, 'tmp'))
  assert.equal([mode, uid], [0o1777, 5])
  const again = stack(layer(directory('tmp', 0o1777)), layer(directory('tmp', 0o700), { name: 'tmp/x' }))
  assert.is(again.stat(mustFind(again, 'tmp')).mode, 0o700)
})

test('a directory is merged once, however often it is asked, and the number of layers does not matter afterwards', () => {
  const lowers = Array.from({ length: 100 }, (_, number) => counting(layer({ name: `d/f${number}` })))
  const fs = new UnionFs({ lowers })
  const d = mustFind(fs, 'd')
  for (let round = 0; round < 3; round++) {
    assert.is(fs.readdir(d).length, 100)
    for (let number = 0; number < 100; number++) assert.ok(fs.lookup(d, `f${number}`) !== undefined)
    assert.is(fs.lookup(d, 'missing'), undefined)
  }
  for (const { calls } of lowers) assert.equal([calls.readdir, calls.lookup], [2, undefined])
})

test('nothing of a directory is read before it is looked into', () => {
  const lower = counting(layer({ name: 'a/b/c' }))
  const fs = new UnionFs({ lowers: [lower] })
  mustFind(fs, 'a')
  assert.is(lower.calls.readdir, 1)
  assert.is(lower.calls.read, undefined)
})

test('a byte written into a lower file copies the one page it stands in', () => {
  const size = 2 ** 30
  const sparse: RawEntry = { name: 'big', body: 'data', pax: { 'GNU.sparse.map': '70000,4', 'GNU.sparse.size': String(size) } }
  const lower = counting(layer(sparse))
  const fs = new UnionFs({ lowers: [lower] })
  const big = mustFind(fs, 'big')
  fs.write(big, Uint8Array.of(7), size)
  assert.equal([fs.stat(big).size, fs.usage.diskBytes], [size + 1, 256])
  assert.is(lower.calls.read, undefined)
  fs.write(big, Buffer.from('X'), 70_001)
  assert.is(fs.usage.diskBytes, 256 + PAGE_BYTES)
  const buffer = Buffer.alloc(6)
  fs.read(big, buffer, 69_999)
  assert.is(buffer.toString('latin1'), '\0dXta\0')
  const own = Buffer.alloc(6)
  lower.read(mustFind(lower, 'big'), own, 69_999)
  assert.is(own.toString('latin1'), '\0data\0')
})

test('what was cut off a lower file does not come back when it grows again', () => {
  const fs = stack(layer({ name: 'f', body: 'hello world' }))
  const f = mustFind(fs, 'f')
  fs.setAttributes(f, { size: 5 })
  fs.setAttributes(f, { size: 8 })
  assert.is(contentsOf(fs, 'f'), 'hello\0\0\0')
  fs.write(f, Buffer.from('!'), 8)
  assert.is(contentsOf(fs, 'f'), 'hello\0\0\0!')
})

test('attributes of a lower file change without its contents being copied', () => {
  const lower = counting(layer({ name: 'f', body: 'x', uid: 3, pax: { 'SCHILY.xattr.user.a': 'b' } }))
  const fs = new UnionFs({ lowers: [lower], now: () => 99n })
  const f = mustFind(fs, 'f')
  fs.setAttributes(f, { mode: 0o600 })
  fs.setXattr(f, 'user.c', Uint8Array.of(1))
  const { mode, uid, ctimeNs, size } = fs.stat(f)
  assert.equal([mode, uid, ctimeNs, size, [...fs.xattrs(f).keys()]], [0o600, 3, 99n, 1, ['user.a', 'user.c']])
  assert.is(lower.calls.read, undefined)
})

test('hard links of a layer stay one file when written, also to names that were not looked at before', () => {
  const fs = stack(layer({ name: 'a/x', body: 'one' }, { name: 'b/y', typeflag: '1', link: 'a/x' }))
  const x = mustFind(fs, 'a/x')
  fs.write(x, Buffer.from('ONE'), 0)
  assert.is(mustFind(fs, 'b/y'), x)
  assert.is(contentsOf(fs, 'b/y'), 'ONE')
  assert.is(fs.stat(x).linkCount, 2)
  fs.unlink(mustFind(fs, 'a'), 'x')
  assert.equal([fs.stat(x).linkCount, contentsOf(fs, 'b/y')], [1, 'ONE'])
})

test('a renamed lower directory takes its merged contents along, also what was never read', () => {
  const fs = stack(layer({ name: 'd/sub/low', body: 'l' }), layer({ name: 'd/sub/high', body: 'h' }))
  fs.rename(fs.root, 'd', fs.root, 'e')
  assert.equal(names(fs, 'e/sub'), ['high', 'low'])
  assert.is(inoOf(fs, 'd'), undefined)
  fs.create(fs.root, 'd', { type: 'directory', mode: 0o755, ...owner })
  assert.equal(names(fs, 'd'), [])
})

test('a removed lower directory does not come back when it is made again', () => {
  const fs = stack(layer({ name: 'd/f', body: 'x' }))
  fs.unlink(mustFind(fs, 'd'), 'f')
  fs.rmdir(fs.root, 'd')
  fs.create(fs.root, 'd', { type: 'directory', mode: 0o700, ...owner })
  assert.equal(names(fs, 'd'), [])
})

test('an open lower file is read after it was removed', () => {
  const fs = stack(layer({ name: 'f', body: 'still here' }))
  const f = mustFind(fs, 'f')
  fs.retain(f)
  fs.unlink(fs.root, 'f')
  const buffer = Buffer.alloc(10)
  assert.is(fs.read(f, buffer, 0), 10)
  assert.is(buffer.toString(), 'still here')
  fs.release(f)
  fails('ENOENT', () => fs.read(f, buffer, 0))
})

test('the disk limit stops a write whole, and room comes back when files go', () => {
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: 3 * PAGE_BYTES } })
  const f = fs.create(fs.root, 'f', { type: 'file', mode: 0o644, ...owner })
  fs.write(f, new Uint8Array(2 * PAGE_BYTES), 0)
  fails('ENOSPC', () => fs.write(f, new Uint8Array(2 * PAGE_BYTES), 2 * PAGE_BYTES))
  assert.is(fs.stat(f).size, 2 * PAGE_BYTES)
  fs.write(f, new Uint8Array(2 * PAGE_BYTES).fill(1), 0)
  fs.write(f, new Uint8Array(1), 2 ** 39)
  assert.is(fs.usage.diskBytes, 2 * PAGE_BYTES + 256)
  fs.setAttributes(f, { size: PAGE_BYTES })
  assert.is(fs.usage.diskBytes, PAGE_BYTES)
  fs.unlink(fs.root, 'f')
  assert.equal([fs.usage.diskBytes, fs.usage.inodes], [0, 0])
})

test('the disk limit counts xattrs, and what belongs to a layer costs nothing', () => {
  const fs = new UnionFs({
    lowers: [layer({ name: 'f', body: 'x'.repeat(5000), pax: { 'SCHILY.xattr.user.big': 'v'.repeat(500) } })],
    limits: { diskBytes: 1000 },
  })
  const f = mustFind(fs, 'f')
  fails('ENOSPC', () => fs.setXattr(f, 'user.x', new Uint8Array(2000)))
  fs.removeXattr(f, 'user.big')
  assert.is(fs.usage.diskBytes, 0)
  fs.setXattr(f, 'user.x', new Uint8Array(900))
  fails('ENOSPC', () => fs.setXattr(f, 'user.y', new Uint8Array(900)))
  fs.removeXattr(f, 'user.x')
  assert.is(fs.usage.diskBytes, 0)
  fails('ENOSPC', () => fs.write(f, new Uint8Array(1), 0))
})

test('the inode limit counts files and further names, not those of layers', () => {
  const fs = new UnionFs({ lowers: [layer({ name: 'low' })], limits: { inodes: 2 } })
  const low = mustFind(fs, 'low')
  fs.link(low, fs.root, 'a')
  const b = fs.create(fs.root, 'b', { type: 'file', mode: 0, ...owner })
  fails('ENOSPC', () => fs.create(fs.root, 'c', { type: 'directory', mode: 0, ...owner }))
  fails('ENOSPC', () => fs.link(b, fs.root, 'c'))
  assert.is(inoOf(fs, 'c'), undefined)
  fs.unlink(fs.root, 'low')
  fs.unlink(fs.root, 'a')
  fs.unlink(fs.root, 'b')
  assert.is(fs.usage.inodes, 0)
})

test('a file without a name holds its pages until it is closed', () => {
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: PAGE_BYTES } })
  const f = fs.create(fs.root, 'f', { type: 'file', mode: 0, ...owner })
  fs.retain(f)
  fs.write(f, new Uint8Array(PAGE_BYTES), 0)
  fs.unlink(fs.root, 'f')
  assert.equal([fs.usage.diskBytes, fs.usage.inodes], [PAGE_BYTES, 1])
  fs.release(f)
  assert.equal([fs.usage.diskBytes, fs.usage.inodes], [0, 0])
})

test('a symlink target counts as bytes', () => {
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: 1000 } })
  const link = { type: 'symlink', mode: 0, target: 't'.repeat(600), ...owner } as const
  fs.create(fs.root, 'a', link)
  fails('ENOSPC', () => fs.create(fs.root, 'b', link))
  fs.unlink(fs.root, 'a')
  assert.equal([fs.usage.diskBytes, fs.usage.inodes], [0, 0])
  fs.create(fs.root, 'b', link)
})

test('names that come and go are not remembered', () => {
  const none = { mode: 0, uid: 0, gid: 0, atimeNs: 0n, mtimeNs: 0n, ctimeNs: 0n }
  const heap = new Heap(2 ** 22)
  const table = InodeTable.make(heap, [layer({ name: 'f' })], none, 1)
  const { root } = table
  const f = table.entry(root, 'f')
  table.setEntry(root, 'f', undefined)
  const noted = () => [...table.changes()].length
  const before = noted()
  const { usedBytes } = heap
  for (let round = 0; round < 10_000; round++) {
    table.setEntry(root, `name-${round}`, f)
    table.setEntry(root, `name-${round}`, undefined)
  }
  assert.equal([noted(), heap.usedBytes], [before, usedBytes])
  table.setEntry(root, 'f', f)
  assert.is(noted(), before - 1)
})

test('names that are none are refused', () => {
  const fs = stack()
  for (const name of ['', '.', '..', 'a/b', 'a\0b'])
    fails(['ENOENT', 'EEXIST', 'EINVAL'], () => fs.create(fs.root, name, { type: 'file', mode: 0, ...owner }))
})

test('a file is a tebibyte at most, then EFBIG, also beyond what numbers can hold', () => {
  const fs = stack()
  const f = fs.create(fs.root, 'f', { type: 'file', mode: 0, ...owner })
  fails('EFBIG', () => fs.write(f, new Uint8Array(10), Number.MAX_SAFE_INTEGER - 5))
  fails('EFBIG', () => fs.setAttributes(f, { size: 2 ** 60 }))
  fails('EFBIG', () => fs.setAttributes(f, { size: 2 ** 40 + 1 }))
  fails('EFBIG', () => fs.write(f, new Uint8Array(10), 2 ** 40 - 9))
  fs.write(f, new Uint8Array(10), 2 ** 40 - 10)
  assert.is(fs.stat(f).size, 2 ** 40)
})

test('times: a change sets ctime, a write mtime, a name the directory, and an explicit time stays', () => {
  let now = 1n
  const fs = new UnionFs({ lowers: [], now: () => now })
  const f = fs.create(fs.root, 'f', { type: 'file', mode: 0, ...owner })
  const times = (ino: Ino) => {
    const { atimeNs, mtimeNs, ctimeNs } = fs.stat(ino)
    return [atimeNs, mtimeNs, ctimeNs]
  }
  assert.equal(
    [times(f), times(fs.root)],
    [
      [1n, 1n, 1n],
      [1n, 1n, 1n],
    ],
  )
  now = 2n
  fs.write(f, Uint8Array.of(1), 0)
  assert.equal([times(f), times(fs.root)[1]], [[1n, 2n, 2n], 1n])
  now = 3n
  fs.setAttributes(f, { mode: 0o600 })
  assert.equal(times(f), [1n, 2n, 3n])
  now = 4n
  fs.setAttributes(f, { size: 0, mtimeNs: 50n })
  assert.equal(times(f), [1n, 50n, 4n])
  now = 5n
  fs.link(f, fs.root, 'g')
  assert.equal([times(f)[2], times(fs.root)], [5n, [1n, 5n, 5n]])
  now = 6n
  fs.rename(fs.root, 'g', fs.root, 'h')
  assert.equal([times(f)[2], times(fs.root)[1]], [6n, 6n])
  now = 7n
  fs.unlink(fs.root, 'h')
  assert.equal([times(f)[2], times(fs.root)[1]], [7n, 7n])
  fs.read(f, new Uint8Array(1), 0)
  assert.is(times(f)[0], 1n)
})

test('changes: nothing when nothing changed, whatever was read', () => {
  const fs = stack(layer({ name: 'a/b/c', body: 'x' }))
  contentsOf(fs, 'a/b/c')
  assert.equal(changes(fs), [])
})

test('changes: each path with its kind, directories before what is in them', () => {
  const fs = stack(
    layer(
      { name: 'd/keep' },
      { name: 'd/gone' },
      { name: 'd/touched', body: 'x' },
      { name: 'gone/deep/f' },
      { name: 'same/f' },
      { name: 'z' },
    ),
  )
  const d = mustFind(fs, 'd')
  fs.unlink(d, 'gone')
  fs.write(mustFind(fs, 'd/touched'), Uint8Array.of(1), 0)
  fs.create(d, 'new', { type: 'file', mode: 0, ...owner })
  fs.unlink(mustFind(fs, 'gone/deep'), 'f')
  fs.rmdir(mustFind(fs, 'gone'), 'deep')
  fs.rmdir(fs.root, 'gone')
  fs.setAttributes(mustFind(fs, 'z'), { mode: 0o600 })
  const added = fs.create(fs.root, 'added', { type: 'directory', mode: 0, ...owner })
  fs.create(added, 'in', { type: 'symlink', target: 'x', mode: 0, ...owner })
  fs.create(fs.root, 'came', { type: 'file', mode: 0, ...owner })
  fs.unlink(fs.root, 'came')
  assert.equal(changes(fs), [
    'modified ',
    'added added',
    'added added/in',
    'modified d',
    'deleted d/gone',
    'added d/new',
    'modified d/touched',
    'deleted gone',
    'modified z',
  ])
})

test('changes: a renamed directory is a deletion and additions; a replaced one is opaque', () => {
  const fs = stack(layer({ name: 'd/a' }, { name: 'd/b' }, { name: 'e', typeflag: '5' }, { name: 'f' }))
  fs.rename(fs.root, 'd', fs.root, 'moved')
  assert.equal(changes(fs), ['modified ', 'deleted d', 'added moved', 'added moved/a', 'added moved/b'])
  const again = fs.create(fs.root, 'd', { type: 'directory', mode: 0o755, ...owner })
  fs.create(again, 'b', { type: 'file', mode: 0, ...owner })
  assert.equal(changes(fs).slice(1, 4), ['modified d opaque', 'deleted d/a', 'modified d/b'])
})

test('changes: a file that was moved away and back is modified at most', () => {
  const fs = stack(layer({ name: 'd/a', body: 'x' }))
  const d = mustFind(fs, 'd')
  fs.rename(d, 'a', fs.root, 't')
  fs.rename(fs.root, 't', d, 'a')
  assert.equal(changes(fs), ['modified ', 'modified d', 'modified d/a'])
})

test('changes: every name of a changed hard link, also in directories never read', () => {
  const fs = stack(layer({ name: 'a/x', body: 'one' }, { name: 'b/y', typeflag: '1', link: 'a/x' }, { name: 'c/z' }))
  fs.write(mustFind(fs, 'a/x'), Uint8Array.of(1), 0)
  assert.equal(changes(fs), ['modified a/x', 'modified b/y'])
})

test('a tree is as deep as its longest path allows, and is walked', () => {
  const fs = stack()
  let ino = fs.root
  for (let depth = 0; depth < 2047; depth++) ino = fs.create(ino, 'd', { type: 'directory', mode: 0o755, ...owner })
  let count = 0
  for (const _ of fs.changes()) count++
  assert.is(count, 2048)
  fails('EINVAL', () => fs.rename(fs.root, 'd', mustFind(fs, 'd/d/d'), 'x'))
  // 2,047 names of a byte with their slashes are 4,093 bytes; one more and its slash are too many.
  fails('ENAMETOOLONG', () => fs.create(ino, 'd', { type: 'directory', mode: 0o755, ...owner }))
  fails('ENAMETOOLONG', () => fs.rename(fs.root, 'd', fs.root, 'ddd'))
  fs.rename(fs.root, 'd', fs.root, 'dd')
})

test('a path that is too long cannot be made by a new name, a link or a rename, whatever lies below it', () => {
  const fs = stack(layer({ name: 'f', pax: { path: `d/${'n'.repeat(200)}/f` } }))
  const folder = { type: 'directory', mode: 0o755, ...owner } as const
  let ino = fs.root
  for (let depth = 0; depth < 15; depth++) ino = fs.create(ino, 'n'.repeat(255), folder)
  const f = fs.create(ino, 'n'.repeat(254), { type: 'file', mode: 0, ...owner })
  fails('ENAMETOOLONG', () => fs.create(ino, 'm'.repeat(255), folder))
  fails('ENAMETOOLONG', () => fs.link(f, ino, 'm'.repeat(255)))
  fails('ENAMETOOLONG', () => fs.rename(ino, 'n'.repeat(254), ino, 'n'.repeat(255)))
  fails('ENAMETOOLONG', () => fs.rename(fs.root, 'd', ino, 'n'.repeat(52)))
  fs.rename(fs.root, 'd', ino, 'n'.repeat(51))
  const packed = layerOf(Buffer.concat([...packTar(changedEntries(fs))]))
  assert.is(formatListing(listTree(new UnionFs({ lowers: [...fs.lowers, packed] }))), formatListing(listTree(fs)))
})

test.run()
