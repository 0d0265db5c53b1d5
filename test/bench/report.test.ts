import * as assert from 'uvu/assert'
import type { HostFacts } from '../../bench/host.js'
import { figure, jsonReport, table, targetsTable, workloadTable } from '../../bench/report.js'
import type { WorkloadResult } from '../../bench/run-workload.js'
import { judge, type Target } from '../../bench/target.js'
import { LATER_TARGETS, TARGETS } from '../../bench/targets.js'
import type { Workload } from '../../bench/workload.js'
import { suite } from '../support/suite.js'

const test = suite('bench/report')

const workload: Workload = { name: 'start', summary: 'a start', unit: 'ms', rounds: 4, quickRounds: 2, open: async () => [] }
const result: WorkloadResult = {
  workload,
  series: [
    { name: 'bare', samples: [1, 1.1, 0.9, 1], failure: null },
    { name: 'wall', samples: [2, 2.2, 1.8, 2], failure: null },
    { name: 'twin', samples: [1.1, 1, 1, 0.9], failure: null },
    { name: 'peer', samples: [], failure: 'peer is not installed' },
  ],
}
const target = (more: Partial<Target>): Target => ({
  what: 'start of a wall',
  workload,
  comparison: { kind: 'ratio', of: 'wall', to: 'bare' },
  atMost: 2.5,
  ...more,
})

test('figures have three digits that mean something', () => {
  assert.equal([1234.5, 123.45, 12.345, 1.2345, 0.012345, 0, Number.NaN].map(figure), [
    '1235',
    '123',
    '12.3',
    '1.23',
    '0.0123',
    '0.00',
    '-',
  ])
})

test('columns are as wide as their widest cell and lines end where their text ends', () => {
  assert.is(
    table([
      ['a', 'bb', ''],
      ['ccc', 'd', ''],
    ]),
    'a    bb\nccc  d\n',
  )
})

test('a row is met or missed by its median, with the interval beside it', () => {
  assert.is(judge(target({}), result, 1).outcome, 'met')
  assert.is(judge(target({ atMost: 1.9 }), result, 1).outcome, 'missed')
  assert.is(judge(target({ comparison: { kind: 'value', of: 'wall' }, atMost: 2 }), result, 1).measured?.value, 2)
  const excess = judge(target({ comparison: { kind: 'excess', of: 'wall', over: ['bare', 'twin'] }, atMost: 0.5 }), result, 1)
  assert.is(excess.outcome, 'met')
  assert.ok(Math.abs((excess.measured?.value ?? 1) - 0) < 0.2)
})

test('a row whose peer is missing says why and is neither met nor missed', () => {
  const verdict = judge(target({ comparison: { kind: 'ratio', of: 'wall', to: 'peer' } }), result, 1)
  assert.is(verdict.outcome, 'not measured')
  assert.is(verdict.reason, 'peer: peer is not installed')
})

test('the table of targets has every row: met, missed, not measured, and later with the issue', () => {
  const verdicts = [
    judge(target({}), result, 1),
    judge(target({ atMost: 1.9 }), result, 1),
    judge(target({ comparison: { kind: 'ratio', of: 'wall', to: 'peer' } }), result, 1),
  ]
  const text = targetsTable(verdicts, [{ what: 'a flight', issue: 'Wings' }])
  assert.match(text, /^met +start of a wall +≤ 2\.50 × bare +2\.00 +\d/m)
  assert.match(text, /^missed +start of a wall +≤ 1\.90 × bare +2\.00/m)
  assert.match(text, /^not measured +start of a wall +≤ 2\.50 × peer +-$/m)
  assert.match(text, /^not measured here:\n {2}start of a wall: peer: peer is not installed$/m)
  assert.match(text, /^not built yet:\n {2}a flight: comes with "Wings"$/m)
})

test('a workload compares its subjects with the first and claims no difference that is none', () => {
  const text = workloadTable(result, 1)
  assert.match(text, /^wall .* 2\.00 × bare/m)
  assert.match(text, /^twin .* no difference shown/m)
  assert.match(text, /^peer +- +peer is not installed$/m)
})

test('the JSON has the host, every sample and every verdict', () => {
  const parsed = JSON.parse(jsonReport({ kernel: '6.1' } as HostFacts, [result], [judge(target({}), result, 1)], []))
  assert.is(parsed.schema, 'wolffia.bench/1')
  assert.is(parsed.host.kernel, '6.1')
  assert.equal(parsed.workloads[0].series[1].samples, [2, 2.2, 1.8, 2])
  assert.is(parsed.targets[0].outcome, 'met')
})

test('every target says what it is, and names of workloads are unique', () => {
  assert.ok(TARGETS.every(({ what, atMost }) => what !== '' && atMost >= 0))
  assert.ok(LATER_TARGETS.every(({ what, issue }) => what !== '' && issue !== ''))
  const workloads = [...new Set(TARGETS.map((row) => row.workload))]
  assert.is(new Set(workloads.map(({ name }) => name)).size, workloads.length)
})

test.run()
