import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as assert from 'uvu/assert'
import type { HostFacts } from '../../bench/host.js'
import { page } from '../../bench/page.js'
import { figure, table, targetsTable, workloadTable } from '../../bench/report.js'
import type { WorkloadResult } from '../../bench/run-workload.js'
import { parseReport, reportOf, type SavedReport } from '../../bench/saved-report.js'
import { judge, type Target, type Verdict } from '../../bench/target.js'
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

const host: HostFacts = {
  kernel: '6.1',
  cpu: 'a <processor>',
  cpuCount: 2,
  governor: null,
  memoryBytes: 2 ** 30,
  load1: 0,
  node: 'v20',
  v8: '11',
  uid: 1000,
  mitigations: {},
  programs: { bwrap: null },
  takenAt: '2026-01-01T00:00:00.000Z',
}
const sized: WorkloadResult = {
  workload: { ...workload, name: 'grow', axis: 'layers' },
  series: [1, 10, 100].map((size) => ({ name: `trees@${size}`, samples: [2 * size, 2 * size, 2 * size], failure: null })),
}

function report(verdicts: readonly Verdict[] = [], later: SavedReport['later'] = []): SavedReport {
  const quietness = { busy: 0.2, quiet: false, waitedMs: 30_000 }
  return reportOf({ host, quietness, settings: { seed: 1, quick: false, precision: 0.02 }, results: [result, sized], verdicts, later })
}

const tableOf = (index: number) => {
  const saved = report().workloads[index]
  assert.ok(saved)
  return workloadTable(saved)
}

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
  const { targets, later } = report(verdicts, [{ what: 'a flight', issue: 'Wings' }])
  const text = targetsTable(targets, later)
  assert.match(text, /^met +start of a wall +≤ 2\.50 × bare +2\.00 +\d/m)
  assert.match(text, /^missed +start of a wall +≤ 1\.90 × bare +2\.00/m)
  assert.match(text, /^not measured +start of a wall +≤ 2\.50 × peer +-$/m)
  assert.match(text, /^not measured here:\n {2}start of a wall: peer: peer is not installed$/m)
  assert.match(text, /^not built yet:\n {2}a flight: comes with "Wings"$/m)
})

test('a workload compares its subjects with the first and claims no difference that is none', () => {
  const text = tableOf(0)
  assert.match(text, /^wall .* 2\.00 × bare/m)
  assert.match(text, /^twin .* no difference shown/m)
  assert.match(text, /^peer +- +peer is not installed$/m)
})

test('a workload with sizes says by which power its figure grows', () => {
  assert.match(tableOf(1), /^ {2}trees grows with the layers to the power of 1\.00 \(1\.00 to 1\.00\)$/m)
})

test('a report has the host, every sample and every verdict, and is read again as it was', () => {
  const saved = report([judge(target({}), result, 1)])
  assert.is(saved.schema, 'wolffia.bench/3')
  assert.equal(saved.workloads[0]?.series[1]?.samples, [2, 2.2, 1.8, 2])
  assert.is(saved.workloads[0]?.series[1]?.ratio?.value, 2)
  assert.is(saved.targets[0]?.outcome, 'met')
  assert.equal(parseReport(JSON.stringify(saved)), saved)
})

test('a report is as its schema says', () => {
  const validate = new Ajv2020({ strict: false, formats: { 'date-time': true } }).compile(
    JSON.parse(readFileSync('bench/report.schema.json', 'utf8')),
  )
  const judged = judge(target({ comparison: { kind: 'ratio', of: 'wall', to: 'peer' } }), result, 1)
  const plain: Record<string, unknown> = JSON.parse(
    JSON.stringify(report([judge(target({}), result, 1), judged], [{ what: 'a flight', issue: 'Wings' }])),
  )
  assert.ok(validate(plain), JSON.stringify(validate.errors))
  assert.not(validate({ ...plain, host: {} }))
})

test('what is no report, or of another version, is refused with the reason', () => {
  const refused = (text: string, reason: RegExp) => assert.throws(() => parseReport(text), reason)
  refused('{', /not a report: .*JSON/)
  refused('\n> wolffia@0.1.0 bench\n> node scripts/bench.mjs --json\n\n{}', /npm run --silent/)
  refused('[]', /no schema/)
  refused('{"schema":"wolffia.bench/1"}', /of wolffia\.bench\/1, and this reads wolffia\.bench\/3/)
  refused(
    '{"schema":"wolffia.bench/3","host":{},"settings":{},"workloads":[{"name":"a","series":[{"name":"b","samples":["1"]}]}]}',
    /damaged/,
  )
})

test('the page has every row and plot, steers no browser and asks nobody for anything', () => {
  const html = page(report([judge(target({}), result, 1)]))
  assert.match(html, /a &lt;processor&gt;/)
  assert.match(html, /others had 20 % of the processors/)
  assert.is(html.match(/<svg/g)?.length, 3)
  assert.match(html, /peer is not installed/)
  assert.match(html, /default-src 'none'/)
  assert.not.match(html.replaceAll('http://www.w3.org/', ''), /<script|src=|https?:|@import|url\(/)
})

test('every target says what it is, and names of workloads are unique', () => {
  assert.ok(TARGETS.every(({ what, atMost }) => what !== '' && atMost >= 0))
  assert.ok(LATER_TARGETS.every(({ what, issue }) => what !== '' && issue !== ''))
  const workloads = [...new Set(TARGETS.map((row) => row.workload))]
  assert.is(new Set(workloads.map(({ name }) => name)).size, workloads.length)
})

test.run()
