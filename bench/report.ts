import type { HostFacts } from './host.js'
import type { Quietness } from './quiet.js'
import type { SavedTarget, SavedWorkload } from './saved-report.js'
import { type Estimate, quantile, showsDifference } from './statistics.js'
import type { LaterTarget } from './target.js'

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

/** A workload's subjects, the first as the measure of the others; below, how their figures grow with their size. */
export function workloadTable({ name, summary, unit, series, growth }: SavedWorkload): string {
  const base = series.find(({ samples }) => samples.length > 0)
  const rows = series.map((row) => {
    const { median, ratio, samples, failure, outliers } = row
    if (median === null) return [row.name, '-', '', '', failure ?? 'stopped']
    const spread = `${figure(median.low)} to ${figure(median.high)}`
    const compared = ratio === null || base === undefined ? '' : ratioText(ratio, base.name)
    const far = `slowest ${figure(quantile(samples, 1))}${outliers > 0 ? `, ${outliers} far out` : ''}`
    return [row.name, figure(median.value), spread, compared, failure === null ? far : `${far}; then ${failure}`]
  })
  const grows = growth.map(({ name: subject, axis, exponent }) => `  ${subject} grows with the ${axis} to the power of ${span(exponent)}\n`)
  return `${name}: ${summary}\n${table([['', unit, '95 % interval', '', ''], ...rows])}${grows.join('')}`
}

function ratioText(ratio: Estimate, base: string): string {
  return showsDifference(ratio) ? `${figure(ratio.value)} × ${base}` : 'no difference shown'
}

function span({ value, low, high }: Estimate): string {
  return `${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
}

/** One line about a machine that was not left alone. */
export function quietnessLine({ busy, quiet, waitedMs }: Quietness): string {
  if (quiet) return ''
  return `others had ${(100 * busy).toFixed(0)} % of the processors, after ${Math.round(waitedMs / 1000)} s of waiting: no figures to quote\n`
}

/** The target's own words: a ratio to somebody, a value in a unit, or an excess. */
export function targetText({ comparison, unit, atMost }: SavedTarget): string {
  if (comparison.kind === 'ratio') return `≤ ${figure(atMost)} × ${comparison.to}`
  if (comparison.kind === 'excess') return `≤ ${atMost} ${unit} over ${comparison.over.join(' + ')}`
  return `≤ ${figure(atMost)} ${unit}`
}

/** The rows of the targets: met or missed, measured and interval; below, those that could not be measured and why, and those to come. */
export function targetsTable(targets: readonly SavedTarget[], later: readonly LaterTarget[]): string {
  const rows = targets.map((target) => [target.outcome, target.what, targetText(target), ...figures(target.measured, target.atMost)])
  const reasons = targets.flatMap(({ what, reason }) => (reason === null ? [] : [`  ${what.trim()}: ${reason}\n`]))
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
