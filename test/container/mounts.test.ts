import * as assert from 'uvu/assert'
import { parseBytes, parseTmpfs, resolveMounts } from '../../src/container/mounts.js'
import type { BindMount } from '../../src/runtime/spec.js'
import { suite } from '../support/suite.js'

const test = suite('container/mounts')
const bind = (destination: string, source = '/etc'): BindMount => ({ type: 'bind', source, destination, readonly: false })

test('sizes are read in binary units, as docker reads them', () => {
  assert.is(parseBytes('4096'), 4096)
  assert.is(parseBytes('64k'), 65536)
  assert.is(parseBytes('1.5G'), 1.5 * 1024 ** 3)
  assert.is(parseBytes('10mb'), 10 * 1024 ** 2)
  assert.is(parseBytes('1KiB'), 1024)
  for (const wrong of ['', 'm', '-1', '1x', '1e3', 'ten', '0x10', '99999999999999999g']) assert.is(parseBytes(wrong), null, wrong)
})

test('what lies deeper is mounted later', () => {
  const mounts = resolveMounts({ mounts: [bind('/a/b/c'), bind('/a')], tmpfs: { '/a/b': '' } })
  assert.equal(
    mounts.map((mount) => mount.destination),
    ['/a', '/a/b', '/a/b/c'],
  )
})

test('of two mounts for one place the caller’s is before another container’s, the later of those, and both before the image’s', () => {
  const mounts = resolveMounts({
    mounts: [bind('/a', '/etc')],
    tmpfs: { '/t': '' },
    inherited: [bind('/a', '/usr'), bind('/b', '/usr'), bind('/b', '/bin'), bind('/t', '/usr')],
    ofImage: ['/a', '/b/', '/c', '/t', '/c/'],
  })
  assert.equal(
    mounts.map((mount) => [mount.destination, mount.type === 'bind' ? mount.source : mount.type]),
    [
      ['/a', '/etc'],
      ['/t', 'tmpfs'],
      ['/b', '/bin'],
      ['/c', 'volume'],
    ],
  )
  for (const place of ['relative', '/', '/x\0'])
    assert.throws(() => resolveMounts({ mounts: [], tmpfs: {}, ofImage: [place] }), /invalid mount|NUL/)
})

test('destinations are brought to one form, so that a place cannot be mounted twice', () => {
  assert.is(resolveMounts({ mounts: [bind('/a/../b//c/')], tmpfs: {} })[0]?.destination, '/b/c')
  assert.throws(() => resolveMounts({ mounts: [bind('/a'), bind('/a/')], tmpfs: {} }), /duplicate mount point: \/a/)
  assert.throws(() => resolveMounts({ mounts: [bind('/a')], tmpfs: { '/a': '' } }), /duplicate mount point: \/a/)
})

test('a destination that is relative or the root, and a source that is relative or missing, are refused', () => {
  assert.throws(() => resolveMounts({ mounts: [bind('etc')], tmpfs: {} }), /must be absolute/)
  assert.throws(() => resolveMounts({ mounts: [bind('/')], tmpfs: {} }), /can't be \//)
  assert.throws(() => resolveMounts({ mounts: [bind('/..')], tmpfs: {} }), /can't be \//)
  assert.throws(() => resolveMounts({ mounts: [bind('/x', 'etc')], tmpfs: {} }), /source must be absolute/)
  assert.throws(() => resolveMounts({ mounts: [bind('/x', '/no/such/path')], tmpfs: {} }), /does not exist: \/no\/such\/path/)
  assert.throws(() => resolveMounts({ mounts: [bind('/x\0y')], tmpfs: {} }), /NUL/)
})

test('options of a tmpfs are read or refused by name', () => {
  assert.equal(parseTmpfs('/run', ''), { type: 'tmpfs', destination: '/run', readonly: false })
  assert.equal(parseTmpfs('/run', 'rw,noexec,size=64m,mode=1777'), {
    type: 'tmpfs',
    destination: '/run',
    readonly: false,
    sizeBytes: 64 * 1024 ** 2,
    mode: 0o1777,
  })
  assert.is(parseTmpfs('/run', 'ro').readonly, true)
  assert.is(parseTmpfs('/run', 'ro,rw').readonly, false)
  assert.is(parseTmpfs('/run', 'noexec,exec').executable, true)
  assert.is(parseTmpfs('/run', 'exec,noexec').executable, undefined)
  assert.throws(() => parseTmpfs('/run', 'suid'), /suid is not built yet/)
  assert.throws(() => parseTmpfs('/run', 'uid=1000'), /uid=1000 is not built yet/)
  assert.throws(() => parseTmpfs('/run', 'size=0'), /size=0 is not valid/)
  assert.throws(() => parseTmpfs('/run', 'mode=8'), /mode=8 is not valid/)
  assert.throws(() => parseTmpfs('/run', 'bogus'), /bogus is not valid/)
})

test.run()
