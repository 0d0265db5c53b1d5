import { setTimeout as sleep } from 'node:timers/promises'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { chooseIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import type { CreateRequest } from '../../src/runtime/runtime.js'
import { objectMountContract } from '../contract/object-mounts.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { runScript, runSteps, withObject } from '../support/object-guest.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { type RegisterTest, suite } from '../support/suite.js'

const test = suite('native/object-mounts')
const native = test.needs(NATIVE, BUSYBOX)
const supervision = {
  outlives: true,
  log: null,
  journal: { path: '/nowhere', word: 'x' },
  endCommand: [],
  beat: null,
  environment: [],
}
const withSingleId = (body: (wall: NativeWall) => Promise<void>) => withNativeWall(body, { idMap: singleIdMap() })
const withRange = (body: (wall: NativeWall) => Promise<void>) => withNativeWall(body, { idMap: chooseIdMap().map })

const named =
  (map: string, register: RegisterTest): RegisterTest =>
  (name, body, options) =>
    register(`${map}: ${name}`, body, options)

objectMountContract(named('single id', native), runSteps(withSingleId))
objectMountContract(named('range of ids', test.needs(NATIVE, BUSYBOX, ID_RANGE)), runSteps(withRange))

native('binary contents, modes and times go in and come back', () =>
  withNativeWall(async (wall) => {
    const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 31) % 256))
    const volume = new Volume()
    volume.writeFileSync('/bytes', bytes, { mode: 0o640 })
    volume.mkdirSync('/dir', { mode: 0o711 })
    volume.utimesSync('/bytes', 1_000_000, 2_000_000.25)
    const script = `busybox stat -c '%a %Y %s' /work/bytes /work/dir; busybox mv /work/bytes /work/moved
      busybox cp /work/moved /work/copy; busybox chmod 4711 /work/copy; busybox touch -d @3000000 /work/copy
      busybox chmod 700 /work/dir; busybox mkdir -m 1777 /work/sticky; busybox touch -d @4000000 /work/sticky`
    const { output } = await runScript(wall, script, volume)
    assert.match(output, /^640 2000000 700000\n711 /)
    assert.ok((volume.readFileSync('/moved') as Buffer).equals(bytes))
    assert.ok((volume.readFileSync('/copy') as Buffer).equals(bytes))
    const of = (path: string) => [volume.statSync(path).mode & 0o7777, Number(volume.statSync(path).mtimeMs)]
    assert.equal(of('/moved'), [0o640, 2_000_000_250])
    assert.equal(of('/copy'), [0o4711, 3_000_000_000])
    assert.equal(of('/sticky'), [0o1777, 4_000_000_000])
    assert.is(volume.statSync('/dir').mode & 0o777, 0o700)
  }),
)

native('only what the guest has changed is written, and what the host changes meanwhile in other files stays', () =>
  withNativeWall(async (wall) => {
    const volume = Volume.fromJSON({ '/a': 'a', '/b': 'b', '/gone': 'g', '/both': 'x', '/d/f': 'f', '/left/f': 'f' })
    const touched: string[] = []
    const write = volume.writeSync.bind(volume)
    volume.writeSync = ((...values: Parameters<typeof write>) => {
      touched.push('write')
      return write(...values)
    }) as typeof volume.writeSync
    const script = `busybox sleep 2; echo guest > /work/a; echo guest > /work/both; echo n > /work/new
      echo guest > /work/d/f; busybox rm -r /work/left; busybox rm /work/gone`
    await withObject(wall, script, volume, async ({ task }) => {
      await task.start()
      volume.writeFileSync('/b', 'host')
      volume.writeFileSync('/both', 'host')
      volume.writeFileSync('/other', 'host')
      volume.writeFileSync('/left/host', 'host')
      volume.rmSync('/d', { recursive: true })
      touched.length = 0
      assert.is((await task.wait()).exitCode, 0)
      await task.settled()
    })
    assert.equal(volume.toJSON(), {
      '/a': 'guest\n',
      '/b': 'host',
      '/both': 'guest\n',
      '/d/f': 'guest\n',
      '/left/host': 'host',
      '/new': 'n\n',
      '/other': 'host',
    })
    assert.is(touched.length, 4)
  }),
)

native('what the host has put where the guest needs a place of another kind stays, and is told', () =>
  withNativeWall(async (wall) => {
    const volume = Volume.fromJSON({ '/d/f': 'f' })
    await withObject(wall, 'busybox sleep 2; busybox rm -r /work/d; echo file > /work/d; echo n > /work/n', volume, async ({ task }) => {
      await task.start()
      volume.writeFileSync('/d/host', 'host')
      volume.mkdirSync('/n')
      const { exitCode, detail = '' } = await task.wait()
      assert.is(exitCode, 0)
      assert.match(detail, /left out of the file system at \/work: "\/work\/d" \(its place is taken\), "\/work\/n" \(its place is taken\)/)
    })
    assert.equal(volume.toJSON(), { '/d/host': 'host', '/n': null })
  }),
)

native('a guest that was killed, or ran out of its time, leaves what it had written', () =>
  withNativeWall(async (wall) => {
    for (const limits of [{}, { timeoutMs: 2000 }]) {
      const volume = new Volume()
      await withObject(
        wall,
        'echo kept > /work/f; echo ready; while :; do :; done',
        volume,
        async ({ task }) => {
          await task.start()
          await new Promise((resolve) => task.stdout.once('data', resolve))
          assert.not.ok(volume.existsSync('/f'))
          if (!('timeoutMs' in limits)) await task.kill('SIGKILL')
          const { reason } = await task.wait()
          assert.is(reason, 'timeoutMs' in limits ? 'timeout' : 'signaled')
        },
        { change: { limits } },
      )
      assert.equal(volume.toJSON(), { '/f': 'kept\n' })
    }
  }),
)

native('a container that is removed while it runs leaves what its guest had written', () =>
  withNativeWall(async (wall) => {
    const volume = new Volume()
    await withObject(wall, 'echo kept > /work/f; echo ready; busybox sleep 60', volume, async ({ task }) => {
      await task.start()
      await new Promise((resolve) => task.stdout.once('data', resolve))
      task.stdout.resume()
      await task.delete()
    })
    assert.equal(volume.toJSON(), { '/f': 'kept\n' })
  }),
)

native('a container that never starts changes nothing', () =>
  withNativeWall(async (wall) => {
    const volume = Volume.fromJSON({ '/f': 'x' })
    const before = volume.statSync('/').mtimeMs
    await withObject(wall, 'exit 0', volume, async () => {})
    await withObject(wall, '', volume, async ({ task }) => assert.is(await codeOf(task.start()), 'COMMAND_NOT_FOUND'), {
      change: { process: { args: ['/nowhere'] } },
    })
    assert.equal(volume.toJSON(), { '/f': 'x' })
    assert.is(volume.statSync('/').mtimeMs, before)
  }),
)

native('several objects, and other mounts below one, each keep to their own', () =>
  withNativeWall(async (wall) => {
    const volume = Volume.fromJSON({ '/f': 'x' })
    const below = Volume.fromJSON({ '/g': 'y' })
    const mounts = [
      { type: 'fs', source: '/', destination: '/work', readonly: false, sizeBytes: 1 << 20 },
      { type: 'fs', source: '/', destination: '/work/deep/below', readonly: false, sizeBytes: 1 << 20 },
      { type: 'tmpfs', destination: '/work/scratch', readonly: false },
    ] as const
    const script =
      'echo 1 > /work/deep/below/new; echo 2 > /work/scratch/lost; echo 3 > /work/new; busybox chmod 755 /work/deep; busybox ls /work'
    const objects = new Map([
      ['/work', volume],
      ['/work/deep/below', below],
    ])
    const { output } = await runScript(wall, script, volume, {
      change: { mounts, process: { cwd: '/work/made/here' } },
      request: { objects },
    })
    assert.is(output, 'deep\nf\nmade\nnew\nscratch\n')
    assert.equal(volume.toJSON(), { '/f': 'x', '/new': '3\n' })
    assert.equal(below.toJSON(), { '/g': 'y', '/new': '1\n' })
  }),
)

native('hard links are kept, made and broken as the guest has them', () =>
  withNativeWall(async (wall) => {
    const volume = Volume.fromJSON({ '/a': 'shared', '/c': 'c' })
    volume.linkSync('/a', '/b')
    volume.linkSync('/c', '/d')
    const script = `[ /work/a -ef /work/b ] || exit 1; echo more >> /work/b; busybox rm /work/c; echo own > /work/c; busybox ln /work/a /work/0`
    assert.is((await runScript(wall, script, volume)).exitCode, 0)
    assert.equal(volume.toJSON(), { '/0': 'sharedmore\n', '/a': 'sharedmore\n', '/b': 'sharedmore\n', '/c': 'own\n', '/d': 'c' })
    const ino = (path: string) => volume.statSync(path).ino
    assert.ok(ino('/a') === ino('/b') && ino('/a') === ino('/0') && ino('/c') !== ino('/d'))
  }),
)

native('a user other than root owns what is there, and reads modes of nought', () =>
  withNativeWall(async (wall) => {
    const volume = Volume.fromJSON({ '/f': 'x', '/d/g': 'y' })
    volume.chmodSync('/f', 0)
    volume.chmodSync('/d', 0)
    const [user] = wall.idMap.kind === 'range' ? [{ uid: 1000, gid: 1000, additionalGids: [] }] : [{ uid: 0, gid: 0, additionalGids: [] }]
    const script = `busybox stat -c '%a %u' /work/f; busybox chmod 600 /work/f; busybox chmod 700 /work/d; echo z >> /work/f; echo z > /work/d/h; busybox chmod 0 /work/d`
    const { output } = await runScript(wall, script, volume, { change: { process: { user } } })
    assert.is(output, `0 ${user.uid}\n`)
    assert.is(volume.readFileSync('/f', 'utf8'), 'xz\n')
    volume.chmodSync('/d', 0o700)
    assert.is(volume.readFileSync('/d/h', 'utf8'), 'z\n')
  }),
)

native('the receipt shows the mount as the kernel has it', () =>
  withNativeWall(async (wall) => {
    for (const readonly of [false, true])
      await withObject(
        wall,
        'exit 0',
        new Volume(),
        async ({ task }) => {
          const { kernel, crossCheck } = await task.receipt()
          const mount = kernel?.mounts.find(({ mountPoint }) => mountPoint === '/work')
          assert.is(mount?.fileSystem, 'tmpfs')
          assert.is(mount?.options, `${readonly ? 'ro' : 'rw'},nosuid,nodev,noatime`)
          assert.match(mount?.superOptions ?? '', /size=1024k,nr_inodes=1025/)
          assert.is(crossCheck.mounts, true)
          assert.equal(kernel?.descriptors, [0, 1, 2])
        },
        { mount: { readonly } },
      )
  }),
)

native('a container that outlives this process, or is begun by another, is refused by name', () =>
  withNativeWall(async (wall) => {
    const refused = (request: Partial<CreateRequest>) => codeOf(withObject(wall, 'exit 0', new Volume(), async () => {}, { request }))
    assert.is(await refused({ supervision }), 'NOT_BUILT')
    assert.is(await refused({ objects: new Map() }), 'CONFLICT')
  }),
)

native('what an object throws while it is read is the error of the start', () =>
  withNativeWall(async (wall) => {
    const volume = Volume.fromJSON({ '/f': 'x' })
    volume.readSync = () => {
      throw new Error('out of order')
    }
    const error = await withObject(wall, 'exit 0', volume, async () => null).catch((reason: unknown) => reason)
    assert.match(String(error), /EIO.*out of order/)
    await sleep(0)
  }),
)

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'it was not refused',
    (error: unknown) => (error as EngineError).code ?? String(error),
  )
}

test.run()
