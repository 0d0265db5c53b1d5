import * as assert from 'uvu/assert'
import { type ResourceUpdate, updatedSpec } from '../../src/container/update.js'
import { EngineError } from '../../src/errors.js'
import type { Limits } from '../../src/runtime/limits.js'
import type { ResourceSpec } from '../../src/runtime/resources.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('container/update')

function updated(had: { readonly limits?: Limits; readonly resources?: ResourceSpec }, update: ResourceUpdate) {
  const { limits, resources } = updatedSpec(containerSpec(had), update)
  return { limits, resources }
}

function refusal(...parameters: Parameters<typeof updated>): string {
  try {
    updated(...parameters)
  } catch (error) {
    if (error instanceof EngineError) return `${error.code} ${error.message}`
    throw error
  }
  throw new Error('it was not refused')
}

test('what is not named stays, and a new quota is a new limit of processors', () => {
  assert.equal(updated({ limits: { memoryBytes: 5, openFiles: 7 } }, { limits: { memoryBytes: 6 } }), {
    limits: { memoryBytes: 6, openFiles: 7 },
    resources: undefined,
  })
  const had = { limits: { cpus: 0.5 }, resources: { cpuQuotaUs: 50_000, cpuShares: 5 } }
  assert.equal(updated(had, { resources: { cpuQuotaUs: 25_000 } }), {
    limits: { cpus: 0.25 },
    resources: { cpuQuotaUs: 25_000, cpuShares: 5 },
  })
  assert.equal(updated(had, { resources: { cpuShares: 6 } }).limits, { cpus: 0.5 })
})

test('what docker refuses to change is refused in its words', () => {
  const swap = { limits: { memoryBytes: 1000 }, resources: { memorySwapBytes: 2000 } }
  assert.match(refusal(swap, { limits: { memoryBytes: 3000 } }), 'memory limit should be smaller than already set memoryswap limit')
  assert.equal(updated(swap, { limits: { memoryBytes: 3000 }, resources: { memorySwapBytes: -1 } }).resources, { memorySwapBytes: -1 })
  assert.match(refusal({ limits: { cpus: 1 } }, { resources: { cpuQuotaUs: 5000 } }), 'CPU Quota cannot be updated as NanoCPUs has already')
  assert.match(
    refusal({ limits: { cpus: 0.5 }, resources: { cpuQuotaUs: 50_000 } }, { limits: { cpus: 1 } }),
    'NanoCPUs cannot be updated as CPU Quota has already',
  )
  assert.match(refusal({}, { resources: { memorySwapBytes: 5 } }), '--memory-swap: you should always set the memory limit')
})

test.run()
