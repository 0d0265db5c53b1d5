/** Files of a container by path: what is read, what is made, and where neither ever leads. */
import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { launch } from '../../src/launcher/client.js'
import { type IdMap, idMapOperations, singleIdMap } from '../../src/launcher/id-map.js'
import type { Operation } from '../../src/launcher/operations.js'
import { encodeTreeRecord, type TreeEntry, type TreeRecord, TreeStreamDecoder, treeStreamStart } from '../../src/launcher/tree-stream.js'
import { type Box, idMaps, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/path')
const native = test.needs(NATIVE, BUSYBOX)

const entry = (kind: TreeEntry['kind'], path: string, others: Partial<TreeEntry> = {}): TreeRecord => ({
  record: 'entry',
  entry: {
    kind,
    path,
    mode: kind === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtimeNs: 1_000_000_000_123_456_789n,
    atimeNs: 0n,
    ...others,
  },
})
const data = (text: string, offset = 0): TreeRecord => ({ record: 'data', offset, bytes: Buffer.from(text) })
const file = (path: string, text: string, others: Partial<TreeEntry> = {}): TreeRecord[] => [
  entry('file', path, { size: text.length, ...others }),
  data(text),
]

interface Work {
  readonly idMap?: IdMap
  /** Between the root and the paths. */
  readonly before?: readonly Operation[]
  readonly write?: { readonly path: string; readonly records: readonly TreeRecord[] }
  /** Read afterwards. */
  readonly read?: string
  readonly how?: 'path-read' | 'path-stat'
}

/** Writes into a root over the box's, and reads a path of it. */
async function work(box: Box, { idMap = singleIdMap(), before = [], write, read = '/', how = 'path-read' }: Work): Promise<TreeRecord[]> {
  const operations: Operation[] = [
    ...idMapOperations(idMap),
    ['namespace', 'mount'],
    ['overlay-lower', box.root],
    ['overlay-upper-memory', 16 << 20, 4096],
    ['root-overlay'],
    ...before,
    ...(write === undefined ? [] : [['path-write', write.path, 7] as const]),
    [how, read, 6],
  ]
  const launcher = launch({ operations, exec: null }, { descriptors: ['pipe', 'pipe'] })
  const [out, input] = launcher.streams
  const all: TreeRecord[] = [...(write?.records ?? []), { record: 'end' }]
  const sent = pipeline(Readable.from([treeStreamStart(), ...all.map(encodeTreeRecord)]), input ?? (assert.unreachable() as never)).catch(
    () => {},
  )
  const decoder = new TreeStreamDecoder()
  const records: TreeRecord[] = []
  const ended = (async () => {
    for await (const chunk of out as Readable)
      for (const record of decoder.push(chunk))
        records.push(record.record === 'data' ? { ...record, bytes: Uint8Array.from(record.bytes) } : record)
  })()
  await launcher.done
  await Promise.all([ended, sent])
  decoder.finish()
  return records
}

/** Paths with what they are and hold. */
function shown(records: readonly TreeRecord[]): string[] {
  const lines: string[] = []
  for (const record of records) {
    if (record.record === 'entry') {
      const { kind, path, target = '', mode, uid, gid } = record.entry
      lines.push(`${kind} ${path || '.'} ${mode.toString(8)} ${uid}:${gid}${target === '' ? '' : ` -> ${target}`}`)
    } else if (record.record === 'data') lines[lines.length - 1] += ` ${Buffer.from(record.bytes).toString('latin1')}`
    else if (record.record === 'xattr') lines[lines.length - 1] += ` ${record.name}=${Buffer.from(record.value).toString('latin1')}`
    else if (record.record === 'segments')
      lines[lines.length - 1] += ` [${record.segments.map(({ position, length }) => `${position}+${length}`)}]`
  }
  return lines
}

const errnoOf = (error: unknown) => (error instanceof EngineError ? `${error.data.call} ${error.data.errno}` : error)
const refused = (promise: Promise<unknown>) => promise.then(() => 'it was done', errnoOf)

for (const idMap of idMaps()) {
  const owner = idMap.kind === 'range' ? { uid: 33, gid: 1000 } : {}
  const shownOwner = idMap.kind === 'range' ? '33:1000' : '0:0'

  native(`what is written at a path is read there with every attribute, under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const records: TreeRecord[] = [
        entry('directory', ''),
        entry('directory', 'd', { mode: 0o1750, ...owner }),
        ...file('d/a', 'abc', { mode: 0o4755, ...owner }),
        { record: 'xattr', name: 'user.binary', value: Uint8Array.of(0x61, 0, 0xff) },
        entry('hard-link', 'd/b', { target: 'd/a' }),
        entry('fifo', 'd/fifo', { mode: 0o600, ...owner }),
        entry('symlink', 'd/link', { target: '/nowhere/../x', mode: 0o777, ...owner }),
        ...file('d/n\u00e4me with\nnewline', '', { mode: 0 }),
        entry('file', 'd/sparse', { size: 3 << 20 }),
        data('x', 1 << 20),
      ]
      const read = await work(box, { idMap, write: { path: '/home', records }, read: '/home/d' })
      assert.equal(shown(read), [
        `directory . 1750 ${shownOwner}`,
        `file a 4755 ${shownOwner} user.binary=a\0\u00ff abc`,
        `hard-link b 4755 ${shownOwner} -> a`,
        `fifo fifo 600 ${shownOwner}`,
        `symlink link 777 ${shownOwner} -> /nowhere/../x`,
        'file n\u00e4me with\nnewline 0 0:0',
        `file sparse 644 0:0 [${1 << 20}+4096] x${'\0'.repeat(4095)}`,
      ])
      const times = read.flatMap((record) => (record.record === 'entry' ? [record.entry.mtimeNs] : []))
      assert.ok(times.every((time) => time === 1_000_000_000_123_456_789n))
    }),
  )
}

native('a path that names nothing gives a stream without an entry', () =>
  withBox(async (box) => {
    for (const read of ['/nosuch', '/nosuch/below', '/bin/busybox/below', '/bin/busybox/'])
      assert.equal(shown(await work(box, { read })), [], read)
  }),
)

native('a symlink at the end of a path is what is meant, unless a slash or a dot follows it', () =>
  withBox(async (box) => {
    symlinkSync('home', join(box.root, 'link'))
    writeFileSync(join(box.root, 'home/file'), 'here')
    assert.equal(shown(await work(box, { read: '/link' })), ['symlink . 777 0:0 -> home'])
    for (const read of ['/link/', '/link/.', '/link/../home', '/../../link/'])
      assert.equal(shown(await work(box, { read })), ['directory . 755 0:0', 'file file 644 0:0 here'], read)
    assert.equal(shown(await work(box, { read: '/link/file', how: 'path-stat' })), ['file . 644 0:0'])
  }),
)

native('a file makes way for a file, and a symlink for what bears its name', () =>
  withBox(async (box) => {
    writeFileSync(join(box.root, 'home/old'), 'old')
    symlinkSync('/etc/hosts', join(box.root, 'home/link'))
    writeFileSync(join(box.root, 'etc/hosts'), 'mine')
    const records = [
      ...file('old', 'new'),
      ...file('link', 'a file'),
      entry('symlink', 'to', { target: 'x', mode: 0o777 }),
      ...file('to', 'to'),
    ]
    assert.equal(shown(await work(box, { write: { path: '/home', records }, read: '/home' })), [
      'directory . 755 0:0',
      'file link 644 0:0 a file',
      'file old 644 0:0 new',
      'file to 644 0:0 to',
    ])
    assert.is(readFileSync(join(box.root, 'etc/hosts'), 'utf8'), 'mine')
  }),
)

native('a directory and another thing never make way for one another', () =>
  withBox(async (box) => {
    mkdirSync(join(box.root, 'home/directory'))
    writeFileSync(join(box.root, 'home/file'), '')
    symlinkSync('directory', join(box.root, 'home/link'))
    const into = (records: readonly TreeRecord[]) => refused(work(box, { write: { path: '/home', records } }))
    assert.is(await into(file('directory', '')), 'openat EISDIR')
    assert.is(await into([entry('symlink', 'directory', { target: 'x' })]), 'symlinkat EISDIR')
    assert.is(await into([entry('directory', 'file')]), 'openat ENOTDIR')
    assert.is(await into([entry('directory', 'link')]), 'openat ENOTDIR')
    assert.is(await refused(work(box, { write: { path: '/home/file', records: [] } })), 'openat2 ENOTDIR')
    assert.is(await refused(work(box, { write: { path: '/nosuch', records: [] } })), 'openat2 ENOENT')
  }),
)

native('the way to an entry is followed inside the root alone, and only where the stream has no directory of its own', () =>
  withBox(async (box) => {
    const outside = join(box.folder, 'outside')
    mkdirSync(outside)
    mkdirSync(join(box.root, `${outside}`), { recursive: true })
    symlinkSync(outside, join(box.root, 'home/link'))
    symlinkSync('../../../../../../etc', join(box.root, 'home/up'))
    const loose = [
      ...file('link/a', 'a', { loose: true }),
      ...file('up/b', 'b', { loose: true }),
      ...file('new/way/c', 'c', { loose: true }),
    ]
    const read = shown(await work(box, { write: { path: '/home', records: loose } }))
    for (const path of [`${outside.slice(1)}/a`, 'etc/b', 'home/new/way/c'])
      assert.ok(
        read.some((line) => line.startsWith(`file ${path} `)),
        path,
      )
    assert.is(await refused(work(box, { write: { path: '/home', records: file('link/a', 'a') } })), 'openat2 ELOOP')
    assert.is(await refused(work(box, { write: { path: '/home', records: file('../a', 'a', { loose: true }) } })), 'stream EINVAL')
    assert.is(readlinkSync(join(box.root, 'home/link')), outside)
    assert.equal(shown(await work(box, { read: `${outside}/a` })), [])
  }),
)

native('what is removed is gone with all below it, what is not there is no error, and nothing is followed', () =>
  withBox(async (box) => {
    mkdirSync(join(box.root, 'home/d/e'), { recursive: true })
    writeFileSync(join(box.root, 'home/d/e/f'), '')
    writeFileSync(join(box.root, 'etc/kept'), 'kept')
    symlinkSync('/etc', join(box.root, 'home/d/link'))
    symlinkSync('/etc', join(box.root, 'home/way'))
    const remove = (path: string): TreeRecord => ({ record: 'remove', path })
    const records = ['home/d', 'home/nothing', 'home/nothing/below', 'bin/busybox/below'].map(remove)
    assert.equal(shown(await work(box, { write: { path: '/', records }, read: '/home' })), [
      'directory . 755 0:0',
      'symlink way 777 0:0 -> /etc',
    ])
    assert.is(await refused(work(box, { write: { path: '/', records: [remove('home/way/kept')] } })), 'openat2 ELOOP')
    for (const path of ['', '..', 'home/../etc', '/etc'])
      assert.is(await refused(work(box, { write: { path: '/', records: [remove(path)] } })), 'stream EINVAL', path)
    // A tree deeper than any path.
    const deep = Array.from({ length: 3000 }, (_, depth) =>
      entry('directory', Array.from({ length: (depth % 1000) + 1 }, () => 'd').join('/')),
    )
    const gone = await work(box, { write: { path: '/home', records: [...deep, remove('d')] }, read: '/home' })
    assert.equal(shown(gone), ['directory . 755 0:0', 'symlink way 777 0:0 -> /etc'])
    assert.is(readFileSync(join(box.root, 'etc/kept'), 'utf8'), 'kept')
  }),
)

native('attributes are set of what is there and of its kind, one by one', () =>
  withBox(async (box) => {
    writeFileSync(join(box.root, 'home/f'), 'text', { mode: 0o600 })
    symlinkSync('/etc', join(box.root, 'home/link'))
    const set = (sets: readonly ('mode' | 'owner' | 'times')[], kind: TreeEntry['kind'], path: string): TreeRecord => {
      const made = entry(kind, path, { mode: 0o4751, mtimeNs: 7n })
      return { record: 'attributes', sets, entry: made.record === 'entry' ? made.entry : (assert.unreachable() as never) }
    }
    const read = await work(box, {
      write: {
        path: '/home',
        records: [set(['mode'], 'file', 'f'), set(['times'], 'symlink', 'link'), set(['mode', 'times'], 'directory', '')],
      },
      read: '/home',
    })
    assert.equal(shown(read), ['directory . 4751 0:0', 'file f 4751 0:0 text', 'symlink link 777 0:0 -> /etc'])
    const times = read.flatMap((record) => (record.record === 'entry' ? [record.entry.mtimeNs] : []))
    assert.equal([times[0], times[2]], [7n, 7n])
    assert.ok((times[1] ?? 0n) > 1_000_000_000n)
    const into = (record: TreeRecord) => refused(work(box, { write: { path: '/home', records: [record] } }))
    assert.is(await into(set(['mode'], 'file', 'link')), 'openat ELOOP')
    assert.is(await into(set(['mode'], 'directory', 'f')), 'openat EBUSY')
    assert.is(await into(set(['owner'], 'fifo', 'f')), 'openat EBUSY')
    assert.is(await into(set(['mode'], 'file', 'link/passwd')), 'openat2 ELOOP')
    assert.is(await into(set(['mode'], 'file', 'nothing')), 'openat ENOENT')
  }),
)

native('a tree is read over its mounts, and written over them, unless they are read-only', () =>
  withBox(async (box) => {
    const bound = join(box.folder, 'bound')
    mkdirSync(bound)
    writeFileSync(join(bound, 'host'), 'h')
    const mount = (flags: string): Operation[] => [['bind', bound, '/mnt', flags]]
    assert.equal(
      shown(
        await work(box, { before: mount('recursive'), write: { path: '/', records: file('mnt/new', 'n', { loose: true }) }, read: '/mnt' }),
      ),
      ['directory . 755 0:0', 'file host 644 0:0 h', 'file new 644 0:0 n'],
    )
    assert.is(readFileSync(join(bound, 'new'), 'utf8'), 'n')
    assert.is(await refused(work(box, { before: mount('recursive,ro'), write: { path: '/mnt', records: file('x', '') } })), 'openat EROFS')
  }),
)

native('what a file loses while a reader reads it, and a name that is swapped, are passed over', () =>
  withBox(async (box) => {
    const flap =
      'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo a > /tmp/x/f; rm -f /tmp/x/f; ln -s /etc /tmp/x/f; rm -f /tmp/x/f; mkdir /tmp/x/f; rmdir /tmp/x/f; done'
    const running = box.launch(['sh', '-c', `mkdir /tmp/x; ${flap.replaceAll(/\b(rm|ln|mkdir|rmdir) /g, '/bin/busybox $1 ')}; echo end`])
    running.stdout?.resume()
    const { created } = await running.ready
    await running.go()
    const start = readFileSync(`/proc/${created.pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')[19] ?? ''
    for (let round = 0; round < 20; round++) {
      const launcher = launch(
        {
          operations: [
            ['namespace', 'user'],
            ['namespace', 'mount'],
            ['join', created.pid, start],
            ['private-mounts'],
            ['unmount', '/proc'],
            ['path-read', '/tmp', 6],
          ],
          exec: null,
        },
        { descriptors: ['pipe'] },
      )
      launcher.streams[0]?.resume()
      await launcher.done
    }
    running.kill()
    await running.exited
  }),
)

native('a container that is read while it runs sees nothing of it: its mounts stay as they are', () =>
  withBox(async (box) => {
    const running = box.launch(['sleep', '60'])
    const { created } = await running.ready
    await running.go()
    const before = readFileSync(`/proc/${created.pid}/mountinfo`, 'utf8')
    const start = readFileSync(`/proc/${created.pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')[19] ?? ''
    const sink = openSync('/dev/null', 'w')
    await launch(
      {
        operations: [
          ['namespace', 'user'],
          ['namespace', 'mount'],
          ['join', created.pid, start],
          ['private-mounts'],
          ['unmount', '/proc'],
          ['unmount', '/sys'],
          ['unmount', '/dev'],
          ['path-read', '/', 6],
        ],
        exec: null,
      },
      { descriptors: [sink] },
    ).done
    closeSync(sink)
    assert.is(readFileSync(`/proc/${created.pid}/mountinfo`, 'utf8'), before)
    running.kill()
    await running.exited
  }),
)

test.run()
