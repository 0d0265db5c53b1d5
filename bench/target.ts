import type { Series } from './measure.js'
import type { WorkloadResult } from './run-workload.js'
import { type Estimate, estimateDifference, estimateMedian, estimateRatio } from './statistics.js'
import type { Workload } from './workload.js'

/** What is made of the series: one subject's median over another's, one subject's alone, or what one costs above others together. */
export type Comparison =
  | { readonly kind: 'ratio'; readonly of: string; readonly to: string }
  | { readonly kind: 'value'; readonly of: string }
  | { readonly kind: 'excess'; readonly of: string; readonly over: readonly string[] }

/** A row of the targets that can be measured. */
export interface Target {
  /** What is to be fast or small, in the words of the row. */
  readonly what: string
  readonly workload: Workload
  readonly comparison: Comparison
  /** The figure to stay below: a ratio, or in the workload's unit. */
  readonly atMost: number
}

/** A row whose subject is not built yet. */
export interface LaterTarget {
  readonly what: string
  /** Title of the issue that brings it. */
  readonly issue: string
}

/** What came of a row. */
export interface Verdict {
  readonly target: Target
  /** Null when a subject could not be measured; then `reason` says why. */
  readonly measured: Estimate | null
  readonly outcome: 'met' | 'missed' | 'not measured'
  readonly reason: string | null
}

/** Judges a row by the series of its workload. The median decides; whether the interval holds the limit is for the reader to see. */
export function judge(target: Target, { series }: WorkloadResult, seed: number): Verdict {
  const samplesOf = (name: string) => {
    const found = series.find((candidate) => candidate.name === name)
    return found === undefined ? unmeasured(name, series) : found
  }
  const { comparison } = target
  const names = [comparison.of, ...(comparison.kind === 'ratio' ? [comparison.to] : comparison.kind === 'excess' ? comparison.over : [])]
  const chosen = names.map(samplesOf)
  const failed = chosen.find(({ failure, samples }) => failure !== null || samples.length === 0)
  if (failed !== undefined)
    return {
      target,
      measured: null,
      outcome: 'not measured',
      reason: `${failed.name}: ${failed.failure ?? 'stopped before it was measured'}`,
    }
  const measured = estimate(comparison, chosen, seed)
  return { target, measured, outcome: measured.value <= target.atMost ? 'met' : 'missed', reason: null }
}

function estimate(comparison: Comparison, [first, ...others]: readonly Series[], seed: number): Estimate {
  const samples = first?.samples ?? []
  if (comparison.kind === 'ratio') return estimateRatio(samples, others[0]?.samples ?? [], { seed })
  if (comparison.kind === 'value') return estimateMedian(samples, { seed })
  const sums = samples.map((_, round) => others.reduce((sum, series) => sum + (series.samples[round] ?? Number.NaN), 0))
  return estimateDifference(samples, sums, { seed })
}

/** A workload that could not be opened at all has one series, with its own name and the reason. */
function unmeasured(name: string, series: readonly Series[]): Series {
  const failure = series.find((candidate) => candidate.failure !== null)?.failure ?? 'no such subject'
  return { name, samples: [], failure }
}
