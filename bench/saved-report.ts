/** A run as it is kept: the JSON that `--json` prints, `--compare` and `--html` read. `report.schema.json` says the same for others. */

import type { HostFacts } from './host.js'
import { isRecord } from './is-record.js'
import type { ModeProtection } from './protection/protection.js'
import type { Quietness } from './quiet.js'
import type { WorkloadResult } from './run-workload.js'
import { countOutliers, type Estimate, estimateGrowth, estimateMedian, estimateRatio } from './statistics.js'
import type { Comparison, LaterTarget, Verdict } from './target.js'

export const SCHEMA = 'wolffia.bench/3'

/** One subject of a workload. The figures follow from the samples; they are there for whoever does not want to compute them. */
export interface SavedSeries {
  readonly name: string
  /**
   * One a round, in the workload's unit, from the first on; the same rounds for all subjects of the workload, but for one that takes so long
   * that it sits out the later ones. None is left out.
   */
  readonly samples: readonly number[]
  /** Why it was not measured, or not to the end. */
  readonly failure: string | null
  /** Null without samples. */
  readonly median: Estimate | null
  /** To the first subject that was measured; null for that one, and without samples. */
  readonly ratio: Estimate | null
  /** How many samples lie far out. */
  readonly outliers: number
}

/** Subjects that differ in size alone: how their figure grows with it. */
export interface SavedGrowth {
  readonly name: string
  /** Of what the sizes are: layers, files, containers. */
  readonly axis: string
  readonly sizes: readonly number[]
  /** The power of the size. */
  readonly exponent: Estimate
}

/** One workload and its subjects. */
export interface SavedWorkload {
  readonly name: string
  readonly summary: string
  readonly unit: string
  readonly series: readonly SavedSeries[]
  readonly growth: readonly SavedGrowth[]
}

/** A row of the targets, as it was judged. */
export interface SavedTarget {
  readonly what: string
  readonly workload: string
  /** Of the workload's samples. */
  readonly unit: string
  readonly comparison: Comparison
  readonly atMost: number
  readonly measured: Estimate | null
  readonly outcome: Verdict['outcome']
  readonly reason: string | null
}

/** How the run was made. */
export interface RunSettings {
  readonly seed: number
  readonly quick: boolean
  /** Half the relative width of an interval that was wanted; null when none was. */
  readonly precision: number | null
}

/** A whole run. */
export interface SavedReport {
  readonly schema: typeof SCHEMA
  readonly host: HostFacts
  readonly quietness: Quietness
  readonly settings: RunSettings
  readonly workloads: readonly SavedWorkload[]
  /** Names of the workloads that are columns of the matrix: their subjects are the same modes. */
  readonly matrix: readonly string[]
  /** What each mode of the matrix protects, as its guests found it. */
  readonly protection: readonly ModeProtection[]
  readonly targets: readonly SavedTarget[]
  readonly later: readonly LaterTarget[]
}

/** What of a run is made into a report. */
export interface Run {
  readonly host: HostFacts
  readonly quietness: Quietness
  readonly settings: RunSettings
  readonly results: readonly WorkloadResult[]
  /** None unless said, as is `protection`. */
  readonly matrix?: readonly string[]
  readonly protection?: readonly ModeProtection[]
  readonly verdicts: readonly Verdict[]
  readonly later: readonly LaterTarget[]
}

/** The report of a run. */
export function reportOf({ host, quietness, settings, results, matrix = [], protection = [], verdicts, later }: Run): SavedReport {
  return {
    schema: SCHEMA,
    host,
    quietness,
    settings,
    workloads: results.map((result) => savedWorkload(result, settings.seed)),
    matrix,
    protection,
    targets: verdicts.map(({ target, ...verdict }) => ({
      what: target.what,
      workload: target.workload.name,
      unit: target.workload.unit,
      comparison: target.comparison,
      atMost: target.atMost,
      ...verdict,
    })),
    later,
  }
}

/** A subject's name with its size behind it: `trees@100`. */
const SIZED = /^(.*)@([0-9]+)$/

function savedWorkload({ workload, series }: WorkloadResult, seed: number): SavedWorkload {
  const base = series.find(({ samples }) => samples.length > 0)
  return {
    name: workload.name,
    summary: workload.summary,
    unit: workload.unit,
    series: series.map(({ name, samples, failure }) => ({
      name,
      samples,
      failure,
      median: samples.length === 0 ? null : estimateMedian(samples, { seed }),
      ratio: base === undefined || base.name === name || samples.length === 0 ? null : estimateRatio(samples, base.samples, { seed }),
      outliers: countOutliers(samples),
    })),
    growth: workload.axis === undefined ? [] : growthOf(workload.axis, series, seed),
  }
}

function growthOf(axis: string, series: WorkloadResult['series'], seed: number): readonly SavedGrowth[] {
  const bySubject = new Map<string, { size: number; samples: readonly number[] }[]>()
  for (const { name, samples } of series) {
    const [, subject, size] = SIZED.exec(name) ?? []
    if (subject === undefined || samples.length === 0) continue
    bySubject.set(subject, [...(bySubject.get(subject) ?? []), { size: Number(size), samples }])
  }
  return [...bySubject]
    .filter(([, sizes]) => sizes.length > 1)
    .map(([name, sizes]) => ({ name, axis, sizes: sizes.map(({ size }) => size), exponent: estimateGrowth(sizes, { seed }) }))
}

/** Reads a report. Throws RangeError for what is none, with the reason. */
export function parseReport(text: string): SavedReport {
  const value = parseJson(text)
  if (!isRecord(value) || typeof value.schema !== 'string' || !value.schema.startsWith('wolffia.bench/'))
    throw new RangeError('not a report: it has no schema "wolffia.bench/…"')
  if (value.schema !== SCHEMA) throw new RangeError(`a report of ${value.schema}, and this reads ${SCHEMA}: measure again`)
  if (
    !Array.isArray(value.workloads) ||
    !Array.isArray(value.matrix) ||
    !Array.isArray(value.protection) ||
    !value.workloads.every(isWorkload) ||
    !isRecord(value.host) ||
    !isRecord(value.settings)
  )
    throw new RangeError('a damaged report: host, settings, workloads, matrix or protection are not as the schema says')
  return value as unknown as SavedReport
}

const NPM_HEADING = /^\s*> \S+@\S+ \S+\n/

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (NPM_HEADING.test(text)) throw new RangeError('not a report: it begins with what npm prints, which npm run --silent leaves out')
    throw new RangeError(`not a report: ${(error as Error).message}`)
  }
}

function isWorkload(value: unknown): boolean {
  return isRecord(value) && typeof value.name === 'string' && Array.isArray(value.series) && value.series.every(isSeries)
}

function isSeries(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value.name === 'string' &&
    Array.isArray(value.samples) &&
    value.samples.every((sample) => typeof sample === 'number')
  )
}
