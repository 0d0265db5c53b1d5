/**
 * What `--compare` says of real modes, twice: a run against itself, one with a slow-down of 10 % burnt into a mode, and one with 1 %. A machine
 * that is too loaded for its own intervals to be narrow shows nothing either way, and says so as a skip.
 */
import * as assert from 'uvu/assert'
import { type Change, compareReports } from '../../bench/compare.js'
import { hostFacts } from '../../bench/host.js'
import { workloadOf } from '../../bench/matrix/column.js'
import { columns, MODES } from '../../bench/matrix/matrix.js'
import type { Subject } from '../../bench/measure.js'
import { runWorkload } from '../../bench/run-workload.js'
import { reportOf, type SavedReport } from '../../bench/saved-report.js'
import { Workbench } from '../../bench/workbench.js'
import type { Workload } from '../../bench/workload.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('bench/planted')
const SECONDS = Number(process.env.WOLFFIA_LONG_SECONDS ?? 60)
const LIMIT = { timeoutMs: (6 * SECONDS + 300) * 1000 }
const SUBJECTS = ['bare', 'unshare', 'in-process', 'node-wasi']
const PLANTED = 'in-process'
const FEWEST_ROUNDS = 20
const MOST_ROUNDS = 400

/** The column `start` of some modes, one of which burns a share of what it has taken. */
function workload(share: number, rounds: number): Workload {
  const column = columns(true).find(({ name }) => name === 'start')
  assert.ok(column)
  const modes = MODES.filter(({ name }) => SUBJECTS.includes(name))
  const { open, ...rest } = workloadOf(column, modes)
  return {
    ...rest,
    rounds,
    open: async (workbench) =>
      (await open(workbench)).map((entry) => ('sample' in entry && entry.name === PLANTED ? burning(entry, share) : entry)),
  }
}

function burning({ name, sample }: Subject, share: number): Subject {
  return {
    name,
    async sample() {
      const took = await sample()
      const begin = performance.now()
      while (performance.now() - begin < share * took) Math.sqrt(took)
      return took + (share === 0 ? 0 : performance.now() - begin)
    },
  }
}

async function run(workbench: Workbench, share: number, rounds: number, seed: number): Promise<SavedReport> {
  const settings = { quick: false, seed, precision: null }
  const result = await runWorkload(workbench, workload(share, rounds), settings)
  const quietness = { busy: 0, quiet: true, waitedMs: 0 }
  return reportOf({ host: await hostFacts(), quietness, settings, results: [result], verdicts: [], later: [] })
}

const of = (changes: readonly Change[], name: string) => changes.find(({ subject }) => subject === name)
const claims = (changes: readonly Change[]) =>
  changes.filter(({ verdict }) => verdict !== 'no difference shown').map(({ subject, verdict }) => `${subject} ${verdict}`)
const width = (change: Change | undefined) => (change?.change ? change.change.high - change.change.low : Number.POSITIVE_INFINITY)

test.needs(program('cc'), program('clang'))(
  'a mode that has become slower by 10 % is found, one that has by 1 % is not claimed, and the same run twice shows nothing',
  async () => {
    await using workbench = await Workbench.open({ quick: true })
    await workbench.rootWithGuests()
    const began = performance.now()
    await run(workbench, 0, FEWEST_ROUNDS, 1)
    const roundMs = (performance.now() - began) / (FEWEST_ROUNDS + 2)
    const rounds = Math.min(MOST_ROUNDS, Math.max(FEWEST_ROUNDS, Math.floor((SECONDS * 1000) / roundMs)))
    let seed = 2
    const plain = await run(workbench, 0, rounds, seed)
    const changesBy = async (share: number, from = plain) => compareReports(from, await run(workbench, share, rounds, ++seed), { seed: 1 })
    const [again, tenth, hundredth] = [await changesBy(0), await changesBy(0.1), await changesBy(0.01)]
    console.log(
      `${rounds} rounds; ${JSON.stringify({ again, tenth, hundredth }, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value))}`,
    )
    // An interval as wide as what is planted tells nothing of it.
    if (Math.max(width(of(tenth, PLANTED)), width(of(again, PLANTED))) > 0.1) {
      console.log(
        `\n# SKIP bench/planted: 10 % is found: the machine is too loaded, its interval is ${width(of(tenth, PLANTED)).toFixed(2)} wide`,
      )
      return
    }
    assert.is(of(tenth, PLANTED)?.verdict, 'slower', JSON.stringify(of(tenth, PLANTED)))
    // Of what is within the method's confidence one run in twenty claims something: what was not planted is not claimed by another pair too.
    const unplanted = [...claims(again), ...claims(tenth).filter((name) => name !== `${PLANTED} slower`), ...claims(hundredth)]
    if (unplanted.length === 0) return
    const repeated = claims(await changesBy(0.01, await run(workbench, 0, rounds, ++seed)))
    assert.equal(
      unplanted.filter((name) => repeated.includes(name)),
      [],
      'claimed twice',
    )
  },
  LIMIT,
)

test.run()
