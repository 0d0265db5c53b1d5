/** Volumes against images and guests that lay links in the way. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { attachVolumes } from '../../src/volume/attach.js'
import type { MountRequest } from '../../src/volume/volume.js'
import { NATIVE } from '../support/requirements.js'
import { packEntry, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'
import { type VolumeHome, withVolumes } from '../support/volume-store.js'

const test = suite('volume/security')
const native = test.needs(NATIVE)
const link = (path: string, target: string) => packEntry(path, { type: 'symlink', target, mode: 0o777 })

/** An image that lays every link a hostile one could. */
function hostileTree() {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-volume-attack-'))
  const layer = storeLayer(folder, [
    packEntry('etc', { type: 'directory' }),
    packFile('etc/passwd', 'of the image'),
    link('absolute', '/etc'),
    link('relative', '../../../../../../etc'),
    link('process', '/proc/self/root/etc'),
    link('up', '../../../..'),
    link('loop', 'loop'),
    link('chain', 'absolute/../absolute'),
    packEntry('data', { type: 'directory' }),
    link('data/host', '/etc'),
    link('data/up', '../../../../../../../etc/passwd'),
    packFile('data/plain', 'plain'),
  ])
  return { tree: storedRootfs([layer]).tree(), remove: () => rmSync(folder, { recursive: true }) }
}

async function attached({ store }: VolumeHome, destination: string) {
  const { tree, remove } = hostileTree()
  const mounts: MountRequest[] = [{ type: 'volume', name: 'data', destination, readonly: false }]
  try {
    return await attachVolumes({ store, mounts, tree })
  } finally {
    remove()
  }
}

native(
  'CVE-2020-1726: a VOLUME that is a symlink in the image is filled from the image’s own files and never from the host’s',
  async () => {
    for (const place of ['/absolute', '/relative', '/chain'])
      await withVolumes(async (volumes) => {
        await attached(volumes, place)
        const { mountpoint } = volumes.store.get('data')
        assert.equal(readdirSync(mountpoint), ['passwd'], place)
        assert.is(readFileSync(join(mountpoint, 'passwd'), 'utf8'), 'of the image')
      })
    for (const place of ['/process', '/loop', '/none'])
      await withVolumes(async (volumes) => {
        await attached(volumes, place)
        assert.equal(readdirSync(volumes.store.get('data').mountpoint), [], place)
      })
  },
)

test('CVE-2020-1726: a VOLUME that leads to the root is refused before a volume is made', () =>
  withVolumes(async (volumes) => {
    const error: EngineError = await attached(volumes, '/up').catch((each) => each)
    assert.is(error.code, 'INVALID_ARGUMENT')
    assert.equal(volumes.store.list(), [])
  }))

native('CVE-2018-15664: links in the image’s directory are copied as links', () =>
  withVolumes(async (volumes) => {
    await attached(volumes, '/data')
    const { mountpoint } = volumes.store.get('data')
    assert.ok(lstatSync(join(mountpoint, 'host')).isSymbolicLink() && lstatSync(join(mountpoint, 'up')).isSymbolicLink())
    assert.equal(readdirSync(mountpoint).sort(), ['host', 'plain', 'up'])
  }),
)

native('CVE-2023-0778: a volume’s folder swapped for a symlink is not filled, and its removal takes the link alone', () =>
  withVolumes(async (volumes) => {
    const { home, store } = volumes
    const outside = join(home, 'outside')
    for (const place of ['data/_data', 'data']) {
      mkdirSync(join(outside, '_data'), { recursive: true })
      writeFileSync(join(outside, 'precious'), '')
      await store.create({ name: 'data' })
      rmSync(join(store.folder, place), { recursive: true })
      symlinkSync(outside, join(store.folder, place))
      const error: EngineError = await attached(volumes, '/data').catch((each) => each)
      assert.is(error.code, 'UNSAFE_PATH', place)
      await store.remove('data')
      assert.equal(readdirSync(outside).sort(), ['_data', 'precious'], place)
      assert.equal(readdirSync(store.folder), [])
    }
  }),
)

native('a guest’s links in a volume lead neither its removal nor a prune anywhere', () =>
  withVolumes(async ({ home, store }) => {
    const outside = join(home, 'outside')
    mkdirSync(join(outside, 'deep'), { recursive: true })
    writeFileSync(join(outside, 'precious'), '')
    for (const remove of [() => store.remove('data'), () => store.prune({ all: true })]) {
      const { mountpoint } = await store.create({ name: 'data' })
      mkdirSync(join(mountpoint, 'closed'), { mode: 0 })
      for (const name of ['link', '.wolffia-removing-0']) symlinkSync(outside, join(mountpoint, name))
      await remove()
      assert.equal(readdirSync(outside).sort(), ['deep', 'precious'])
      assert.is(existsSync(store.folderOf('data')), false)
    }
  }),
)

native('a volume that was removed and made again while a container was made is noticed', () =>
  withVolumes(async (volumes) => {
    const { store } = volumes
    const { confirm } = await attached(volumes, '/none')
    confirm()
    renameSync(store.folderOf('data'), join(volumes.home, 'kept'))
    assert.throws(confirm, /volume data was removed while the container was made/)
    await store.create({ name: 'data' })
    assert.throws(confirm, (error: EngineError) => error.code === 'CONFLICT')
  }),
)

native('when one of several volumes cannot be, the anonymous ones made before it go', () =>
  withVolumes(async (volumes) => {
    const { store } = volumes
    const { tree, remove } = hostileTree()
    await store.create({ name: 'data' })
    rmSync(join(store.folder, 'data/_data'), { recursive: true })
    symlinkSync('/', join(store.folder, 'data/_data'))
    const mounts: MountRequest[] = [
      { type: 'volume', destination: '/a', readonly: false },
      { type: 'volume', name: 'data', destination: '/b', readonly: false },
    ]
    assert.is(await attachVolumes({ store, mounts, tree }).catch((error: EngineError) => error.code), 'UNSAFE_PATH')
    assert.equal(
      store.list().map(({ name }) => name),
      ['data'],
    )
    remove()
  }),
)

test.run()
