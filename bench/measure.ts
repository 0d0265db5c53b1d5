import { messageOf } from '../src/errors.js'
import { type Random, seededRandom } from './random.js'

/** One thing that is measured beside others. */
export interface Subject {
  readonly name: string
  /** Does it once and gives its figure, in the unit of the workload. */
  sample(): Promise<number>
}

/** What was measured of one subject: one value a round, or why there is none. */
export interface Series {
  readonly name: string
  readonly samples: readonly number[]
  /** Message of the error that ended its part; the others went on. */
  readonly failure: string | null
}

/** How {@link measure} goes about it. */
export interface MeasureOptions {
  readonly rounds: number
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
 * A subject that fails is left out from then on and says why. When the signal is aborted, what there is comes back.
 */
export async function measure(subjects: readonly Subject[], options: MeasureOptions): Promise<readonly Series[]> {
  const random = seededRandom(options.seed)
  const pause = options.pause ?? ((milliseconds) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)))
  const taken = subjects.map((subject) => ({ subject, samples: [] as number[], failure: null as string | null }))
  for (let round = -options.warmUps; round < options.rounds && !options.signal?.aborted; round++) {
    for (const entry of shuffled(taken, random)) {
      if (entry.failure !== null || options.signal?.aborted) continue
      await pause(random() * (options.phaseMs ?? DEFAULT_PHASE_MS))
      try {
        const value = await entry.subject.sample()
        if (round >= 0) entry.samples.push(value)
      } catch (error) {
        entry.failure = messageOf(error)
      }
    }
    if (round >= 0) options.onRound?.(round)
  }
  // A round that was cut short counts for nobody.
  const whole = Math.min(...taken.filter(({ failure }) => failure === null).map(({ samples }) => samples.length))
  return taken.map(({ subject, samples, failure }) => ({ name: subject.name, samples: samples.slice(0, whole), failure }))
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const order = items.map((item) => ({ item, key: random() }))
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item)
}
