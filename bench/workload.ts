import { EngineError, messageOf } from '../src/errors.js'
import type { Subject } from './measure.js'
import type { Mode } from './mode.js'
import { Unavailable } from './unavailable.js'
import type { Workbench } from './workbench.js'

/** A subject that this host cannot run, and why. */
export interface Missing {
  readonly name: string
  readonly missing: string
}

/** What is measured, and of whom: a file in `workloads/`. */
export interface Workload {
  /** One word, as rows and `--only` name it. */
  readonly name: string
  readonly summary: string
  /** Unit of a sample. */
  readonly unit: 'ms' | 'ns' | 'bytes' | 'MiB' | 'programs'
  /** Rounds that count: of a full run, and with `--quick`. One where there is nothing to repeat. */
  readonly rounds: number
  readonly quickRounds: number
  /** Of what the sizes are that stand behind its subjects' names (`wasm@100`): layers, files, containers. */
  readonly axis?: string
  /** Gets everything ready that is not measured. A subject that cannot run here is said, never left out. */
  open(workbench: Workbench): Promise<readonly (Subject | Missing)[]>
}

/** Opens each mode for the same program. */
export async function openModes(
  workbench: Workbench,
  modes: readonly Mode[],
  args: readonly string[],
): Promise<readonly (Subject | Missing)[]> {
  const subjects: (Subject | Missing)[] = []
  for (const mode of modes) subjects.push(await orMissing(mode.name, () => mode.open(workbench, args)))
  return subjects
}

/** What `open` gives, or why the host cannot do it. A fault of the harness itself is not hidden. */
export async function orMissing(name: string, open: () => Promise<Subject>): Promise<Subject | Missing> {
  try {
    return await open()
  } catch (error) {
    if (error instanceof Unavailable || error instanceof EngineError) return { name, missing: messageOf(error) }
    throw error
  }
}
