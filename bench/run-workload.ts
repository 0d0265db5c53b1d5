import { measure, type Series, type Subject } from './measure.js'
import { Unavailable } from './unavailable.js'
import type { Workbench } from './workbench.js'
import type { Missing, Workload } from './workload.js'

/** What came of a workload: a series for each subject, failed ones included. */
export interface WorkloadResult {
  readonly workload: Workload
  readonly series: readonly Series[]
}

/** How {@link runWorkload} goes about it. */
export interface RunOptions {
  readonly quick: boolean
  readonly seed: number
  /** Half the relative width of the intervals to reach, within four times the workload's rounds. */
  readonly precision: number | null
  readonly signal?: AbortSignal
  readonly onRound?: (round: number, rounds: number) => void
}

const WARM_UPS = 2
const MOST_ROUNDS = 4
/** For a virtual machine without KVM, whose every start takes seconds. */
const PATIENCE = { atMostMs: 60_000, minRounds: 5 }
const QUICK_PATIENCE = { atMostMs: 4_000, minRounds: 1 }

/** Opens a workload, measures its subjects in turn, and says of each that could not run why. */
export async function runWorkload(workbench: Workbench, workload: Workload, options: RunOptions): Promise<WorkloadResult> {
  const rounds = options.quick ? workload.quickRounds : workload.rounds
  const opened = await open(workbench, workload)
  const measured = await measure(opened.filter(isSubject), {
    rounds,
    ...(options.precision === null || rounds === 1 ? {} : { precision: { atMost: options.precision, maxRounds: MOST_ROUNDS * rounds } }),
    patience: options.quick ? QUICK_PATIENCE : PATIENCE,
    warmUps: rounds === 1 ? 0 : options.quick ? 1 : WARM_UPS,
    seed: options.seed,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onRound: (round) => options.onRound?.(round + 1, rounds),
  })
  const missing = opened.flatMap((entry) => (isSubject(entry) ? [] : [{ name: entry.name, samples: [], failure: entry.missing }]))
  return { workload, series: [...measured, ...missing] }
}

async function open(workbench: Workbench, workload: Workload): Promise<readonly (Subject | Missing)[]> {
  try {
    return await workload.open(workbench)
  } catch (error) {
    if (error instanceof Unavailable) return [{ name: workload.name, missing: error.message }]
    throw error
  }
}

function isSubject(entry: Subject | Missing): entry is Subject {
  return 'sample' in entry
}
