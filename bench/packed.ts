/** What `wolffia bench` runs: the matrix and what grows beside it, without the other workloads, so that no library is needed that the package has not. */
import { messageOf } from '../src/errors.js'
import { compareReports, compareTable } from './compare.js'
import { columns } from './matrix/matrix.js'
import { matrixPage, runMatrix } from './matrix/run.js'
import { firstByte, start } from './matrix/start.js'
import { ownImage } from './own-image.js'
import { readReport, reportText, writePage } from './report-file.js'
import type { RunSettings, SavedReport } from './saved-report.js'
import { SCALING } from './scaling.js'

interface Words extends RunSettings {
  readonly json: boolean
  /** File for the page, or null. */
  readonly html: string | null
  /** A report to print or draw instead of measuring, or null. */
  readonly from: string | null
  /** Two of them to compare, or null. */
  readonly compare: readonly [string, string] | null
  /** Null for the guests of the harness. */
  readonly image: string | null
  readonly command: readonly string[]
}

async function main(words: Words): Promise<void> {
  if (words.compare !== null) return compare(words.compare, words)
  const report = words.from === null ? await run(words) : await readReport(words.from)
  if (words.html !== null) await writePage(words.html, report)
  if (words.json) process.stdout.write(reportText(report))
  else if (words.html === null) process.stdout.write(matrixPage(report))
}

async function compare([older, newer]: readonly [string, string], { json, seed }: Words): Promise<void> {
  const [earlier, later] = [await readReport(older), await readReport(newer)]
  const changes = compareReports(earlier, later, { seed })
  process.stdout.write(json ? `${JSON.stringify(changes, null, 2)}\n` : compareTable(earlier, later, changes))
}

async function run({ image, command, quick, seed, precision }: Words): Promise<SavedReport> {
  const settings = { quick, seed, precision }
  if (image === null) return runMatrix(columns(quick), settings, { beside: SCALING })
  const { root, words } = await ownImage(image, command)
  return runMatrix([start(words), firstByte(words)], settings, { root })
}

main(JSON.parse(process.argv[2] ?? 'null') as Words).catch((error: unknown) => {
  process.stderr.write(`wolffia: ${messageOf(error)}\n`)
  process.exitCode = 1
})
