/** What a mode protects, found by what runs behind it and never by what the mode says of itself. */
import { messageOf } from '../../src/errors.js'
import { type Cell, cellAt } from '../matrix/column.js'
import type { PlacedMode } from '../place.js'
import type { Workbench } from '../workbench.js'
import { attackers } from './attackers.js'
import { prober } from './prober.js'

/** One thing that was found out. */
export interface Finding {
  readonly aspect: string
  /** What was seen, in few words. */
  readonly text: string
  /** Whether the host is out of the guest's reach in this; null where it is no question of yes and no. */
  readonly holds: boolean | null
  /** More words, where there are some: which attacks got through. */
  readonly detail?: string
}

/** Something that finds out: a guest and how its answer is read. */
export interface Examiner {
  /** In the order of the table. All modes have the same. */
  readonly aspects: readonly string[]
  /**
   * Rejects where the mode cannot run its guest. What it finds of another's aspect counts where it does not hold: nothing is out of a guest's
   * reach because one way there is barred. `known` is what those before it found, by aspect.
   */
  examine(cell: Cell, known: ReadonlyMap<string, Finding>): Promise<readonly Finding[]>
}

/** What was found of one mode. */
export interface ModeProtection {
  readonly mode: string
  readonly setUpBy: string
  readonly findings: readonly Finding[]
  readonly failure: string | null
}

/** All that examine. */
export const EXAMINERS: readonly Examiner[] = [prober, attackers]

/** Examines each mode; one that fails says why. */
export async function examineModes(
  workbench: Workbench,
  modes: readonly PlacedMode[],
  { signal, onMode }: { readonly signal?: AbortSignal; readonly onMode?: (name: string) => void } = {},
): Promise<readonly ModeProtection[]> {
  const found: ModeProtection[] = []
  for (const mode of modes) {
    if (signal?.aborted) break
    onMode?.(mode.name)
    const { name, setUpBy } = mode
    try {
      const place = await mode.place(workbench)
      found.push({ mode: name, setUpBy, findings: await examineCell(cellAt(workbench, place, name)), failure: null })
    } catch (error) {
      found.push({ mode: name, setUpBy, findings: [], failure: messageOf(error) })
    }
  }
  return found
}

async function examineCell(cell: Cell): Promise<readonly Finding[]> {
  const findings = new Map<string, Finding>()
  for (const examiner of EXAMINERS) for (const finding of await examine(examiner, cell, findings)) merge(findings, finding)
  return [...findings.values()]
}

/** The first examiner's guest is what a row stands on; what the others cannot do is an answer of theirs. */
async function examine(examiner: Examiner, cell: Cell, known: ReadonlyMap<string, Finding>): Promise<readonly Finding[]> {
  try {
    return await examiner.examine(cell, known)
  } catch (error) {
    if (examiner === EXAMINERS[0]) throw error
    return examiner.aspects.map((aspect) => ({ aspect, text: 'not tried', holds: null, detail: messageOf(error) }))
  }
}

function merge(findings: Map<string, Finding>, finding: Finding): void {
  const known = findings.get(finding.aspect)
  if (known === undefined || (known.holds !== false && finding.holds === false)) findings.set(finding.aspect, finding)
}
