/**
 * `npm run bench -- planted`: whether the comparison of two runs finds what is there and nothing else. The starts of some modes are measured as
 * they are, once more so, with a slow-down of 10 % burnt into one of them, and with one of 1 %.
 */
import { type Change, compareReports, compareTable } from './compare.js'
import { hostFacts } from './host.js'
import { workloadOf } from './matrix/column.js'
import { columns, MODES } from './matrix/matrix.js'
import type { Subject } from './measure.js'
import { measureAll } from './measure-all.js'
import { type RunSettings, reportOf, type SavedReport } from './saved-report.js'
import type { Workload } from './workload.js'

const SUBJECTS = ['bare', 'unshare', 'in-process', 'node-wasi']
const PLANTED = 'in-process'
const [FOUND, NOT_CLAIMED] = [0.1, 0.01]

/** What was planted, and what a comparison says of it. */
export interface Planted {
  readonly share: number
  readonly changes: readonly Change[]
}

/**
 * What a comparison of planted runs is to say, as sentences about what it does not; none when all is as it should be. An interval wider than
 * what was planted tells nothing either way, and is said.
 */
export function faultsOf({ share, changes }: Planted): readonly string[] {
  const expected = share >= FOUND ? 'slower' : 'no difference shown'
  return changes.flatMap(({ subject, verdict, change, reason }) => {
    if (change === null) return [`${subject} cannot be compared: ${reason}`]
    const wanted = subject === PLANTED ? expected : 'no difference shown'
    const [width, isAsWanted] = [change.high - change.low, verdict === wanted]
    if (subject === PLANTED && width > FOUND)
      return [`${subject}: an interval ${width.toFixed(2)} wide tells nothing: the machine is too loaded`]
    return isAsWanted ? [] : [`${subject} with ${(share * 100).toFixed(0)} % planted in ${PLANTED}: ${verdict}, not ${wanted}`]
  })
}

/** Prints three comparisons; resolves with 1 when one of them says what is not so. */
export async function planted(settings: RunSettings): Promise<number> {
  const run = (share: number, at: number) => measured(share, { ...settings, seed: settings.seed + at })
  const plain = await run(0, 0)
  const faults: string[] = []
  for (const [at, share] of [0, FOUND, NOT_CLAIMED].entries()) {
    const later = await run(share, at + 1)
    const changes = compareReports(plain, later, { seed: settings.seed })
    process.stdout.write(
      `${share === 0 ? 'nothing planted' : `${share * 100} % planted in ${PLANTED}`}\n${compareTable(plain, later, changes)}\n`,
    )
    faults.push(...faultsOf({ share, changes }))
  }
  process.stdout.write(faults.length === 0 ? 'found, and nothing else claimed\n' : faults.map((fault) => `${fault}\n`).join(''))
  return faults.length === 0 ? 0 : 1
}

async function measured(share: number, settings: RunSettings): Promise<SavedReport> {
  const { results, quietness } = await measureAll([startsWith(share)], settings, {
    examine: async (workbench) => {
      await workbench.rootWithGuests()
      return []
    },
  })
  return reportOf({ host: await hostFacts(), quietness, settings, results, verdicts: [], later: [] })
}

/** The column `start` of these modes, one of which burns a share of what it has taken. */
function startsWith(share: number): Workload {
  const column = columns(true).find(({ name }) => name === 'start')
  if (column === undefined) throw new Error('no column is called start')
  const { open, ...rest } = workloadOf(
    column,
    MODES.filter(({ name }) => SUBJECTS.includes(name)),
  )
  return {
    ...rest,
    rounds: 400,
    quickRounds: 100,
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
