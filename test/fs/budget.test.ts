/** A budget of zero: nothing can be added, and everything else still goes. */
import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import { fails } from '../contract/file-system.js'
import { contentsOf, inoOf, layerOf, mustFind, rawTar } from '../layer/tar.js'
import { suite } from '../support/suite.js'

const test = suite('fs/budget of zero')
const owner = { uid: 0, gid: 0 }
const layers = () => [
  layerOf(
    rawTar([
      { name: 'd', typeflag: '5', mode: 0o755 },
      { name: 'd/f', body: 'contents' },
      { name: 'g', body: 'other' },
      { name: 's', typeflag: '2', link: 'g' },
    ]),
  ),
]

test('no bytes: what would take some is refused and changes nothing, and what takes none is done', () => {
  const fs = new UnionFs({ lowers: layers(), limits: { diskBytes: 0 } })
  const f = mustFind(fs, 'd/f')
  fails('ENOSPC', () => fs.write(f, Uint8Array.of(1), 0))
  fails('ENOSPC', () => fs.write(f, Uint8Array.of(1), 100))
  fails('ENOSPC', () => fs.setXattr(f, 'user.x', Uint8Array.of(1)))
  fails('ENOSPC', () => fs.create(fs.root, 'link', { type: 'symlink', mode: 0o777, target: 'x', ...owner }))
  assert.is(inoOf(fs, 'link'), undefined)
  assert.is(contentsOf(fs, 'd/f'), 'contents')
  assert.equal([...fs.changes()], [])
  const empty = fs.create(fs.root, 'empty', { type: 'file', mode: 0o644, ...owner })
  assert.is(fs.write(empty, new Uint8Array(), 0), 0)
  fails('ENOSPC', () => fs.write(empty, Uint8Array.of(1), 0))
  assert.is(fs.stat(empty).size, 0)
  // A hole is no byte.
  fs.setAttributes(empty, { size: 2 ** 30 })
  fs.setAttributes(f, { size: 0, mode: 0o600 })
  fs.link(f, fs.root, 'other-name')
  fs.rename(fs.root, 'd', fs.root, 'e')
  fs.unlink(fs.root, 'g')
  fs.create(fs.root, 'new', { type: 'directory', mode: 0o755, ...owner })
  assert.equal([...fs.readdir(fs.root)].map(({ name }) => name).sort(), ['e', 'empty', 'new', 'other-name', 's'])
  assert.is(fs.usage.diskBytes, 0)
})

test('no inodes: nothing is made and nothing named again; what is there is written, moved and removed', () => {
  const fs = new UnionFs({ lowers: layers(), limits: { inodes: 0 } })
  for (const type of ['file', 'directory', 'fifo'] as const)
    fails('ENOSPC', () => fs.create(fs.root, 'new', { type, mode: 0o755, ...owner }))
  fails('ENOSPC', () => fs.link(mustFind(fs, 'g'), fs.root, 'new'))
  assert.is(inoOf(fs, 'new'), undefined)
  assert.is(fs.stat(mustFind(fs, 'g')).linkCount, 1)
  fs.write(mustFind(fs, 'g'), Buffer.from('mine'), 0)
  assert.is(contentsOf(fs, 'g'), 'miner')
  fs.rename(fs.root, 'g', mustFind(fs, 'd'), 'f')
  assert.is(contentsOf(fs, 'd/f'), 'miner')
  fs.unlink(mustFind(fs, 'd'), 'f')
  fs.rmdir(fs.root, 'd')
  assert.is(fs.usage.inodes, 0)
})

test('neither, in a tmpfs: it is empty and stays so', () => {
  const fs = new UnionFs({ lowers: [], limits: { diskBytes: 0, inodes: 0 } })
  fails('ENOSPC', () => fs.create(fs.root, 'f', { type: 'file', mode: 0o644, ...owner }))
  fs.setAttributes(fs.root, { mode: 0o700 })
  assert.equal(fs.readdir(fs.root), [])
})

test.run()
