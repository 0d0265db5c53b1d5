import * as assert from 'uvu/assert'
import { EngineError, type ErrorCode } from '../../src/errors.js'
import { indexTar } from '../../src/layer/index.js'
import type { IndexLimits } from '../../src/layer/limits.js'
import { bytesSource } from '../../src/layer/source.js'
import { suite } from '../support/suite.js'
import { contentsOf, inoOf, layerOf, mustFind, paxEntry, type RawEntry, rawTar } from './tar.js'

const test = suite('layer/archives that attack')

function refuses(code: ErrorCode, entries: readonly RawEntry[] | Uint8Array, pattern?: RegExp): void {
  const tar = entries instanceof Uint8Array ? entries : rawTar(entries)
  assert.throws(
    () => indexTar(bytesSource(tar)),
    (error: unknown) => {
      assert.instance(error, EngineError)
      assert.is((error as EngineError).code, code, String(error))
      if (pattern !== undefined) assert.match((error as EngineError).message, pattern)
      return true
    },
  )
}

const directory = (name: string): RawEntry => ({ name, typeflag: '5', mode: 0o755 })
const symlink = (name: string, link: string): RawEntry => ({ name, typeflag: '2', link })
const hardlink = (name: string, link: string): RawEntry => ({ name, typeflag: '1', link })

test('CVE-2025-48387: an entry that leaves the root by ".." is refused', () => {
  for (const name of ['../evil', 'a/../../evil', 'a/..', '..', './../x', '/../x', 'a/../b'])
    refuses('UNSAFE_PATH', [{ name, body: 'x' }], /"\.\."/)
})

test('an entry that leaves the root in a pax path or a GNU long name is refused', () => {
  refuses('UNSAFE_PATH', [{ name: 'harmless', pax: { path: '../evil' } }])
  refuses('UNSAFE_PATH', [
    { name: '././@LongLink', typeflag: 'L', body: `../${'x'.repeat(200)}\0` },
    { name: 'harmless', body: 'x' },
  ])
  refuses('UNSAFE_PATH', [{ name: 'evil', prefix: '..' }])
})

test('an absolute name is taken as one below the root', () => {
  const layer = layerOf(
    rawTar([
      { name: '/etc/passwd', body: 'guest' },
      { name: '//tmp///x', body: 'y' },
    ]),
  )
  assert.is(contentsOf(layer, 'etc/passwd'), 'guest')
  assert.is(contentsOf(layer, 'tmp/x'), 'y')
})

test('CVE-2020-10696, CVE-2024-12905: an entry below a symlink of the same layer is refused, wherever the symlink points', () => {
  for (const target of ['/etc', '../..', 'inside', '.'])
    refuses('UNSAFE_PATH', [directory('inside'), symlink('way', target), { name: 'way/passwd', body: 'x' }], /through a symlink/)
  refuses('UNSAFE_PATH', [symlink('a', '/'), symlink('a/b', '/')])
  refuses('UNSAFE_PATH', [symlink('a', '/'), { name: 'a/.wh.etc' }])
  refuses('UNSAFE_PATH', [symlink('a', '/'), directory('a/b/c')])
})

test('an entry below a file is refused', () => refuses('INVALID_ARCHIVE', [{ name: 'a', body: 'x' }, { name: 'a/b' }], /below a file/))

test('CVE-2026-23745: a symlink out of the root is only data', () => {
  const layer = layerOf(rawTar([symlink('way', '/etc/shadow'), symlink('up', '../../../etc/shadow')]))
  assert.is(layer.readlink(mustFind(layer, 'way')), '/etc/shadow')
  assert.is(layer.stat(mustFind(layer, 'up')).type, 'symlink')
})

test('a symlink replaced by a directory is a directory, and what comes below it stays below it', () => {
  const layer = layerOf(rawTar([symlink('a', '/etc'), directory('a/'), { name: 'a/passwd', body: 'x' }]))
  assert.is(layer.stat(mustFind(layer, 'a')).type, 'directory')
  assert.is(contentsOf(layer, 'a/passwd'), 'x')
})

test('a directory replaced by a symlink loses what was below it', () => {
  const layer = layerOf(rawTar([directory('a'), { name: 'a/x', body: 'x' }, symlink('a', '/etc')]))
  assert.is(layer.stat(mustFind(layer, 'a')).type, 'symlink')
  refuses('UNSAFE_PATH', [directory('a'), symlink('a', '/etc'), { name: 'a/x', body: 'x' }])
})

test('CVE-2021-32760, CVE-2026-23745, CVE-2026-24842: a hard link to nothing, to a later entry, to a directory, to itself or out of the root is refused', () => {
  refuses('INVALID_ARCHIVE', [hardlink('a', 'missing')], /hard link/)
  refuses('INVALID_ARCHIVE', [hardlink('a', 'later'), { name: 'later' }], /hard link/)
  refuses('INVALID_ARCHIVE', [directory('d'), hardlink('a', 'd')], /hard link to a directory/)
  refuses('INVALID_ARCHIVE', [{ name: 'a' }, hardlink('a', 'a')], /itself/)
  refuses('UNSAFE_PATH', [hardlink('a', '../../etc/shadow')])
  refuses('UNSAFE_PATH', [directory('d'), hardlink('d/a', '../etc/shadow')])
  refuses('UNSAFE_PATH', [directory('d'), hardlink('d/a', 'd/../../etc/shadow')])
  refuses('INVALID_ARCHIVE', [hardlink('a', '/etc/shadow')], /hard link/)
  refuses('INVALID_ARCHIVE', [hardlink('a', '')], /without a name/)
})

test('CVE-2026-26960: a hard link through a symlink is refused', () => {
  for (const [from, to] of [
    ['s', 'd'],
    ['s', '/etc'],
    ['d/s', '../d'],
  ] as const)
    refuses('UNSAFE_PATH', [directory('d'), { name: 'd/x' }, symlink(from, to), hardlink('a', `${from}/x`)], /through a symlink/)
  refuses('UNSAFE_PATH', [symlink('one', 'two'), symlink('two', '/etc'), hardlink('a', 'one/shadow')], /through a symlink/)
})

test('a hard link to a symlink is another name of the symlink, not of what it points at', () => {
  const layer = layerOf(rawTar([symlink('s', '/etc/shadow'), hardlink('t', 's'), { name: 'u', body: 'x' }]))
  assert.is(inoOf(layer, 's'), inoOf(layer, 't'))
  assert.is(layer.stat(mustFind(layer, 't')).type, 'symlink')
})

test('a write through a hard link by a later entry of the same name does not reach the other name', () => {
  const layer = layerOf(rawTar([{ name: 'a', body: 'first' }, hardlink('b', 'a'), { name: 'b', body: 'second' }]))
  assert.is(contentsOf(layer, 'a'), 'first')
  assert.is(contentsOf(layer, 'b'), 'second')
  assert.is(layer.stat(mustFind(layer, 'a')).linkCount, 1)
})

test('a whiteout without a name, of "." or of ".." is refused', () => {
  for (const name of ['.wh.', 'a/.wh.', '.wh..', '.wh...', 'a/.wh...']) refuses('UNSAFE_PATH', [{ name }], /whiteout of nothing/)
})

test('an entry below a whiteout is refused', () => refuses('UNSAFE_PATH', [{ name: '.wh.a/b' }], /below a whiteout/))

test('a whiteout of "..": a name in a directory that looks like a path is only a name', () => {
  const layer = layerOf(rawTar([{ name: 'a/.wh...x' }]))
  assert.equal([...layer.whiteouts(mustFind(layer, 'a'))], ['..x'])
})

test("a marker of AUFS's own takes nothing away", () => {
  const layer = layerOf(rawTar([{ name: '.wh..wh.plnk', typeflag: '5' }, { name: '.wh..wh.aufs' }]))
  assert.is(layer.whiteouts(layer.root).size, 0)
  assert.is(layer.readdir(layer.root).length, 0)
})

test('CVE-2021-29136: the root can be given attributes but no other type', () => {
  const layer = layerOf(rawTar([{ ...directory('./'), mode: 0o700 }]))
  assert.is(layer.stat(layer.root).mode, 0o700)
  for (const name of ['./', '/', '.']) refuses('UNSAFE_PATH', [symlink(name, '/etc')], /root directory/)
  refuses('UNSAFE_PATH', [{ name: '.', body: 'x' }], /root directory/)
})

test('oversize names, paths, targets and xattrs are refused', () => {
  refuses('INVALID_ARCHIVE', [{ name: 'x', pax: { path: 'n'.repeat(256) } }], /name of 256 bytes/)
  refuses('INVALID_ARCHIVE', [{ name: 'x', pax: { path: 'n/'.repeat(2100) } }], /path of 4200 bytes/)
  refuses('INVALID_ARCHIVE', [{ ...symlink('s', ''), pax: { linkpath: 'n/'.repeat(2100) } }], /symlink target/)
  refuses('INVALID_ARCHIVE', [symlink('s', '')], /symlink target/)
  refuses('INVALID_ARCHIVE', [{ name: 'x', pax: { 'SCHILY.xattr.user.big': 'v'.repeat(65_537) } }], /xattr/)
  refuses('INVALID_ARCHIVE', [{ name: 'x', pax: { [`SCHILY.xattr.user.${'n'.repeat(255)}`]: 'v' } }], /xattr/)
  assert.is(layerOf(rawTar([{ name: 'x', pax: { path: 'n'.repeat(255) } }])).readdir(1).length, 1)
})

test('a marker does not count to the path that it is about', () => {
  const deep = `${'n/'.repeat(2045)}longx`
  const layer = layerOf(rawTar([{ name: 'x', pax: { path: `${'n/'.repeat(2045)}.wh.longx` } }]))
  assert.is(deep.length, 4095)
  assert.equal([...layer.whiteouts(mustFind(layer, 'n/'.repeat(2045)))], ['longx'])
  refuses('INVALID_ARCHIVE', [{ name: 'x', pax: { path: `${deep}x` } }], /path of 4096 bytes/)
  // Of a name either: the longest can be taken away, and no longer one.
  const longest = 'n'.repeat(255)
  assert.equal([...layerOf(rawTar([{ name: 'x', pax: { path: `.wh.${longest}` } }])).whiteouts(1)], [longest])
  refuses('INVALID_ARCHIVE', [{ name: 'x', pax: { path: `.wh.${longest}n` } }], /name of 260 bytes/)
})

test('names that are empty or hold NUL are refused', () => {
  refuses('INVALID_ARCHIVE', [{ name: '' }], /without a name/)
  refuses('INVALID_ARCHIVE', [{ name: 'x', pax: { path: 'a\0b' } }], /NUL/)
  refuses('INVALID_ARCHIVE', [{ ...symlink('x', 'y'), pax: { linkpath: 'a\0b' } }], /NUL/)
})

test('sizes that lie are refused', () => {
  refuses('INVALID_ARCHIVE', [{ name: 'a', size: 5000, body: 'short' }], /ends inside/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', size: 8 ** 11 - 1 }], /ends inside/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', body: 'x', pax: { size: '9007199254740000' } }], /ends inside/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', body: 'x', pax: { size: '-1' } }], /negative/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', body: 'x', pax: { size: '1e3' } }], /not a number/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', body: 'x', pax: { size: '99999999999999999999' } }], /not a number/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', raw: [[124, '\xff'.repeat(12)]] }], /negative/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', raw: [[124, `\x80${'\xff'.repeat(11)}`]] }], /not a number/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', raw: [[124, '0000000009x\0']] }], /not a number/)
})

test('what a header claims for something that has no contents does not shift the next header', () => {
  const hidden = rawTar([{ name: 'hidden', body: '' }], { end: false })
  const tar = rawTar([{ ...symlink('s', 'x'), size: 512 }], { end: false })
  const layer = layerOf(Buffer.concat([tar, hidden, new Uint8Array(1024)]))
  assert.ok(inoOf(layer, 'hidden') !== undefined)
})

test('owners and devices out of range are refused', () => {
  refuses('INVALID_ARCHIVE', [{ name: 'a', pax: { uid: '4294967295' } }], /no id/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', pax: { gid: '-5' } }], /no id/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', typeflag: '3', major: 0x1000, minor: 1 }], /device/)
  refuses('INVALID_ARCHIVE', [{ name: 'a', typeflag: '4', major: 8, minor: 0x10_0000 }], /device/)
})

test('an archive cut short inside a header or contents is refused; only the filling of its last block may be missing', () => {
  const whole = rawTar(
    [
      { name: 'a', body: 'x'.repeat(700), pax: { mtime: '1.5' } },
      { name: 'b', body: 'y' },
    ],
    { end: false },
  )
  const complete = (length: number) => length === 0 || (length >= 1536 + 700 && length <= 2560) || length > 3072
  for (let length = 0; length < whole.length; length += 128) {
    const cut = whole.subarray(0, length)
    if (complete(length)) indexTar(bytesSource(cut))
    else refuses('INVALID_ARCHIVE', cut)
  }
})

test('a changed header is found by its checksum', () => {
  const tar = rawTar([{ name: 'a', body: 'x' }])
  tar[0] = 0x62
  refuses('INVALID_ARCHIVE', tar, /checksum/)
})

test('an entry after the end-of-archive marker is refused after one block of zeros and not seen after two', () => {
  const first = rawTar([{ name: 'a' }], { end: false })
  const second = rawTar([{ name: 'smuggled' }])
  refuses('INVALID_ARCHIVE', Buffer.concat([first, new Uint8Array(512), second]), /end-of-archive/)
  const layer = layerOf(Buffer.concat([first, new Uint8Array(1024), second]))
  assert.equal(
    layer.readdir(layer.root).map(({ name }) => name),
    ['a'],
  )
})

test('an extension header without its entry is refused', () => {
  refuses('INVALID_ARCHIVE', Buffer.concat([...paxEntry({ path: 'x' }), new Uint8Array(1024)]), /without its entry/)
})

test('an oversize extension header is refused before it is read', () =>
  refuses('INVALID_ARCHIVE', [{ name: 'pax', typeflag: 'x', size: 2 ** 30 }], /oversize extension/))

test('broken pax records are refused', () => {
  for (const body of ['5 a=b\n', '7 a=b\n', '6 =xy\n', '6 abc\n', '0 a=b\n', 'x a=b\n', '99 a=b\n', '6 a=bc', '-6 a=b\n', '06 a=b\n7'])
    refuses('INVALID_ARCHIVE', [{ name: 'pax', typeflag: 'x', body }, { name: 'a' }], /pax record/)
})

test('a global pax header does not change the entries after it', () => {
  const tar = Buffer.concat([...paxEntry({ path: '../evil', uid: '7' }, 'g'), rawTar([{ name: 'a', body: 'x' }])])
  const layer = layerOf(tar)
  assert.is(layer.stat(mustFind(layer, 'a')).uid, 0)
})

test('an unknown entry type is refused', () => {
  for (const typeflag of ['M', 'V', 'D', 'Z', '\xff']) refuses('INVALID_ARCHIVE', [{ name: 'a', typeflag }], /unknown entry type/)
})

test('the last of duplicate entries wins, also when the type flips', () => {
  const layer = layerOf(
    rawTar([
      { name: 'a', body: 'one' },
      { name: 'a', body: 'two' },
      directory('b'),
      { name: 'b/in', body: 'x' },
      { name: 'b', body: 'file' },
      { name: 'c', body: 'x' },
      directory('c'),
      { name: 'c/in', body: 'in' },
    ]),
  )
  assert.is(contentsOf(layer, 'a'), 'two')
  assert.is(contentsOf(layer, 'b'), 'file')
  assert.is(contentsOf(layer, 'c/in'), 'in')
})

test('a directory given twice keeps what is in it and takes the later attributes', () => {
  const layer = layerOf(rawTar([directory('a'), { name: 'a/x', body: 'x' }, { ...directory('a/'), mode: 0o700 }]))
  assert.is(contentsOf(layer, 'a/x'), 'x')
  assert.is(layer.stat(mustFind(layer, 'a')).mode, 0o700)
})

test("the kernel overlay's own xattrs are not taken from an archive", () => {
  const layer = layerOf(
    rawTar([
      {
        ...directory('a'),
        pax: {
          'SCHILY.xattr.user.overlay.opaque': 'y',
          'SCHILY.xattr.trusted.overlay.redirect': '/etc',
          'SCHILY.xattr.user.mine': 'kept',
        },
      },
    ]),
  )
  assert.equal([...layer.xattrs(mustFind(layer, 'a')).keys()], ['user.mine'])
})

test('sparse maps that overlap, leave the file, lie about their contents or never end are refused', () => {
  const sparse = (map: string, realsize = '1000', body = 'x'.repeat(20)): RawEntry => ({
    name: 's',
    body,
    pax: { 'GNU.sparse.map': map, 'GNU.sparse.size': realsize },
  })
  assert.is(layerOf(rawTar([sparse('0,10,500,10')])).stat(2).size, 1000)
  for (const map of ['0,10,5,10', '500,10,0,10', '0,10,995,10', '0,10', '0,10,500', '0,10,500,20', '0,10,500,x', '0,-10,500,30'])
    refuses('INVALID_ARCHIVE', [sparse(map)])
  const version1 = (body: string, realsize: string): RawEntry => ({
    name: 's',
    body,
    pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': realsize },
  })
  for (const body of ['999999999\n', '1\n0\n', '1', `${'1'.repeat(600)}`, '2\n0\n5\n3\n5\n', '', '-1\n', '1\n0\n600\n'])
    refuses('INVALID_ARCHIVE', [version1(body, '1000')])
  refuses('INVALID_ARCHIVE', [
    { ...version1('0\n', '5'), pax: { 'GNU.sparse.major': '2', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '5' } },
  ])
})

test('a sparse file that claims exabytes is refused by the limit', () => {
  const claim = (size: number): RawEntry => ({
    name: 's',
    pax: { 'GNU.sparse.map': '', 'GNU.sparse.size': String(size), 'GNU.sparse.numblocks': '0' },
  })
  refuses('LIMIT_EXCEEDED', [claim(2 ** 50)])
  assert.is(layerOf(rawTar([claim(2 ** 40)])).stat(2).size, 2 ** 40)
})

test('more entries than the limit are refused', () => {
  const tar = rawTar([{ name: 'a' }, { name: 'b' }, { name: 'c' }])
  indexTar(bytesSource(tar), { entries: 3 })
  assert.throws(
    () => indexTar(bytesSource(tar), { entries: 2 }),
    (error: EngineError) => error.code === 'LIMIT_EXCEEDED',
  )
})

/** Index bombs: an archive whose bytes are few, and whose tree would fill the memory of whoever indexes it. */
function exceeds(entries: readonly RawEntry[], limits: Partial<IndexLimits>, pattern: RegExp): void {
  const tar = rawTar(entries)
  assert.throws(
    () => indexTar(bytesSource(tar), limits),
    (error: EngineError) => error.code === 'LIMIT_EXCEEDED' && pattern.test(error.message),
  )
}

test('index bomb: directories that only deep names imply are counted', () => {
  const deep = (place: number): RawEntry => ({ name: 'x', pax: { path: `${place}/${'d/'.repeat(1800)}f` } })
  const entries = Array.from({ length: 20 }, (_, place) => deep(place))
  exceeds(entries, { nodes: 30_000 }, /30000 files/)
  exceeds(entries, { nameBytes: 30_000 }, /bytes of names/)
  indexTar(bytesSource(rawTar(entries)), { nodes: 20 * 1802 })
  exceeds(
    Array.from({ length: 1200 }, (_, place) => deep(place)),
    {},
    /2000000 files/,
  )
})

test('index bomb: names, targets and whiteouts are counted over the whole layer, also those that are replaced', () => {
  const long = 'n'.repeat(200)
  for (const entry of [
    { name: 'x', pax: { path: long } },
    { ...symlink('x', 'y'), pax: { linkpath: long } },
    { name: 'x', pax: { path: `.wh.${long}` } },
  ])
    exceeds(
      Array.from({ length: 10 }, () => entry),
      { nameBytes: 1900 },
      /bytes of names/,
    )
})

test('index bomb: xattrs are counted over the whole layer', () => {
  const pax = Object.fromEntries(Array.from({ length: 15 }, (_, place) => [`SCHILY.xattr.user.x${place}`, 'v'.repeat(65_000)]))
  exceeds(
    Array.from({ length: 80 }, (_, place) => ({ name: `f${place}`, pax })),
    {},
    /67108864 bytes of xattrs/,
  )
})

test('index bomb: parts of sparse files are counted over the whole layer', () => {
  const map = Array.from({ length: 20_000 }, (_, place) => `${place * 2},1`).join(',')
  const pax = { 'GNU.sparse.map': map, 'GNU.sparse.size': '40000' }
  const entries = Array.from({ length: 5 }, (_, place) => ({ name: `f${place}`, body: 'x'.repeat(20_000), pax }))
  indexTar(bytesSource(rawTar(entries)), { segments: 100_000 })
  exceeds(entries, { segments: 99_999 }, /99999 parts of sparse files/)
})

test.run()
