import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pack } from 'tar-stream'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { fromUtf8 } from '../../src/fs/names.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { indexTar, parseIndex, serializeIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { fc } from '../support/properties.js'
import { type Requirement, suite } from '../support/suite.js'
import { contentsOf, inoOf, layerOf, mustFind, rawTar, withFolder } from './tar.js'

const test = suite('layer/index')

const gnuTar: Requirement = {
  name: 'gnu-tar',
  missing: async () =>
    /GNU tar/.test(spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout ?? '') ? null : 'GNU tar is not installed',
}

test('names, types, owners, modes and devices come as the headers have them', () => {
  const layer = layerOf(
    rawTar([
      { name: 'bin/', typeflag: '5', mode: 0o755, uid: 1, gid: 2, mtime: 7 },
      { name: 'bin/su', mode: 0o4755, body: 'ELF' },
      { name: 'pipe', typeflag: '6', mode: 0o600 },
      { name: 'null', typeflag: '3', major: 1, minor: 3 },
      { name: 'disk', typeflag: '4', major: 8, minor: 1 },
      { name: 'old-directory/', typeflag: '\0', magic: '' },
      { name: 'name', prefix: 'a/prefix' },
      { name: 'caf\xe9\xff', body: '' },
    ]),
  )
  const stat = (path: string) => layer.stat(mustFind(layer, path))
  assert.equal([stat('bin').mode, stat('bin').uid, stat('bin').gid, stat('bin').mtimeNs], [0o755, 1, 2, 7_000_000_000n])
  assert.is(stat('bin/su').mode, 0o4755)
  assert.is(stat('pipe').type, 'fifo')
  assert.equal(stat('null').device, { major: 1, minor: 3 })
  assert.equal([stat('disk').type, stat('disk').device], ['block-device', { major: 8, minor: 1 }])
  assert.is(stat('old-directory').type, 'directory')
  assert.is(stat('a/prefix/name').type, 'file')
  assert.is(stat('caf\xe9\xff').type, 'file')
})

test('pax records give long and binary names, large numbers, nanoseconds and xattrs byte for byte', () => {
  const long = `${'d'.repeat(150)}/${'\xff\x80'.repeat(60)}`
  const capability = Uint8Array.of(1, 0, 0, 2, 0, 0x20, 0xff, 0x0a, 0x3d)
  const layer = layerOf(
    rawTar([
      {
        name: 'short',
        body: 'x',
        pax: {
          path: long,
          uid: '4000000000',
          mtime: '-1.500000001',
          atime: '12.25',
          'SCHILY.xattr.security.capability': capability,
          'SCHILY.xattr.user.empty': '',
        },
      },
    ]),
  )
  const ino = mustFind(layer, long)
  const stat = layer.stat(ino)
  assert.equal([stat.uid, stat.mtimeNs, stat.atimeNs], [4_000_000_000, -1_500_000_001n, 12_250_000_000n])
  assert.equal(layer.xattrs(ino).get('security.capability'), capability)
  assert.is(layer.xattrs(ino).get('user.empty')?.length, 0)
})

test('a large number in base 256 is read', () => {
  const layer = layerOf(rawTar([{ name: 'a', raw: [[108, '\x80\0\0\0\xee\x6b\x28\0']] }]))
  assert.is(layer.stat(mustFind(layer, 'a')).uid, 4_000_000_000)
})

test('parents without an entry are implied, those with one are not', () => {
  const layer = layerOf(rawTar([{ name: 'a/b/c' }, { name: 'a/b', typeflag: '5', mode: 0o700 }]))
  assert.ok(layer.isImplied(mustFind(layer, 'a')))
  assert.not(layer.isImplied(mustFind(layer, 'a/b')))
  assert.ok(layer.isImplied(layer.root))
  assert.is(layer.stat(mustFind(layer, 'a/b')).linkCount, 2)
  assert.is(layer.stat(mustFind(layer, 'a')).linkCount, 3)
})

test('whiteouts and opaque markers are found wherever they stand, and are not entries', () => {
  const layer = layerOf(
    rawTar([{ name: 'd/new' }, { name: 'd/.wh..wh..opq' }, { name: 'd/.wh.old' }, { name: '.wh.gone' }, { name: 'd', typeflag: '5' }]),
  )
  const d = mustFind(layer, 'd')
  assert.ok(layer.isOpaque(d))
  assert.not(layer.isOpaque(layer.root))
  assert.equal([...layer.whiteouts(d)], ['old'])
  assert.equal([...layer.whiteouts(layer.root)], ['gone'])
  assert.equal(
    layer.readdir(d).map(({ name }) => name),
    ['new'],
  )
})

test('a name both taken away and present is the own entry alone: opaque when a directory', () => {
  const layer = layerOf(rawTar([{ name: '.wh.d' }, { name: 'd', typeflag: '5' }, { name: 'f' }, { name: '.wh.f' }]))
  assert.is(layer.whiteouts(layer.root).size, 0)
  assert.ok(layer.isOpaque(mustFind(layer, 'd')))
})

test('lookup finds every name and no other, in directories of any size', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z\xe0-\xff]{1,6}$/), { maxLength: 60 }), (names) => {
      const layer = layerOf(rawTar(names.map((name) => ({ name, body: name }))))
      for (const name of names) assert.is(contentsOf(layer, name), name)
      assert.equal(
        layer.readdir(layer.root).map(({ name }) => name),
        [...names].sort(),
      )
      for (const name of ['', 'A', '\xff\xff\xff\xff\xff\xff\xff', 'zzzzzzz']) assert.is(layer.lookup(layer.root, name), undefined)
    }),
    { numRuns: 50 },
  )
})

test('reads of any part of a sparse file give its data and zeros between', () => {
  const regions: readonly (readonly [number, number])[] = [
    [0, 10],
    [600, 100],
    [1000, 1],
  ]
  const whole = new Uint8Array(2000)
  const packed = Uint8Array.from({ length: 111 }, (_, index) => 1 + (index % 250))
  let used = 0
  for (const [position, length] of regions) {
    whole.set(packed.subarray(used, used + length), position)
    used += length
  }
  const layer = layerOf(
    rawTar([
      {
        name: 's',
        body: packed,
        pax: { 'GNU.sparse.map': regions.flat().join(','), 'GNU.sparse.size': '2000', 'GNU.sparse.numblocks': '3' },
      },
    ]),
  )
  const ino = mustFind(layer, 's')
  fc.assert(
    fc.property(fc.nat(2100), fc.nat(2100), (position, length) => {
      const buffer = new Uint8Array(length).fill(255)
      const count = layer.read(ino, buffer, position)
      const expected = whole.subarray(position, position + length)
      assert.is(count, expected.length)
      assert.equal(Buffer.compare(buffer.subarray(0, count), expected), 0)
    }),
  )
})

test('a stored index gives the same tree', () => {
  const tar = rawTar([
    { name: 'a/b', body: 'hello', pax: { 'SCHILY.xattr.user.x': 'y' } },
    { name: 'l', typeflag: '1', link: 'a/b' },
    { name: '.wh.w' },
  ])
  const index = indexTar(bytesSource(tar))
  // At an odd place, as it may come out of a larger buffer.
  const shifted = new Uint8Array(serializeIndex(index).length + 3)
  shifted.set(serializeIndex(index), 3)
  const layer = new PackedLayer(parseIndex(shifted.subarray(3)), bytesSource(tar))
  assert.is(contentsOf(layer, 'a/b'), 'hello')
  assert.is(inoOf(layer, 'l'), inoOf(layer, 'a/b'))
  assert.is(layer.stat(mustFind(layer, 'l')).linkCount, 2)
  assert.ok(layer.whiteouts(layer.root).has('w'))
})

test('an index of another tar is refused', () => {
  const index = indexTar(bytesSource(rawTar([{ name: 'a' }])))
  assert.throws(() => new PackedLayer(index, bytesSource(rawTar([{ name: 'a' }, { name: 'b' }]))), isInvalid)
})

test('a truncated or changed index is refused or harmless, whatever is changed', () => {
  const tar = rawTar([
    { name: 'd/e/f', body: 'x'.repeat(600), pax: { 'SCHILY.xattr.user.x': 'y' } },
    { name: 'd/s', typeflag: '2', link: 'e' },
    { name: 'd/l', typeflag: '1', link: 'd/e/f' },
    { name: 'd/.wh.w' },
    { name: 'n', typeflag: '3', major: 1, minor: 3 },
  ])
  const good = serializeIndex(indexTar(bytesSource(tar)))
  const use = (bytes: Uint8Array) => {
    try {
      const layer = new PackedLayer(parseIndex(bytes), bytesSource(tar))
      const buffer = new Uint8Array(1000)
      const visit = (ino: number, depth: number): void => {
        assert.ok(depth < 100)
        const { type } = layer.stat(ino)
        layer.xattrs(ino)
        if (type === 'symlink') layer.readlink(ino)
        if (type === 'file') layer.read(ino, buffer, 0)
        if (type !== 'directory') return
        layer.whiteouts(ino)
        for (const entry of layer.readdir(ino)) {
          assert.is(layer.lookup(ino, entry.name), entry.ino)
          visit(entry.ino, depth + 1)
        }
      }
      visit(layer.root, 0)
    } catch (error) {
      if (!isInvalid(error)) throw error
    }
  }
  for (let length = 0; length < good.length; length += 7) assert.throws(() => parseIndex(good.slice(0, length)), isInvalid)
  assert.throws(() => parseIndex(Buffer.concat([good, new Uint8Array(8)])), isInvalid)
  for (let place = 0; place < good.length; place++)
    for (const value of [0, 1, 2, 0x2f, 0x7f, 0x80, 0xff]) {
      const changed = good.slice()
      changed[place] = value
      use(changed)
    }
})

const isInvalid = (error: unknown) => error instanceof EngineError && error.code === 'INVALID_ARCHIVE'

for (const format of ['pax', 'gnu', 'ustar', 'oldgnu', 'v7'])
  test.needs(gnuTar)(`an archive of GNU tar in ${format} format gives the tree it was made of`, () =>
    withFolder((folder) => {
      const long = format === 'pax' || format.endsWith('gnu')
      const script = `
        mkdir -p d/e && printf hello > d/f && ln d/f d/g && ln -s e d/s && ${format === 'v7' ? '' : 'mkfifo d/p &&'} chmod 4751 d/f
        printf x > "$(printf 'd/caf\\351\\377')"; printf u > "$(printf 'd/\\303\\274')"
        touch -d @1234567890.123456789 d/f
        ${long ? `mkdir -p ${'n'.repeat(200)}/${'m'.repeat(100)}; printf l > ${'n'.repeat(200)}/${'m'.repeat(100)}/l; ln -s ${'t'.repeat(300)} d/t` : ''}
        for i in 0 1 2 3 4 5 6 7 8 9 10 11; do printf data$i | dd of=d/holes bs=1 seek=$((i * 131072)) conv=notrunc status=none; done
        truncate -s 2000000 d/holes
      `
      execFileSync('bash', ['-ec', script], { cwd: join(folder, 'root') })
      const tar = join(folder, 'a.tar')
      execFileSync('tar', [`--format=${format}`, ...(long ? ['-S'] : []), '-cf', tar, '-C', join(folder, 'root'), '.'])
      const source = openFileSource(tar)
      try {
        const layer = new PackedLayer(indexTar(source), source)
        const stat = (path: string) => layer.stat(mustFind(layer, path))
        assert.is(contentsOf(layer, 'd/f'), 'hello')
        assert.is(inoOf(layer, 'd/g'), inoOf(layer, 'd/f'))
        assert.equal([stat('d/f').linkCount, stat('d/f').mode], [2, 0o4751])
        assert.is(stat('d/f').mtimeNs, format === 'pax' ? 1_234_567_890_123_456_789n : 1_234_567_890_000_000_000n)
        assert.is(layer.readlink(mustFind(layer, 'd/s')), 'e')
        if (format !== 'v7') assert.is(stat('d/p').type, 'fifo')
        assert.is(contentsOf(layer, 'd/caf\xe9\xff'), 'x')
        assert.is(contentsOf(layer, fromUtf8('d/ü')), 'u')
        if (long) {
          assert.is(contentsOf(layer, `${'n'.repeat(200)}/${'m'.repeat(100)}/l`), 'l')
          assert.is(layer.readlink(mustFind(layer, 'd/t')).length, 300)
        }
        const holes = Buffer.from(contentsOf(layer, 'd/holes'), 'latin1')
        assert.is(Buffer.compare(holes, readFileSync(join(folder, 'root/d/holes'))), 0)
      } finally {
        source.close()
      }
    }),
  )

for (const version of ['0.0', '0.1', '1.0'])
  test.needs(gnuTar)(`GNU tar's sparse map ${version} in pax records is read`, () =>
    withFolder((folder) => {
      const script = `for i in $(seq 0 40); do printf data$i | dd of=holes bs=1 seek=$((i * 65536)) conv=notrunc status=none; done; printf z > after`
      execFileSync('bash', ['-ec', script], { cwd: join(folder, 'root') })
      const tar = execFileSync('tar', ['--format=pax', '-S', `--sparse-version=${version}`, '-c', '-C', join(folder, 'root'), '.'])
      const layer = layerOf(tar)
      const holes = Buffer.from(contentsOf(layer, 'holes'), 'latin1')
      assert.is(Buffer.compare(holes, readFileSync(join(folder, 'root/holes'))), 0)
      assert.is(contentsOf(layer, 'after'), 'z')
      assert.ok(tar.length < 1_000_000)
    }),
  )

test('an archive of tar-stream is read', async () => {
  const stream = pack()
  stream.entry({ name: 'dir', type: 'directory' })
  stream.entry({ name: `dir/${'ü'.repeat(90)}`, mode: 0o640 }, 'contents')
  stream.entry({ name: 'link', type: 'symlink', linkname: 'dir' })
  stream.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  const layer = layerOf(Buffer.concat(chunks))
  assert.is(contentsOf(layer, `dir/${fromUtf8('ü'.repeat(90))}`), 'contents')
  assert.is(layer.readlink(mustFind(layer, 'link')), 'dir')
})

test.run()
