import { gunzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { FOOTER_BYTES, readToc, type SeekableLayer, tocOffset } from '../../src/layer/estargz.js'
import { parseIndex, serializeIndex } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { type EstargzForm, estargzOf, footer, type TocEntry } from '../support/estargz.js'
import { suite } from '../support/suite.js'

const test = suite('layer/estargz')
const FILES = { 'bin/tool': 'x'.repeat(1000), empty: '', 'etc/conf': 'key=value\n' }

/** The table of contents of a layer as it stands in its blob. */
function tocOf(files: Readonly<Record<string, string>>, form: EstargzForm = {}): { readonly json: Uint8Array; readonly start: number } {
  const { blob, tocOffset: start } = estargzOf(files, form)
  const tar = gunzipSync(blob.subarray(start, blob.length - FOOTER_BYTES))
  const size = Number.parseInt(tar.toString('latin1', 124, 135), 8)
  return { json: tar.subarray(512, 512 + size), start }
}

function read(form: EstargzForm = {}, files: Readonly<Record<string, string>> = FILES): SeekableLayer {
  const { json, start } = tocOf(files, form)
  return readToc(json, start)
}

function refused(change: (entries: TocEntry[]) => void, reason: RegExp, code = 'INVALID_ARCHIVE'): void {
  try {
    read({ chunkBytes: 400, toc: change })
  } catch (error) {
    assert.instance(error, EngineError)
    assert.is((error as EngineError).code, code)
    assert.match((error as EngineError).message, reason)
    return
  }
  assert.unreachable(`was not refused: ${reason}`)
}

/** The entry of `bin/tool`, of three chunks: at 0, its others at 1 and 2. */
const tool = (entries: TocEntry[], change: TocEntry) => Object.assign(entries[0] ?? {}, change)

test('the footer says where the table of contents begins, and nothing else is a footer', () => {
  const { blob, tocOffset: start } = estargzOf(FILES)
  assert.is(tocOffset(blob.subarray(-FOOTER_BYTES)), start)
  assert.is(tocOffset(footer(2 ** 40)), 2 ** 40)
  assert.is(tocOffset(Buffer.alloc(FOOTER_BYTES)), null)
  assert.is(tocOffset(footer(7).subarray(1)), null)
  for (let at = 10; at < 38; at++) {
    const changed = footer(0x1234)
    changed[at] = 0x7a
    const found = tocOffset(changed)
    assert.ok(found === null, `a change at ${at} gives ${found}`)
  }
})

test('the table becomes a tree whose contents stand one chunk after the other', () => {
  const links = [
    { name: 'usr/', type: 'dir', mode: 0o755, uid: 7 },
    { name: 'usr/tool', type: 'symlink', linkName: '../bin/tool', mode: 0o777 },
    { name: 'dev/null', type: 'char', mode: 0o666, devMajor: 1, devMinor: 3 },
  ]
  const { index, chunks, files, size } = read({ chunkBytes: 400, more: links })
  assert.equal(
    chunks.map(({ offset, size: bytes }) => [offset, bytes]),
    [
      [0, 400],
      [400, 400],
      [800, 200],
      [1000, 10],
    ],
  )
  assert.equal(files, [
    { first: 0, end: 3 },
    { first: 3, end: 4 },
  ])
  assert.is(size, 1010)
  assert.ok(chunks.every(({ blobStart, blobEnd }, place) => blobEnd === (chunks[place + 1]?.blobStart ?? blobEnd) && blobEnd > blobStart))
  const contents = Buffer.from('x'.repeat(1000) + FILES['etc/conf'])
  const layer = new PackedLayer(parseIndex(serializeIndex(index)), bytesSource(contents))
  const at = (path: string) => path.split('/').reduce((ino, name) => layer.lookup(ino, name) ?? 0, layer.root)
  const buffer = new Uint8Array(32)
  assert.is(layer.read(at('etc/conf'), buffer, 0), 10)
  assert.is(Buffer.from(buffer.subarray(0, 10)).toString(), FILES['etc/conf'])
  assert.is(layer.stat(at('empty')).size, 0)
  assert.is(layer.stat(at('usr')).uid, 7)
  assert.is(layer.readlink(at('usr/tool')), '../bin/tool')
  assert.equal(layer.stat(at('dev/null')).device, { major: 1, minor: 3 })
  assert.is(layer.stat(at('etc/conf')).mtimeNs, BigInt(Date.UTC(2026, 0, 2, 3, 4, 5)) * 1_000_000n + 500_000_000n)
})

test('a hard link is another name, and whiteouts hide as in any layer', () => {
  const { index } = read({
    toc: (entries) =>
      entries.push({ name: 'again', type: 'hardlink', linkName: 'etc/conf' }, { name: 'etc/.wh.gone', type: 'reg', size: 0 }),
  })
  const layer = new PackedLayer(index, bytesSource(new Uint8Array(1010)))
  assert.is(layer.lookup(layer.root, 'again'), layer.lookup(layer.lookup(layer.root, 'etc') ?? 0, 'conf'))
  assert.ok(layer.whiteouts(layer.lookup(layer.root, 'etc') ?? 0).has('gone'))
})

test('tables that lie are refused by name', () => {
  refused((entries) => tool(entries, { size: 999 }), /do not follow each other/)
  refused((entries) => tool(entries, { size: 1001 }), /has chunks of 1000 bytes, and should have 1001/)
  refused((entries) => tool(entries, { chunkOffset: 1 }), /do not follow each other/)
  refused((entries) => tool(entries, { chunkSize: -1 }), /chunkSize is -1/)
  refused((entries) => tool(entries, { size: 1e300 }), /size is 1e\+300/)
  refused((entries) => tool(entries, { size: 2 ** 52 }), /claims 4503599627370496 bytes/, 'LIMIT_EXCEEDED')
  refused((entries) => tool(entries, { chunkDigest: 'md5:1' }), /no digest/)
  refused((entries) => tool(entries, { offset: 1e9 }), /behind the table of contents/)
  refused((entries) => tool(entries, { type: 'socket' }), /is of type "socket"/)
  refused((entries) => void entries.splice(1, 1), /do not follow each other/)
  refused((entries) => Object.assign(entries[1] ?? {}, { name: 'etc/conf' }), /among those of another file/)
  refused((entries) => void entries.push({ name: 'x', type: 'chunk', chunkSize: 1 }), /among those of another file/)
  refused((entries) => void entries.push({ name: 'x' }), /is of type undefined/)
  refused((entries) => void entries.push({ name: 'x', type: 'dir', modtime: 'soon' }), /modtime is "soon"/)
  refused((entries) => void entries.push({ name: 'x', type: 'dir', xattrs: { 'user.a': '{}' } }), /base64/)
})

test('names that leave the layer are refused as in a tar', () => {
  for (const name of ['../out', 'etc/../../out']) refused((entries) => void entries.push({ name, type: 'dir' }), /\.\./, 'UNSAFE_PATH')
  refused(
    (entries) => void entries.push({ name: 'l', type: 'symlink', linkName: '/' }, { name: 'l/x', type: 'dir' }),
    /symlink/,
    'UNSAFE_PATH',
  )
  refused((entries) => void entries.push({ name: 'a\0b', type: 'dir' }), /name is/)
})

test('what is no table is refused', () => {
  for (const [text, reason] of [
    ['{', /no JSON/],
    ['[]', /no object/],
    ['{"version":2,"entries":[]}', /version 2/],
    ['{"version":1}', /no entries/],
    ['{"version":1,"entries":[7]}', /type undefined|name is undefined/],
  ] as const)
    assert.throws(() => readToc(Buffer.from(text), 1), reason)
})

test.run()
