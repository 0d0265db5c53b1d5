import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { extract } from 'tar-stream'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { formatListing, listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { changedEntries, treeEntries } from '../../src/layer/pack-tree.js'
import { bytesSource } from '../../src/layer/source.js'
import { fc } from '../support/properties.js'
import { type Requirement, suite } from '../support/suite.js'
import { contentsOf, layerOf, mustFind, rawTar, withFolder } from './tar.js'

const test = suite('layer/pack')

const gnuTar: Requirement = {
  name: 'gnu-tar',
  missing: async () =>
    /GNU tar/.test(spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout ?? '') ? null : 'GNU tar is not installed',
}
const tarOf = (entries: Iterable<PackEntry>) => Buffer.concat([...packTar(entries)])
const owner = { uid: 0, gid: 0 }

function write(fs: FileSystem, name: string, text: string): number {
  const ino = fs.create(fs.root, name, { type: 'file', mode: 0o644, ...owner })
  fs.write(ino, Buffer.from(text, 'latin1'), 0)
  return ino
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 120 })
const name = bytes
  .map((value) => Buffer.from(value).toString('latin1').replaceAll(/[/\0]/g, '_'))
  .filter((text) => !/^\.{1,2}$|^\.wh\./.test(text))
const entry = fc.record({
  path: name,
  type: fc.constantFrom('file', 'symlink', 'fifo', 'directory', 'character-device') as fc.Arbitrary<PackEntry['type']>,
  mode: fc.nat(0o7777),
  uid: fc.nat(4_294_967_294),
  gid: fc.oneof(fc.nat(4_294_967_294), fc.nat(1000)),
  mtimeNs: fc.oneof(
    fc.bigInt(-(2n ** 62n), 2n ** 62n),
    fc.bigInt(0n, 2_000_000_000n).map((seconds) => seconds * 1_000_000_000n),
  ),
  target: fc.oneof(name, fc.string({ unit: fc.constantFrom('t', '/', '\xff'), minLength: 90, maxLength: 300 })),
  device: fc.record({ major: fc.nat(0xfff), minor: fc.nat(0xf_ffff) }),
  xattrs: fc
    .dictionary(
      fc.stringMatching(/^[a-z]{1,10}$/).map((key) => `user.${key}`),
      fc.uint8Array({ maxLength: 100 }),
      { maxKeys: 3 },
    )
    .map((values) => new Map(Object.entries(values))),
  body: fc.uint8Array({ maxLength: 1500 }),
})

test('what is packed is what is read again, whatever the names, numbers, times and xattrs', () => {
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: ({ path }) => path, maxLength: 8 }), (entries) => {
      const tar = tarOf(
        entries.map(({ body, ...rest }) => ({
          ...rest,
          contents: { size: body.length, read: (buffer, position) => bytesSource(body).read(buffer, position) },
        })),
      )
      const layer = layerOf(tar)
      assert.is(layer.readdir(layer.root).length, entries.length)
      for (const { path, type, mode, uid, gid, mtimeNs, target, device, xattrs, body } of entries) {
        const ino = mustFind({ ...layer, lookup: layer.lookup.bind(layer), root: layer.root }, path)
        const stat = layer.stat(ino)
        assert.equal([stat.type, stat.uid, stat.gid, stat.mtimeNs], [type, uid, gid, mtimeNs])
        if (type !== 'symlink') assert.is(stat.mode, mode)
        if (type === 'symlink') assert.is(layer.readlink(ino), target)
        if (type === 'character-device') assert.equal([stat.device?.major, stat.device?.minor], [device.major, device.minor])
        if (type === 'file') assert.is(contentsOf(layer, path), Buffer.from(body).toString('latin1'))
        assert.equal([...layer.xattrs(ino)].sort(), [...xattrs].sort())
      }
    }),
    { numRuns: 200 },
  )
})

test('the same tree makes the same bytes', () => {
  const tree = () => {
    const fs = new UnionFs({ lowers: [], now: () => 5n })
    write(fs, 'b', 'x')
    write(fs, 'a', 'y')
    fs.setXattr(fs.root, 'user.z', Uint8Array.of(1))
    fs.setXattr(fs.root, 'user.a', Uint8Array.of(2))
    return tarOf(treeEntries(fs))
  }
  assert.equal(tree(), tree())
})

test('a tree packed whole is the same tree, hard links included', () => {
  const fs = new UnionFs({ lowers: [], now: () => 1_700_000_000_123_456_789n })
  const d = fs.create(fs.root, 'd', { type: 'directory', mode: 0o1777, uid: 7, gid: 8 })
  const file = write(fs, 'f', 'contents')
  fs.link(file, d, 'g')
  fs.create(d, 's', { type: 'symlink', mode: 0, ...owner, target: '../f' })
  fs.create(d, 'null', { type: 'character-device', mode: 0o666, ...owner, device: { major: 1, minor: 3 } })
  fs.setXattr(file, 'security.capability', Uint8Array.of(0, 255, 10))
  assert.is(formatListing(listTree(layerOf(tarOf(treeEntries(fs))))), formatListing(listTree(fs)))
})

test("a union's changes packed as a layer give the union again", () => {
  const base = layerOf(
    rawTar([
      { name: 'd/keep', body: 'keep' },
      { name: 'd/gone', body: 'gone' },
      { name: 'tree/a/b', body: 'b' },
      { name: 'again/old', body: 'old' },
      { name: 'moved/in', body: 'in' },
      { name: 'x/one', body: 'linked' },
      { name: 'y/two', typeflag: '1', link: 'x/one' },
      { name: 'file', body: 'file' },
      { name: 'become', typeflag: '5' },
    ]),
  )
  const union = new UnionFs({ lowers: [base], now: () => 1_000_000_007n })
  const at = (path: string) => mustFind(union, path)
  union.unlink(at('d'), 'gone')
  union.unlink(at('tree/a'), 'b')
  union.rmdir(at('tree'), 'a')
  union.rmdir(union.root, 'tree')
  union.unlink(at('again'), 'old')
  union.rmdir(union.root, 'again')
  const again = union.create(union.root, 'again', { type: 'directory', mode: 0o755, ...owner })
  union.create(again, 'new', { type: 'file', mode: 0o600, ...owner })
  union.rename(union.root, 'moved', at('d'), 'here')
  union.write(at('x/one'), Buffer.from('L'), 0)
  union.unlink(union.root, 'file')
  union.create(union.root, 'file', { type: 'directory', mode: 0o700, ...owner })
  union.rmdir(union.root, 'become')
  union.create(union.root, 'become', { type: 'symlink', mode: 0, target: 'file', ...owner })
  const layer = layerOf(tarOf(changedEntries(union)))
  const stacked = new UnionFs({ lowers: [base, layer] })
  assert.is(formatListing(listTree(stacked)), formatListing(listTree(union)))
  assert.is(contentsOf(stacked, 'y/two'), 'Linked')
  assert.is(contentsOf(stacked, 'd/here/in'), 'in')
})

test('a layer of changes holds what changed and the directories above it, nothing else', () => {
  const union = new UnionFs({ lowers: [layerOf(rawTar([{ name: 'a/b/c', body: 'x' }, { name: 'a/other' }, { name: 'd/e' }]))] })
  union.stat(mustFind(union, 'd/e'))
  assert.equal([...changedEntries(union)], [])
  union.write(mustFind(union, 'a/b/c'), Uint8Array.of(1), 0)
  assert.equal(
    [...changedEntries(union)].map(({ path }) => path),
    ['a', 'a/b', 'a/b/c'],
  )
})

/** A file of 20 GB with a little in it, one that ends in a hole, one that is a hole, and one whose holes are too small to count. */
function holeyTree(): UnionFs {
  const fs = new UnionFs({ lowers: [layerOf(rawTar([{ name: 'lower', body: 'l'.repeat(200_000) }]))], now: () => 7_000_000_000n })
  const sparse = write(fs, `${'long'.repeat(30)}`, 'start')
  fs.write(sparse, Buffer.from('middle'), 1_000_000)
  fs.write(sparse, Buffer.from('end'), 20e9)
  fs.setAttributes(write(fs, 'tail', 'x'), { size: 5_000_000 })
  fs.setAttributes(write(fs, 'empty', ''), { size: 100_000 })
  fs.setAttributes(write(fs, 'small', 'x'), { size: 4000 })
  const lower = mustFind(fs, 'lower')
  fs.setAttributes(lower, { size: 100_000 })
  fs.write(lower, Buffer.from('L'), 300_000)
  return fs
}

test('holes of a file take no room in a layer, and the file reads the same from it', () => {
  const fs = holeyTree()
  const tar = tarOf(treeEntries(fs))
  assert.ok(tar.length < 800_000, `${tar.length} bytes`)
  const layer = layerOf(tar)
  assert.is(formatListing(listTree(layer)), formatListing(listTree(fs)))
  for (const name of ['tail', 'empty', 'small', 'lower']) assert.is(contentsOf(layer, name), contentsOf(fs, name), name)
  const bytes = new Uint8Array(3)
  layer.read(mustFind(layer, 'long'.repeat(30)), bytes, 20e9)
  assert.is(Buffer.from(bytes).toString(), 'end')
  // The layer of what a layer holds is the same again.
  assert.equal(tarOf(treeEntries(layer)), tar)
})

test('a file that was written from its start to its end is an ordinary entry', () => {
  const fs = new UnionFs({ lowers: [], now: () => 0n })
  const ino = write(fs, 'file', '')
  for (let position = 0; position < 300_000; position += 1000) fs.write(ino, new Uint8Array(1000).fill(1), position)
  const tar = tarOf(treeEntries(fs))
  assert.is(tar.length, 512 + 512 + Math.ceil(300_000 / 512) * 512 + 1024)
  assert.not.match(tar.toString('latin1'), 'GNU.sparse')
})

test('a file with more holes than a map may hold keeps its largest ones', () => {
  const contents = {
    size: 2e9,
    read: (buffer: Uint8Array) => buffer.fill(0).length,
    *segments() {
      for (let place = 0; place < 40_000; place++) yield { position: place * 8000, length: 10 }
      yield { position: 1e9, length: 10 }
    },
  }
  const tar = tarOf([{ path: 'f', type: 'file', mode: 0, ...owner, mtimeNs: 0n, contents }])
  const [, ...regions] = (/\n?3\n([\d\n]+)/.exec(tar.subarray(1536, 2048).toString('latin1'))?.[1] ?? '').split('\n')
  assert.equal(regions.slice(0, 5), ['319992320', '1000000000', '512', '2000000000', '0'])
})

test('a file named like a whiteout cannot be packed as a change', () => {
  const union = new UnionFs({ lowers: [] })
  union.create(union.root, '.wh.etc', { type: 'file', mode: 0, ...owner })
  assert.throws(
    () => [...changedEntries(union)],
    (error: EngineError) => error.code === 'UNSAFE_PATH',
  )
})

test('tar-stream reads what was packed', async () => {
  const fs = new UnionFs({ lowers: [] })
  write(fs, `${'n'.repeat(150)}`, 'long')
  write(fs, 'short', 'x'.repeat(1000))
  const seen: string[] = []
  const stream = extract()
  stream.end(tarOf(treeEntries(fs)))
  for await (const { header, ...rest } of stream) {
    seen.push(`${header.name} ${header.size}`)
    void rest
  }
  assert.equal(seen, ['./ 0', `${'n'.repeat(150)} 4`, 'short 1000'])
})

test.needs(gnuTar)('GNU tar lists what was packed without complaint', () =>
  withFolder((folder) => {
    const fs = new UnionFs({ lowers: [], now: () => 1_234_567_890_500_000_000n })
    write(fs, 'n\xff'.repeat(100), 'long and binary')
    write(fs, 'plain', 'x')
    fs.create(fs.root, 'dev', { type: 'character-device', mode: 0o600, ...owner, device: { major: 5, minor: 1 } })
    const path = join(folder, 'a.tar')
    writeFileSync(path, tarOf(treeEntries(fs)))
    const { stdout, stderr } = spawnSync('tar', ['--full-time', '--utc', '-tvf', path], {
      encoding: 'latin1',
      env: { LC_ALL: 'C', PATH: process.env.PATH },
    })
    assert.is(stderr, '')
    assert.match(stdout, /crw------- 0\/0 +5,1 2009-02-13 23:31:30\.5 dev/)
    execFileSync('tar', ['-xf', path, '-C', join(folder, 'root'), 'plain'])
  }),
)

test.needs(gnuTar)('GNU tar unpacks holes as holes', () =>
  withFolder((folder) => {
    const path = join(folder, 'a.tar')
    const fs = holeyTree()
    writeFileSync(path, tarOf(treeEntries(fs)))
    execFileSync('tar', ['-xf', path, '-C', join(folder, 'root'), '--no-same-owner'])
    for (const name of ['tail', 'empty', 'small', 'lower'])
      assert.is(readFileSync(join(folder, 'root', name), 'latin1'), contentsOf(fs, name), name)
    const { size, blocks } = statSync(join(folder, 'root', 'long'.repeat(30)))
    assert.is(size, 20e9 + 3)
    assert.ok(blocks < 1000)
  }),
)

test.run()
