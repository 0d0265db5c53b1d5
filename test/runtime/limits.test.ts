import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { limitWays } from '../../src/native/limit-ways.js'
import { assertLimits, limitEvidence } from '../../src/runtime/limits.js'
import type { KernelEvidence } from '../../src/runtime/receipt.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/limits')

/** The parts of the evidence that limits are read from. */
const shown = {
  hardRlimits: { 'Max processes': 50, 'Max open files': 100 },
  root: { fileSystem: 'overlay', readonly: false, hostRootVisible: false, bytes: 8192, inodes: 10 },
  supervisor: { outputBytes: 1000, timeMs: 2000 },
} as unknown as KernelEvidence

function codeOf(action: () => unknown): string | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return error instanceof EngineError ? error.code : String(error)
  }
}

test('limits in a receipt are what the kernel shows, with what holds them', () => {
  const limits = { pids: 50, openFiles: 200, diskBytes: 9000, outputBytes: 1000, timeoutMs: 2000 }
  assert.equal(limitEvidence(limits, limitWays('memory'), shown), [
    { name: 'pids', value: 50, mechanism: 'rlimit' },
    { name: 'openFiles', value: 100, mechanism: 'rlimit' },
    { name: 'disk', value: 8192, mechanism: 'tmpfs' },
    { name: 'output', value: 1000, mechanism: 'supervisor' },
    { name: 'time', value: 2000, mechanism: 'supervisor' },
  ])
})

test('a limit that the kernel does not show, or shows higher, fails closed', () => {
  const bare = {
    ...shown,
    hardRlimits: { 'Max processes': -1 },
    supervisor: { outputBytes: null, timeMs: null, pause: 'signals' },
  } as KernelEvidence
  for (const limits of [{ pids: 50 }, { openFiles: 100 }, { outputBytes: 1 }, { timeoutMs: 1 }])
    assert.is(
      codeOf(() => limitEvidence(limits, limitWays('memory'), bare)),
      'LAUNCHER_FAILED',
      JSON.stringify(limits),
    )
  assert.is(
    codeOf(() => limitEvidence({ pids: 49 }, limitWays('memory'), shown)),
    'LAUNCHER_FAILED',
  )
  assert.is(
    codeOf(() => limitEvidence({ diskBytes: 4096 }, limitWays('memory'), shown)),
    'LAUNCHER_FAILED',
  )
})

test('what a wall cannot hold is refused by name, with the way out', () => {
  for (const [limits, code] of [
    [{ memoryBytes: 1 }, 'UNSUPPORTED_BY_HOST'],
    [{ cpus: 0.5 }, 'UNSUPPORTED_BY_HOST'],
    [{ tableElements: 1 }, 'UNSUPPORTED_BY_HOST'],
  ] as const) {
    assert.is(
      codeOf(() => assertLimits(limits, 'native', limitWays('memory', new Map()))),
      code,
    )
    try {
      assertLimits(limits, 'native', limitWays('memory', new Map()))
    } catch (error) {
      assert.ok((error as EngineError).hint)
    }
  }
  assert.is(
    codeOf(() => assertLimits({ diskBytes: 1 << 20 }, 'native', limitWays('disk'))),
    'UNSUPPORTED_BY_HOST',
  )
  assert.is(
    codeOf(() => assertLimits({ diskBytes: 1 << 20 }, 'native', limitWays('memory'))),
    undefined,
  )
})

test('only cpus may be a fraction, and nothing may be zero, negative or no number', () => {
  const ways = { ...limitWays('memory'), cpus: 'cgroup' } as const
  assert.is(
    codeOf(() => assertLimits({ cpus: 0.5 }, 'native', ways)),
    undefined,
  )
  for (const limits of [{ cpus: 0 }, { pids: 1.5 }, { pids: -1 }, { timeoutMs: Number.POSITIVE_INFINITY }, { openFiles: Number.NaN }])
    assert.is(
      codeOf(() => assertLimits(limits, 'native', ways)),
      'INVALID_ARGUMENT',
      JSON.stringify(limits),
    )
})

test.run()
