import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../launcher/operations.js'
import type { ExitedEvent } from '../launcher/protocol.js'
import type { Supervision } from './runtime.js'

/** Where the launcher writes how the guest ended. */
const END_FILE = 'end.json'

/** What the launcher is asked to do besides waiting, for a container whose wall keeps its files in `folder`. */
export function supervisionOperations(folder: string, supervision: Supervision | undefined): Operation[] {
  if (supervision === undefined) return []
  const { outlives, log, journal, endCommand, beat, environment } = supervision
  return [
    ...(outlives ? [['outlive'] as const] : []),
    ['listen', folder],
    ['end-record', join(folder, END_FILE)],
    ['journal', journal.path, journal.word],
    ...(log === null ? [] : [['log', log.path, log.maximumBytes ?? 0, log.files] as const]),
    ...endCommand.map((word): Operation => ['end-argument', word]),
    ...(beat === null ? [] : beatOperations(beat)),
    ...environment.map((assignment): Operation => ['command-variable', assignment]),
  ]
}

function beatOperations({ command, intervalMs }: NonNullable<Supervision['beat']>): Operation[] {
  return [...command.map((word): Operation => ['beat-argument', word]), ['beat-interval', intervalMs]]
}

/** What the launcher wrote of the last guest's end; null when it did not come to that. */
export function readEnd(folder: string): ExitedEvent | null {
  return readEndRecord(join(folder, END_FILE))
}

/** The same of any file that was given to `end-record`. */
export function readEndRecord(path: string): ExitedEvent | null {
  try {
    const said: ExitedEvent = JSON.parse(readFileSync(path, 'utf8'))
    const isNumber = [said.code ?? said.signal, said.duration_ns].every(Number.isFinite)
    return said.event === 'exited' && isNumber && !Number.isNaN(Date.parse(said.time)) ? said : null
  } catch {
    // Not there, or cut off by a host that crashed.
    return null
  }
}
