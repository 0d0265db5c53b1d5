/** What a guest in control groups of its own sees of control groups, and what it may do there. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { ControlGroup } from '../../src/runtime/control-groups.js'
import { hierarchyOf } from '../../src/runtime/control-groups.js'
import { delegation, groupViewOperations } from '../../src/runtime/make-groups.js'
import { withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, CGROUP, NATIVE } from '../support/requirements.js'
import { containerSpec, PRIVILEGED, type SpecChange } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('native/group-view')
const limited = test.needs(NATIVE, BUSYBOX, CGROUP)
const MIB = 2 ** 20
const LIMITS = { memoryBytes: 64 * MIB, cpus: 0.5 }
/** Which files hold the same of either version, in the guest's view. */
const [MEMORY, CPU] =
  delegation().get('memory')?.version === 2
    ? ['memory.max', 'cpu.max']
    : [`${hierarchyOf('memory')}/memory.limit_in_bytes`, `${hierarchyOf('cpu')}/cpu.cfs_quota_us`]
const PROCS = MEMORY.replace(/[^/]*$/, 'cgroup.procs')

async function linesOf(script: string, change: SpecChange = { limits: LIMITS }): Promise<string[]> {
  let lines: string[] = []
  await withNativeWall(async (wall) => {
    const directory = join(wall.folder, 'container')
    mkdirSync(directory)
    const process = { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'] }
    const task = await wall.runtime.create({
      id: 'viewer',
      directory,
      spec: containerSpec({ ...change, process }),
      rootfs: wall.rootfs,
      openStdin: false,
    })
    try {
      const stdout = text(task.stdout)
      await task.start()
      await task.wait()
      lines = (await stdout).trimEnd().split('\n')
    } finally {
      await task.delete()
      await wall.runtime.discard('', directory)
    }
  })
  return lines
}

/** Runs each line of shell by itself and says how it ended; what it prints goes nowhere. */
const attempts = (...lines: readonly string[]) => lines.map((line, index) => `(${line}) >/dev/null 2>&1 && echo did ${index}`).join('\n')

limited('a guest reads its limits where a JVM and Go look for them, and is the root of what it sees', async () => {
  const lines = await linesOf(
    `cd /sys/fs/cgroup; busybox cat ${MEMORY} ${CPU}; busybox grep -c . ${PROCS}; busybox grep -h "/sys/fs/cgroup" /proc/self/mountinfo`,
  )
  assert.is(lines[0], String(64 * MIB))
  assert.match(lines[1] ?? '', /^50000( 100000)?$/)
  assert.ok(Number(lines[2]) >= 1 && Number(lines[2]) <= 5, lines[2])
  const mounts = lines.slice(3).filter((line) => / - cgroup2? /.test(line))
  assert.ok(mounts.length > 0)
  // The root of each mount is the guest's own group, whatever its path is outside.
  for (const mount of mounts) assert.match(mount, /^\d+ \d+ \d+:\d+ \/ \/sys\/fs\/cgroup\S* ro,nosuid,nodev,noexec/)
})

limited('escape through control groups: no file of theirs is written, no group made, no process moved, no mount opened up', async () => {
  const lines = await linesOf(`
cd /sys/fs/cgroup
${attempts(
  `echo max >${MEMORY}`,
  `echo -1 >${MEMORY}`,
  `echo $$ >${PROCS}`,
  `busybox mkdir ${PROCS.replace('cgroup.procs', 'mine')}`,
  'busybox mkdir mine',
  'busybox mount -o remount,rw /sys/fs/cgroup',
  `busybox mount -o remount,rw,bind /sys/fs/cgroup/${MEMORY.replace(/[^/]*$/, '')}`,
  'busybox umount /sys/fs/cgroup',
)}
busybox cat ${MEMORY}
busybox find . -name "wolffia-*"`)
  assert.equal(lines, [String(64 * MIB)])
})

limited('CVE-2022-0492: no release_agent is there to be written, to a privileged guest neither', async () => {
  const lines = await linesOf(
    `
busybox mkdir -p /tmp/view
${attempts(
  'busybox mount -o remount,rw /sys/fs/cgroup; for file in $(busybox find /sys/fs/cgroup -name release_agent); do echo /bin/sh >$file && exit 0; done; exit 1',
  'for name in memory cpu rdma misc; do busybox mount -t cgroup -o $name none /tmp/view && [ -e /tmp/view/release_agent ] && exit 0; done; exit 1',
)}
echo tried`,
    { limits: LIMITS, privileges: PRIVILEGED },
  )
  assert.equal(lines, ['tried'])
})

limited('a guest without groups of its own, or with the host’s network, is shown none', async () => {
  const script = 'busybox ls -A /sys/fs/cgroup; echo seen'
  assert.equal(await linesOf(script, {}), ['seen'])
  assert.equal(await linesOf(`${script} 2>/dev/null`, { limits: LIMITS, network: { mode: 'host' } }), ['seen'])
})

test('of version 2 the view is one mount, and of version 1 and both it is a folder of hierarchies', () => {
  const group = (version: 1 | 2): ControlGroup => ({ version, folder: '/nowhere', mountPoint: '/nowhere' })
  const unified = group(2)
  assert.equal(
    groupViewOperations(
      { limits: LIMITS },
      new Map([
        ['memory', unified],
        ['cpu', unified],
      ]),
    ),
    [['mount-cgroup', '/sys/fs/cgroup', 'unified']],
  )
  const memory = hierarchyOf('memory')
  assert.equal(
    groupViewOperations(
      { limits: LIMITS },
      new Map([
        ['memory', group(1)],
        ['cpu', unified],
      ]),
    ),
    [
      ['mount-cgroup', '/sys/fs/cgroup', 'folder'],
      ['mount-cgroup', `/sys/fs/cgroup/${memory}`, memory],
      ['mount-cgroup', '/sys/fs/cgroup/unified', 'unified'],
      ['read-only', '/sys/fs/cgroup'],
    ],
  )
  assert.equal(groupViewOperations({ limits: { pids: 5 } }, new Map([['memory', unified]])), [])
})

test.run()
