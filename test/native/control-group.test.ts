import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { Operation } from '../../src/launcher/operations.js'
import { type ControlGroup, groupLimits, groupWith } from '../../src/runtime/control-groups.js'
import type { GroupRequest } from '../../src/runtime/group-values.js'
import { readUsage } from '../../src/runtime/guest-processes.js'
import type { Limits } from '../../src/runtime/limits.js'
import { assertGroups, type Delegation, delegation, groupOperations, groupsMissing, sweepGroups } from '../../src/runtime/make-groups.js'
import type { ResourceSpec } from '../../src/runtime/resources.js'
import { readGuest } from '../../src/runtime/running-task.js'
import type { Task } from '../../src/runtime/runtime.js'
import { ownIdentity, pidOf } from '../../src/store/process-identity.js'
import { deadIdentity } from '../support/dead-identity.js'
import { eventually } from '../support/launcher-box.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, CGROUP, CGROUP_SETS, NATIVE } from '../support/requirements.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('native/control-group')
const limited = test.needs(NATIVE, BUSYBOX, CGROUP)
const MIB = 2 ** 20
/** Keeps as many bytes as it is asked for in memory that only the kernel can take from it. */
const hog = (mebibytes: number) => `busybox dd if=/dev/zero of=/dev/null bs=${mebibytes}M count=1 2>/dev/null`

async function withTask(
  wall: NativeWall,
  script: string,
  limits: Limits,
  body: (task: Task) => Promise<void>,
  resources: ResourceSpec = {},
): Promise<void> {
  const directory = join(wall.folder, 'container')
  mkdirSync(directory)
  const spec = containerSpec({ limits, resources, process: { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'] } })
  const task = await wall.runtime.create({ id: 'limited', directory, spec, rootfs: wall.rootfs, openStdin: false })
  try {
    await body(task)
  } finally {
    await task.delete()
    await wall.runtime.discard('', directory)
  }
}

const groupFoldersLeft = () =>
  [...new Set([...delegation().values()].map(({ folder }) => folder))].flatMap((folder) =>
    readdirSync(folder).flatMap((name) => (name.startsWith(`wolffia-${ownIdentity()}-`) ? [join(folder, name)] : [])),
  )
const groupsLeft = () => groupFoldersLeft().map((folder) => basename(folder))

function isStopped(pid: number): boolean {
  const freezer = groupWith('freezer', pid)?.folder
  const memory = groupWith('memory', pid)
  if (freezer !== undefined && existsSync(join(freezer, 'freezer.state')))
    return readFileSync(join(freezer, 'freezer.state'), 'latin1') === 'FROZEN\n'
  if (memory?.version === 2) return readFileSync(join(memory.folder, 'cgroup.events'), 'latin1').includes('frozen 1')
  return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0] === 'T'
}

const withoutName = (operations: readonly Operation[]) =>
  operations.map(([name, path, value]) => [name, String(path).replace(/wolffia-[^/]*/, 'GROUP'), value])

test('of version 1 each controller has a group of its own, made before any has a value', () => {
  const at = (name: string): ControlGroup => ({ version: 1, folder: `/nowhere/${name}`, mountPoint: '/nowhere' })
  const delegated: Delegation = new Map([
    ['memory', at('memory')],
    ['cpu', at('cpu')],
  ])
  assert.equal(withoutName(groupOperations('id', { limits: { memoryBytes: MIB, cpus: 0.5 } }, delegated)), [
    ['cgroup', '/nowhere/memory/GROUP', undefined],
    ['cgroup', '/nowhere/cpu/GROUP', undefined],
    ['cgroup-value', '/nowhere/memory/GROUP/memory.limit_in_bytes', MIB],
    ['cgroup-kills', '/nowhere/memory/GROUP/memory.oom_control', undefined],
    ['cgroup-value', '/nowhere/cpu/GROUP/cpu.cfs_period_us', 100_000],
    ['cgroup-value', '/nowhere/cpu/GROUP/cpu.cfs_quota_us', 50_000],
  ])
  assert.equal(groupOperations('id', { limits: { pids: 5 } }, delegated), [])
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
    assert.equal(withoutName(groupOperations('id', { limits: { memoryBytes: MIB, cpus: 0.5 } }, delegated)), [
      ['cgroup', join(folder, 'GROUP'), undefined],
      ['cgroup-value', join(folder, 'GROUP/memory.max'), MIB],
      ['cgroup-kills', join(folder, 'GROUP/memory.events'), undefined],
      ['cgroup-freezer', join(folder, 'GROUP/cgroup.freeze'), '1'],
      ['cgroup-value', join(folder, 'GROUP/cpu.max'), '50000 100000'],
    ])
    assert.is(readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8'), '+cpu')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** The groups' values, in short, of what is asked below a parent that has these files. */
function valuesOf(version: 1 | 2, request: Partial<GroupRequest>, files: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'group-values-'))
  try {
    writeFileSync(join(folder, 'cgroup.subtree_control'), 'memory cpu cpuset io')
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
    const parent: ControlGroup = { version, folder, mountPoint: folder }
    const delegated: Delegation = new Map((['memory', 'cpu', 'cpuset', 'io'] as const).map((controller) => [controller, parent]))
    return groupOperations('id', { limits: {}, ...request }, delegated).flatMap(([name, path, value]) =>
      name === 'cgroup-value' ? [`${String(path).slice(String(path).lastIndexOf('/') + 1)} ${value}`] : [],
    )
  } catch (error) {
    if (error instanceof EngineError) return `${error.code} ${error.message}`
    throw error
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('what docker asks of memory is written as each version has it, and what a version lacks is refused by name', () => {
  const limits = { memoryBytes: 4 * MIB }
  const asked = { limits, resources: { memorySwapBytes: 5 * MIB, memoryReservationBytes: MIB } }
  assert.equal(valuesOf(1, asked, { 'memory.memsw.limit_in_bytes': '' }), [
    `memory.limit_in_bytes ${4 * MIB}`,
    `memory.memsw.limit_in_bytes ${5 * MIB}`,
    `memory.soft_limit_in_bytes ${MIB}`,
  ])
  assert.equal(valuesOf(2, asked, { 'memory.swap.max': '' }), [`memory.max ${4 * MIB}`, `memory.swap.max ${MIB}`, `memory.low ${MIB}`])
  assert.equal(valuesOf(2, { limits, resources: { memorySwapBytes: -1 } }, { 'memory.swap.max': '' }), [
    `memory.max ${4 * MIB}`,
    'memory.swap.max max',
  ])
  assert.match(String(valuesOf(1, asked)), /^UNSUPPORTED_BY_HOST --memory-swap .* counts no swap/)
  assert.equal(valuesOf(1, { resources: { memorySwappiness: 0, oomKillDisable: true } }), ['memory.swappiness 0', 'memory.oom_control 1'])
  assert.match(String(valuesOf(2, { resources: { memorySwappiness: 0 } })), /^UNSUPPORTED_BY_HOST --memory-swappiness /)
  assert.match(String(valuesOf(2, { resources: { oomKillDisable: true } })), /^UNSUPPORTED_BY_HOST --oom-kill-disable /)
})

test('shares become weights, and a quota that was given is not computed anew', () => {
  assert.equal(
    [2, 1024, 262_144].map((cpuShares) => valuesOf(2, { resources: { cpuShares } })),
    [['cpu.weight 1'], ['cpu.weight 39'], ['cpu.weight 10000']],
  )
  const quota = { limits: { cpus: 33_333 / 70_000 }, resources: { cpuQuotaUs: 33_333, cpuPeriodUs: 70_000 } }
  assert.equal(valuesOf(1, quota), ['cpu.cfs_period_us 70000', 'cpu.cfs_quota_us 33333'])
  assert.equal(valuesOf(2, quota), ['cpu.max 33333 70000'])
  assert.equal(valuesOf(2, { resources: { cpuPeriodUs: 5000 } }), ['cpu.max max 5000'])
})

test('of version 1 a group is given the processors and nodes that nobody named, and none that are not there', () => {
  const files = { 'cpuset.cpus': '0-1,3', 'cpuset.mems': '0', 'cpuset.cpus.effective': '0-1,3' }
  assert.equal(valuesOf(1, { resources: { cpusetCpus: '1,3' } }, files), ['cpuset.cpus 1,3', 'cpuset.mems 0'])
  assert.equal(valuesOf(2, { resources: { cpusetCpus: '0-1' } }, files), ['cpuset.cpus 0-1'])
  assert.is(
    valuesOf(1, { resources: { cpusetCpus: '0-2' } }, files),
    'INVALID_ARGUMENT --cpuset-cpus: requested CPUs are not available - requested 0-2, available: 0-1,3',
  )
  assert.match(String(valuesOf(2, { resources: { cpusetMems: '1' } }, files)), /^INVALID_ARGUMENT --cpuset-mems: requested memory nodes/)
})

test('weights of disks go where a scheduler takes them, and a rate is of a disk', () => {
  const blockWeight = 505
  assert.equal(valuesOf(1, { resources: { blockWeight } }, { 'blkio.bfq.weight': '' }), ['blkio.bfq.weight 505'])
  assert.equal(valuesOf(2, { resources: { blockWeight } }, { 'io.weight': '' }), ['io.weight 5000'])
  assert.match(String(valuesOf(1, { resources: { blockWeight } })), /^UNSUPPORTED_BY_HOST --blkio-weight .*scheduler/)
  const weighed = (path: string) => ({ resources: { deviceWeights: [{ path, weight: 505 }] } })
  assert.is(valuesOf(1, weighed('/dev/null')), 'INVALID_ARGUMENT --blkio-weight-device /dev/null: it is no disk')
  const rates = (path: string) => ({ resources: { deviceReadBytes: [{ path, rate: 5 }], deviceWriteOperations: [{ path, rate: 6 }] } })
  assert.is(valuesOf(1, rates('/dev/null')), 'INVALID_ARGUMENT --device-read-bps /dev/null: it is no disk')
  assert.match(String(valuesOf(1, rates('/dev/nosuchdisk'))), /^INVALID_ARGUMENT --device-read-bps \/dev\/nosuchdisk: .*ENOENT/)
  const disk = readdirSync('/dev').find((name) => statSync(`/dev/${name}`, { throwIfNoEntry: false })?.isBlockDevice() === true)
  if (disk === undefined) return
  const number = readFileSync(`/sys/class/block/${disk}/dev`, 'latin1').trim()
  assert.equal(valuesOf(1, rates(`/dev/${disk}`)), [
    `blkio.throttle.read_bps_device ${number} 5`,
    `blkio.throttle.write_iops_device ${number} 6`,
  ])
  assert.equal(valuesOf(1, weighed(`/dev/${disk}`), { 'blkio.bfq.weight_device': '' }), [`blkio.bfq.weight_device ${number} 505`])
  assert.equal(valuesOf(2, weighed(`/dev/${disk}`), { 'io.weight': '' }), [`io.weight ${number} 5000`])
  assert.match(String(valuesOf(2, weighed(`/dev/${disk}`))), /^UNSUPPORTED_BY_HOST --blkio-weight-device .*scheduler/)
  assert.equal(valuesOf(2, rates(`/dev/${disk}`)), [`io.max ${number} rbps=5`, `io.max ${number} wiops=6`])
})

test('each resource that no group here could hold is refused by its flag, with what would give one', () => {
  for (const [flag, resources] of [
    ['--memory-reservation', { memoryReservationBytes: MIB }],
    ['--cpu-shares', { cpuShares: 5 }],
    ['--cpuset-cpus', { cpusetCpus: '0' }],
    ['--blkio-weight', { blockWeight: 10 }],
  ] as const)
    assert.throws(
      () => assertGroups({ limits: {}, resources }, new Map()),
      (error: unknown) =>
        error instanceof EngineError &&
        error.code === 'UNSUPPORTED_BY_HOST' &&
        error.message.startsWith(`${flag} cannot be held`) &&
        /Delegate=yes/.test(error.hint ?? ''),
      flag,
    )
  assertGroups({ limits: {}, resources: { ulimits: { stack: { soft: 1, hard: 1 } }, sharedMemoryBytes: MIB } }, new Map())
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
        const bounded = (await output).split('\n').filter((line) => /:(memory|cpu|.*\bcpu):|^0::/.test(line))
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

limited('a guest in a group of its own is paused by the freezer, of which it sees nothing, and can be killed there', () =>
  withNativeWall((wall) =>
    withTask(
      wall,
      'trap "echo continued" CONT; echo ready; while :; do busybox sleep 0.05; echo tick; done',
      { memoryBytes: 64 * MIB },
      async (task) => {
        const { kernel } = await task.receipt()
        const freezes = delegation().has('freezer') || delegation().get('memory')?.version === 2
        assert.is(kernel?.supervisor.pause, freezes ? 'freezer' : 'signals')
        let said = ''
        task.stdout.on('data', (bytes) => {
          said += bytes
        })
        await task.start()
        const ticks = () => said.split('tick').length
        await eventually('it ticks', () => ticks() > 3)
        await task.pause()
        await eventually('it has stopped', () => isStopped(task.pid))
        // What was on its way when it stopped may still come.
        for (let before = -1; before !== ticks(); await setTimeout(300)) before = ticks()
        const before = ticks()
        await task.resume()
        await eventually('it goes on', () => ticks() > before)
        assert.is(said.includes('continued'), !freezes)
        await task.pause()
        await task.kill('SIGKILL')
        assert.is((await task.wait()).reason, 'signaled')
        assert.equal(groupsLeft(), [])
      },
    ),
  ),
)

limited('one that is paused when its launcher is killed dies as soon as somebody looks at it', () =>
  withNativeWall((wall) =>
    withTask(wall, 'busybox sleep 1000', { memoryBytes: 64 * MIB }, async (task) => {
      const directory = join(wall.folder, 'container')
      await task.start()
      const found = await wall.runtime.open('limited', directory)
      await task.pause()
      await eventually('it has stopped', () => isStopped(task.pid))
      sweepGroups()
      assert.ok(isStopped(task.pid), 'one that is paused and not killed stays so')
      assert.ok(found !== null)
      process.kill(pidOf(readGuest(join(directory, 'native'))?.supervisor ?? 'none'), 'SIGKILL')
      await eventually('its end', async () => (await wall.runtime.open('limited', directory)) === null)
      await task.wait().catch(() => {})
      // Nobody sweeps the groups of a maker that lives, which is this test.
      await eventually('all of it', () => groupFoldersLeft().every((folder) => readFileSync(join(folder, 'cgroup.procs'), 'latin1') === ''))
      for (const folder of groupFoldersLeft()) rmdirSync(folder)
    }),
  ),
)

limited('swap, weights and periods are in the group of a guest, which is told nothing of the others', () =>
  withNativeWall((wall) =>
    withTask(
      wall,
      'busybox sleep 1000',
      { memoryBytes: 64 * MIB, cpus: 0.25 },
      async (task) => {
        await task.start()
        const [memory, cpu] = [groupWith('memory', task.pid), groupWith('cpu', task.pid)]
        const read = (group: ControlGroup | null, first: string, second: string) =>
          readFileSync(join(group?.folder ?? '', group?.version === 2 ? second : first), 'latin1').trim()
        assert.is(read(memory, 'memory.soft_limit_in_bytes', 'memory.low'), String(32 * MIB))
        assert.match(read(cpu, 'cpu.shares', 'cpu.weight'), /^(512|20)$/)
        assert.match(read(cpu, 'cpu.cfs_quota_us', 'cpu.max'), /^5000( 20000)?$/)
        const { limits } = await task.receipt()
        assert.equal(
          limits.map(({ name, value }) => [name, value]),
          [
            ['memory', 64 * MIB],
            ['cpus', 0.25],
          ],
        )
        await task.kill('SIGKILL')
        await task.wait()
        assert.equal(groupsLeft(), [])
      },
      { memoryReservationBytes: 32 * MIB, cpuShares: 512, cpuPeriodUs: 20_000, cpuQuotaUs: 5000 },
    ),
  ),
)

test.needs(
  NATIVE,
  BUSYBOX,
  CGROUP_SETS,
)('a guest runs on the processors that it is given, and its disks are bounded', () =>
  withNativeWall((wall) =>
    withTask(
      wall,
      'busybox grep Cpus_allowed_list /proc/self/status; busybox sleep 1000',
      {},
      async (task) => {
        await task.start()
        for await (const chunk of task.stdout) {
          assert.match(String(chunk), /Cpus_allowed_list:\t0\n/)
          break
        }
        const { folder = '', version } = groupWith('io', task.pid) ?? {}
        assert.match(readFileSync(join(folder, version === 2 ? 'io.bfq.weight' : 'blkio.bfq.weight'), 'latin1'), /\b300\b/)
        await task.kill('SIGKILL')
        await task.wait()
        assert.equal(groupsLeft(), [])
      },
      { cpusetCpus: '0', blockWeight: 300 },
    ),
  ),
)

limited('a running guest is held to other limits, all or none, and to those that its groups can hold', () =>
  withNativeWall((wall) => {
    const before = containerSpec({ limits: { memoryBytes: 64 * MIB, cpus: 0.5, pids: 50 } })
    return withTask(wall, 'busybox sleep 1000', before.limits, async (task) => {
      await task.start()
      const directory = join(wall.folder, 'container')
      const update = async (limits: Limits, resources: ResourceSpec = {}) =>
        wall.runtime.update({ directory, before, after: { ...before, limits: { ...before.limits, ...limits }, resources } }).then(
          () => groupLimits(task.pid),
          (error: unknown) => (error instanceof EngineError ? `${error.code} ${error.message}` : String(error)),
        )
      // Up, where swap has to grow first, and down again, where it has to shrink last.
      assert.equal(await update({ memoryBytes: 512 * MIB }), { memoryBytes: 512 * MIB, cpus: 0.5 })
      assert.equal(await update({ memoryBytes: 32 * MIB, cpus: 0.25 }), { memoryBytes: 32 * MIB, cpus: 0.25 })
      assert.match(
        String(await update({ cpus: 0.1, memoryBytes: 1 })),
        /^CONFLICT (the kernel does not take the new limits|the container uses more memory than 1 bytes)/,
      )
      assert.equal(groupLimits(task.pid), { memoryBytes: 32 * MIB, cpus: 0.25 })
      assert.match(String(await update({ pids: 60 })), /^CONFLICT --pids-limit of a running container cannot be changed/)
      assert.match(
        String(await update({}, { cpusetCpus: '0' })),
        /^CONFLICT --cpuset-cpus .* without a control group of its own for cpuset/,
      )
      await task.kill('SIGKILL')
      await task.wait()
      assert.match(String(await update({}, { cpusetMems: '99' })), /^(INVALID_ARGUMENT|UNSUPPORTED_BY_HOST) --cpuset-mems/)
    })
  }),
)

limited('the use of memory is what the group counts: files in memory whose writer has ended, too', () =>
  withNativeWall((wall) =>
    withTask(
      wall,
      'busybox dd if=/dev/zero of=/dev/shm/file bs=1M count=24 2>/dev/null; echo written; exec busybox sleep 1000',
      { memoryBytes: 64 * MIB },
      async (task) => {
        await task.start()
        for await (const _written of task.stdout) break
        const { memoryBytes, memoryLimitBytes } = readUsage(task.pid, { memoryBytes: 64 * MIB })
        assert.ok(memoryBytes >= 24 * MIB && memoryBytes <= memoryLimitBytes, String(memoryBytes))
        await task.kill('SIGKILL')
        await task.wait()
      },
    ),
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
