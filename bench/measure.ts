import { messageOf } from '../src/errors.js'
import { type Random, seededRandom } from './random.js'
import { estimateMedian, estimateRatio } from './statistics.js'

/** One thing that is measured beside others. */
export interface Subject {
  readonly name: string
  /** Does it once and gives its figure, in the unit of the workload. */
  sample(): Promise<number>
}

/** What was measured of one subject: one value a round, or why there is none. */
export interface Series {
  readonly name: string
  /** Of the rounds from the first on: all of them, or those before it sat out. */
  readonly samples: readonly number[]
  /** Message of the error that ended its part; the others went on. */
  readonly failure: string | null
}

/** When to go on beyond the rounds that are asked for. */
export interface Precision {
  /** Half the width of an interval, as a part of its figure, that every subject's ratio to the first one's is to reach. */
  readonly atMost: number
  /** Rounds at which even a subject that has not reached it ends. */
  readonly maxRounds: number
}

/** When a subject sits out the rounds that are left, so that one that takes seconds does not make the run of all last hours. */
export interface Patience {
  /** Time that it has had in all, milliseconds. */
  readonly atMostMs: number
  /** Rounds that it takes part in whatever they take. */
  readonly minRounds: number
}

/** How {@link measure} goes about it. */
export interface MeasureOptions {
  /** Rounds that count; with a precision: at least. */
  readonly rounds: number
  readonly precision?: Precision
  /** Without end unless said. */
  readonly patience?: Patience
  /** Rounds before those that count. */
  readonly warmUps: number
  readonly seed: number
  /** Longest pause before a sample, milliseconds; its length is drawn, so that no rhythm of the machine meets always the same subject. */
  readonly phaseMs?: number
  /** How to pause; setTimeout unless said. */
  readonly pause?: (milliseconds: number) => Promise<void>
  readonly signal?: AbortSignal
  /** Called after each round that counts. */
  readonly onRound?: (round: number) => void
}

const DEFAULT_PHASE_MS = 2

/**
 * Measures subjects in turn, round by round, each round in an order of its own: a drift of the machine meets all alike.
 *
 * A subject that fails is left out from then on and says why; one that has used up the patience keeps what it has. When the signal is
 * aborted, what there is comes back.
 */
export async function measure(subjects: readonly Subject[], options: MeasureOptions): Promise<readonly Series[]> {
  const random = seededRandom(options.seed)
  const pause = options.pause ?? ((milliseconds) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)))
  const taken = subjects.map((subject) => ({ subject, samples: [] as number[], failure: null as string | null, spentMs: 0 }))
  const { atMostMs, minRounds } = options.patience ?? { atMostMs: Number.POSITIVE_INFINITY, minRounds: 0 }
  const sitsOut = ({ samples, spentMs }: (typeof taken)[number]) => spentMs > atMostMs && samples.length >= minRounds
  const goesOn = (round: number) =>
    round < options.rounds || (options.precision !== undefined && !isPrecise(taken, round, options.precision, options.seed))
  for (let round = -options.warmUps; !options.signal?.aborted && goesOn(round); round++) {
    for (const entry of shuffled(taken, random)) {
      if (entry.failure !== null || sitsOut(entry) || options.signal?.aborted) continue
      await pause(random() * (options.phaseMs ?? DEFAULT_PHASE_MS))
      const begun = performance.now()
      try {
        const value = await entry.subject.sample()
        if (round >= 0) entry.samples.push(value)
      } catch (error) {
        entry.failure = messageOf(error)
      }
      entry.spentMs += performance.now() - begun
    }
    if (round >= 0) options.onRound?.(round)
  }
  // A round that was cut short counts for nobody.
  const whole = Math.min(...taken.filter((entry) => entry.failure === null && !sitsOut(entry)).map(({ samples }) => samples.length))
  return taken.map(({ subject, samples, failure }) => ({ name: subject.name, samples: samples.slice(0, whole), failure }))
}

/** Looked at after every so many rounds only, since looking often ends a run at a lucky moment. */
const LOOK_EVERY = 10
const LOOK_RESAMPLES = 400

function isPrecise(
  taken: readonly { readonly samples: readonly number[]; readonly failure: string | null }[],
  round: number,
  { atMost, maxRounds }: Precision,
  seed: number,
): boolean {
  const alive = taken.filter(({ failure }) => failure === null)
  const base = alive[0]
  if (base === undefined || round >= maxRounds) return true
  if (round % LOOK_EVERY !== 0) return false
  return alive.every(({ samples }) => {
    if (samples === base.samples && alive.length > 1) return true
    const { value, low, high } =
      alive.length === 1
        ? estimateMedian(samples, { seed, resamples: LOOK_RESAMPLES })
        : estimateRatio(samples, base.samples, { seed, resamples: LOOK_RESAMPLES })
    return high - low <= 2 * atMost * Math.abs(value)
  })
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const order = items.map((item) => ({ item, key: random() }))
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item)
}
