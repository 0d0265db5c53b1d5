import { type Random, seededRandom } from './random.js'

/** Values in ascending order. */
const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

/** The value below which the fraction `q` of all lies, between neighbours by straight line. NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = ascending(values)
  const position = (sorted.length - 1) * q
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

/** The middle value. NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** A figure and the interval that holds it with 95 % confidence. */
export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** How {@link estimateRatio} and {@link estimateMedian} draw. */
export interface BootstrapOptions {
  readonly seed: number
  /** 2000 unless said. */
  readonly resamples?: number
  /** Probability that the interval holds the figure; 0.95 unless said. Of many comparisons each needs more, see {@link familyConfidence}. */
  readonly confidence?: number
}

const DEFAULT_RESAMPLES = 2000
const DEFAULT_CONFIDENCE = 0.95
const FAR_OUT = 3

/** Confidence that each of `count` comparisons needs, so that all together are wrong one time in twenty (Bonferroni). */
export function familyConfidence(count: number): number {
  return 1 - (1 - DEFAULT_CONFIDENCE) / Math.max(1, count)
}

/** How many values lie far out, more than three interquartile ranges beyond the quartiles (Tukey). They are told of, never dropped. */
export function countOutliers(values: readonly number[]): number {
  const low = quantile(values, 0.25)
  const high = quantile(values, 0.75)
  const reach = FAR_OUT * (high - low)
  return values.filter((value) => value < low - reach || value > high + reach).length
}

/**
 * Ratio of two medians, with its 95 % interval by bootstrap.
 *
 * Both series come from the same rounds, so rounds are drawn and not values: a machine that slows down between rounds slows both
 * sides, and the ratio does not see it. Rounds that one of them sat out are not looked at.
 */
export function estimateRatio(numerators: readonly number[], denominators: readonly number[], options: BootstrapOptions): Estimate {
  const ratio = (rounds: readonly number[]) =>
    median(rounds.map((round) => at(numerators, round))) / median(rounds.map((round) => at(denominators, round)))
  return estimate(Math.min(numerators.length, denominators.length), ratio, options)
}

/** Difference of two medians, by the same rounds as {@link estimateRatio}. */
export function estimateDifference(left: readonly number[], right: readonly number[], options: BootstrapOptions): Estimate {
  const difference = (rounds: readonly number[]) =>
    median(rounds.map((round) => at(left, round))) - median(rounds.map((round) => at(right, round)))
  return estimate(Math.min(left.length, right.length), difference, options)
}

/** Median with its 95 % interval by bootstrap. */
export function estimateMedian(values: readonly number[], options: BootstrapOptions): Estimate {
  return estimate(values.length, (rounds) => median(rounds.map((round) => at(values, round))), options)
}

/** A subject's samples and those of the one that it is measured by, of the same rounds. */
export interface Pair {
  readonly samples: readonly number[]
  readonly base: readonly number[]
}

/**
 * How a ratio has changed between two runs: later over earlier, each the median of what its rounds say, since within a round a drift
 * of the machine meets both sides. Each run's rounds are drawn by themselves, and in spells (circular block bootstrap, Politis and Romano 1992):
 * what a machine does to one side alone lasts for seconds, so that rounds one after the other say less than as many from all over. 1 is no
 * change; what slows all of a run is not seen.
 */
export function estimateChange(later: Pair, earlier: Pair, options: BootstrapOptions): Estimate {
  const random = seededRandom(options.seed)
  const [now, before] = [roundRatios(later), roundRatios(earlier)]
  const drawn = Array.from(
    { length: options.resamples ?? DEFAULT_RESAMPLES },
    () =>
      median(drawSpells(now.length, random).map((round) => at(now, round))) /
      median(drawSpells(before.length, random).map((round) => at(before, round))),
  )
  return interval(median(now) / median(before), drawn, options)
}

function roundRatios({ samples, base }: Pair): readonly number[] {
  return samples.map((value, round) => value / at(base, round))
}

/** The samples at one size. */
export interface SizedSamples {
  readonly size: number
  readonly samples: readonly number[]
}

/**
 * By which power of its size a figure grows: the median of the slopes between all pairs of sizes, both logarithmic (Theil and Sen). 0 stays
 * the same, 1 is in proportion. The sizes come from the same rounds. NaN of a single size.
 */
export function estimateGrowth(sizes: readonly SizedSamples[], options: BootstrapOptions): Estimate {
  const slope = (chosen: readonly number[]) => {
    const points = sizes.map(({ size, samples }) => [Math.log(size), Math.log(median(chosen.map((round) => at(samples, round))))] as const)
    return median(points.flatMap(([x, y], index) => points.slice(index + 1).map(([otherX, otherY]) => (otherY - y) / (otherX - x))))
  }
  return estimate(sizes.length === 0 ? 0 : Math.min(...sizes.map(({ samples }) => samples.length)), slope, options)
}

/** Whether the interval leaves out 1: less would be chance. */
export function showsDifference(ratio: Estimate): boolean {
  return ratio.low > 1 || ratio.high < 1
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? Number.NaN
}

function estimate(roundCount: number, statistic: (rounds: readonly number[]) => number, options: BootstrapOptions): Estimate {
  const random = seededRandom(options.seed)
  const all = rounds(roundCount)
  const drawn = Array.from({ length: options.resamples ?? DEFAULT_RESAMPLES }, () => statistic(draw(all, random)))
  return interval(statistic(all), drawn, options)
}

function interval(value: number, drawn: readonly number[], options: BootstrapOptions): Estimate {
  const tail = (1 - (options.confidence ?? DEFAULT_CONFIDENCE)) / 2
  return { value, low: quantile(drawn, tail), high: quantile(drawn, 1 - tail) }
}

function rounds(count: number): readonly number[] {
  return Array.from({ length: count }, (_, round) => round)
}

/** As many rounds as there are, in spells of the square root of their number, each from anywhere; behind the last comes the first. */
function drawSpells(count: number, random: Random): readonly number[] {
  const length = Math.max(1, Math.round(Math.sqrt(count)))
  return Array.from({ length: Math.ceil(count / length) }, () => Math.floor(random() * count))
    .flatMap((first) => Array.from({ length }, (_, index) => (first + index) % count))
    .slice(0, count)
}

/** As many rounds as there are, drawn with putting back. */
function draw(all: readonly number[], random: Random): readonly number[] {
  return all.map(() => Math.floor(random() * all.length))
}
