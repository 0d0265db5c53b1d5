import type { HostFacts } from './host.js'
import type { WorkloadResult } from './run-workload.js'
import { type Estimate, estimateMedian, estimateRatio, quantile, showsDifference } from './statistics.js'
import type { LaterTarget, Target, Verdict } from './target.js'

const SIGNIFICANT = 3

/** A number with three digits that mean something. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.max(0, SIGNIFICANT - 1 - Math.floor(Math.log10(Math.abs(value) || 1)))
  return value.toFixed(Math.min(digits, 4))
}

/** Rows under headings, columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** One line about the host. */
export function hostLine(host: HostFacts): string {
  const load = host.load1.toFixed(2)
  return `${host.cpu}, ${host.cpuCount} processors, kernel ${host.kernel}, Node ${host.node}, load ${load}${host.uid === 0 ? ', as root' : ''}`
}

/** A workload's subjects, the first as the measure of the others. */
export function workloadTable({ workload, series }: WorkloadResult, seed: number): string {
  const base = series.find(({ samples }) => samples.length > 0)
  const rows = series.map(({ name, samples, failure }) => {
    if (samples.length === 0 || base === undefined) return [name, '-', '', '', failure ?? 'stopped']
    const { value, low, high } = estimateMedian(samples, { seed })
    const ratio = estimateRatio(samples, base.samples, { seed })
    const spread = `${figure(low)} to ${figure(high)}`
    const compared = name === base.name ? '' : showsDifference(ratio) ? `${figure(ratio.value)} × ${base.name}` : 'no difference shown'
    return [name, figure(value), spread, compared, `slowest ${figure(quantile(samples, 1))}`]
  })
  return `${workload.name}: ${workload.summary}\n${table([['', workload.unit, '95 % interval', '', ''], ...rows])}`
}

/** The target's own words: a ratio to somebody, a value in a unit, or an excess. */
export function targetText({ comparison, workload, atMost }: Target): string {
  if (comparison.kind === 'ratio') return `≤ ${figure(atMost)} × ${comparison.to}`
  if (comparison.kind === 'excess') return `≤ ${atMost} ${workload.unit} over ${comparison.over.join(' + ')}`
  return `≤ ${atMost} ${workload.unit}`
}

/** The rows of the targets: met or missed, measured and interval; below, those that could not be measured and why, and those to come. */
export function targetsTable(verdicts: readonly Verdict[], later: readonly LaterTarget[]): string {
  const rows = verdicts.map(({ target, measured, outcome }) => [
    outcome,
    target.what,
    targetText(target),
    ...figures(measured, target.atMost),
  ])
  const reasons = verdicts.flatMap(({ target, reason }) => (reason === null ? [] : [`  ${target.what.trim()}: ${reason}\n`]))
  return [
    table([['', '', 'target', 'measured', '95 % interval'], ...rows]),
    ...(reasons.length > 0 ? ['\nnot measured here:\n', ...reasons] : []),
    ...(later.length > 0 ? ['\nnot built yet:\n', ...later.map(({ what, issue }) => `  ${what}: comes with "${issue}"\n`)] : []),
  ].join('')
}

/** The median and its interval; a star where the interval holds the limit, so that another run may judge otherwise. */
function figures(measured: Estimate | null, atMost: number): readonly string[] {
  if (measured === null) return ['-', '']
  const holds = measured.low <= atMost && atMost <= measured.high
  return [figure(measured.value), `${figure(measured.low)} to ${figure(measured.high)}${holds ? ' *' : ''}`]
}

/** The same as JSON, with the samples. Schema `wolffia.bench/1`. */
export function jsonReport(
  host: HostFacts,
  results: readonly WorkloadResult[],
  verdicts: readonly Verdict[],
  later: readonly LaterTarget[],
): string {
  const workloads = results.map(({ workload, series }) => ({ name: workload.name, unit: workload.unit, series }))
  const targets = verdicts.map(({ target, measured, outcome, reason }) => ({
    what: target.what,
    workload: target.workload.name,
    comparison: target.comparison,
    atMost: target.atMost,
    measured,
    outcome,
    reason,
  }))
  return `${JSON.stringify({ schema: 'wolffia.bench/1', host, workloads, targets, later }, null, 2)}\n`
}
