import { hostFacts } from '../host.js'
import { measureAll, progress } from '../measure-all.js'
import { examineModes } from '../protection/protection.js'
import { protectionTable } from '../protection/table.js'
import { hostLine, quietnessLine } from '../report.js'
import { type RunSettings, reportOf, type SavedReport } from '../saved-report.js'
import { Unavailable } from '../unavailable.js'
import type { RootSource } from '../workbench.js'
import { type Column, workloadOf } from './column.js'
import { MODES } from './matrix.js'
import { matrixTable } from './table.js'

/** Every mode beside every other: what it costs, and what it protects. `root` is the tree in which programs run; a busybox unless said. */
export async function runMatrix(
  columns: readonly Column[],
  { quick, seed, precision }: RunSettings,
  root?: RootSource,
): Promise<SavedReport> {
  const settings = { quick, seed, precision }
  const { results, quietness, protection } = await measureAll(
    columns.map((column) => workloadOf(column, MODES)),
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
        return examineModes(workbench, MODES, { signal, onMode: (name) => progress(`what ${name} protects`) })
      },
    },
  )
  const matrix = results.map(({ workload }) => workload.name)
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
  return `${heading(report)}${protectionTable(report.protection)}${costs}`
}
