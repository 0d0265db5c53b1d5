/** `npm run bench -- WHAT`: what costs how much, beside what. See README.md. */
import { parseArgs } from 'node:util'
import { messageOf } from '../src/errors.js'
import { hostFacts } from './host.js'
import { hostLine, jsonReport, targetsTable, workloadTable } from './report.js'
import { runWorkload, type WorkloadResult } from './run-workload.js'
import { judge } from './target.js'
import { LATER_TARGETS, TARGETS } from './targets.js'
import { Workbench } from './workbench.js'
import type { Workload } from './workload.js'
import { life } from './workloads/life.js'
import { plugin } from './workloads/plugin.js'
import { startWasm } from './workloads/start-wasm.js'

const DEFAULT_SEED = 1
const WORKLOADS = [...new Set([...TARGETS.map(({ workload }) => workload), startWasm, life, plugin])]
const USAGE = `npm run bench -- targets [--quick] [--only WORD] [--json] [--seed N]   judge the targets
npm run bench -- WORKLOAD … [--quick] [--json] [--seed N]              measure workloads, their subjects side by side
`

/** Does what the words say and resolves with the exit code: 0 unless something could not be done at all. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: String(DEFAULT_SEED) },
    },
  })
  if (positionals.length === 0) {
    process.stdout.write(`${USAGE}\n${WORKLOADS.map(({ name, summary }) => `${name.padEnd(18)}${summary}\n`).join('')}`)
    return 0
  }
  const isTargets = positionals[0] === 'targets'
  const unknown = isTargets ? positionals.slice(1) : positionals.filter((word) => !WORKLOADS.some(({ name }) => name === word))
  if (unknown.length > 0 || !/^\d{1,9}$/.test(values.seed))
    throw new RangeError(`not a workload: ${unknown.join(' ') || values.seed}\n${USAGE}`)
  const seed = Number(values.seed)
  const targets = isTargets ? TARGETS.filter(({ what, workload }) => `${what} ${workload.name}`.includes(values.only)) : []
  const chosen = isTargets
    ? [...new Set(targets.map(({ workload }) => workload))]
    : WORKLOADS.filter(({ name }) => positionals.includes(name))
  const results = await measureAll(chosen, { quick: values.quick, seed })
  const verdicts = targets.flatMap((target) => {
    const result = results.find(({ workload }) => workload === target.workload)
    return result === undefined ? [] : [judge(target, result, seed)]
  })
  const host = await hostFacts()
  const later = isTargets && values.only === '' ? LATER_TARGETS : []
  if (values.json) process.stdout.write(jsonReport(host, results, verdicts, later))
  else {
    process.stdout.write(`${hostLine(host)}\n${values.quick ? 'quick run: few rounds and small sizes, no figures to quote\n' : ''}\n`)
    process.stdout.write(isTargets ? targetsTable(verdicts, later) : results.map((result) => workloadTable(result, seed)).join('\n'))
  }
  return 0
}

/** Measures one workload after the other; ^C ends with what there is. */
async function measureAll(
  workloads: readonly Workload[],
  options: { readonly quick: boolean; readonly seed: number },
): Promise<WorkloadResult[]> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  await using workbench = await Workbench.open(options)
  const results: WorkloadResult[] = []
  for (const workload of workloads) {
    if (stop.signal.aborted) break
    const onRound = (round: number, rounds: number) => progress(`${workload.name} ${round}/${rounds}`)
    if (process.stderr.isTTY) progress(workload.name)
    else process.stderr.write(`measuring ${workload.name}\n`)
    results.push(await runWorkload(workbench, workload, { ...options, signal: stop.signal, onRound }))
  }
  progress('')
  return results
}

/** One line that overwrites itself, for people at a terminal only. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof RangeError || error instanceof TypeError ? messageOf(error) : (error as Error).stack}\n`)
  process.exitCode = 1
}
