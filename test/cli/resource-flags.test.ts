import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { addResourceFlags, resourceOptions } from '../../src/cli/resource-flags.js'
import { EngineError } from '../../src/errors.js'
import type { ResourceSpec } from '../../src/runtime/resources.js'
import { suite } from '../support/suite.js'

const test = suite('cli/resource-flags')

function parse(...words: readonly string[]): ResourceSpec {
  const parser = new Command().exitOverride()
  addResourceFlags(parser)
  return resourceOptions(parser.parse(words, { from: 'user' }).opts())
}

function refusal(...words: readonly string[]): string {
  try {
    parse(...words)
  } catch (error) {
    if (error instanceof EngineError) return `${error.code} ${error.message}`
    throw error
  }
  throw new Error(`${words.join(' ')} was not refused`)
}

test('resources are read as docker reads them', () => {
  const words = '--memory-swap 2g --memory-reservation 1m --memory-swappiness 0 --oom-kill-disable --oom-score-adj 0 --shm-size 128m'
  assert.equal(parse(...words.split(' ')), {
    sharedMemoryBytes: 128 << 20,
    oomScoreAdjust: 0,
    memorySwapBytes: 2 ** 31,
    memoryReservationBytes: 1 << 20,
    memorySwappiness: 0,
    oomKillDisable: true,
  })
  const more =
    '-c 512 --cpu-period 50000 --cpu-quota 25000 --cpuset-cpus 0-1,3 --cpuset-mems 0 --blkio-weight 300 --blkio-weight-device /dev/sda:200'
  assert.equal(parse(...more.split(' ')), {
    cpuShares: 512,
    cpuPeriodUs: 50_000,
    cpuQuotaUs: 25_000,
    cpusetCpus: '0-1,3',
    cpusetMems: '0',
    blockWeight: 300,
    deviceWeights: [{ path: '/dev/sda', weight: 200 }],
  })
  const rates = '--device-read-bps /dev/sda:1mb --device-write-bps /dev/sda:5 --device-read-iops /dev/a:b:7 --device-write-iops /dev/sdb:8'
  assert.equal(parse(...rates.split(' ')), {
    deviceReadBytes: [{ path: '/dev/sda', rate: 1 << 20 }],
    deviceWriteBytes: [{ path: '/dev/sda', rate: 5 }],
    deviceReadOperations: [{ path: '/dev/a:b', rate: 7 }],
    deviceWriteOperations: [{ path: '/dev/sdb', rate: 8 }],
  })
})

test('a ulimit has one value or two, and the later of two for one type holds', () => {
  assert.equal(parse('--ulimit', 'nofile=1', '--ulimit', 'nofile=2:3', '--ulimit', 'stack=-1').ulimits, {
    nofile: { soft: 2, hard: 3 },
    stack: { soft: -1, hard: -1 },
  })
  assert.match(refusal('--ulimit', 'nosuch=1'), 'invalid argument "nosuch=1" for "--ulimit" flag: invalid ulimit type: nosuch')
  assert.match(refusal('--ulimit', 'constructor=1'), 'invalid ulimit type: constructor')
  for (const text of [
    'nofile',
    'nofile=',
    '=1',
    'nofile=a',
    'nofile=1:',
    'nofile=1:2:3',
    'nofile=-2',
    'nofile=1.5',
    'nofile=9999999999999999999',
  ])
    assert.match(refusal('--ulimit', text), `INVALID_ARGUMENT invalid argument "${text}" for "--ulimit" flag: `, text)
})

test('what docker takes for nothing is nothing', () => {
  const words =
    '--memory-swap 0 --memory-swappiness -1 --shm-size 0 -c 0 --cpu-period 0 --cpu-quota -1 --blkio-weight 0 --memory-reservation 0'
  assert.equal(parse(...words.split(' ')), {})
  assert.equal(parse('--cpuset-cpus', '', '--memory-swap', ''), {})
  assert.equal(parse('--memory-swap', '-1'), { memorySwapBytes: -1 })
})

test('what is no number, size, list or disk is refused by its flag', () => {
  for (const [flag, text] of [
    ['--cpu-quota', '1.5'],
    ['--cpu-shares', 'x'],
    ['--oom-score-adj', '--1'],
    ['--shm-size', '5x'],
    ['--blkio-weight-device', 'sda:200'],
    ['--blkio-weight-device', '/dev/sda:many'],
    ['--memory-swap', '-2'],
    ['--cpuset-cpus', '1-'],
    ['--cpuset-cpus', '2-1'],
    ['--cpuset-cpus', '0,,1'],
    ['--cpuset-mems', '0-999999999999'],
    ['--device-read-bps', '/etc/passwd:1m'],
    ['--device-read-bps', '/dev/sda'],
    ['--device-read-bps', '/dev/sda:0'],
    ['--device-read-iops', '/dev/sda:1m'],
  ] as const)
    assert.match(refusal(`${flag}=${text}`), /^INVALID_ARGUMENT invalid argument "/, `${flag} ${text}`)
})

test.run()
