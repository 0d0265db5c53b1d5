import { seededRandom } from './random.js'

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
}

const DEFAULT_RESAMPLES = 2000
const TAIL = 0.025

/**
 * Ratio of two medians, with its 95 % interval by bootstrap.
 *
 * Both series come from the same rounds, so rounds are drawn and not values: a machine that slows down between rounds slows both
 * sides, and the ratio does not see it.
 */
export function estimateRatio(numerators: readonly number[], denominators: readonly number[], options: BootstrapOptions): Estimate {
  if (numerators.length !== denominators.length)
    throw new RangeError(`series of ${numerators.length} and ${denominators.length} rounds cannot be compared`)
  const ratio = (rounds: readonly number[]) =>
    median(rounds.map((round) => at(numerators, round))) / median(rounds.map((round) => at(denominators, round)))
  return estimate(numerators.length, ratio, options)
}

/** Difference of two medians, by the same rounds as {@link estimateRatio}. */
export function estimateDifference(left: readonly number[], right: readonly number[], options: BootstrapOptions): Estimate {
  if (left.length !== right.length) throw new RangeError(`series of ${left.length} and ${right.length} rounds cannot be compared`)
  const difference = (rounds: readonly number[]) =>
    median(rounds.map((round) => at(left, round))) - median(rounds.map((round) => at(right, round)))
  return estimate(left.length, difference, options)
}

/** Median with its 95 % interval by bootstrap. */
export function estimateMedian(values: readonly number[], options: BootstrapOptions): Estimate {
  return estimate(values.length, (rounds) => median(rounds.map((round) => at(values, round))), options)
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
  const all = Array.from({ length: roundCount }, (_, round) => round)
  const drawn = Array.from({ length: options.resamples ?? DEFAULT_RESAMPLES }, () =>
    statistic(all.map(() => Math.floor(random() * roundCount))),
  )
  return { value: statistic(all), low: quantile(drawn, TAIL), high: quantile(drawn, 1 - TAIL) }
}
