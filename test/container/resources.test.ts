import * as assert from 'uvu/assert'
import { type ResourceCircumstances, settleResources } from '../../src/container/resources.js'
import { EngineError } from '../../src/errors.js'
import type { ResourceSpec } from '../../src/runtime/resources.js'
import { suite } from '../support/suite.js'

const test = suite('container/resources')

const settled = (resources: ResourceSpec, change: Partial<ResourceCircumstances> = {}) =>
  settleResources(resources, { limits: {}, ownSharedMemory: true, ...change })

function refusal(resources: ResourceSpec, change: Partial<ResourceCircumstances> = {}): string {
  try {
    settled(resources, change)
  } catch (error) {
    if (error instanceof EngineError) return `${error.code} ${error.message}`
    throw error
  }
  throw new Error(`${JSON.stringify(resources)} was not refused`)
}

test('what nobody asked for stands in no spec', () => {
  assert.equal(settled({}, { limits: { pids: 5 } }), { limits: { pids: 5 }, resources: undefined })
})

test('a quota is a limit of processors, and the hard limits of files and processes are limits of theirs', () => {
  assert.is(settled({ cpuQuotaUs: 150_000 }).limits.cpus, 1.5)
  assert.is(settled({ cpuQuotaUs: 5000, cpuPeriodUs: 20_000 }).limits.cpus, 0.25)
  const ulimits = { nofile: { soft: 10, hard: 20 }, nproc: { soft: 5, hard: 50 } }
  assert.equal(settled({ ulimits }).limits, { openFiles: 20, pids: 50 })
  assert.equal(settled({ ulimits }, { limits: { pids: 30 } }).limits, { openFiles: 20, pids: 30 })
})

test('what docker refuses is refused in its words', () => {
  const memory = { limits: { memoryBytes: 1000 } }
  const cpus = { limits: { cpus: 1 } }
  for (const [message, resources, change] of [
    ['--oom-score-adj: invalid value 1001, range for oom score adj is [-1000, 1000]', { oomScoreAdjust: 1001 }, {}],
    ['--memory-swappiness: invalid value: 101, valid memory swappiness range is 0-100', { memorySwappiness: 101 }, {}],
    ['--blkio-weight: range of blkio weight is from 10 to 1000', { blockWeight: 9 }, {}],
    ['--cpu-shares: invalid CPU shares (-1)', { cpuShares: -1 }, {}],
    ['--cpu-period: CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)', { cpuPeriodUs: 999 }, {}],
    ['--cpu-quota: CPU cfs quota can not be less than 1ms (i.e. 1000)', { cpuQuotaUs: 999 }, {}],
    ['--cpu-period: conflicting options: Nano CPUs and CPU Period cannot both be set', { cpuPeriodUs: 1000 }, cpus],
    ['--cpu-quota: conflicting options: Nano CPUs and CPU Quota cannot both be set', { cpuQuotaUs: 1000 }, cpus],
    ['--memory-swap: you should always set the memory limit', { memorySwapBytes: 1000 }, {}],
    ['--memory-swap: minimum memoryswap limit should be larger than the memory limit', { memorySwapBytes: 999 }, memory],
    ['--memory-reservation: minimum memory limit can not be less', { memoryReservationBytes: 1001 }, memory],
    ['--ulimit: ulimit soft limit must be less than or equal to hard limit: 5 > 3', { ulimits: { stack: { soft: 5, hard: 3 } } }, {}],
    ['--ulimit: ulimit soft limit must be less than or equal to hard limit: -1 > 3', { ulimits: { stack: { soft: -1, hard: 3 } } }, {}],
    ['--ulimit: invalid ulimit argument: stack=-2:3', { ulimits: { stack: { soft: -2, hard: 3 } } }, {}],
    ['--shm-size: conflicting options', { sharedMemoryBytes: 4096 }, { ownSharedMemory: false }],
  ] as const)
    assert.ok(refusal(resources, change).startsWith(`INVALID_ARGUMENT ${message}`), refusal(resources, change))
  settled({ memorySwapBytes: 1000, memoryReservationBytes: 1000 }, memory)
  settled({ memorySwapBytes: -1 }, memory)
})

test('there is always a limit of files and of processes', () => {
  for (const ulimits of [{ nofile: { soft: -1, hard: -1 } }, { nproc: { soft: 0, hard: 0 } }])
    assert.match(refusal({ ulimits }), /^NOT_BUILT --ulimit (nofile|nproc)=/)
})

test.run()
