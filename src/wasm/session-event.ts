/**
 * What a sandbox says in a session, read as what it must be: whoever has broken out of V8 there says whatever it likes (`sandbox-event.ts`).
 */
import type { SessionEvent } from './sandbox/session-protocol.js'
import { parseEvent } from './sandbox-event.js'

/** The event in a frame; null for anything else. */
export function parseSessionEvent(text: string): SessionEvent | null {
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof said !== 'object' || said === null) return null
  if ('event' in said && said.event === 'outlives') return { event: 'outlives' }
  // In a session nothing is kept of the files: what goes on with them is the container's.
  const event = parseEvent(JSON.stringify({ ...said, upperWhole: false }))
  if (event?.event === 'warm') return null
  if (event?.event !== 'exited') return event
  const { upperWhole: _upperWhole, ...exited } = event
  return exited
}
