import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { IdMap } from '../../src/launcher/id-map.js'
import type { Operation, OperationName } from '../../src/launcher/operations.js'
import { OPERATIONS } from '../../src/launcher/operations.js'
import { guestCapabilities } from '../../src/native/capabilities.js'
import type { PlanRequest } from '../../src/native/plan.js'
import { containerPlan } from '../../src/native/plan.js'
import type { SpecChange } from '../support/specs.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('native/plan')

const SINGLE: IdMap = {
  kind: 'single',
  key: 'single',
  uids: [{ inside: 0, outside: 1000, count: 1 }],
  gids: [{ inside: 0, outside: 1000, count: 1 }],
  helpers: null,
}
const RANGE: IdMap = {
  kind: 'range',
  key: 'range',
  uids: [...SINGLE.uids, { inside: 1, outside: 100_000, count: 65_536 }],
  gids: [...SINGLE.gids, { inside: 1, outside: 100_000, count: 65_536 }],
  helpers: { newuidmap: '/usr/bin/newuidmap', newgidmap: '/usr/bin/newgidmap' },
}

function operations(change: SpecChange = {}, request: Partial<PlanRequest> = {}): readonly Operation[] {
  return containerPlan({
    spec: containerSpec(change),
    idMap: RANGE,
    root: { lowers: ['/l/1', '/l/2'], memory: null, upper: { kind: 'memory', bytes: 4096, inodes: 1024 } },
    etcFiles: [{ path: '/etc/hosts', content: 'hosts' }],
    openStdin: false,
    keepStdin: false,
    supervision: [],
    terminalSize: { rows: 24, columns: 80 },
    host: { openFiles: 1000, processes: -1, tmpfsBytes: 1 << 20 },
    ...request,
  }).operations
}

const all = (plan: readonly Operation[], name: OperationName) => plan.filter((operation) => operation[0] === name)
const at = (plan: readonly Operation[], ...start: readonly unknown[]) =>
  plan.findIndex((operation) => start.every((value, index) => operation[index] === value))

function codeOf(action: () => unknown): string | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return error instanceof EngineError ? error.code : String(error)
  }
}

test('every operation has the fields its table says', () => {
  for (const [name, ...values] of operations({
    process: { terminal: true },
    limits: { pids: 5, openFiles: 9, outputBytes: 1, timeoutMs: 1 },
  }))
    assert.is(values.length, OPERATIONS[name].length, name)
})

test('all seven namespaces are made, and only the host network takes one away', () => {
  const names = (change: SpecChange) => all(operations(change), 'namespace').map((operation) => operation[1])
  assert.equal(names({}).sort(), ['cgroup', 'ipc', 'mount', 'net', 'pid', 'user', 'uts'])
  assert.equal(names({ network: { mode: 'host' } }).sort(), ['cgroup', 'ipc', 'mount', 'pid', 'user', 'uts'])
})

test('a file system of the caller is a tmpfs that is filled, and is given back unless it is read-only', () => {
  const mount = { type: 'fs', source: '/', sizeBytes: 1 } as const
  const plan = operations(
    {
      mounts: [
        { ...mount, destination: '/w', readonly: false },
        { ...mount, destination: '/r', readonly: true },
      ],
    },
    {
      trees: new Map([
        ['/w', { bytes: 8192, inodes: 9, from: 6, to: 7 }],
        ['/r', { bytes: 4096, inodes: 5, from: 8, to: null }],
      ]),
    },
  )
  const first = at(plan, 'mount-tree')
  assert.equal(plan.slice(first, first + 3), [
    ['mount-tree', '/w', 8192, 9, 'nosuid,nodev,noatime', 6],
    ['return-tree', 7],
    ['mount-tree', '/r', 4096, 5, 'nosuid,nodev,noatime,ro', 8],
  ])
})

test('the host network has no loopback of its own, a read-only /sys, and scopes against what it lets through', () => {
  const plan = operations({ network: { mode: 'host' } })
  assert.is(at(plan, 'loopback-up'), -1)
  assert.is(at(plan, 'mount-sysfs'), -1)
  assert.match(String(plan[at(plan, 'bind', '/sys', '/sys')]?.[3]), /recursive,ro/)
  // What is mounted there tells what else runs on the host.
  assert.ok(at(plan, 'mask', '/sys/fs') > 0)
  assert.equal(
    all(plan, 'landlock-scope').map((operation) => operation[1]),
    ['abstract-unix-socket', 'signal'],
  )
  assert.equal(all(operations(), 'landlock-scope'), [])
})

test('privileges fall in an order in which each can still be dropped', () => {
  const plan = operations({ process: { user: { uid: 5, gid: 6, additionalGids: [7] } } })
  const order = ['switch-root', 'rlimit', 'group', 'user', 'working-directory', 'capabilities', 'no-new-privileges', 'seccomp']
  const places = order.map((name) => at(plan, name))
  assert.equal(
    places,
    [...places].sort((left, right) => left - right),
  )
  assert.ok(places.every((place) => place >= 0))
  assert.is(places.at(-1), plan.length - 1)
})

test('masks come after the mounts they hide, and after them nothing is mounted', () => {
  const plan = operations({ mounts: [{ type: 'tmpfs', destination: '/work', readonly: false }] })
  const firstMask = at(plan, 'mask')
  assert.ok(at(plan, 'mount-proc') < firstMask && at(plan, 'mount-tmpfs', '/work') < firstMask)
  for (const path of [
    '/proc/keys',
    '/proc/kcore',
    '/proc/kallsyms',
    '/proc/timer_list',
    '/proc/kmsg',
    '/proc/sched_debug',
    '/sys/firmware',
  ])
    assert.ok(at(plan, 'mask', path) > 0, path)
  for (const path of ['/proc/sys', '/proc/irq', '/proc/bus', '/proc/fs', '/proc/sysrq-trigger'])
    assert.ok(at(plan, 'read-only', path) > 0, path)
})

test('a guest that is not root has no capability, and root neither NET_RAW nor MKNOD nor SYS_ADMIN', () => {
  const sets = (change: SpecChange) => guestCapabilities(containerSpec(change))
  assert.equal(sets({ process: { user: { uid: 1000, gid: 1000, additionalGids: [] } } }), { bounding: [], held: [] })
  const { bounding, held } = sets({})
  assert.equal(bounding, held)
  assert.equal(
    held.filter((name) => ['NET_RAW', 'MKNOD', 'SYS_ADMIN', 'NET_ADMIN', 'SYS_MODULE', 'SYS_PTRACE'].includes(name)),
    [],
  )
  assert.ok(held.includes('CHOWN'))
})

test('under a single id there is no other user, and groups, which the kernel forbids there, are left out', () => {
  const user = (uid: number, additionalGids: number[]) => ({ process: { user: { uid, gid: uid, additionalGids } } })
  assert.is(
    codeOf(() => operations(user(1000, []), { idMap: SINGLE })),
    'UNSUPPORTED_BY_HOST',
  )
  assert.equal(all(operations(user(0, [4, 5]), { idMap: SINGLE }), 'group'), [])
  assert.equal(all(operations(user(1000, [4, 5, 4])), 'group'), [
    ['group', 4],
    ['group', 5],
  ])
  assert.is(
    codeOf(() => operations(user(70_000, []))),
    'UNSUPPORTED_BY_HOST',
  )
})

test('limits become rlimits, never above what this process may give, and no other limit is made up', () => {
  const plan = operations({ limits: { pids: 7, openFiles: 4000, outputBytes: 10, timeoutMs: 20 } })
  assert.ok(at(plan, 'rlimit', 'nproc', 7, 7) > 0)
  assert.ok(at(plan, 'rlimit', 'nofile', 1000, 1000) > 0)
  assert.ok(at(plan, 'output-limit', 10) > 0 && at(plan, 'time-limit', 20) > 0)
  assert.equal(
    all(operations(), 'rlimit').map((operation) => operation[1]),
    ['core'],
  )
  assert.equal([...all(operations(), 'output-limit'), ...all(operations(), 'time-limit')], [])
})

test('nothing can be mounted where the wall has its own', () => {
  for (const destination of ['/', '/proc', '/proc/sys', '/proc/../proc/self', '/sys/fs', '/dev', 'relative'])
    assert.is(
      codeOf(() => operations({ mounts: [{ type: 'tmpfs', destination, readonly: false }] })),
      'INVALID_ARGUMENT',
      destination,
    )
  assert.is(
    at(operations({ mounts: [{ type: 'tmpfs', destination: '/procedure', readonly: false }] }), 'mount-tmpfs', '/procedure') > 0,
    true,
  )
})

test('a volume is mounted as a bind is, and a bind that is not recursive without what lies below it', () => {
  const source = '/home/volumes/data/_data'
  const plan = operations({
    mounts: [
      { type: 'volume', name: 'data', source, destination: '/data', readonly: false, anonymous: false },
      { type: 'bind', source: '/host', destination: '/a', readonly: false, recursive: false },
    ],
  })
  assert.equal(plan[at(plan, 'bind', source)], ['bind', source, '/data', 'recursive,no-symlinks,nosuid,nodev'])
  assert.is(plan[at(plan, 'bind', '/host')]?.[3], 'no-symlinks,nosuid,nodev')
})

test('mounts are made from the root down, and one on /dev/shm replaces ours', () => {
  const plan = operations({
    mounts: [
      { type: 'tmpfs', destination: '/a/b', readonly: true },
      { type: 'bind', source: '/host', destination: '/a', readonly: true },
      { type: 'tmpfs', destination: '/dev/shm/', sizeBytes: 8192, readonly: false },
    ],
  })
  assert.ok(at(plan, 'bind', '/host') < at(plan, 'mount-tmpfs', '/a/b'))
  assert.is(plan[at(plan, 'bind', '/host')]?.[3], 'recursive,no-symlinks,nosuid,nodev,ro')
  assert.equal(
    all(plan, 'mount-tmpfs')
      .filter((operation) => operation[1] === '/dev/shm')
      .map((operation) => operation[2]),
    [8192],
  )
})

test('a terminal has a size and a console, pipes have neither', () => {
  const plan = operations({ process: { terminal: true } }, { openStdin: true, terminalSize: { rows: 3, columns: 4 } })
  assert.ok(
    at(plan, 'stdio', 'terminal', 'open') >= 0 && at(plan, 'terminal-size', 3, 4) >= 0 && at(plan, 'mount-console', '/dev/console') >= 0,
  )
  assert.ok(at(plan, 'mount-console', '/dev/tty') >= 0)
  const pipes = operations()
  assert.ok(at(pipes, 'stdio', 'pipes', 'closed') >= 0 && at(pipes, 'terminal-size') < 0 && at(pipes, 'mount-console') < 0)
})

test('a read-only root is made so after everything below it is there', () => {
  const plan = operations({ readonlyRootfs: true })
  assert.is(at(plan, 'root-read-only') + 1, at(plan, 'switch-root'))
  assert.match(String(plan[at(plan, 'mount-file', '/etc/hosts')]?.[4]), /,ro$/)
  assert.is(at(operations(), 'root-read-only'), -1)
  assert.not.match(String(operations()[at(operations(), 'mount-file', '/etc/hosts')]?.[4]), /ro/)
})

test('program and environment are passed on as they are', () => {
  const { exec } = containerPlan({
    spec: containerSpec({ process: { args: ['a', ''], env: ['B=c', 'B=d'] } }),
    idMap: SINGLE,
    root: { lowers: ['/l'], memory: null, upper: null },
    etcFiles: [],
    openStdin: false,
    keepStdin: false,
    supervision: [],
    terminalSize: { rows: 1, columns: 1 },
    host: { openFiles: -1, processes: -1, tmpfsBytes: 4096 },
  })
  assert.equal(exec, { args: ['a', ''], env: ['B=c', 'B=d'] })
})

test.run()
