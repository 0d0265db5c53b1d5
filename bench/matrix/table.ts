import { figure, table } from '../report.js'
import type { SavedReport, SavedSeries } from '../saved-report.js'
import { showsDifference } from '../statistics.js'

const COLUMNS_IN_WIDTH = 8

/** The matrix of a report: modes as rows, columns as many as fit beside each other; below, why a cell has no figure. */
export function matrixTable(report: SavedReport): string {
  const columns = report.matrix.flatMap((name) => report.workloads.find((workload) => workload.name === name) ?? [])
  const modes = columns[0]?.series.map(({ name }) => name) ?? []
  const parts: string[] = []
  for (let from = 0; from < columns.length; from += COLUMNS_IN_WIDTH) {
    const some = columns.slice(from, from + COLUMNS_IN_WIDTH)
    const rows = modes.map((mode) => [mode, ...some.map(({ series }) => cell(series.find(({ name }) => name === mode)))])
    parts.push(table([['', ...some.map(({ name, unit }) => `${name}, ${unit}`)], ...rows]))
  }
  const notes = ['~ no difference shown to the first row; - not measured\n', ...failures(columns, modes)]
  return [...parts, notes.join('')].join('\n')
}

function cell(series: SavedSeries | undefined): string {
  if (series === undefined || series.median === null) return '-'
  return `${figure(series.median.value)}${series.ratio !== null && !showsDifference(series.ratio) ? ' ~' : ''}`
}

/** A mode that fails everywhere for one reason says it once. */
function failures(columns: SavedReport['workloads'], modes: readonly string[]): readonly string[] {
  return modes.flatMap((mode) => {
    const reasons = new Map<string, string[]>()
    for (const { name, series } of columns) {
      const failure = series.find((row) => row.name === mode)?.failure
      if (failure !== null && failure !== undefined) reasons.set(failure, [...(reasons.get(failure) ?? []), name])
    }
    return [...reasons].map(([reason, names]) => `${mode}${names.length === columns.length ? '' : ` (${names.join(', ')})`}: ${reason}\n`)
  })
}
