/** The plots that README.md shows, made from a report. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { outlooks } from './matrix/outlook.js'
import { distributionPlot, outlookPlot, picture } from './plots.js'
import type { SavedReport } from './saved-report.js'

/** Writes them into a folder and gives their names. Throws RangeError for a report that has no matrix. */
export async function writePictures(report: SavedReport, folder: string): Promise<readonly string[]> {
  const start = report.workloads.find(({ name }) => name === report.matrix[0])
  const seen = outlooks(report)
  if (start === undefined || seen.length === 0) throw new RangeError('--plots wants a report of the matrix')
  await mkdir(folder, { recursive: true })
  const plots = { 'cost-and-isolation.svg': outlookPlot(seen), 'start.svg': distributionPlot(start) }
  for (const [name, plot] of Object.entries(plots)) await writeFile(join(folder, name), picture(plot))
  return Object.keys(plots)
}
