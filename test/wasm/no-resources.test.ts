import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { ResourceSpec } from '../../src/runtime/resources.js'
import { assertNoResources } from '../../src/wasm/no-resources.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/no-resources')

test('what no sandbox of a module holds is refused by the flag that asks for it', () => {
  for (const [flag, resources] of [
    ['--cpu-shares', { cpuShares: 5 }],
    ['--shm-size', { sharedMemoryBytes: 4096 }],
    ['--ulimit stack', { ulimits: { nofile: { soft: 5, hard: 5 }, stack: { soft: 5, hard: 5 } } }],
  ] as [string, ResourceSpec][])
    assert.throws(
      () => assertNoResources(resources),
      (error: unknown) => error instanceof EngineError && error.code === 'NOT_BUILT' && error.message.startsWith(`${flag}: `),
      flag,
    )
})

test('files and threads are limits of a module, too', () => {
  assertNoResources({})
  assertNoResources({ ulimits: { nofile: { soft: 5, hard: 5 }, nproc: { soft: 5, hard: 5 } } })
})

test.run()
