import { readFile, writeFile } from 'node:fs/promises'
import { messageOf } from '../src/errors.js'
import { parseReport, type SavedReport } from './saved-report.js'

/** Reads a report. Throws RangeError with the file's name and what is wrong. */
export async function readReport(path: string): Promise<SavedReport> {
  try {
    return parseReport(await readFile(path, 'utf8'))
  } catch (error) {
    throw new RangeError(`${path}: ${messageOf(error)}`)
  }
}

/** Writes a report as one page, and says so to whoever watches. */
export async function writePage(path: string, report: SavedReport): Promise<void> {
  // The plotting library is large and loaded by nobody else.
  const { page } = await import('./page.js')
  await writeFile(path, page(report))
  process.stderr.write(`written: ${path}\n`)
}

/** Digits that a figure is kept with: far more than any of them is good for. */
const KEPT_DIGITS = 6

/** A report as it is kept: figures with six digits, a list of them in one line, so that a whole run stays small enough to be committed. */
export function reportText(report: SavedReport): string {
  const short = (_name: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(KEPT_DIGITS)) : value
  return `${JSON.stringify(report, short, 1).replace(/\[\s+(-?[\d][\d.e+,\s-]*?)\s+\]/g, (_all, list: string) => `[${list.replace(/\s+/g, '')}]`)}\n`
}
