import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { assertBounds, type BoundCircumstances, boundOperations } from '../../src/runtime/process-bounds.js'
import { ownHardLimits } from '../../src/runtime/process-files.js'
import { type ResourceSpec, ULIMITS } from '../../src/runtime/resources.js'
import { withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/process-bounds')
const HOST = { openFiles: 1000, processes: -1 }
const CIRCUMSTANCES: BoundCircumstances = { hard: { 'Max stack size': 100 }, oomScoreAdjust: 5, corePattern: 'core' }

const operationsOf = (resources: ResourceSpec, limits = {}) => boundOperations({ limits, resources }, HOST)

function refusal(resources: ResourceSpec, change: Partial<BoundCircumstances> = {}): string {
  try {
    assertBounds(resources, { ...CIRCUMSTANCES, ...change })
    return ''
  } catch (error) {
    return error instanceof EngineError ? `${error.code} ${error.message}` : String(error)
  }
}

test('every limit that docker names is one of the kernel here', () => {
  for (const name of Object.values(ULIMITS)) assert.ok(Object.hasOwn(ownHardLimits(), name), name)
})

test('a soft limit is what a program starts with, and the hard one what it may have', () => {
  const ulimits = {
    nofile: { soft: 10, hard: 5000 },
    nproc: { soft: 9, hard: 9 },
    stack: { soft: 8, hard: -1 },
    core: { soft: 0, hard: 0 },
  }
  assert.equal(operationsOf({ ulimits, oomScoreAdjust: 7 }, { openFiles: 5000, pids: 4 }), [
    ['rlimit', 'nproc', 4, 4],
    ['rlimit', 'nofile', 10, 1000],
    ['rlimit', 'core', 1, 1],
    ['rlimit', 'stack', 8, 'unlimited'],
    ['umask', '0022'],
    ['oom-score-adjust', 7],
  ])
})

test('more than this process may have is refused by name, and a crash that the host would look at', () => {
  assert.match(refusal({ ulimits: { stack: { soft: 1, hard: 101 } } }), /^UNSUPPORTED_BY_HOST --ulimit stack=101 .* 100$/)
  assert.match(refusal({ ulimits: { stack: { soft: 1, hard: -1 } } }), /^UNSUPPORTED_BY_HOST --ulimit stack=unlimited /)
  assert.is(refusal({ ulimits: { stack: { soft: 1, hard: 100 }, data: { soft: -1, hard: -1 } }, oomScoreAdjust: 5 }), '')
  assert.match(refusal({ oomScoreAdjust: 4 }), /^UNSUPPORTED_BY_HOST --oom-score-adj 4 is less than your own of 5/)
  const ulimits = { core: { soft: 0, hard: 4096 } }
  assert.is(refusal({ ulimits }), '')
  assert.match(refusal({ ulimits }, { corePattern: '|/usr/bin/reporter %p' }), /^UNSUPPORTED_BY_HOST --ulimit core: /)
  assert.is(refusal({ ulimits: { core: { soft: 0, hard: 0 } } }, { corePattern: '|/usr/bin/reporter %p' }), '')
})

test.needs(NATIVE, BUSYBOX)('a guest has the limits, the place in the queue and the shared memory that were asked for', () =>
  withNativeWall(async (wall) => {
    const script = [
      'ulimit -Sn; ulimit -Hn; ulimit -Ss; ulimit -Hs; busybox cat /proc/self/oom_score_adj',
      'busybox dd if=/dev/zero of=/dev/shm/file bs=64k 2>/dev/null; busybox stat -c %s /dev/shm/file',
      'ulimit -n 41 && echo raised',
    ].join('; ')
    const directory = join(wall.folder, 'container')
    mkdirSync(directory)
    const spec = containerSpec({
      limits: { openFiles: 40 },
      resources: {
        ulimits: { nofile: { soft: 30, hard: 40 }, stack: { soft: 1 << 20, hard: 2 << 20 } },
        oomScoreAdjust: 700,
        sharedMemoryBytes: 1 << 20,
      },
      process: { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'] },
    })
    const task = await wall.runtime.create({ id: 'bounded', directory, spec, rootfs: wall.rootfs, openStdin: false })
    try {
      const output = text(task.stdout)
      const { limits } = await task.receipt()
      // The soft limit would be no bound.
      assert.equal(limits, [{ name: 'openFiles', value: 40, mechanism: 'rlimit' }])
      await task.start()
      await task.wait()
      assert.equal((await output).trimEnd().split('\n'), ['30', '40', '1024', '2048', '700', String(1 << 20)])
    } finally {
      await task.delete()
      await wall.runtime.discard('', directory)
    }
  }),
)

test.run()
