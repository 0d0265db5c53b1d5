import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { ReadonlyFileSystem } from '../../src/fs/file-system.js'
import { listTree } from '../../src/fs/list.js'
import { singleIdMap } from '../../src/launcher/id-map.js'
import type { PackEntry } from '../../src/layer/pack.js'
import { listKernelTree } from '../../src/rootfs/capture.js'
import { isKeptXattr } from '../../src/rootfs/tree-records.js'
import { fillVolume, type ImageContent, imageContentAt } from '../../src/volume/copy-up.js'
import type { Volume } from '../../src/volume/volume.js'
import { randomStack } from '../rootfs/random-stack.js'
import { ID_RANGE, NATIVE } from '../support/requirements.js'
import { packEntry, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'
import { type VolumeHome, withVolumes } from '../support/volume-store.js'

const test = suite('volume/copy-up')
const native = test.needs(NATIVE)
const range = test.needs(NATIVE, ID_RANGE)
const directory = (path: string, entry: Partial<PackEntry> = {}) => packEntry(path, { type: 'directory', ...entry })

/** The tree of an image of these layers. */
function treeOf(stack: readonly (readonly PackEntry[])[]): ReadonlyFileSystem {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-copy-up-'))
  try {
    return storedRootfs(stack.map((entries) => storeLayer(folder, entries))).tree()
  } finally {
    // What is open of it stays.
    rmSync(folder, { recursive: true })
  }
}

const DATA = [
  directory('data', { mode: 0o750 }),
  packFile('data/file', 'of the image'),
  directory('data/sub', { mode: 0o711 }),
  packFile('data/sub/deep', 'deep'),
  packEntry('data/link', { type: 'symlink', target: '/etc/passwd', mode: 0o777 }),
]
const content = () => imageContentAt(treeOf([DATA]), '/data')

/** Fills as a container would. */
function fill({ store }: VolumeHome, volume: Volume, wanted: ImageContent | null): Promise<void> {
  return fillVolume({ locks: store.locks, idMap: store.idMap, volume, content: wanted })
}

/** Paths, owners, modes, links and contents, but the times and xattrs of the root, which is the volume's own. */
function comparable(paths: Iterable<Parameters<typeof comparableLine>[0]>): string[] {
  return [...paths].map(comparableLine)
}

function comparableLine(each: {
  readonly path: string
  readonly type: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number | null
  readonly device: unknown
  readonly target: string | null
  readonly linkOf: string | null
  readonly mtimeNs: bigint
  readonly xattrs: ReadonlyMap<string, Uint8Array>
}): string {
  const { path, mode, uid, gid, target, linkOf, mtimeNs } = each
  const [type, size] = each.device === null ? [each.type, each.size] : ['file', 0]
  const xattrs = [...each.xattrs]
    .filter(([name]) => isKeptXattr(name))
    .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
  const own = path === '' ? [] : [String(mtimeNs), xattrs.sort()]
  return JSON.stringify([path, type, mode.toString(8), uid, gid, size, target, linkOf, ...own])
}

async function assertSame({ home, store }: VolumeHome, volume: Volume, tree: ReadonlyFileSystem): Promise<void> {
  // An overlay takes two directories.
  const below = join(home, 'empty')
  mkdirSync(below, { recursive: true })
  const kernels = await listKernelTree(store.idMap, { lowers: [below, volume.mountpoint], memory: null, upper: null })
  assert.equal(comparable(kernels), comparable(listTree(tree)))
}

range('an empty volume gets an image’s whole directory: owners, modes, links, holes, times, as the image shows them', async () => {
  for (let seed = 1; seed <= 8; seed++)
    await withVolumes(async (volumes) => {
      const tree = treeOf(randomStack(seed))
      const volume = await volumes.store.create({ name: 'data' })
      await fill(volumes, volume, { tree, ino: tree.root })
      await assertSame(volumes, volume, tree)
      assert.equal(readdirSync(volumes.store.folderOf('data')).sort(), ['_data', 'volume.json'])
    })
})

native('a host with one id has all files as its user’s', () =>
  withVolumes(async (volumes) => {
    const volume = await volumes.store.create({ name: 'data' })
    await fill(
      volumes,
      volume,
      imageContentAt(treeOf([[directory('data', { uid: 33, mode: 0o2750 }), packFile('data/x', 'x', { uid: 7 })]]), '/data'),
    )
    assert.equal([statSync(volume.mountpoint).mode & 0o7777, readFileSync(join(volume.mountpoint, 'x'), 'utf8')], [0o2750, 'x'])
  }, singleIdMap()),
)

native('what is in a volume stays, and nothing comes to it', () =>
  withVolumes(async (volumes) => {
    const volume = await volumes.store.create({ name: 'data' })
    writeFileSync(join(volume.mountpoint, 'mine'), '')
    await fill(volumes, volume, content())
    assert.equal(readdirSync(volume.mountpoint), ['mine'])
    assert.is(statSync(volume.mountpoint).mode & 0o777, 0o755)
  }),
)

native('a volume that was emptied is filled again, as docker does', () =>
  withVolumes(async (volumes) => {
    const volume = await volumes.store.create({ name: 'data' })
    await fill(volumes, volume, content())
    for (const name of readdirSync(volume.mountpoint)) rmSync(join(volume.mountpoint, name), { recursive: true })
    await fill(volumes, volume, content())
    assert.equal(readdirSync(volume.mountpoint).sort(), ['file', 'link', 'sub'])
  }),
)

test('an empty directory gives its mode, without a process where the owner is the user', () =>
  withVolumes(async (volumes) => {
    const volume = await volumes.store.create({ name: 'data' })
    await fill(volumes, volume, imageContentAt(treeOf([[directory('data', { mode: 0o1777 })]]), '/data'))
    assert.is(statSync(volume.mountpoint).mode & 0o7777, 0o1777)
  }))

range('an empty directory gives its owner', () =>
  withVolumes(async (volumes) => {
    const volume = await volumes.store.create({ name: 'data' })
    const tree = treeOf([[directory('data', { uid: 999, gid: 999, mode: 0o700 })]])
    await fill(volumes, volume, imageContentAt(tree, '/data'))
    const { uid, mode } = statSync(volume.mountpoint)
    assert.equal([uid !== process.geteuid?.(), mode & 0o7777], [true, 0o700])
    // It can't be looked into from here, and is whose it is.
    await fill(volumes, volume, content())
    assert.is(statSync(volume.mountpoint).uid, uid)
  }),
)

native('filled by many at once it is filled once, and nobody comes before it is whole', () =>
  withVolumes(async (volumes) => {
    const volume = await volumes.store.create({ name: 'data' })
    const whole = async (wanted: ImageContent | null) => {
      await fill(volumes, volume, wanted)
      return readdirSync(volume.mountpoint).length
    }
    assert.equal(await Promise.all(Array.from({ length: 6 }, () => whole(content()))), [3, 3, 3, 3, 3, 3])
  }),
)

native('a copy that was cut off is thrown away while it was written, and finished once it was whole, whoever comes next', () =>
  withVolumes(async (volumes) => {
    const { store } = volumes
    const begun = await store.create({ name: 'begun' })
    mkdirSync(join(store.folderOf('begun'), 'copy.partial/half'), { recursive: true })
    await fill(volumes, begun, null)
    assert.equal([readdirSync(begun.mountpoint), readdirSync(store.folderOf('begun')).sort()], [[], ['_data', 'volume.json']])
    const moved = await store.create({ name: 'moved' })
    const whole = join(store.folderOf('moved'), 'copy')
    mkdirSync(join(whole, 'later'), { recursive: true })
    chmodSync(whole, 0o1770)
    writeFileSync(join(whole, 'taken'), 'of the image')
    writeFileSync(join(moved.mountpoint, 'earlier'), '')
    writeFileSync(join(moved.mountpoint, 'taken'), 'of a guest that was there already')
    await fill(volumes, moved, null)
    assert.equal(readdirSync(moved.mountpoint).sort(), ['earlier', 'later', 'taken'])
    assert.is(readFileSync(join(moved.mountpoint, 'taken'), 'utf8'), 'of a guest that was there already')
    assert.equal([statSync(moved.mountpoint).mode & 0o7777, existsSync(whole)], [0o1770, false])
  }),
)

test('what is no directory, and what is the root, is no place for a volume; what is not there has nothing to give', () => {
  const tree = treeOf([[packFile('file', ''), packEntry('up', { type: 'symlink', target: '../..', mode: 0o777 }), ...DATA]])
  for (const [path, says] of [
    ['/file', /the image has a file there/],
    ['/up', /symlink to the root/],
  ] as const)
    assert.throws(
      () => imageContentAt(tree, path),
      (error: EngineError) => error.code === 'INVALID_ARGUMENT' && says.test(error.message),
    )
  for (const path of ['/none', '/none/deeper', '/file/x']) assert.is(imageContentAt(tree, path), null)
  assert.ok(imageContentAt(tree, '/data/sub'))
})

test.run()
