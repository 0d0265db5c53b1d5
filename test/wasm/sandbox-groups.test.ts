/** Control groups around the sandbox of a Wasm container: the kernel holds what the whole process may take. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { groupLimits, groupWith } from '../../src/runtime/control-groups.js'
import { readUsage } from '../../src/runtime/guest-processes.js'
import type { Limits } from '../../src/runtime/limits.js'
import { delegation } from '../../src/runtime/make-groups.js'
import { ownIdentity } from '../../src/store/process-identity.js'
import { SANDBOX_BYTES, sandboxGroups } from '../../src/wasm/sandbox-groups.js'
import { CGROUP, NATIVE, WASM } from '../support/requirements.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/sandbox-groups')
const limited = test.needs(WASM, NATIVE, CGROUP)
const MIB = 2 ** 20
const LIMITS: Limits = { memoryBytes: 64 * MIB, cpus: 0.5, pids: 1 }

const groupsLeft = () =>
  [...delegation().values()].flatMap(({ folder }) => readdirSync(folder).filter((name) => name.startsWith(`wolffia-${ownIdentity()}-`)))

limited('a sandbox is in groups of its own: the receipt, the kernel and the usage say so', () =>
  withWasmWall({}, async ({ create }) => {
    const task = await create(['/probe.wasm', 'memory', '64', ',', 'sleep', '1000000'], { limits: LIMITS })
    const whole = 64 * MIB + SANDBOX_BYTES
    const { limits, doubleWall, kernel, crossCheck } = await task.receipt()
    assert.equal(limits, [
      { name: 'memory', value: 64 * MIB, mechanism: 'wasm' },
      { name: 'cpus', value: 0.5, mechanism: 'cgroup' },
      { name: 'pids', value: 1, mechanism: 'wasm' },
      { name: 'sandboxMemory', value: whole, mechanism: 'cgroup' },
    ])
    assert.equal([doubleWall, crossCheck.limits], [true, true])
    assert.equal(groupLimits(task.pid), { memoryBytes: whole, cpus: 0.5 })
    assert.is(kernel?.supervisor.pause, delegation().has('freezer') || delegation().get('memory')?.version === 2 ? 'freezer' : 'signals')
    await task.start()
    const { memoryBytes, memoryLimitBytes } = readUsage(task.pid, { memoryBytes: 64 * MIB })
    assert.is(memoryLimitBytes, whole)
    assert.ok(memoryBytes > 10 * MIB && memoryBytes <= whole, String(memoryBytes))
    await task.kill('SIGKILL')
    assert.is((await task.wait()).reason, 'signaled')
    assert.equal(groupsLeft(), [])
  }),
)

limited('a guest takes all of its linear memory, and the sandbox is not ended for it', () =>
  withWasmWall({}, async ({ run }) => {
    const { status, stdout } = await run(['/probe.wasm', 'memory', '0'], { change: { limits: { memoryBytes: 128 * MIB } } })
    assert.equal([status.exitCode, status.reason], [0, 'exited'], stdout)
  }),
)

limited('files beyond what the whole sandbox may take end it: out of memory, by the kernel’s word', () =>
  withWasmWall({}, async ({ run }) => {
    const { status } = await run(['/probe.wasm', 'fill', '/bomb', '0'], { change: { limits: { memoryBytes: 16 * MIB, pids: 1 } } })
    assert.equal([status.exitCode, status.reason], [137, 'out-of-memory'])
    assert.match(status.detail ?? '', /control group allows \(16777216 bytes are the guest's own\)/)
    assert.equal(groupsLeft(), [])
  }),
)

limited('of a running sandbox the share of processors can be changed, and what is part of its module cannot', () =>
  withWasmWall({}, async ({ create, runtime, folder }) => {
    const task = await create(['/probe.wasm', 'sleep', '1000000'], { limits: LIMITS })
    await task.start()
    const own = join(folder, readdirSync(folder).find((name) => name.startsWith('container-')) ?? '')
    const before = containerSpec({ limits: LIMITS })
    const update = (limits: Limits) =>
      runtime.update({ directory: own, before, after: { ...before, limits: { ...before.limits, ...limits } } }).then(
        () => groupLimits(task.pid).cpus,
        (error: EngineError) => error.code,
      )
    assert.is(await update({ cpus: 0.25 }), 0.25)
    assert.is(await update({ memoryBytes: 32 * MIB }), 'CONFLICT')
    assert.is(groupLimits(task.pid).memoryBytes, 64 * MIB + SANDBOX_BYTES)
    await task.kill('SIGKILL')
    await task.wait()
  }),
)

limited('weights of processors are in the group of a sandbox', () =>
  withWasmWall({}, async ({ create }) => {
    const task = await create(['/probe.wasm', 'sleep', '1000000'], { resources: { cpuShares: 512 } })
    await task.start()
    const { folder = '', version } = groupWith('cpu', task.pid) ?? {}
    assert.match(readFileSync(join(folder, version === 2 ? 'cpu.weight' : 'cpu.shares'), 'latin1'), /^(512|20)\n$/)
    await task.kill('SIGKILL')
    await task.wait()
  }),
)

limited('what is left to a sandbox when memory is short, and who is ended for want of it, are the kernel’s of the whole process', () =>
  withWasmWall({}, async ({ create }) => {
    const { version = 1, folder: parent = '' } = delegation().get('memory') ?? {}
    const swaps = existsSync(join(parent, version === 2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes'))
    const resources = {
      oomScoreAdjust: 700,
      memoryReservationBytes: 32 * MIB,
      ...(swaps ? { memorySwapBytes: 80 * MIB } : {}),
      ...(version === 2 ? {} : { memorySwappiness: 10, oomKillDisable: true as const }),
    }
    const task = await create(['/probe.wasm', 'sleep', '1000000'], { limits: LIMITS, resources })
    await task.start()
    const { folder = '' } = groupWith('memory', task.pid) ?? {}
    const number = (file: string) => Number(readFileSync(join(folder, file), 'latin1').split('\n')[0])
    assert.is(Number(readFileSync(`/proc/${task.pid}/oom_score_adj`, 'latin1')), 700)
    assert.is(number(version === 2 ? 'memory.low' : 'memory.soft_limit_in_bytes'), 32 * MIB + SANDBOX_BYTES)
    if (swaps)
      assert.is(
        number(version === 2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes'),
        version === 2 ? 16 * MIB : 80 * MIB + SANDBOX_BYTES,
      )
    if (version === 1) {
      assert.is(number('memory.swappiness'), 10)
      assert.match(readFileSync(join(folder, 'memory.oom_control'), 'latin1'), /^oom_kill_disable 1$/m)
    }
    await task.kill('SIGKILL')
    await task.wait()
  }),
)

test.needs(WASM)('without a wall, or without a group, a share of processors is refused by name, and memory is the engine’s as before', () =>
  withWasmWall(
    {},
    async ({ create, run }) => {
      const error = await create(['/probe.wasm'], { limits: { cpus: 0.5 } }).then(
        () => null,
        (refused: EngineError) => refused,
      )
      assert.is(error?.code, 'UNSUPPORTED_BY_HOST')
      for (const resources of [{ oomScoreAdjust: 700 }, { memoryReservationBytes: MIB }]) {
        const refused = await create(['/probe.wasm'], { resources }).then(
          () => null,
          (thrown: EngineError) => thrown,
        )
        assert.is(refused?.code, 'UNSUPPORTED_BY_HOST')
      }
      const { receipt, status } = await run(['/probe.wasm', 'exit', '0'], { change: { limits: { memoryBytes: 64 * MIB } } })
      assert.is(status.exitCode, 0)
      assert.equal(receipt.limits, [{ name: 'memory', value: 64 * MIB, mechanism: 'wasm' }])
    },
    { nativeWall: 'never' },
  ),
)

test('the group has the guest’s memory, its disk where that has a size, and what the sandbox and its threads need', () => {
  const at = { version: 2, folder: '/nowhere', mountPoint: '/nowhere' } as const
  const asked = { limits: { memoryBytes: MIB, diskBytes: 2 * MIB, cpus: 1, pids: 3 } }
  assert.equal(sandboxGroups(asked, new Map([['memory', at]])).limits, { cpus: 1, memoryBytes: 23 * MIB + SANDBOX_BYTES })
  assert.equal(sandboxGroups(asked, new Map()).limits, { cpus: 1 })
  const resources = { memorySwapBytes: 3 * MIB, memoryReservationBytes: MIB, memorySwappiness: 5 }
  assert.equal(sandboxGroups({ limits: { memoryBytes: MIB, pids: 1 }, resources }, new Map([['memory', at]])), {
    limits: { memoryBytes: MIB + SANDBOX_BYTES },
    resources: { memorySwapBytes: 3 * MIB + SANDBOX_BYTES, memoryReservationBytes: MIB + SANDBOX_BYTES, memorySwappiness: 5 },
  })
  const without = { memorySwapBytes: -1 }
  assert.equal(sandboxGroups({ limits: { memoryBytes: MIB, pids: 1 }, resources: without }, new Map([['memory', at]])).resources, without)
})

test.run()
