import { figure, table } from './report.js'
import type { SavedReport, SavedSeries, SavedWorkload } from './saved-report.js'
import { type BootstrapOptions, type Estimate, estimateChange, familyConfidence, median } from './statistics.js'

/** Between two runs less than this is the machine's: where code lies in memory alone moves a figure by a percent or two. */
const SMALLEST_CLAIM = 0.03

/** A subject in two runs. */
export interface Change {
  readonly workload: string
  readonly subject: string
  /** The subjects that it is measured by in both runs, so that a faster machine is no change; nobody when it is alone. */
  readonly others: readonly string[]
  /** Later over earlier; null when one of them has no samples. */
  readonly change: Estimate | null
  readonly verdict: 'slower' | 'faster' | 'no difference shown' | 'not comparable'
  /** Why it is not comparable. */
  readonly reason: string | null
}

/**
 * What has changed between two reports. A change is claimed only when its interval leaves out all within {@link SMALLEST_CLAIM} of
 * none; the intervals are as wide as so many comparisons need, to be wrong about any of them one time in twenty.
 */
export function compareReports(earlier: SavedReport, later: SavedReport, options: BootstrapOptions): readonly Change[] {
  const pairs = later.workloads.flatMap((workload) => {
    const before = earlier.workloads.find(({ name }) => name === workload.name)
    return before === undefined ? [] : workload.series.map((series) => ({ workload, before, series }))
  })
  const confidence = familyConfidence(pairs.length)
  return pairs.map(({ workload, before, series }) => compareSeries(workload, before, series, { ...options, confidence }))
}

function compareSeries(workload: SavedWorkload, before: SavedWorkload, series: SavedSeries, options: BootstrapOptions): Change {
  const earlier = find(before, series.name)
  const row = { workload: workload.name, subject: series.name }
  const not = (reason: string): Change => ({ ...row, others: [], change: null, verdict: 'not comparable', reason })
  if (earlier === undefined) return not('the earlier run did not have it')
  if (workload.unit !== before.unit) return not(`measured in ${before.unit} before, in ${workload.unit} now`)
  if (series.samples.length === 0) return not(series.failure ?? 'no samples')
  if (earlier.samples.length === 0) return not(`before: ${earlier.failure ?? 'no samples'}`)
  const others = workload.series.filter(({ name, samples }) => {
    return name !== series.name && samples.length > 0 && (find(before, name)?.samples.length ?? 0) > 0
  })
  const othersBefore = others.flatMap(({ name }) => find(before, name) ?? [])
  const pace = othersBefore.map(({ samples }) => median(samples))
  const change = estimateChange(
    { samples: series.samples, base: machineFactor(others, pace, series.samples.length) },
    { samples: earlier.samples, base: machineFactor(othersBefore, pace, earlier.samples.length) },
    options,
  )
  const verdict = change.low > 1 + SMALLEST_CLAIM ? 'slower' : change.high < 1 / (1 + SMALLEST_CLAIM) ? 'faster' : 'no difference shown'
  return { ...row, others: others.map(({ name }) => name), change, verdict, reason: null }
}

const find = (workload: SavedWorkload, name: string) => workload.series.find((series) => series.name === name)

/**
 * How slow the machine was in each round: the middle one of what the other subjects say, so that one that has changed does not count. One
 * that sat the round out says nothing.
 */
function machineFactor(others: readonly SavedSeries[], pace: readonly number[], roundCount: number): readonly number[] {
  return Array.from({ length: roundCount }, (_, round) => {
    const said = others
      .map(({ samples }, index) => (samples[round] ?? Number.NaN) / (pace[index] ?? Number.NaN))
      .filter((factor) => !Number.isNaN(factor))
    return said.length === 0 ? 1 : median(said)
  })
}

/** The changes as a table, and what of the two hosts differs. */
export function compareTable(earlier: SavedReport, later: SavedReport, changes: readonly Change[]): string {
  const facts = (['cpu', 'cpuCount', 'kernel', 'node', 'uid'] as const).filter((fact) => earlier.host[fact] !== later.host[fact])
  const rows = changes.map(({ workload, subject, others, change, verdict, reason }) => [
    workload,
    subject,
    change === null ? '-' : figure(change.value),
    change === null ? '' : `${figure(change.low)} to ${figure(change.high)}`,
    reason ?? verdict,
    change === null ? '' : others.length === 0 ? 'by the clock alone' : `by ${others.length} other${others.length > 1 ? 's' : ''}`,
  ])
  return [
    ...facts.map((fact) => `the hosts differ: ${fact} was ${earlier.host[fact]}, is ${later.host[fact]}\n`),
    ...(earlier.settings.quick || later.settings.quick ? ['quick runs among them: only large changes show\n'] : []),
    rows.length === 0 ? 'the two runs have no workload in common\n' : table([['', '', 'later / earlier', 'interval', '', ''], ...rows]),
  ].join('')
}
