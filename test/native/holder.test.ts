import { mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { Engine } from '../../src/index.js'
import type { Task } from '../../src/runtime/runtime.js'
import { mayBeAlive, pidOf } from '../../src/store/process-identity.js'
import { eventually } from '../support/launcher-box.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { containerSpec, type SpecChange } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('native/holder')
const native = test.needs(NATIVE, BUSYBOX, ID_RANGE)
const HELD = { holding: { seconds: 60, memoryBytes: 64 << 20 } }

let containers = 0

async function withTask(
  wall: NativeWall,
  args: readonly string[],
  body: (task: Task, directory: string) => Promise<void>,
  change: SpecChange = {},
) {
  const directory = join(wall.folder, `container-${++containers}`)
  mkdirSync(directory)
  const spec = containerSpec({ ...change, process: { args, env: ['PATH=/bin'] } })
  const task = await wall.runtime.create({ id: `c${containers}`, directory, spec, rootfs: wall.rootfs, openStdin: false })
  try {
    await body(task, directory)
  } finally {
    await task.delete()
    await wall.runtime.discard('', directory)
  }
}

async function output(wall: NativeWall, script: string): Promise<string> {
  let said = ''
  await withTask(wall, ['/bin/sh', '-c', script], async (task) => {
    const stdout = text(task.stdout)
    await task.start()
    await task.wait()
    said = await stdout
  })
  return said
}

const living = (wall: NativeWall) => {
  const found = wall.holder?.living() ?? null
  assert.ok(found !== null)
  return found
}

async function killHolder(wall: NativeWall): Promise<void> {
  const { identity } = living(wall)
  process.kill(pidOf(identity), 'SIGKILL')
  await eventually('it has ended', () => !mayBeAlive(identity))
}

native('the first container starts the holder, and the next ones use it', () =>
  withNativeWall(async (wall) => {
    assert.is(wall.holder?.living() ?? null, null)
    assert.is(await output(wall, 'echo one'), 'one\n')
    const { identity } = living(wall)
    assert.is(await output(wall, 'echo two'), 'two\n')
    assert.is(living(wall).identity, identity)
  }, HELD),
)

native('the receipt tells the ids of the host', () =>
  withNativeWall(async (wall) => {
    await withTask(wall, ['/bin/true'], async (task) => {
      const { uid, gid } = (await task.receipt()).kernel?.idMap ?? { uid: [], gid: [] }
      const extents = (map: NativeWall['idMap']['uids']) => map.map(({ inside, outside, count }) => [inside, outside, count])
      assert.equal(uid, extents(wall.idMap.uids))
      assert.equal(gid, extents(wall.idMap.gids))
    })
  }, HELD),
)

native('a container outlives its holder, and more programs can join it', () =>
  withNativeWall(async (wall) => {
    await withTask(wall, ['/bin/busybox', 'sleep', '1000'], async (task, directory) => {
      await task.start()
      await killHolder(wall)
      const spec = containerSpec({ process: { args: ['/bin/busybox', 'sleep', '1000'], env: ['PATH=/bin'] } })
      const process = { ...spec.process, args: ['/bin/sh', '-c', 'id -u; test -e /proc/1/stat && echo joined'] }
      const joined = await wall.runtime.exec({ id: 'c', directory, spec, process, openStdin: false, outlives: false, endRecord: null })
      const stdout = text(joined.stdout)
      await joined.start()
      assert.is((await joined.wait()).exitCode, 0)
      assert.is(await stdout, '0\njoined\n')
      await joined.delete()
      await task.kill('SIGKILL')
      assert.is((await task.wait()).signal, 'SIGKILL')
    })
    assert.is(await output(wall, 'echo again'), 'again\n')
  }, HELD),
)

native('a holder that ends while a container is made is done without', () =>
  withNativeWall(async (wall) => {
    await output(wall, 'true')
    const dying = living(wall)
    // What was looked up a moment ago still says that it lives.
    Object.assign(wall.holder as object, { living: () => dying, ensure: async () => dying })
    process.kill(pidOf(dying.identity), 'SIGKILL')
    await eventually('it has ended', () => !mayBeAlive(dying.identity))
    assert.is(await output(wall, 'echo without'), 'without\n')
  }, HELD),
)

native('a guest that has the store mounted, or what the store is in, sees nothing of it and reaches no socket there', () =>
  withNativeWall(async (wall) => {
    await output(wall, 'true')
    const script = `busybox find /host/${basename(wall.folder)} /store; busybox test -d /parent && echo seen`
    const bind = (source: string, destination: string) => ({ type: 'bind' as const, source, destination, readonly: true })
    const mounts = [bind('/tmp', '/parent'), bind(wall.folder, '/store'), bind(dirname(wall.folder), '/host')]
    let said = ''
    await withTask(
      wall,
      ['/bin/sh', '-c', script],
      async (task) => {
        const stdout = text(task.stdout)
        await task.start()
        await task.wait()
        said = await stdout
      },
      { mounts },
    )
    assert.match(said, /seen\n$/)
    assert.not.match(said, /living|socket-|trees/)
  }, HELD),
)

native('info tells of the holder of a store', () =>
  withNativeWall(async (wall) => {
    const engine = await Engine.open({ home: wall.folder, runtimes: [wall.runtime] })
    assert.is((await engine.info()).holder, null)
    await output(wall, 'true')
    assert.is((await engine.info()).holder?.pid, pidOf(living(wall).identity))
  }, HELD),
)

native('where none may be had each start stands alone', () =>
  withNativeWall(
    async (wall) => {
      assert.is(await output(wall, 'echo alone'), 'alone\n')
      assert.is(wall.holder?.living() ?? null, null)
    },
    { holding: { seconds: 0 } },
  ),
)

native('a guest sees neither the holder nor its memory', () =>
  withNativeWall(async (wall) => {
    const script = 'cat /proc/self/mountinfo; busybox ps; busybox ls /proc/self/fd; busybox netstat -x'
    const said = await output(wall, script)
    assert.not.match(said, /holder|socket-/)
    assert.not.match(said, new RegExp(wall.folder))
  }, HELD),
)

test.run()
