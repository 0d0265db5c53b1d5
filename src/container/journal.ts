/**
 * What has happened, one line each, in `<home>/events.log`: our own lines are JSON objects; a launcher's are whom it is about, a space, and
 * its `exited` event, so that an end is known also when nobody was there. Lines are added by one write each and never changed.
 */
import { appendFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { JournalActor } from './hooks.js'
import { type LogFile, type LogOptions, readLines } from './logs.js'

/** Something that happened, in the words of the Docker Engine API. */
export interface EngineEvent {
  readonly type: JournalActor['type']
  /** `create`, `start`, `die`, `destroy` … */
  readonly action: string
  readonly id: string
  readonly attributes: Readonly<Record<string, string>>
  /** RFC 3339, in UTC. */
  readonly time: string
}

/** A file that has grown larger is turned over, and one older kept. */
const MAXIMUM_BYTES = 4 * 1024 * 1024

/** The journal of one home. */
export class Journal {
  readonly path: string

  constructor(home: string) {
    this.path = join(home, 'events.log')
  }

  /** The files it stands in. */
  get log(): LogFile {
    return { path: this.path, files: 2 }
  }

  /**
   * What has happened, oldest first, and with `follow` also what is still to happen; it then ends with `until` or the signal alone. Without
   * `since` and `until` that is all that is still known.
   */
  events(options: Pick<LogOptions, 'follow' | 'since' | 'until' | 'signal'> = {}): AsyncIterable<EngineEvent> {
    const { since, until } = options
    const names = new Names()
    return readLines(this.log, {
      ...options,
      parse: (line) => names.applied(parseJournalLine(line)),
      isWanted: ({ time }) =>
        (since === undefined || Date.parse(time) >= since.getTime()) && (until === undefined || Date.parse(time) <= until.getTime()),
      ended: () => false,
    })
  }

  /** Adds an event. What cannot be written is not known afterwards: nobody is kept from his work by it. */
  add(action: string, { type, id, attributes }: JournalActor, more: Readonly<Record<string, string>> = {}): void {
    const event: EngineEvent = { type, action, id, attributes: { ...attributes, ...more }, time: new Date().toISOString() }
    try {
      if ((statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) > MAXIMUM_BYTES) renameSync(this.path, `${this.path}.1`)
      appendFileSync(this.path, `${JSON.stringify(event)}\n`, { mode: 0o600 })
    } catch {
      // As said.
    }
  }
}

/** What containers are called, from one line to the next: a launcher tells of an end by the name it was started with, or none. */
class Names {
  readonly #byId = new Map<string, string>()

  applied(event: EngineEvent | null): EngineEvent | null {
    if (event?.type !== 'container') return event
    const { action, id, attributes } = event
    if (action === 'die') return { ...event, attributes: { ...attributes, name: this.#byId.get(id) ?? attributes.name ?? '' } }
    if (action === 'destroy') this.#byId.delete(id)
    else if (attributes.name !== undefined) this.#byId.set(id, attributes.name)
    return event
  }
}

/** The event in a line of the journal; null for a line that a crash has cut off. */
export function parseJournalLine(line: string): EngineEvent | null {
  const at = line.indexOf('} {"event":"exited"')
  try {
    if (at < 0) {
      const event: EngineEvent = JSON.parse(line)
      return typeof event.action === 'string' && typeof event.time === 'string' ? event : null
    }
    const { type, id, attributes }: JournalActor = JSON.parse(line.slice(0, at + 1))
    const { code, signal, time } = JSON.parse(line.slice(at + 2))
    return { type, action: 'die', id, attributes: { ...attributes, exitCode: String(code ?? 128 + signal) }, time }
  } catch {
    return null
  }
}
