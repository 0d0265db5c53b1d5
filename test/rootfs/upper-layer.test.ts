import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { formatListing, listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { chooseIdMap, type IdMap, singleIdMap } from '../../src/launcher/id-map.js'
import { readEntries } from '../../src/layer/entry.js'
import { indexTar } from '../../src/layer/index.js'
import { packTar } from '../../src/layer/pack.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { bytesSource } from '../../src/layer/source.js'
import { keptUpper } from '../../src/native/kept-upper.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import { readUpper } from '../../src/rootfs/upper-layer.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { containerSpec } from '../support/specs.js'
import { busyboxEntries, packEntry, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('rootfs/upper-layer')

/** What a shell script writes, as a layer: its entries, and the tree it makes over the layers below. */
async function written(wall: NativeWall, script: string, mountPoints: readonly string[] = []) {
  const id = 'c'.repeat(64)
  const directory = join(wall.folder, 'container')
  mkdirSync(directory)
  const lower = [
    ...busyboxEntries(),
    packEntry('data', { type: 'directory', uid: 7, gid: 8, mode: 0o750 }),
    packFile('data/kept', 'kept', { uid: 7, gid: 8, mode: 0o640 }),
    packFile('data/gone', 'gone'),
    packEntry('full', { type: 'directory' }),
    packFile('full/old', 'old'),
  ]
  const layer = storeLayer(wall.folder, lower)
  const rootfs = storedRootfs([layer])
  const spec = containerSpec({ ephemeral: false, process: { args: ['/bin/sh', '-c', script] } })
  const task = await wall.runtime.create({ id, directory, spec, rootfs, openStdin: false })
  task.stdout.resume()
  const problems: Buffer[] = []
  task.stderr?.on('data', (bytes) => problems.push(bytes))
  await task.start()
  const { exitCode } = await task.wait()
  assert.is(exitCode, 0, Buffer.concat(problems).toString())
  await task.delete()
  try {
    const spoolPath = join(wall.folder, 'spool')
    const upper = await readUpper({ idMap: wall.idMap, directory: keptUpper(directory), lower: rootfs.tree(), spoolPath, mountPoints })
    const tar = Buffer.concat([...packTar(upper.entries())])
    assert.throws(() => readFileSync(spoolPath), /ENOENT/, 'the spool has no name')
    upper.close()
    const names = [...readEntries(bytesSource(tar), { fileBytes: 2 ** 40 })].map(({ name }) => name)
    const below = openStoredLayer(layer)
    const tree = new UnionFs({ lowers: [below, new PackedLayer(indexTar(bytesSource(tar)), bytesSource(tar))] })
    const listing = formatListing(listTree(tree)).replace(/\tmtime=\d+/g, '')
    below.close()
    return {
      names,
      lines: new Map(listing.split('\n').map((line) => [line.split('\t')[0] ?? '', line.split('\t').slice(1).join(' ')])),
      tree,
    }
  } finally {
    await wall.runtime.discard(id, directory)
    rmSync(directory, { recursive: true })
  }
}

const MOUNT_POINTS = ['/proc', '/sys', '/dev', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']
const withWall = (body: (wall: NativeWall) => Promise<void>, idMap: IdMap = chooseIdMap().map) => withNativeWall(body, { idMap })

test.needs(NATIVE, BUSYBOX)('what is gone becomes a whiteout, and a directory made anew is opaque', () =>
  withWall(async (wall) => {
    const { names, lines } = await written(
      wall,
      'busybox rm /data/gone && busybox rm -r /full && busybox mkdir /full && echo new > /full/new',
    )
    assert.ok(names.includes('data/.wh.gone'))
    assert.ok(names.includes('full/.wh..wh..opq'))
    assert.not.ok(lines.has('data/gone'))
    assert.not.ok(lines.has('full/old'))
    assert.ok(lines.has('full/new'))
  }),
)

test.needs(NATIVE, BUSYBOX)('hard links, symlinks, modes, fifos and holes are as they were written', () =>
  withWall(async (wall) => {
    const { lines, tree } = await written(
      wall,
      `cd /tmp; echo one > a; chmod() { busybox chmod "$@"; }; chmod 4711 a; busybox ln a b; busybox ln -s ../nowhere s; busybox mkfifo p
       busybox truncate -s 3000000 holes; echo end >> holes; busybox dd if=/dev/zero of=big bs=1000 count=2500 2>/dev/null; echo x >> big`,
    )
    assert.is(lines.get('tmp/a'), 'file 4711 0:0 size=4')
    assert.is(lines.get('tmp/b'), 'file 4711 0:0 size=4 link=tmp/a')
    assert.is(lines.get('tmp/s'), 'symlink 0777 0:0 target=../nowhere')
    assert.is(lines.get('tmp/p'), 'fifo 0644 0:0')
    const endOf = (name: string) => {
      const directory = tree.lookup(tree.root, 'tmp') ?? 0
      const ino = tree.lookup(directory, name) ?? 0
      const bytes = new Uint8Array(8)
      const count = tree.read(ino, bytes, tree.stat(ino).size - 6)
      return Buffer.from(bytes.subarray(0, count)).toString('latin1')
    }
    assert.is(lines.get('tmp/holes'), 'file 0644 0:0 size=3000004')
    assert.is(endOf('holes'), '\0\0end\n')
    assert.is(lines.get('tmp/big'), 'file 0644 0:0 size=2500002')
    assert.is(endOf('big'), '\0\0\0\0x\n')
  }),
)

test.needs(NATIVE, BUSYBOX)('places that only the wall made are no change, but what a guest made of them is', () =>
  withWall(async (wall) => {
    const plain = await written(wall, ':', MOUNT_POINTS)
    assert.equal(plain.names, ['./'])
    const made = await written(wall, 'echo > /etc/own; busybox mkdir -p /tmp/proc', MOUNT_POINTS)
    assert.equal(made.names, ['./', 'etc/', 'etc/own', 'tmp/', 'tmp/proc/'])
  }),
)

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('owners are those inside, whatever they are outside', () =>
  withWall(async (wall) => {
    const { lines } = await written(wall, 'cd /data; echo more >> kept; echo new > new; busybox chown 33:34 new; busybox chmod 0 new')
    assert.is(lines.get('data/new'), 'file 0000 33:34 size=4')
    assert.is(lines.get('data/kept'), 'file 0640 7:8 size=9')
    assert.is(lines.get('data'), 'directory 0750 7:8')
  }),
)

test.needs(NATIVE, BUSYBOX)('under a single id the files of the layers keep their owners, which no guest could change', () =>
  withWall(async (wall) => {
    const { lines } = await written(wall, 'cd /data; echo more >> kept; echo new > new')
    assert.is(lines.get('data/kept'), 'file 0640 7:8 size=9')
    assert.is(lines.get('data'), 'directory 0750 7:8')
    assert.is(lines.get('data/new'), 'file 0644 0:0 size=4')
  }, singleIdMap()),
)

test.needs(NATIVE, BUSYBOX)('a name that a layer would read as a marker is refused', () =>
  withWall(async (wall) => {
    const error = await written(wall, 'echo > /tmp/.wh.x').catch((caught: Error) => caught)
    assert.match((error as Error).message, /"\.wh\."/)
  }),
)

test.run()
