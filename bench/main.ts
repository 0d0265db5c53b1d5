/** `npm run bench`: what costs how much, beside what. See README.md. */
import { messageOf } from '../src/errors.js'
import { compareReports, compareTable } from './compare.js'
import { hostFacts } from './host.js'
import { columns, MODES } from './matrix/matrix.js'
import { heading, matrixPage, runMatrix } from './matrix/run.js'
import { measureAll } from './measure-all.js'
import { targetsTable, workloadTable } from './report.js'
import { readReport, reportText, writePage } from './report-file.js'
import { reportOf, type SavedReport } from './saved-report.js'
import { SCALING } from './scaling.js'
import { judge } from './target.js'
import { LATER_TARGETS, TARGETS } from './targets.js'
import { parseWords, USAGE, type Words } from './words.js'
import { WORKLOADS } from './workloads.js'

/** Does what the words say and resolves with the exit code: 0 unless something could not be done at all. */
async function main(): Promise<number> {
  const words = parseWords(process.argv.slice(2))
  if (words.help || words.list) {
    process.stdout.write(words.help ? USAGE : listing())
    return 0
  }
  if (words.what[0] === 'attacks') {
    const { attacks } = await import('./attacks/main.js')
    return attacks()
  }
  if (words.what[0] === 'wasm-attacks') {
    const { wasmAttacks } = await import('./wasm-attacks/main.js')
    return wasmAttacks()
  }
  if (words.what[0] === 'planted') {
    const { planted } = await import('./planted.js')
    return planted(words)
  }
  if (words.compare !== null) {
    const [earlier, later] = await Promise.all(words.compare.map(readReport))
    if (earlier === undefined || later === undefined) return 1
    const changes = compareReports(earlier, later, { seed: words.seed })
    process.stdout.write(words.json ? `${JSON.stringify(changes, null, 2)}\n` : compareTable(earlier, later, changes))
    return 0
  }
  const report = words.from === null ? await run(words) : await readReport(words.from)
  if (words.html !== null) await writePage(words.html, report)
  if (words.plots !== null) {
    const { writePictures } = await import('./pictures.js')
    for (const name of await writePictures(report, words.plots)) process.stderr.write(`written: ${name}\n`)
  }
  if (words.json) process.stdout.write(reportText(report))
  else if (words.html === null && words.plots === null) print(report)
  return 0
}

/** What there is to measure. */
function listing(): string {
  const lines = (entries: readonly { readonly name: string; readonly summary: string }[]) =>
    entries.map(({ name, summary }) => `  ${name.padEnd(20)}${summary}\n`).join('')
  return `matrix, columns\n${lines(columns(false))}matrix, modes\n${lines(MODES)}workloads\n${lines(WORKLOADS)}`
}

/** Measures what the words choose. */
async function run(words: Words): Promise<SavedReport> {
  if (words.what[0] === 'matrix') {
    const isChosen = ({ name }: { readonly name: string }) => name.includes(words.only)
    const [chosen, beside] = [columns(words.quick).filter(isChosen), SCALING.filter(isChosen)]
    if (chosen.length + beside.length === 0) throw new RangeError(`no column has the word "${words.only}" (--list names them)`)
    return runMatrix(chosen, words, { beside, isExamined: words.only === '' })
  }
  if (words.what[0] === 'protection') return runMatrix([], words)
  const isTargets = words.what[0] === 'targets'
  const unknown =
    isTargets || words.what[0] === 'workloads' ? [] : words.what.filter((word) => !WORKLOADS.some(({ name }) => name === word))
  if (unknown.length > 0) throw new RangeError(`not a workload: ${unknown.join(' ')} (--list names them)`)
  const targets = isTargets ? TARGETS.filter(({ what, workload }) => `${what} ${workload.name}`.includes(words.only)) : []
  if (isTargets && targets.length === 0) throw new RangeError(`no target has the word "${words.only}"`)
  const chosen = isTargets
    ? [...new Set(targets.map(({ workload }) => workload))]
    : WORKLOADS.filter(({ name }) => words.what[0] === 'workloads' || words.what.includes(name))
  const { results, quietness } = await measureAll(chosen, words)
  const verdicts = targets.flatMap((target) => {
    const result = results.find(({ workload }) => workload === target.workload)
    return result === undefined ? [] : [judge(target, result, words.seed)]
  })
  const later = isTargets && words.only === '' ? LATER_TARGETS : []
  const { seed, quick, precision } = words
  return reportOf({ host: await hostFacts(), quietness, settings: { seed, quick, precision }, results, verdicts, later })
}

function print(report: SavedReport): void {
  const { workloads, targets, later, matrix, protection } = report
  if (matrix.length > 0 || protection.length > 0) process.stdout.write(matrixPage(report))
  else
    process.stdout.write(`${heading(report)}${targets.length > 0 ? targetsTable(targets, later) : workloads.map(workloadTable).join('\n')}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  const isWords = error instanceof RangeError || error instanceof TypeError
  process.stderr.write(`bench: ${isWords ? `${messageOf(error)}\n(--help tells the words)` : (error as Error).stack}\n`)
  process.exitCode = 1
}
