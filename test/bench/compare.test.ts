import * as assert from 'uvu/assert'
import { type Change, compareReports, compareTable } from '../../bench/compare.js'
import type { HostFacts } from '../../bench/host.js'
import { measure, type Series } from '../../bench/measure.js'
import { faultsOf } from '../../bench/planted.js'
import { seededRandom } from '../../bench/random.js'
import { reportOf, type SavedReport } from '../../bench/saved-report.js'
import type { Workload } from '../../bench/workload.js'
import { suite } from '../support/suite.js'

const test = suite('bench/compare')
const workload: Workload = { name: 'start', summary: 'a start', unit: 'ms', rounds: 60, quickRounds: 6, open: async () => [] }
const host = { kernel: '6.1', cpu: 'x', cpuCount: 2, node: 'v20', uid: 1000 } as HostFacts

const COSTS = { bare: 1, wall: 2, other: 5, peer: 30 }

/** A run of four modes on a machine with a speed, a drift and a noise of its own. */
async function runOf(seed: number, costs: Readonly<Record<string, number>> = COSTS, more: readonly Series[] = []): Promise<SavedReport> {
  const random = seededRandom(seed)
  const speed = 0.8 + 0.4 * random()
  let step = 0
  const sample = (cost: number) =>
    cost * speed * (1 + 0.2 * Math.sin(step++ / 30)) * (1 + 0.05 * (random() - 0.5)) * (random() < 0.02 ? 3 : 1)
  const subjects = Object.entries(costs).map(([name, cost]) => ({ name, sample: async () => sample(cost) }))
  const series = await measure(subjects, { rounds: 60, warmUps: 2, seed, pause: async () => {} })
  return reportOf({
    host,
    quietness: { busy: 0, quiet: true, waitedMs: 1000 },
    settings: { seed, quick: false, precision: null },
    results: [{ workload, series: [...series, ...more] }],
    verdicts: [],
    later: [],
  })
}

const verdicts = (changes: ReturnType<typeof compareReports>) =>
  Object.fromEntries(changes.map(({ subject, verdict }) => [subject, verdict]))

test('a planted slow-down of 10 % in one mode is found, and in no other', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const changes = compareReports(await runOf(seed), await runOf(seed + 100, { ...COSTS, wall: 2.2 }), { seed, resamples: 500 })
    assert.equal(verdicts(changes), {
      bare: 'no difference shown',
      wall: 'slower',
      other: 'no difference shown',
      peer: 'no difference shown',
    })
  }
})

test('a subject that sat out most rounds neither hides a change of another nor is one', async () => {
  const sitting = { name: 'machine', samples: [4000, 4010, 3990, 4005, 4000], failure: null }
  const changes = compareReports(await runOf(1, COSTS, [sitting]), await runOf(2, { ...COSTS, wall: 2.2 }, [sitting]), {
    seed: 1,
    resamples: 500,
  })
  assert.equal(verdicts(changes).wall, 'slower')
  assert.ok(Number.isFinite(changes.find(({ subject }) => subject === 'machine')?.change?.value))
})

test('one of 1 % is not claimed, nor is any where nothing was planted', async () => {
  for (let seed = 1; seed <= 4; seed++)
    for (const costs of [COSTS, { ...COSTS, wall: 2.02 }]) {
      const changes = compareReports(await runOf(seed), await runOf(seed + 100, costs), { seed, resamples: 500 })
      assert.ok(
        changes.every(({ verdict }) => verdict === 'no difference shown'),
        JSON.stringify({ seed, changes }),
      )
    }
})

test('`bench -- planted` says what was planted and not found, and what was not planted and is claimed', () => {
  const change = (subject: string, verdict: Change['verdict'], [low, high]: readonly [number, number]): Change => ({
    workload: 'start',
    subject,
    others: [],
    change: { value: (low + high) / 2, low, high },
    verdict,
    reason: null,
  })
  const found = change('in-process', 'slower', [1.06, 1.12])
  const unseen = change('in-process', 'no difference shown', [1.01, 1.08])
  const none = change('bare', 'no difference shown', [0.99, 1.02])
  assert.equal(faultsOf({ share: 0.1, changes: [found, none] }), [])
  assert.equal(faultsOf({ share: 0.1, changes: [unseen, none] }), [
    'in-process with 10 % planted in in-process: no difference shown, not slower',
  ])
  assert.equal(faultsOf({ share: 0.01, changes: [found, none] }), [
    'in-process with 1 % planted in in-process: slower, not no difference shown',
  ])
  assert.equal(faultsOf({ share: 0.1, changes: [found, change('bare', 'faster', [0.9, 0.95])] }), [
    'bare with 10 % planted in in-process: faster, not no difference shown',
  ])
  assert.match(faultsOf({ share: 0.1, changes: [change('in-process', 'slower', [1.04, 1.2])] }).join(), /0\.16 wide tells nothing/)
  assert.match(
    faultsOf({ share: 0, changes: [{ ...none, change: null, reason: 'no samples' }] }).join(),
    /bare cannot be compared: no samples/,
  )
})

test('the intervals of the same run made twice overlap', async () => {
  const [first, second] = [await runOf(1), await runOf(2)].map(({ workloads }) => workloads[0]?.series ?? [])
  for (const [index, { ratio }] of (first ?? []).entries()) {
    const other = second?.[index]?.ratio
    if (ratio !== null && other) assert.ok(ratio.low <= other.high && other.low <= ratio.high)
  }
})

test('what was missing in one run says which, and the hosts are compared too', async () => {
  const missing = (name: string) => [{ name, samples: [], failure: `${name} is not installed` }]
  const earlier = await runOf(1, COSTS, missing('crun'))
  const later = { ...(await runOf(2, { ...COSTS, new: 1 }, missing('runc'))), host: { ...host, kernel: '6.6' } }
  const changes = compareReports(earlier, later, { seed: 1, resamples: 500 })
  assert.is(changes.find(({ subject }) => subject === 'new')?.reason, 'the earlier run did not have it')
  const text = compareTable(earlier, later, changes)
  assert.match(text, /^the hosts differ: kernel was 6\.1, is 6\.6$/m)
  assert.match(text, /^start +wall +\d\.\d\d +\d\.\d+ to \d\.\d+ +no difference shown +by 3 others$/m)
  assert.match(compareTable(earlier, { ...later, workloads: [] }, []), /no workload in common/)
})

test.run()
