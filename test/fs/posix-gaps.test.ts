/** What POSIX asks and `fs/` does not do: each line of the list in src/fs/README.md, seen to be so. */
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { mayAccess, mayRemove, READ, WRITE } from '../../src/fs/access.js'
import { MAXIMUM_PATH_BYTES } from '../../src/fs/file-system.js'
import { resolve, rootHandle } from '../../src/fs/resolve.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { fails } from '../contract/file-system.js'
import { layerOf, mustFind, rawTar } from '../layer/tar.js'
import { suite } from '../support/suite.js'

const test = suite('fs/what POSIX asks and we do not do')
const owner = { uid: 0, gid: 0 }
const file = { type: 'file', mode: 0o644, ...owner } as const
const folder = { type: 'directory', mode: 0o755, ...owner } as const

/** By the first words of the list's lines. */
const GAPS: Readonly<Record<string, () => void>> = {
  'Reading sets no atime': () => {
    let now = 5n
    const fs = new UnionFs({ lowers: [layerOf(rawTar([{ name: 'lower', body: 'x', mtime: 1 }]))], now: () => now })
    const upper = fs.create(fs.root, 'upper', file)
    fs.write(upper, Uint8Array.of(1), 0)
    now = 9n
    const lower = mustFind(fs, 'lower')
    for (const ino of [lower, upper]) fs.read(ino, new Uint8Array(1), 0)
    fs.readdir(fs.root)
    assert.equal([fs.stat(lower).atimeNs, fs.stat(upper).atimeNs], [1_000_000_000n, 5n])
    fs.setAttributes(lower, { atimeNs: 7n })
    assert.is(fs.stat(lower).atimeNs, 7n)
  },
  "The link count of a layer's file counts": () => {
    const base = layerOf(rawTar([{ name: 'a' }, { name: 'b', typeflag: '1', link: 'a' }, { name: 'c', typeflag: '1', link: 'a' }]))
    const fs = new UnionFs({ lowers: [base, layerOf(rawTar([{ name: '.wh.b' }, { name: 'c', body: 'other' }]))] })
    assert.is(fs.stat(mustFind(fs, 'a')).linkCount, 3)
  },
  'A program that walks down step by step': () => {
    const fs = new UnionFs({ lowers: [] })
    let deepest = fs.root
    const depth = Math.floor((MAXIMUM_PATH_BYTES + 1) / 2)
    for (let level = 0; level < depth; level++) deepest = fs.create(deepest, 'd', folder)
    fails('ENAMETOOLONG', () => fs.create(deepest, 'd', folder))
    fs.create(fs.root, 'long-name', folder)
    fails('ENAMETOOLONG', () => fs.rename(fs.root, 'd', mustFind(fs, 'long-name'), 'd'))
    fails('ENAMETOOLONG', () => fs.rename(fs.root, 'd', fs.root, 'ddd'))
    fs.rename(fs.root, 'd', fs.root, 'dd')
  },
  'A write that meets the limit writes nothing': () => {
    const fs = new UnionFs({ lowers: [], limits: { diskBytes: 100_000 } })
    const ino = fs.create(fs.root, 'f', file)
    fs.write(ino, new Uint8Array(10), 0)
    fails('ENOSPC', () => fs.write(ino, new Uint8Array(200_000).fill(1), 5))
    assert.is(fs.stat(ino).size, 10)
    const buffer = new Uint8Array(10).fill(9)
    fs.read(ino, buffer, 0)
    assert.equal(buffer, new Uint8Array(10))
  },
  'Permission bits, sticky directories': () => {
    const fs = new UnionFs({ lowers: [] })
    const sticky = fs.create(fs.root, 'sticky', { ...folder, mode: 0o3777, gid: 7 })
    const ino = fs.create(sticky, 'f', { ...file, mode: 0o6000, uid: 5 })
    assert.is(fs.stat(ino).gid, 0, "not the directory's group")
    fs.write(ino, Uint8Array.of(1), 0)
    assert.is(fs.stat(ino).mode, 0o6000, 'setuid stays')
    const guest = { uid: 6, gid: 6, additionalGids: [] }
    assert.not(mayAccess(fs.stat(ino), guest, READ))
    assert.not(mayAccess(fs.stat(ino), guest, WRITE))
    assert.not(mayRemove(fs.stat(sticky), fs.stat(ino), guest))
    fs.unlink(sticky, 'f')
  },
  '`..` through an open directory': () => {
    const fs = new UnionFs({ lowers: [] })
    const [a, b] = [fs.create(fs.root, 'a', folder), fs.create(fs.root, 'b', folder)]
    fs.create(a, 'moved', folder)
    const { directory } = resolve(rootHandle(fs), 'a/moved', { followLast: true })
    fs.rename(a, 'moved', b, 'moved')
    if (directory === null) return assert.unreachable()
    assert.is(resolve(directory, '..', { followLast: true }).ino, a)
    assert.is(resolve(rootHandle(fs), 'b/moved/..', { followLast: true }).ino, b)
  },
  'A directory removed while open': () => {
    const fs = new UnionFs({ lowers: [] })
    const a = fs.create(fs.root, 'a', folder)
    const { directory } = resolve(rootHandle(fs), 'a', { followLast: true })
    fs.retain(a)
    fs.rmdir(fs.root, 'a')
    assert.equal(fs.readdir(a), [])
    for (const make of [() => fs.create(a, 'x', file), () => fs.link(fs.create(fs.root, 'f', file), a, 'x')]) fails('ENOENT', make)
    if (directory === null) return assert.unreachable()
    assert.is(resolve(directory, '..', { followLast: true }).ino, fs.root)
    fs.release(a)
    fails('ENOENT', () => fs.stat(a))
  },
  'No locks, leases, quotas by user': () => {
    const fs = new UnionFs({ lowers: [] })
    for (const call of ['lock', 'flock', 'lease', 'quota', 'acl']) assert.not(call in fs, call)
    for (const type of ['fifo', 'socket', 'character-device'] as const) {
      const ino = fs.create(fs.root, type, { ...file, type, ...(type === 'character-device' ? { device: { major: 1, minor: 3 } } : {}) })
      assert.is(fs.stat(ino).type, type)
      fails('EINVAL', () => fs.read(ino, new Uint8Array(1), 0))
      fails('EINVAL', () => fs.write(ino, new Uint8Array(1), 0))
    }
    const plain = fs.create(fs.root, 'f', file)
    for (const name of ['system.posix_acl_access', 'security.capability']) {
      fs.setXattr(plain, name, Uint8Array.of(1))
      assert.equal(fs.xattrs(plain).get(name), Uint8Array.of(1))
    }
    fs.write(plain, Uint8Array.of(1), 0)
    assert.ok(fs.xattrs(plain).has('security.capability'), 'the kernel would take it away')
  },
  'Times are kept to the nanosecond': () => {
    const fs = new UnionFs({ lowers: [] })
    const ino = fs.create(fs.root, 'f', file)
    assert.is(fs.stat(ino).mtimeNs % 1_000_000n, 0n)
    for (const time of [1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      fs.setAttributes(ino, { mtimeNs: time, atimeNs: time })
      assert.equal([fs.stat(ino).mtimeNs, fs.stat(ino).atimeNs], [time, time])
    }
    const exact = new UnionFs({ lowers: [], now: () => 123n })
    assert.is(exact.stat(exact.root).mtimeNs, 123n)
  },
  'Size of a directory is 0': () => {
    const fs = new UnionFs({ lowers: [layerOf(rawTar([{ name: 'd/f' }]))] })
    for (const ino of [fs.root, mustFind(fs, 'd'), fs.create(fs.root, 'e', folder)]) assert.is(fs.stat(ino).size, 0)
  },
}

for (const [name, check] of Object.entries(GAPS)) test(`${name} …`, check)

test('each line of the list is checked, and nothing else', () => {
  const [, list = ''] = readFileSync('src/fs/README.md', 'utf8').split('## What POSIX asks and we do not do')
  const lines = list.split(/^- /m).slice(1)
  assert.equal(
    lines.map((line) => Object.keys(GAPS).find((name) => line.startsWith(name)) ?? line),
    Object.keys(GAPS),
  )
})

test.run()
