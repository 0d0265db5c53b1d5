import * as assert from 'uvu/assert'
import type { Credentials } from '../../src/fs/access.js'
import type { FileSystem, Ino } from '../../src/fs/file-system.js'
import { MountTable } from '../../src/fs/mounts.js'
import { type DirectoryHandle, type ResolveOptions, resolve, rootHandle } from '../../src/fs/resolve.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { fails } from '../contract/file-system.js'
import { suite } from '../support/suite.js'

const test = suite('fs/resolve')

const owner = { uid: 0, gid: 0 }
type Tree = { readonly [name: string]: string | Tree }

/** A tree of directories; a text beginning with `->` is a symlink, any other a file. */
function tree(entries: Tree): UnionFs {
  const fs = new UnionFs({ lowers: [] })
  const fill = (directory: Ino, each: Tree): void => {
    for (const [name, value] of Object.entries(each)) {
      if (typeof value !== 'string') fill(fs.create(directory, name, { type: 'directory', mode: 0o755, ...owner }), value)
      else if (value.startsWith('->')) fs.create(directory, name, { type: 'symlink', target: value.slice(2), mode: 0, ...owner })
      else fs.create(directory, name, { type: 'file', mode: 0o644, ...owner })
    }
  }
  fill(fs.root, entries)
  return fs
}

const follow: ResolveOptions = { followLast: true }
const keep: ResolveOptions = { followLast: false }
const find = (fs: FileSystem, path: string, options = follow) => resolve(rootHandle(fs), path, options)
function at(fs: FileSystem, path: string): DirectoryHandle {
  const { directory } = find(fs, path)
  if (directory === null) throw new Error(`${path} is no directory`)
  return directory
}

test('a path leads to its parent, its last name and its inode', () => {
  const fs = tree({ a: { b: 'file' } })
  const found = find(fs, '/a/b')
  const a = fs.lookup(fs.root, 'a')
  assert.equal([found.parent.ino, found.name, found.ino, found.type], [a, 'b', fs.lookup(a ?? -1, 'b'), 'file'])
  assert.is(found.directory, null)
  assert.is(find(fs, '//a/./b').ino, found.ino)
})

test('a last component that is missing gives the parent to make it in', () => {
  const fs = tree({ a: {} })
  const { parent, name, ino } = find(fs, 'a/new')
  assert.equal([parent.ino, name, ino], [fs.lookup(fs.root, 'a'), 'new', undefined])
  fails('ENOENT', () => find(fs, 'a/missing/x'))
  fails('ENOENT', () => find(fs, ''))
})

test('".." goes back the way it came and stays at the root', () => {
  const fs = tree({ a: { b: {} }, f: 'file' })
  for (const path of ['..', '/..', '/../../..', 'a/../..', 'a/b/../../../..']) assert.is(find(fs, path).ino, fs.root)
  assert.is(find(fs, '../../f').name, 'f')
  assert.is(find(fs, 'a/b/..').ino, fs.lookup(fs.root, 'a'))
  fails('ENOTDIR', () => find(fs, 'f/..'))
})

test('a path that ends in ".", ".." or "/" has no last name', () => {
  const fs = tree({ a: {} })
  for (const path of ['/', '.', 'a/.', 'a/..', '/..']) assert.is(find(fs, path).name, null)
  assert.is(find(fs, 'a/').name, 'a')
})

test('absolute symlinks lead from the root of the tree, relative ones from where they stand', () => {
  const fs = tree({ etc: { passwd: 'file' }, d: { absolute: '->/etc', relative: '->../etc', escape: '->../../../../etc/passwd' } })
  const passwd = find(fs, 'etc/passwd').ino
  for (const path of ['d/absolute/passwd', 'd/relative/passwd', 'd/escape', 'd/absolute/../etc/passwd'])
    assert.is(find(fs, path).ino, passwd)
})

test('".." after a symlink goes up from where the symlink led', () => {
  const fs = tree({ a: { b: { f: 'file' } }, link: '->a/b', f: 'outer' })
  assert.is(find(fs, 'link/..').ino, fs.lookup(fs.root, 'a'))
})

test('the last symlink is followed only when asked, or when a slash or another component comes after it', () => {
  const fs = tree({ d: {}, s: '->d', dangling: '->nowhere', f: 'file', tofile: '->f' })
  assert.is(find(fs, 's', keep).type, 'symlink')
  assert.is(find(fs, 's', follow).type, 'directory')
  assert.is(find(fs, 's/', keep).type, 'directory')
  assert.is(find(fs, 's/.', keep).type, 'directory')
  assert.is(find(fs, 'dangling', keep).type, 'symlink')
  fails('ENOTDIR', () => find(fs, 'tofile/', keep))
})

test('a dangling symlink gives the place where its target would be made', () => {
  const fs = tree({ d: {}, s: '->d/new' })
  const { parent, name, ino } = find(fs, 's')
  assert.equal([parent.ino, name, ino], [fs.lookup(fs.root, 'd'), 'new', undefined])
})

test('symlinks that never end are ELOOP, forty that do are not', () => {
  const chain: Record<string, string | Tree> = { self: '->self', ping: '->pong', pong: '->ping', s0: {} }
  for (let number = 1; number <= 41; number++) chain[`s${number}`] = `->s${number - 1}`
  const fs = tree(chain)
  for (const path of ['self', 'ping', 'ping/x', 's41', 's41/x']) fails('ELOOP', () => find(fs, path))
  assert.is(find(fs, 's40').ino, fs.lookup(fs.root, 's0'))
})

test('a bomb of symlinks in symlinks ends early', () => {
  const bomb: Record<string, string | Tree> = { l0: {} }
  for (let number = 1; number < 30; number++) bomb[`l${number}`] = `->${`l${number - 1}/../`.repeat(40)}l${number - 1}`
  fails('ELOOP', () => find(tree(bomb), 'l29'))
})

test('a trailing slash asks for a directory', () => {
  const fs = tree({ d: {}, f: 'file' })
  assert.ok(find(fs, 'd/').mustBeDirectory)
  fails('ENOTDIR', () => find(fs, 'f/'))
  fails('ENOTDIR', () => find(fs, 'f/x'))
  const made = find(fs, 'new/')
  assert.equal([made.name, made.ino, made.mustBeDirectory], ['new', undefined, true])
})

test('long names and paths are ENAMETOOLONG', () => {
  const fs = tree({ d: {} })
  assert.is(find(fs, 'n'.repeat(255)).ino, undefined)
  fails('ENAMETOOLONG', () => find(fs, 'n'.repeat(256)))
  fails('ENAMETOOLONG', () => find(fs, 'd/'.repeat(2048)))
  fails('EINVAL', () => find(fs, 'a\0b'))
})

test('a path starts where it is told, and an absolute one at the root above', () => {
  const fs = tree({ a: { b: { f: 'file' } }, f: 'root file' })
  const b = at(fs, 'a/b')
  assert.is(resolve(b, 'f', follow).ino, find(fs, 'a/b/f').ino)
  assert.is(resolve(b, '/f', follow).ino, find(fs, 'f').ino)
  assert.is(resolve(b, '../../f', follow).ino, find(fs, 'f').ino)
})

test('beneath: absolute paths and ".." above the start are EPERM, anything inside is not', () => {
  const fs = tree({ a: { b: { f: 'file' }, f: 'file' } })
  const a = at(fs, 'a')
  const beneath: ResolveOptions = { followLast: true, beneath: true }
  for (const path of ['/a', '..', '../a/f', 'b/../..', 'b/../../a/f', './..']) fails('EPERM', () => resolve(a, path, beneath))
  for (const path of ['b/../f', 'b/../b/../f', './f']) assert.is(resolve(a, path, beneath).ino, find(fs, 'a/f').ino)
})

test('what stands behind a symlink goes on when its target is at its end, however deep they lie in one another', () => {
  const fs = tree({
    a: { b: { c: { f: 'file' } } },
    one: '->a/two//',
    'one-more': '->one/c',
  })
  fs.create(at(fs, 'a').ino, 'two', { type: 'symlink', target: './b', mode: 0, ...owner })
  const f = find(fs, 'a/b/c/f').ino
  for (const path of ['one/c/f', 'one//c//f', 'one-more/f', 'one-more/../c/f', 'one/../b/c/f', './one-more/./f'])
    assert.is(find(fs, path).ino, f, path)
  assert.is(find(fs, 'one').mustBeDirectory, true)
  assert.is(find(fs, 'one/c').mustBeDirectory, false)
})

test("beneath: a symlink's target may climb above the start, the path itself may not, before it or behind", () => {
  const fs = tree({ a: { up: '->..', here: '->.', 'up-and-down': '->../a/b', b: { f: 'file' } }, f: 'file' })
  const from = (path: string) => resolve(at(fs, 'a'), path, { ...follow, beneath: true })
  assert.is(from('up/f').ino, find(fs, 'f').ino)
  assert.is(from('up-and-down/f').ino, find(fs, 'a/b/f').ino)
  assert.is(from('up-and-down/../b/f').ino, find(fs, 'a/b/f').ino)
  for (const path of ['../f', 'here/../f', 'here/here/..', 'b/../here/..']) fails('EPERM', () => from(path))
})

test('a mounted tree covers the directory, and ".." leaves it as it was entered', () => {
  const fs = tree({ mnt: { hidden: 'file' }, f: 'file', link: '->/mnt/inner' })
  const other = tree({ inner: {}, f: 'other file', up: '->/f' })
  const mounts = new MountTable<FileSystem>()
  const mnt = fs.lookup(fs.root, 'mnt') ?? -1
  mounts.mount(fs, mnt, other)
  const through: ResolveOptions = { followLast: true, mounts }
  const found = resolve(rootHandle<FileSystem>(fs), 'mnt', through)
  assert.equal([found.fs === other, found.ino, found.parent.fs === fs], [true, other.root, true])
  assert.is(resolve(rootHandle<FileSystem>(fs), 'mnt/hidden', through).ino, undefined)
  assert.is(resolve(rootHandle<FileSystem>(fs), 'mnt/inner/../..', through).ino, fs.root)
  assert.is(resolve(rootHandle<FileSystem>(fs), 'mnt/inner/../../f', through).fs, fs)
  assert.is(resolve(rootHandle<FileSystem>(fs), 'mnt/up', through).fs, fs)
  assert.is(resolve(rootHandle<FileSystem>(fs), 'link', through).fs, other)
  fs.rename(fs.root, 'mnt', fs.root, 'moved')
  assert.is(resolve(rootHandle<FileSystem>(fs), 'moved/inner', through).fs, other)
})

test('a mount over the root of a mount wins', () => {
  const fs = tree({ mnt: {} })
  const lower = tree({ a: 'file' })
  const upper = tree({ b: 'file' })
  const mounts = new MountTable<FileSystem>()
  mounts.mount(fs, fs.lookup(fs.root, 'mnt') ?? -1, lower)
  mounts.mount(lower, lower.root, upper)
  assert.is(resolve(rootHandle<FileSystem>(fs), 'mnt/b', { followLast: true, mounts }).type, 'file')
})

test('each directory on the way must allow search', () => {
  const fs = tree({ open: { f: 'file', closed: { f: 'file' } } })
  fs.setAttributes(find(fs, 'open/closed').ino ?? -1, { mode: 0o744, uid: 5, gid: 6 })
  const walk = (uid: number, gid: number, path: string, additionalGids: number[] = []) => {
    const credentials: Credentials = { uid, gid, additionalGids }
    return resolve(rootHandle(fs), path, { followLast: true, credentials })
  }
  for (const path of ['open/closed/f', 'open/closed/..', 'open/closed/.', 'open/closed/new']) {
    fails('EACCES', () => walk(7, 7, path))
    fails('EACCES', () => walk(7, 6, path))
    fails('EACCES', () => walk(7, 7, path, [6]))
    walk(5, 7, path)
    walk(0, 0, path)
  }
  assert.is(walk(7, 7, 'open/closed').type, 'directory')
  fs.setAttributes(find(fs, 'open/closed').ino ?? -1, { mode: 0o754 })
  walk(7, 7, 'open/closed/f', [6])
})

test.run()
