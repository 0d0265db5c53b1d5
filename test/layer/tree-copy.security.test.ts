/** Archives that would lead who unpacks them somewhere else. */
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { find } from '../../src/fs/find.js'
import { formatListing, listTree } from '../../src/fs/list.js'
import { MountTable } from '../../src/fs/mounts.js'
import { rootHandle } from '../../src/fs/resolve.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { bytesSource } from '../../src/layer/source.js'
import { placeAt, unpackInto } from '../../src/layer/tree-copy.js'
import { suite } from '../support/suite.js'
import { type RawEntry, rawTar } from './tar.js'

const test = suite('layer/tree-copy security')

interface Place {
  readonly union: UnionFs
  unpack(...entries: readonly RawEntry[]): string | null
  has(path: string): boolean
}

/** A tree with /place to unpack in and /outside, a file system mounted at /place/mounted, and symlinks that a guest may have made. */
function place({ readonly = false } = {}): Place {
  const union = new UnionFs({ lowers: [] })
  const directory = (parent: number, name: string) => union.create(parent, name, { type: 'directory', mode: 0o755, uid: 0, gid: 0 })
  const link = (parent: number, name: string, target: string) =>
    union.create(parent, name, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, target })
  const inside = directory(union.root, 'place')
  const outside = directory(union.root, 'outside')
  union.create(outside, 'file', { type: 'file', mode: 0o600, uid: 0, gid: 0 })
  link(inside, 'link', '/outside')
  link(inside, 'up', '../../../../outside')
  link(inside, 'loop', 'loop')
  const mounted = new UnionFs({ lowers: [] })
  const mounts = new MountTable<FileSystem>()
  mounts.mount(union, directory(inside, 'mounted'), mounted)
  const tree = { root: rootHandle<FileSystem>(union), mounts, isReadonly: (fs: FileSystem) => readonly && fs === mounted }
  return {
    union,
    has: (path) => placeAt(tree, path) !== null,
    unpack(...entries) {
      try {
        unpackInto(tree, '/place', bytesSource(rawTar(entries)))
        return null
      } catch (error) {
        return error instanceof EngineError ? error.code : String(error)
      }
    },
  }
}

test('a name that climbs out of the place is refused, a hard link to such a name too', () => {
  for (const name of ['../outside/new', 'a/../../outside/new', '/../outside/new']) assert.is(place().unpack({ name }), 'UNSAFE_PATH', name)
  assert.is(place().unpack({ name: 'hard', typeflag: '1', link: '../outside/file' }), 'UNSAFE_PATH')
})

test('an absolute name is below the place', () => {
  const { unpack, has } = place()
  assert.is(unpack({ name: '/outside/new', body: 'x' }), null)
  assert.equal([has('/place/outside/new'), has('/outside/new')], [true, false])
})

test('a folder of the archive’s own is never a symlink that was there, nor one that comes in its place', () => {
  assert.is(place().unpack({ name: 'link/', typeflag: '5' }, { name: 'link/new' }), 'INVALID_ARGUMENT')
  const { unpack, has } = place()
  assert.is(
    unpack({ name: 'd/', typeflag: '5' }, { name: 'd', typeflag: '2', link: '/outside' }, { name: 'd/new' }),
    'INVALID_ARGUMENT',
    'a directory makes no way for a symlink',
  )
  assert.is(has('/outside/new'), false)
})

test('a symlink is written over and not through', () => {
  const { union, unpack } = place()
  assert.is(unpack({ name: 'link', body: 'mine' }), null)
  const ino = find(union, 'place/link')
  assert.is(ino === undefined ? undefined : union.stat(ino).type, 'file')
})

test('symlinks on the way, and those that lead in circles, end inside the tree or nowhere', () => {
  const { unpack, has } = place()
  assert.is(unpack({ name: 'up/new', body: 'x' }), null)
  assert.is(has('/outside/new'), true, 'where it leads for the guest')
  assert.is(unpack({ name: 'loop/new' }), 'INVALID_ARGUMENT')
})

test('what is mounted is written to, unless it may not be, and never replaced', () => {
  const { unpack, has, union } = place()
  assert.is(unpack({ name: 'mounted/', typeflag: '5' }, { name: 'mounted/new', body: 'x' }), null)
  assert.is(has('/place/mounted/new'), true)
  assert.not.match(formatListing(listTree(union)), 'mounted/new')
  assert.is(unpack({ name: 'mounted', body: 'x' }), 'INVALID_ARGUMENT')
  assert.is(place({ readonly: true }).unpack({ name: 'mounted/new', body: 'x' }), 'INVALID_ARGUMENT')
  assert.is(unpack({ name: 'hard', typeflag: '1', link: 'mounted/new' }), 'INVALID_ARGUMENT')
})

test('a device is refused', () => {
  assert.is(place().unpack({ name: 'null', typeflag: '3', major: 1, minor: 3 }), 'INVALID_ARGUMENT')
})

test.run()
