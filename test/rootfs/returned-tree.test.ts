import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { Ino } from '../../src/fs/file-system.js'
import { ObjectFileSystem } from '../../src/fs/object-file-system.js'
import type { TreeEntry, TreeRecord } from '../../src/launcher/tree-stream.js'
import { LentTree } from '../../src/rootfs/lent-tree.js'
import { ReturnedTree, type ReturnOptions } from '../../src/rootfs/returned-tree.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('rootfs/returned-tree')

const ROOMY: ReturnOptions = { bytes: 1 << 20, inodes: 1000, places: [] }
const seconds = (ns: bigint) => Number(ns) / 1e9

/** A volume as the records make it: the kernel's part. */
function volumeOf(records: Iterable<TreeRecord>): Volume {
  const volume = new Volume()
  const entries: TreeEntry[] = []
  for (const record of records) {
    const path = () => `/${entries.at(-1)?.path ?? ''}`
    if (record.record === 'data') {
      const file = volume.openSync(path(), 'r+')
      volume.writeSync(file, record.bytes, 0, record.bytes.length, record.offset)
      volume.closeSync(file)
    }
    if (record.record !== 'entry') continue
    entries.push(record.entry)
    const { kind, target = '' } = record.entry
    if (kind === 'directory') volume.mkdirSync(path(), { recursive: true })
    else if (kind === 'file') volume.writeFileSync(path(), '')
    else if (kind === 'symlink') volume.symlinkSync(target, path())
    else volume.linkSync(`/${target}`, path())
  }
  for (const { kind, path, mode, atimeNs, mtimeNs } of entries.reverse()) {
    if (kind === 'symlink' || kind === 'hard-link') continue
    volume.chmodSync(`/${path}`, mode)
    volume.utimesSync(`/${path}`, seconds(atimeNs), seconds(mtimeNs))
  }
  return volume
}

/** All of a volume that a guest can change, one line a name; names of one file tell of each other. */
function shown(volume: Volume): string[] {
  const tree = new ObjectFileSystem(volume)
  const firstNames = new Map<Ino, string>()
  const lines: string[] = []
  const visit = (directory: Ino, folder: string) => {
    for (const { name, ino, type } of [...tree.readdir(directory)].sort((one, other) => (one.name < other.name ? -1 : 1))) {
      const path = `${folder}/${name}`
      const { mode, mtimeNs } = tree.stat(ino)
      const mtimeMs = Math.round(Number(mtimeNs) / 1e6)
      if (type === 'symlink') lines.push(`${path} -> ${tree.readlink(ino)}`)
      else
        lines.push(
          `${path} ${type} ${mode.toString(8)} ${mtimeMs} ${type === 'file' ? volume.readFileSync(path, 'utf8') : ''} ${firstNames.get(ino) ?? ''}`,
        )
      if (type === 'file' && !firstNames.has(ino)) firstNames.set(ino, path)
      if (type === 'directory') visit(ino, path)
    }
  }
  visit(tree.root, '')
  return lines
}

/** Whole seconds, which a number of milliseconds holds exactly. */
function dateAll(volume: Volume, folder = ''): void {
  for (const name of volume.readdirSync(`${folder}/`) as string[]) {
    const path = `${folder}/${name}`
    const stats = volume.lstatSync(path)
    if (stats.isDirectory()) dateAll(volume, path)
    if (!stats.isSymbolicLink()) volume.utimesSync(path, 1_600_000_000, 1_600_000_000)
  }
  volume.utimesSync('/', 1_600_000_000, 1_600_000_000)
}

/** Lends a volume, lets `guest` change the copy, and takes that back, the host's own changes being made meanwhile. */
async function lend(
  volume: Volume,
  guest: (copy: Volume) => void,
  { options = {}, host = () => {} }: { options?: Partial<ReturnOptions>; host?: () => void } = {},
): Promise<{ returned: ReturnedTree; copy: Volume }> {
  dateAll(volume)
  const tree = new ObjectFileSystem(volume)
  const lent = new LentTree(tree)
  const copy = volumeOf(lent.records())
  guest(copy)
  host()
  const returned = new ReturnedTree(lent, { ...ROOMY, ...options })
  for (const record of new LentTree(new ObjectFileSystem(copy)).records()) returned.take(record)
  await returned.applyTo(tree)
  return { returned, copy }
}

const paths = ['/a', '/b', '/c', '/d', '/d/a', '/d/b', '/d/e', '/d/e/a', '/f', '/f/a']
const path = fc.constantFrom(...paths)
const change = fc.oneof(
  fc.tuple(fc.constant('write' as const), path, fc.string({ maxLength: 5 })),
  fc.tuple(fc.constant('append' as const), path, fc.string({ maxLength: 5 })),
  fc.tuple(fc.constant('mkdir' as const), path, fc.constant('')),
  fc.tuple(fc.constant('remove' as const), path, fc.constant('')),
  fc.tuple(fc.constant('rename' as const), path, path),
  fc.tuple(fc.constant('link' as const), path, path),
  fc.tuple(fc.constant('symlink' as const), path, path),
  fc.tuple(fc.constant('chmod' as const), path, fc.constantFrom('700', '751', '1777')),
  fc.tuple(fc.constant('touch' as const), path, fc.constantFrom('1', '1700000000.125')),
)
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never

/** Any call may fail, as a guest's may. Renames are made of names that are there and not in each other: memfs does the others too. */
function perform(volume: Volume, [what, first, second]: Change): void {
  const calls = {
    write: () => volume.writeFileSync(first, second),
    append: () => volume.appendFileSync(first, second),
    mkdir: () => volume.mkdirSync(first),
    remove: () => volume.rmSync(first, { recursive: true }),
    rename: () => new ObjectFileSystem(volume) && renameIn(volume, first, second),
    link: () => volume.lstatSync(first).isFile() && volume.linkSync(first, second),
    symlink: () => volume.symlinkSync(first, second),
    chmod: () => !volume.lstatSync(first).isSymbolicLink() && volume.chmodSync(first, Number.parseInt(second, 8)),
    touch: () => !volume.lstatSync(first).isSymbolicLink() && volume.utimesSync(first, Number(second), Number(second)),
  }
  try {
    if (!passesSymlink(volume, first) && (what === 'symlink' || !passesSymlink(volume, second))) calls[what]()
  } catch {
    return
  }
}

function renameIn(volume: Volume, from: string, to: string): void {
  const tree = new ObjectFileSystem(volume)
  const parent = (of: string) => (of.split('/').slice(1, -1) as string[]).reduce((at: Ino, name) => tree.lookup(at, name) ?? -1, tree.root)
  tree.rename(parent(from), from.split('/').at(-1) ?? '', parent(to), to.split('/').at(-1) ?? '')
}

function passesSymlink(volume: Volume, of: string): boolean {
  const parts = of.split('/')
  return parts.some((_, index) => {
    const above = parts.slice(0, index + 1).join('/')
    return above !== '' && volume.existsSync(above) && volume.lstatSync(above).isSymbolicLink()
  })
}

/** What is seldom made by chance: names that part, that come together in a directory's place, and a file in the place of one that differs by its mode. */
const SELDOM: [Change[], Change[]][] = [
  [
    [
      ['write', '/a', 'x'],
      ['link', '/a', '/b'],
    ],
    [
      ['remove', '/b', ''],
      ['write', '/b', 'y'],
    ],
  ],
  [
    [
      ['write', '/a', 'x'],
      ['mkdir', '/d', ''],
      ['write', '/d/a', 'in'],
    ],
    [
      ['remove', '/d', ''],
      ['link', '/a', '/d'],
    ],
  ],
  [
    [
      ['write', '/d', ''],
      ['write', '/c', ''],
      ['chmod', '/c', '700'],
    ],
    [['rename', '/c', '/d']],
  ],
]

test('whatever a guest does to a tree is done to the one it was lent from', () =>
  fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 15 }), async (before, during) => {
      const volume = new Volume()
      for (const each of before) perform(volume, each)
      const { copy, returned } = await lend(volume, (guests) => {
        for (const each of during) perform(guests, each)
      })
      assert.is(returned.leftOutCount, 0)
      assert.equal(shown(volume), shown(copy))
    }),
    { numRuns: 400, examples: SELDOM },
  ))

test('a tree that comes back as it was is not touched, whatever the host has done to its own', () =>
  fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 12 }), async (before, meanwhile) => {
      const volume = new Volume()
      for (const each of before) perform(volume, each)
      let hosts: string[] = []
      const host = () => {
        for (const each of meanwhile) perform(volume, each)
        hosts = shown(volume)
      }
      const { returned } = await lend(volume, () => {}, { host })
      assert.is(returned.leftOutCount, 0)
      assert.equal(shown(volume), hosts)
    }),
    { numRuns: 200 },
  ))

test('whatever both do at once ends, and says what it has left out', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 10 }),
      fc.array(change, { maxLength: 10 }),
      fc.array(change, { maxLength: 10 }),
      async (before, during, meanwhile) => {
        const volume = new Volume()
        for (const each of before) perform(volume, each)
        const host = () => {
          for (const each of meanwhile) perform(volume, each)
        }
        const { returned } = await lend(
          volume,
          (copy) => {
            for (const each of during) perform(copy, each)
          },
          { host },
        )
        for (const { why } of returned.leftOut) assert.match(why, /^(its place is taken|ENOENT)$/)
      },
    ),
    { numRuns: 300 },
  ))

test('a file whose new first name is taken meanwhile keeps its old one', async () => {
  const volume = Volume.fromJSON({ '/f': 'before' })
  const guest = (copy: Volume) => {
    copy.linkSync('/f', '/c')
    copy.writeFileSync('/f', 'after')
  }
  const { returned } = await lend(volume, guest, { host: () => volume.mkdirSync('/c') })
  assert.equal(returned.leftOut, [{ path: 'c', why: 'its place is taken' }])
  assert.is(volume.readFileSync('/f', 'utf8'), 'after')
})

test('a directory whose time the guest has put back has that time', async () => {
  const volume = Volume.fromJSON({ '/d/f': 'x' })
  await lend(volume, (copy) => {
    copy.writeFileSync('/d/new', '')
    dateAll(copy)
  })
  assert.is(Number(volume.statSync('/d').mtimeMs), 1_600_000_000_000)
})

test('more than may come is refused before anything is written', async () => {
  const codeOf = (promise: Promise<unknown>) => promise.then(String, (error: EngineError) => error.code)
  for (const [options, guest] of [
    [{ bytes: 10 }, (copy: Volume) => copy.writeFileSync('/new', 'x'.repeat(11))],
    [{ bytes: 10 }, (copy: Volume) => copy.symlinkSync('x'.repeat(11), '/new')],
    [{ inodes: 1 }, (copy: Volume) => copy.writeFileSync('/new', '') ?? copy.mkdirSync('/other')],
    [
      { inodes: 20 },
      (copy: Volume) => copy.mkdirSync(`/${Array.from({ length: 15 }, () => 'x'.repeat(100)).join('/')}`, { recursive: true }),
    ],
  ] as const) {
    const volume = Volume.fromJSON({ '/mine': 'y'.repeat(100) })
    assert.is(await codeOf(lend(volume, guest, { options })), 'LIMIT_EXCEEDED')
    assert.equal(volume.toJSON(), { '/mine': 'y'.repeat(100) })
  }
  const volume = Volume.fromJSON({ '/mine': 'y' })
  await lend(volume, (copy) => copy.writeFileSync('/new', 'x'.repeat(10)), { options: { bytes: 10, inodes: 1 } })
  assert.is(volume.readFileSync('/new', 'utf8'), 'x'.repeat(10))
})

/** What a stream says of a tree that nothing was in. */
async function take(entries: readonly Partial<TreeEntry>[], volume = new Volume()): Promise<ReturnedTree> {
  const tree = new ObjectFileSystem(volume)
  const lent = new LentTree(tree)
  for (const _ of lent.records());
  const returned = new ReturnedTree(lent, ROOMY)
  const whole = { path: '', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, atimeNs: 0n }
  for (const entry of [{ kind: 'directory' } as const, ...entries])
    returned.take({ record: 'entry', entry: { ...whole, kind: 'file', ...entry } })
  returned.take({ record: 'end' })
  await returned.applyTo(tree)
  return returned
}

test('what a tree cannot hold is left out and told, with all that is in it', async () => {
  const volume = new Volume()
  const returned = await take(
    [
      { kind: 'fifo', path: 'pipe' },
      { kind: 'hard-link', path: 'pipe-too', target: 'pipe' },
      { kind: 'socket', path: 'socket' },
      { kind: 'character-device', path: 'whiteout' },
      { path: 'caf\xe9' },
      { kind: 'symlink', path: 'link', target: '\xff' },
      { kind: 'directory', path: 'd\xff' },
      { path: 'd\xff/inner' },
      { path: 'kept' },
    ],
    volume,
  )
  assert.equal(volume.toJSON(), { '/kept': '' })
  assert.equal(
    returned.leftOut.map(({ why }) => why),
    [
      'it is a fifo',
      'what it is another name of is left out',
      'it is a socket',
      'it is a character device',
      'its name or target is not UTF-8',
      'its name or target is not UTF-8',
      'its name or target is not UTF-8',
    ],
  )
})

test('a stream that leads elsewhere than to its own directories does not', async () => {
  const volume = Volume.fromJSON({ '/part/f': 'x', '/outside': 'safe' })
  const outside = () => volume.readFileSync('/outside', 'utf8')
  for (const entries of [
    [{ path: '../outside' }],
    [{ kind: 'directory', path: '..' }, { path: '../outside' }],
    [{ kind: 'symlink', path: 'up', target: '..' }, { path: 'up/outside' }],
    [{ path: '/outside' }],
    [{ path: 'missing/outside' }],
  ] as const) {
    const tree = new ObjectFileSystem(volume, { root: '/part' })
    const lent = new LentTree(tree)
    for (const _ of lent.records());
    const returned = new ReturnedTree(lent, ROOMY)
    const whole = { path: '', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, atimeNs: 0n }
    for (const entry of [{ kind: 'directory' } as const, { path: 'f' }, ...entries])
      returned.take({ record: 'entry', entry: { ...whole, kind: 'file', ...entry } })
    returned.take({ record: 'end' })
    await returned.applyTo(tree).catch(() => {})
    assert.is(outside(), 'safe', JSON.stringify(entries))
    assert.not.ok(volume.existsSync('/missing'))
  }
})

test('data that is out of place is refused', () => {
  const tree = new ObjectFileSystem(new Volume())
  const lent = new LentTree(tree)
  for (const _ of lent.records());
  const entry = { kind: 'file', path: 'f', size: 4, mode: 0, uid: 0, gid: 0, mtimeNs: 0n, atimeNs: 0n } as const
  const data = (offset: number): TreeRecord => ({ record: 'data', offset, bytes: Buffer.from('xxx') })
  for (const records of [[data(2)], [data(1), data(0)]]) {
    const returned = new ReturnedTree(lent, ROOMY)
    returned.take({ record: 'entry', entry: { ...entry, kind: 'directory', path: '' } })
    returned.take({ record: 'entry', entry })
    assert.throws(() => {
      for (const record of records) returned.take(record)
    }, /out of place/)
  }
})

test.run()
