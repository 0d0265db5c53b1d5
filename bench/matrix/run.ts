import { hostFacts } from '../host.js'
import { measureAll, progress } from '../measure-all.js'
import { examineModes } from '../protection/protection.js'
import { protectionTable } from '../protection/table.js'
import { hostLine, quietnessLine, workloadTable } from '../report.js'
import { type RunSettings, reportOf, type SavedReport } from '../saved-report.js'
import { Unavailable } from '../unavailable.js'
import type { RootSource } from '../workbench.js'
import type { Workload } from '../workload.js'
import { type Column, workloadOf } from './column.js'
import { MODES } from './matrix.js'
import { matrixTable } from './table.js'

/** What of a run is not its columns. */
export interface MatrixOptions {
  /** The tree in which programs run; a busybox unless said. */
  readonly root?: RootSource
  /** Whether what the modes protect is found out; true unless said. */
  readonly isExamined?: boolean
  /** Measured after the columns, for the same report. */
  readonly beside?: readonly Workload[]
}

/** Every mode beside every other: what it costs, and what it protects. */
export async function runMatrix(
  columns: readonly Column[],
  { quick, seed, precision }: RunSettings,
  { root, beside = [], isExamined = true }: MatrixOptions = {},
): Promise<SavedReport> {
  const settings = { quick, seed, precision }
  const { results, quietness, protection } = await measureAll(
    [...columns.map((column) => workloadOf(column, MODES)), ...beside],
    settings,
    {
      ...(root === undefined ? {} : { root }),
      examine: async (workbench, signal) => {
        try {
          await workbench.rootWithGuests()
        } catch (error) {
          if (!(error instanceof Unavailable)) throw error
          return MODES.map(({ name, setUpBy }) => ({ mode: name, setUpBy, findings: [], failure: error.message }))
        }
        return isExamined ? examineModes(workbench, MODES, { signal, onMode: (name) => progress(`what ${name} protects`) }) : []
      },
    },
  )
  const matrix = results.map(({ workload }) => workload.name).filter((name) => columns.some((column) => column.name === name))
  return reportOf({ host: await hostFacts(), quietness, settings, results, matrix, protection, verdicts: [], later: [] })
}

/** What stands above the tables of a run. */
export function heading({ host, quietness, settings }: SavedReport): string {
  const warning = settings.quick ? 'quick run: few rounds and small sizes, no figures to quote\n' : ''
  return `${hostLine(host)}\n${quietnessLine(quietness)}${warning}\n`
}

/** A report of the matrix for a terminal. */
export function matrixPage(report: SavedReport): string {
  const costs = report.matrix.length === 0 ? '' : `\n${matrixTable(report)}`
  const beside = report.workloads.filter(({ name }) => !report.matrix.includes(name)).map((workload) => `\n${workloadTable(workload)}`)
  return `${heading(report)}${report.protection.length === 0 ? '' : protectionTable(report.protection)}${costs}${beside.join('')}`
}
