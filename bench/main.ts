/** `npm run bench`: what costs how much, beside what. See README.md. */
import { readFile, writeFile } from 'node:fs/promises'
import { messageOf } from '../src/errors.js'
import { compareReports, compareTable } from './compare.js'
import { hostFacts } from './host.js'
import { workloadOf } from './matrix/column.js'
import { columns, MODES } from './matrix/matrix.js'
import { matrixTable } from './matrix/table.js'
import { examineModes, type ModeProtection } from './protection/protection.js'
import { protectionTable } from './protection/table.js'
import { type Quietness, waitForQuiet } from './quiet.js'
import { hostLine, quietnessLine, targetsTable, workloadTable } from './report.js'
import { runWorkload, type WorkloadResult } from './run-workload.js'
import { parseReport, reportOf, type SavedReport } from './saved-report.js'
import { judge } from './target.js'
import { LATER_TARGETS, TARGETS } from './targets.js'
import { parseWords, USAGE, type Words } from './words.js'
import { Workbench } from './workbench.js'
import type { Workload } from './workload.js'
import { WORKLOADS } from './workloads.js'

/** Does what the words say and resolves with the exit code: 0 unless something could not be done at all. */
async function main(): Promise<number> {
  const words = parseWords(process.argv.slice(2))
  if (words.help || words.list) {
    process.stdout.write(words.help ? USAGE : listing())
    return 0
  }
  if (words.what[0] === 'wasm-attacks') {
    const { wasmAttacks } = await import('./wasm-attacks/main.js')
    return wasmAttacks()
  }
  if (words.compare !== null) {
    const [earlier, later] = await Promise.all(words.compare.map(readReport))
    if (earlier === undefined || later === undefined) return 1
    const changes = compareReports(earlier, later, { seed: words.seed })
    process.stdout.write(words.json ? `${JSON.stringify(changes, null, 2)}\n` : compareTable(earlier, later, changes))
    return 0
  }
  const report = words.from === null ? await run(words) : await readReport(words.from)
  if (words.html !== null) {
    const { page } = await import('./page.js')
    await writeFile(words.html, page(report))
    process.stderr.write(`written: ${words.html}\n`)
  }
  if (words.plots !== null) {
    const { writePictures } = await import('./pictures.js')
    for (const name of await writePictures(report, words.plots)) process.stderr.write(`written: ${name}\n`)
  }
  if (words.json) process.stdout.write(`${JSON.stringify(report, null, 1)}\n`)
  else if (words.html === null && words.plots === null) print(report)
  return 0
}

async function readReport(path: string): Promise<SavedReport> {
  try {
    return parseReport(await readFile(path, 'utf8'))
  } catch (error) {
    throw new RangeError(`${path}: ${messageOf(error)}`)
  }
}

/** What there is to measure. */
function listing(): string {
  const lines = (entries: readonly { readonly name: string; readonly summary: string }[]) =>
    entries.map(({ name, summary }) => `  ${name.padEnd(20)}${summary}\n`).join('')
  return `matrix, columns\n${lines(columns(false))}matrix, modes\n${lines(MODES)}workloads\n${lines(WORKLOADS)}`
}

/** Measures what the words choose. */
async function run(words: Words): Promise<SavedReport> {
  if (words.what[0] === 'matrix') return runMatrix(words)
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

/** Every mode beside every other: what it costs, and what it protects. */
async function runMatrix(words: Words): Promise<SavedReport> {
  const { seed, quick, precision } = words
  const chosen = columns(quick)
  const { results, quietness, protection } = await measureAll(
    chosen.map((column) => workloadOf(column, MODES)),
    words,
    async (workbench, signal) => {
      await workbench.rootWithGuests()
      return examineModes(workbench, MODES, { signal, onMode: (name) => progress(`what ${name} protects`) })
    },
  )
  const matrix = results.map(({ workload }) => workload.name)
  return reportOf({
    host: await hostFacts(),
    quietness,
    settings: { seed, quick, precision },
    results,
    matrix,
    protection,
    verdicts: [],
    later: [],
  })
}

function print(report: SavedReport): void {
  const { host, quietness, settings, workloads, targets, later, matrix, protection } = report
  process.stdout.write(`${hostLine(host)}\n${quietnessLine(quietness)}`)
  process.stdout.write(`${settings.quick ? 'quick run: few rounds and small sizes, no figures to quote\n' : ''}\n`)
  if (matrix.length > 0 || protection.length > 0) process.stdout.write(`${protectionTable(protection)}\n${matrixTable(report)}`)
  else process.stdout.write(targets.length > 0 ? targetsTable(targets, later) : workloads.map(workloadTable).join('\n'))
}

/** Measures one workload after the other; ^C ends with what there is. */
async function measureAll(
  workloads: readonly Workload[],
  { quick, seed, precision }: Words,
  examine: (workbench: Workbench, signal: AbortSignal) => Promise<readonly ModeProtection[]> = async () => [],
): Promise<{ readonly results: readonly WorkloadResult[]; readonly quietness: Quietness; readonly protection: readonly ModeProtection[] }> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  await using workbench = await Workbench.open({ quick })
  progress('waiting until the machine is quiet')
  const quietness = await waitForQuiet({ ...(quick ? { patienceMs: 1000 } : {}), signal: stop.signal })
  const protection = await examine(workbench, stop.signal)
  const results: WorkloadResult[] = []
  for (const workload of workloads) {
    if (stop.signal.aborted) break
    const onRound = (round: number, rounds: number) => progress(`${workload.name} ${round}/${rounds}`)
    if (process.stderr.isTTY) progress(workload.name)
    else process.stderr.write(`measuring ${workload.name}\n`)
    results.push(await runWorkload(workbench, workload, { quick, seed, precision, signal: stop.signal, onRound }))
  }
  progress('')
  return { results, quietness, protection }
}

/** One line that overwrites itself, for people at a terminal only. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  const isWords = error instanceof RangeError || error instanceof TypeError
  process.stderr.write(`bench: ${isWords ? `${messageOf(error)}\n(--help tells the words)` : (error as Error).stack}\n`)
  process.exitCode = 1
}
