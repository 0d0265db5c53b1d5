import { createHash } from 'node:crypto'
import { closeSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { inspect } from 'node:util'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { launch, perform } from '../../src/launcher/client.js'
import type { IdMap } from '../../src/launcher/id-map.js'
import { idMapOperations, singleIdMap } from '../../src/launcher/id-map.js'
import type { Operation } from '../../src/launcher/operations.js'
import type { TreeEntry, TreeRecord } from '../../src/launcher/tree-stream.js'
import { encodeTreeRecord, TreeStreamDecoder, treeStreamStart } from '../../src/launcher/tree-stream.js'
import { idMaps, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/tree')
const native = test.needs(NATIVE, BUSYBOX)

const ROOT = { kind: 'directory', path: '', mode: 0o755, uid: 0, gid: 0, mtimeNs: 5n, atimeNs: 6n } as const
const entry = (value: Partial<TreeEntry> & Pick<TreeEntry, 'kind' | 'path'>): TreeRecord => ({
  record: 'entry',
  entry: { ...ROOT, mode: 0o644, mtimeNs: 1_000_000_000_123_456_789n, atimeNs: 2_000_000_001n, ...value },
})

interface TreeOptions {
  readonly idMap?: IdMap
  readonly before?: readonly Operation[]
  readonly source?: number
}

function whole(records: readonly TreeRecord[]): Buffer {
  const all: TreeRecord[] = [...records, { record: 'end' }]
  return Buffer.concat([treeStreamStart(), ...all.map(encodeTreeRecord)])
}

async function write(path: string, records: readonly TreeRecord[] | Buffer, options: TreeOptions = {}): Promise<void> {
  const { idMap = singleIdMap(), before = [], source } = options
  const launcher = launch(
    {
      operations: [...idMapOperations(idMap), ['namespace', 'mount'], ...before, ['tree-write', path, 6]],
      exec: null,
    },
    { descriptors: ['pipe', ...(source === undefined ? [] : [source])] },
  )
  const stream = launcher.streams[0]
  stream?.on('error', () => {})
  stream?.end(Buffer.isBuffer(records) ? records : whole(records as readonly TreeRecord[]))
  await launcher.done
}

async function read(path: string, idMap: IdMap = singleIdMap()): Promise<TreeRecord[]> {
  const launcher = launch(
    { operations: [...idMapOperations(idMap), ['namespace', 'mount'], ['tree-read', path, 6]], exec: null },
    { descriptors: ['pipe'] },
  )
  const decoder = new TreeStreamDecoder()
  const records: TreeRecord[] = []
  const ended = (async () => {
    for await (const chunk of launcher.streams[0] as Readable) for (const record of decoder.push(chunk)) records.push(copied(record))
  })()
  await launcher.done
  await ended
  decoder.finish()
  return records
}

/** Data records point into the chunk they came in. */
function copied(record: TreeRecord): TreeRecord {
  return record.record === 'data' ? { ...record, bytes: Uint8Array.from(record.bytes) } : record
}

/** One record as a line; what a kind does not have is read as nothing, and reading a file or link may set its access time. */
function described(record: TreeRecord): string {
  if (record.record !== 'entry')
    return inspect(record.record === 'data' ? { offset: record.offset, digest: digest(record.bytes) } : record, { breakLength: Infinity })
  const { kind, path, target = '', mode, uid, gid, size = 0, mtimeNs, atimeNs, device } = record.entry
  const accessed = kind === 'directory' || kind === 'symlink' || kind === 'file' || kind === 'hard-link'
  return inspect([kind, path, target, mode, uid, gid, size, mtimeNs, accessed ? null : atimeNs, device ?? { major: 0, minor: 0 }], {
    breakLength: Infinity,
  })
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const errnoOf = (error: unknown) => (error instanceof EngineError ? error.data.errno : error)

function remove(path: string, idMap: IdMap): Promise<void> {
  return perform({ operations: [...idMapOperations(idMap), ['namespace', 'mount'], ['tree-remove', path]], exec: null })
}

function move(from: string, to: string, idMap: IdMap): Promise<void> {
  return perform({ operations: [...idMapOperations(idMap), ['namespace', 'mount'], ['tree-move', from, to]], exec: null })
}

for (const idMap of idMaps()) {
  const owner = idMap.kind === 'range' ? { uid: 33, gid: 1000 } : { uid: 0, gid: 0 }
  const latin = 'n\u00e4me with\nnewline'

  native(`a tree that is written is read again with every attribute under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const path = join(box.folder, 'tree')
      mkdirSync(path)
      const records: TreeRecord[] = [
        { record: 'entry', entry: ROOT },
        { record: 'xattr', name: 'user.overlay.opaque', value: Uint8Array.of(121) },
        entry({ kind: 'file', path: 'a', mode: 0o4755, size: 3, ...owner }),
        { record: 'xattr', name: 'user.binary', value: Uint8Array.of(0, 255, 10, 0) },
        { record: 'data', offset: 0, bytes: Buffer.from('abc') },
        entry({ kind: 'hard-link', path: 'b', target: 'a', mode: 0o4755, ...owner }),
        entry({ kind: 'fifo', path: 'fifo', mode: 0o600, ...owner }),
        entry({ kind: 'symlink', path: 'link', target: '/nowhere/../x', mode: 0o777, ...owner, mtimeNs: -1_500_000_000n }),
        entry({ kind: 'file', path: latin, size: 0, mode: 0 }),
        entry({ kind: 'socket', path: 'socket', mode: 0o755 }),
        entry({ kind: 'file', path: 'sparse', size: 3 << 20 }),
        { record: 'data', offset: 1 << 20, bytes: Buffer.alloc(4096, 7) },
        entry({ kind: 'character-device', path: 'whiteout', mode: 0, device: { major: 0, minor: 0 } }),
        entry({ kind: 'directory', path: 'dir', mode: 0o1777, ...owner, mtimeNs: 42n }),
        entry({ kind: 'file', path: 'dir/inner', size: 1, mode: 0o400 }),
        { record: 'data', offset: 0, bytes: Buffer.from('x') },
      ]
      await write(path, records, { idMap })
      assert.ok(lstatSync(join(path, 'sparse')).blocks < 2048)
      const seen = await read(path, idMap)
      assert.equal(seen.map(described), [...records, { record: 'end' } as const].map(described))
      await remove(path, idMap)
      assert.is(existsSync(path), false)
    }),
  )

  native(`what is moved into a directory goes round what is there, and gives it owner and mode, under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const [from, to] = [join(box.folder, 'from'), join(box.folder, 'to')]
      for (const path of [from, to, join(to, 'kept')]) mkdirSync(path)
      const records: TreeRecord[] = [
        { record: 'entry', entry: { ...ROOT, ...owner, mode: 0o2751 } },
        entry({ kind: 'file', path: 'file', size: 3, ...owner }),
        { record: 'data', offset: 0, bytes: Buffer.from('abc') },
        entry({ kind: 'directory', path: 'kept', mode: 0o700, ...owner }),
        entry({ kind: 'directory', path: 'other', mode: 0o700, ...owner }),
        entry({ kind: 'file', path: 'other/inner', size: 0 }),
      ]
      await write(from, records, { idMap })
      await move(from, to, idMap)
      const [root, ...entries] = (await read(to, idMap)).flatMap((record) => (record.record === 'entry' ? [record.entry] : []))
      assert.equal([root?.mode, root?.uid, root?.gid], [0o2751, owner.uid, owner.gid])
      assert.equal(
        entries.map(({ path, uid }) => [path, uid]),
        [
          ['file', owner.uid],
          ['kept', 0],
          ['other', owner.uid],
          ['other/inner', 0],
        ],
      )
      assert.equal(
        (await read(from, idMap)).flatMap((record) => (record.record === 'entry' ? [record.entry.path] : [])),
        ['', 'kept'],
      )
      await move(from, to, idMap)
      symlinkSync(to, join(box.folder, 'link'))
      for (const [one, other] of [
        [from, join(box.folder, 'link')],
        [join(box.folder, 'link'), from],
      ] as const)
        assert.is(await move(one, other, idMap).catch(errnoOf), 'ELOOP')
      for (const path of [from, to]) await remove(path, idMap)
    }),
  )

  native(`a tree deeper than any path is removed under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const path = join(box.folder, 'deep')
      mkdirSync(path)
      const cwd = process.cwd()
      try {
        process.chdir(path)
        for (let level = 0; level < 100; level++) {
          mkdirSync('d'.repeat(200))
          process.chdir('d'.repeat(200))
        }
        writeFileSync('f', '')
      } finally {
        process.chdir(cwd)
      }
      await remove(path, idMap)
      assert.is(existsSync(path), false)
    }),
  )
}

native('a guest’s names never stand in the way of removing its tree', () =>
  withBox(async (box) => {
    const path = join(box.folder, 'taken')
    for (let number = 0; number < 3; number++) {
      mkdirSync(join(path, `.wolffia-removing-${number}`, '0'), { recursive: true })
      for (const name of ['first', 'second']) mkdirSync(join(path, name, 'd/'.repeat(70)), { recursive: true })
    }
    writeFileSync(join(path, '.wolffia-removing-3'), '')
    mkdirSync(join(path, '.wolffia-removing-0', 'd/'.repeat(200)), { recursive: true })
    await remove(path, singleIdMap())
    assert.is(existsSync(path), false)
  }),
)

native('contents can come from another descriptor without passing through this process', () =>
  withBox(async (box) => {
    const path = join(box.folder, 'tree')
    mkdirSync(path)
    const tar = join(box.folder, 'tar')
    writeFileSync(tar, Buffer.concat([Buffer.alloc(512, 1), Buffer.from('contents'), Buffer.alloc(300_000, 9)]))
    const source = openSync(tar, 'r')
    try {
      const records: TreeRecord[] = [
        entry({ kind: 'file', path: 'a', size: 8 }),
        { record: 'copy', offset: 0, sourceOffset: 512, length: 8 },
        entry({ kind: 'file', path: 'b', size: 300_010 }),
        { record: 'copy', offset: 10, sourceOffset: 520, length: 300_000 },
      ]
      await write(path, records, { source, before: [['tree-source', 7]] })
      assert.is(readFileSync(join(path, 'a'), 'utf8'), 'contents')
      assert.is(Buffer.concat([Buffer.alloc(10), Buffer.alloc(300_000, 9)]).equals(readFileSync(join(path, 'b'))), true)
      for (const copy of [
        { offset: 0, sourceOffset: 300_815, length: 8 },
        { offset: 1, sourceOffset: 0, length: 8 },
        { offset: 0, sourceOffset: Number.MAX_SAFE_INTEGER, length: 8 },
      ]) {
        const error = await write(
          path,
          [entry({ kind: 'file', path: `c${copy.offset}${copy.sourceOffset}`, size: 8 }), { record: 'copy', ...copy }],
          {
            source,
            before: [['tree-source', 7]],
          },
        ).catch(errnoOf)
        assert.ok(error === 'EINVAL' || error === 'EIO', String(error))
      }
    } finally {
      closeSync(source)
    }
  }),
)

native('ids outside the map fail by name, or become root where that is asked for', () =>
  withBox(async (box) => {
    const path = join(box.folder, 'tree')
    mkdirSync(path)
    const records = [entry({ kind: 'file', path: 'a', uid: 33, gid: 33 })]
    const error = await write(path, records).catch((thrown: unknown) => thrown)
    assert.is(errnoOf(error), 'EINVAL')
    assert.match(String((error as EngineError).hint), /subuid/)
    await remove(path, singleIdMap())
    mkdirSync(path)
    await write(path, records, { before: [['tree-substitute', 'owners']] })
    assert.is(lstatSync(join(path, 'a')).uid, process.getuid?.())
  }),
)

native('a device fails by name, or becomes an empty file where that is asked for', () =>
  withBox(async (box) => {
    const path = join(box.folder, 'tree')
    mkdirSync(path)
    const records = [entry({ kind: 'block-device', path: 'disk', mode: 0o640, device: { major: 8, minor: 0 } })]
    assert.is(await write(path, records).catch(errnoOf), 'EPERM')
    await write(path, records, { before: [['tree-substitute', 'devices']] })
    const status = lstatSync(join(path, 'disk'))
    assert.equal([status.isFile(), status.size, status.mode & 0o7777], [true, 0, 0o640])
  }),
)

native('hostile streams are refused, and nothing outside the tree is touched', () =>
  withBox(async (box) => {
    const outside = join(box.folder, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'secret'), 'secret')
    let tried = 0
    const attempt = async (records: readonly TreeRecord[] | Buffer): Promise<unknown> => {
      const path = join(box.folder, `tree-${tried++}`)
      mkdirSync(path)
      symlinkSync(outside, join(path, 'planted'))
      return write(path, records).then(() => 'made', errnoOf)
    }
    const file = (path: string) => entry({ kind: 'file', path })
    for (const path of ['../x', '/x', 'a/../../x', '.', '..', 'a//b', 'a/', './a', 'a/.', 'x/..'])
      assert.is(
        await attempt([entry({ kind: 'directory', path: 'a' }), entry({ kind: 'directory', path: 'x' }), file(path)]),
        'EINVAL',
        path,
      )
    assert.is(await attempt([file('a\0b')]), 'EINVAL')
    // Through a symlink, whether of the stream or already there.
    const link = entry({ kind: 'symlink', path: 'out', target: outside })
    for (const path of ['out/x', 'planted/x']) assert.is(await attempt([link, file(path)]), 'ELOOP', path)
    assert.is(await attempt([link, file('out')]), 'EEXIST')
    assert.is(await attempt([link, entry({ kind: 'directory', path: 'out' })]), 'ENOTDIR')
    assert.is(await attempt([link, entry({ kind: 'hard-link', path: 'h', target: 'out/secret' })]), 'ELOOP')
    for (const target of ['../outside/secret', join(outside, 'secret'), ''])
      assert.is(await attempt([entry({ kind: 'hard-link', path: 'h', target })]), 'EINVAL', target)
    assert.is(await attempt([file('missing/x')]), 'ENOENT')
    assert.is(await attempt([file('a'), file('a')]), 'EEXIST')
    assert.is(await attempt([file('a'), entry({ kind: 'file', path: 'a/b' })]), 'ENOTDIR')
    assert.is(await attempt([entry({ kind: 'file', path: '' })]), 'EINVAL')
    assert.is(await attempt([file('x'.repeat(300))]), 'ENAMETOOLONG')
    assert.is(await attempt([file('y/'.repeat(3000))]), 'ENAMETOOLONG')
    // Sizes that lie.
    assert.is(
      await attempt([entry({ kind: 'file', path: 'a', size: 3 }), { record: 'data', offset: 0, bytes: Buffer.from('four') }]),
      'EINVAL',
    )
    assert.is(await attempt([entry({ kind: 'file', path: 'a', size: 3 }), { record: 'data', offset: 4, bytes: Buffer.from('') }]), 'EINVAL')
    assert.is(await attempt([link, { record: 'data', offset: 0, bytes: Buffer.from('x') }]), 'EINVAL')
    assert.is(await attempt([{ record: 'data', offset: 0, bytes: Buffer.from('x') }]), 'EINVAL')
    assert.is(await attempt([{ record: 'copy', offset: 0, sourceOffset: 0, length: 1 }]), 'EINVAL')
    assert.is(await attempt([{ record: 'xattr', name: 'user.x', value: new Uint8Array() }]), 'EPERM')
    // Bytes that are no stream, or half of one.
    const start = treeStreamStart()
    const half = encodeTreeRecord(file('a'))
    assert.is(await attempt(Buffer.from('NOTATREE')), 'EINVAL')
    for (const end of [0, 4, 8, 10, 20, start.length + half.length])
      assert.is(await attempt(Buffer.concat([start, half]).subarray(0, end)), 'EPIPE', `${end} bytes`)
    assert.is(await attempt(Buffer.concat([start, Buffer.from([0x45, 255, 255, 255, 255])])), 'EINVAL')
    assert.is(await attempt(Buffer.concat([start, Buffer.from([0x45, 3, 0, 0, 0, 1, 2, 3])])), 'EINVAL')
    assert.is(await attempt(Buffer.concat([start, Buffer.from([0x3f, 0, 0, 0, 0])])), 'EINVAL')
    assert.equal([readdirSync(outside), readFileSync(join(outside, 'secret'), 'utf8')], [['secret'], 'secret'])
    assert.is(lstatSync(outside).mode & 0o7777, 0o755)
  }),
)

test.run()
