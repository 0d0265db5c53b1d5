import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { Operation } from '../../src/launcher/operations.js'
import { type Delegation, delegation, groupOperations, groupsMissing, sweepGroups } from '../../src/native/control-group.js'
import { type ControlGroup, groupWith } from '../../src/runtime/control-groups.js'
import type { Limits } from '../../src/runtime/limits.js'
import type { Task } from '../../src/runtime/runtime.js'
import { ownIdentity } from '../../src/store/process-identity.js'
import { deadIdentity } from '../support/dead-identity.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, CGROUP, NATIVE } from '../support/requirements.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('native/control-group')
const limited = test.needs(NATIVE, BUSYBOX, CGROUP)
const MIB = 2 ** 20
/** Keeps as many bytes as it is asked for in memory that only the kernel can take from it. */
const hog = (mebibytes: number) => `busybox dd if=/dev/zero of=/dev/null bs=${mebibytes}M count=1 2>/dev/null`

async function withTask(wall: NativeWall, script: string, limits: Limits, body: (task: Task) => Promise<void>): Promise<void> {
  const directory = join(wall.folder, 'container')
  mkdirSync(directory)
  const spec = containerSpec({ limits, process: { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'] } })
  const task = await wall.runtime.create({ id: 'limited', directory, spec, rootfs: wall.rootfs, openStdin: false })
  try {
    await body(task)
  } finally {
    await task.delete()
    await wall.runtime.discard('', directory)
  }
}

const groupsLeft = () =>
  [...delegation().values()].flatMap(({ folder }) => readdirSync(folder).filter((name) => name.startsWith('wolffia-')))

const withoutName = (operations: readonly Operation[]) =>
  operations.map(([name, path, value]) => [name, String(path).replace(/wolffia-[^/]*/, 'GROUP'), value])

test('of version 1 each controller has a group of its own, made before any has a value', () => {
  const at = (name: string): ControlGroup => ({ version: 1, folder: `/nowhere/${name}`, mountPoint: '/nowhere' })
  const delegated: Delegation = new Map([
    ['memory', at('memory')],
    ['cpu', at('cpu')],
  ])
  assert.equal(withoutName(groupOperations('id', { memoryBytes: MIB, cpus: 0.5 }, delegated)), [
    ['cgroup', '/nowhere/memory/GROUP', undefined],
    ['cgroup', '/nowhere/cpu/GROUP', undefined],
    ['cgroup-value', '/nowhere/memory/GROUP/memory.limit_in_bytes', MIB],
    ['cgroup-kills', '/nowhere/memory/GROUP/memory.oom_control', undefined],
    ['cgroup-value', '/nowhere/cpu/GROUP/cpu.cfs_period_us', 100_000],
    ['cgroup-value', '/nowhere/cpu/GROUP/cpu.cfs_quota_us', 50_000],
  ])
  assert.equal(groupOperations('id', { pids: 5 }, delegated), [])
})

test('of version 2 there is one group for all, and a controller that is off is turned on above it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'group-of-version-2-'))
  try {
    writeFileSync(join(folder, 'cgroup.subtree_control'), 'memory pids')
    const parent: ControlGroup = { version: 2, folder, mountPoint: folder }
    const delegated: Delegation = new Map([
      ['memory', parent],
      ['cpu', parent],
    ])
    assert.equal(withoutName(groupOperations('id', { memoryBytes: MIB, cpus: 0.5 }, delegated)), [
      ['cgroup', join(folder, 'GROUP'), undefined],
      ['cgroup-value', join(folder, 'GROUP/memory.max'), MIB],
      ['cgroup-kills', join(folder, 'GROUP/memory.events'), undefined],
      ['cgroup-value', join(folder, 'GROUP/cpu.max'), '50000 100000'],
    ])
    assert.is(readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8'), '+cpu')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

limited('a guest that takes more memory than its limit ends with reason "out-of-memory", and its neighbour goes on', () =>
  withNativeWall((wall) =>
    withTask(wall, 'busybox sleep 1000', {}, async (neighbour) => {
      await neighbour.start()
      const other = { ...wall, folder: join(wall.folder, 'other') }
      mkdirSync(other.folder)
      await withTask(other, hog(256), { memoryBytes: 32 * MIB }, async (task) => {
        const { limits } = await task.receipt()
        assert.equal(
          limits.filter(({ name }) => name === 'memory'),
          [{ name: 'memory', value: 32 * MIB, mechanism: 'cgroup' }],
        )
        await task.start()
        const { exitCode, reason, detail } = await task.wait()
        assert.equal([exitCode, reason], [137, 'out-of-memory'])
        assert.match(detail ?? '', /33554432 bytes of memory/)
      })
      await neighbour.kill('SIGKILL')
      assert.is((await neighbour.wait()).reason, 'signaled')
      assert.equal(groupsLeft(), [])
    }),
  ),
)

limited('a guest within its limits is not told to have been out of memory, and sees itself at the root of its groups', () =>
  withNativeWall((wall) =>
    withTask(
      wall,
      'busybox grep -E "memory|cpu:|^0:" /proc/self/cgroup; kill -9 $$',
      { memoryBytes: 64 * MIB, cpus: 0.5 },
      async (task) => {
        const output = text(task.stdout)
        await task.start()
        assert.is((await task.wait()).reason, 'signaled')
        const bounded = (await output).split('\n').filter((line) => /:(memory|cpu|.*\bcpu):/.test(line))
        assert.equal([...new Set(bounded.map((line) => line.split(':')[2]))], ['/'])
      },
    ),
  ),
)

limited('a program that joins a container is in its groups, and the limits of both are proven', () =>
  withNativeWall((wall) =>
    withTask(wall, 'busybox sleep 1000', { memoryBytes: 64 * MIB, cpus: 0.5 }, async (task) => {
      await task.start()
      const spec = containerSpec({ limits: { memoryBytes: 64 * MIB, cpus: 0.5 } })
      const joined = await wall.runtime.exec({
        id: 'limited',
        directory: join(wall.folder, 'container'),
        spec,
        process: { ...spec.process, args: ['/bin/sh', '-c', hog(256)], env: ['PATH=/bin'] },
        openStdin: false,
        outlives: false,
        endRecord: null,
      })
      assert.is(groupWith('memory', joined.pid)?.folder, groupWith('memory', task.pid)?.folder)
      const { limits } = await joined.receipt()
      assert.equal(
        limits.map(({ name, value }) => [name, value]),
        [
          ['memory', 64 * MIB],
          ['cpus', 0.5],
        ],
      )
      await joined.start()
      assert.is((await joined.wait()).exitCode, 137)
      await joined.delete()
      await task.kill('SIGKILL')
      await task.wait()
      assert.equal(groupsLeft(), [])
    }),
  ),
)

limited('groups that a killed process has left go away with the next start, and those of one that lives stay', async () => {
  const parent = delegation().get('memory')?.folder ?? ''
  const [dead, alive] = [await deadIdentity(), ownIdentity()].map((identity) => join(parent, `wolffia-${identity}-left`))
  mkdirSync(dead ?? '')
  mkdirSync(alive ?? '')
  try {
    sweepGroups()
    assert.equal(
      [dead, alive].map((folder) => existsSync(folder ?? '')),
      [false, true],
    )
  } finally {
    rmdirSync(alive ?? '')
  }
})

test('the doctor is told what a host does not give', () => {
  assert.is(groupsMissing(new Map()), 'no group for memory and cpu may be made here')
  const at: ControlGroup = { version: 1, folder: '/nowhere', mountPoint: '/nowhere' }
  assert.is(groupsMissing(new Map([['memory', at]])), 'no group for cpu may be made here')
  assert.match(
    String(
      groupsMissing(
        new Map([
          ['memory', at],
          ['cpu', at],
        ]),
      ),
    ),
    /ENOENT/,
  )
})

limited('the doctor makes groups, bounds them and takes them away again', () => {
  assert.is(groupsMissing(), null)
  assert.equal(groupsLeft(), [])
})

test.run()
