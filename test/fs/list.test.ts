import * as assert from 'uvu/assert'
import { formatListing, listTree } from '../../src/fs/list.js'
import { fromBytes, fromUtf8, toBytes, toUtf8 } from '../../src/fs/names.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { suite } from '../support/suite.js'

const test = suite('fs/list and names')
const owner = { uid: 0, gid: 0 }

test('a listing names every path in byte order, with every attribute', () => {
  const fs = new UnionFs({ lowers: [], now: () => 5n })
  const d = fs.create(fs.root, 'd', { type: 'directory', mode: 0o1777, uid: 1, gid: 2 })
  const f = fs.create(d, 'f \n', { type: 'file', mode: 0o4755, ...owner })
  fs.write(f, Uint8Array.of(1, 2), 0)
  fs.setXattr(f, 'user.b', Uint8Array.of(255))
  fs.setXattr(f, 'user.a', Uint8Array.of())
  fs.link(f, fs.root, 'a')
  fs.create(fs.root, '\xe9', { type: 'symlink', mode: 0, ...owner, target: 'a\\b' })
  fs.create(fs.root, 'n', { type: 'block-device', mode: 0o600, ...owner, device: { major: 8, minor: 1 } })
  assert.equal(formatListing(listTree(fs)).split('\n'), [
    '.\tdirectory\t0755\t0:0\tmtime=5',
    'a\tfile\t4755\t0:0\tsize=2\tmtime=5\txattr:user.a=\txattr:user.b=ff',
    'd\tdirectory\t1777\t1:2\tmtime=5',
    'd/f\\x20\\x0a\tfile\t4755\t0:0\tsize=2\tlink=a\tmtime=5\txattr:user.a=\txattr:user.b=ff',
    'n\tblock-device\t0600\t0:0\tdevice=8:1\tmtime=5',
    '\\xe9\tsymlink\t0777\t0:0\ttarget=a\\x5cb\tmtime=5',
    '',
  ])
})

test('byte strings keep every byte, and text goes through UTF-8', () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => index & 0xff)
  assert.equal(toBytes(fromBytes(bytes)), bytes)
  assert.is(fromUtf8('ü'), '\xc3\xbc')
  assert.is(toUtf8('\xc3\xbc'), 'ü')
  assert.is(toUtf8('\xff'), '\ufffd')
  assert.is(fromBytes(new Uint8Array()), '')
})

test.run()
