/** What a mode protects, found by what runs behind it and never by what the mode says of itself. */
import { messageOf } from '../../src/errors.js'
import { type Cell, talker } from '../matrix/column.js'
import type { PlacedMode } from '../place.js'
import type { Workbench } from '../workbench.js'
import { prober } from './prober.js'

/** One thing that was found out. */
export interface Finding {
  readonly aspect: string
  /** What was seen, in few words. */
  readonly text: string
  /** Whether the host is out of the guest's reach in this; null where it is no question of yes and no. */
  readonly holds: boolean | null
}

/** Something that finds out: a guest and how its answer is read. */
export interface Examiner {
  /** In the order of the table. All modes have the same. */
  readonly aspects: readonly string[]
  /** Rejects where the mode cannot run its guest. */
  examine(cell: Cell): Promise<readonly Finding[]>
}

/** What was found of one mode. */
export interface ModeProtection {
  readonly mode: string
  readonly setUpBy: string
  readonly findings: readonly Finding[]
  readonly failure: string | null
}

/** All that examine. What attacks joins here. */
export const EXAMINERS: readonly Examiner[] = [prober]

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
      const cell = { workbench, mode: name, place, talk: talker(workbench, place, name) }
      const findings = []
      for (const examiner of EXAMINERS) findings.push(...(await examiner.examine(cell)))
      found.push({ mode: name, setUpBy, findings, failure: null })
    } catch (error) {
      found.push({ mode: name, setUpBy, findings: [], failure: messageOf(error) })
    }
  }
  return found
}
