import type { ModeProtection } from './protection/protection.js'
import { type Quietness, waitForQuiet } from './quiet.js'
import { runWorkload, type WorkloadResult } from './run-workload.js'
import type { RunSettings } from './saved-report.js'
import { type RootSource, Workbench } from './workbench.js'
import type { Workload } from './workload.js'

/** What {@link measureAll} came to. */
export interface Measured {
  readonly results: readonly WorkloadResult[]
  readonly quietness: Quietness
  readonly protection: readonly ModeProtection[]
}

/** What else belongs to a run. */
export interface MeasureAllOptions {
  readonly root?: RootSource
  /** Done before the first workload, and after the machine has become quiet. */
  readonly examine?: (workbench: Workbench, signal: AbortSignal) => Promise<readonly ModeProtection[]>
}

/** Measures one workload after the other; ^C ends with what there is. */
export async function measureAll(
  workloads: readonly Workload[],
  { quick, seed, precision }: RunSettings,
  { root, examine = async () => [] }: MeasureAllOptions = {},
): Promise<Measured> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => stop.abort())
  await using workbench = await Workbench.open({ quick, ...(root === undefined ? {} : { root }) })
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
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
