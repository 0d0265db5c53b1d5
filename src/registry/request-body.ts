/** What a request carries. A long body is read as it is sent, and no further than an answer that comes before its end. */
import type { ClientRequest } from 'node:http'
import type { Deadline } from './deadline.js'
import type { Patience } from './patience.js'

/** A body that is opened for each attempt anew; its length stands in the request's headers. */
export interface StreamedBody {
  open(): Promise<AsyncIterable<Uint8Array>>
}

/** The bytes, or where they come from. */
export type RequestBody = string | Uint8Array | StreamedBody

/** What is written at once: so much must be taken before the connection counts as stalled. */
const PIECE_BYTES = 64 * 1024

/** Whether a body is read as it is sent. */
export function isStreamed(body: RequestBody): body is StreamedBody {
  return typeof body === 'object' && 'open' in body
}

/**
 * Sends a body and ends the request, or destroys it with what could not be read. The deadline is put off as long as the other side takes
 * bytes, and then for its answer.
 */
export async function sendBody(made: ClientRequest, body: StreamedBody, deadline: Deadline, patience: Patience): Promise<void> {
  let isAnswered = false
  made.once('response', () => {
    isAnswered = true
  })
  try {
    for await (const chunk of await body.open())
      for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
        if (isAnswered || made.destroyed) return
        if (!made.write(chunk.subarray(start, start + PIECE_BYTES))) await taken(made)
        // An answer has no deadline any more.
        if (!isAnswered) deadline.putOff(patience.stallMs)
      }
    if (isAnswered || made.destroyed) return
    deadline.putOff(patience.commitMs)
    made.end()
  } catch (error) {
    made.destroy(error as Error)
  }
}

/** Resolves when the other side has taken what was written, or will not take any more. */
function taken(made: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const events = ['drain', 'response', 'close'] as const
    const done = () => {
      for (const event of events) made.off(event, done)
      resolve()
    }
    for (const event of events) made.on(event, done)
    if (made.destroyed) done()
  })
}
