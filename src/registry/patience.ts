import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long a registry is waited for, and how often it is asked again. */
export interface Patience {
  /** Requests for one thing, the first one counted (docker's max-download-attempts). */
  readonly attempts: number
  /** Until the head of an answer is there, connecting included. */
  readonly headMs: number
  /** Silence within a body that comes, in as much time at least {@link LEAST_BYTES_PER_SECOND} must; and none of a body that is sent being taken. */
  readonly stallMs: number
  /** Until the answer to an upload, after its last byte: a registry may look through all of it first. */
  readonly commitMs: number
  /** Waits between two attempts. Rejects when the signal aborts. */
  pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void>
}

/** Bytes a second below which a body counts as stalled. */
export const LEAST_BYTES_PER_SECOND = 256

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 16_000
/** A registry that asks for a longer wait is told of instead. */
export const LONGEST_RETRY_AFTER_MS = 60_000

/** What a person at a terminal has. */
export const DEFAULT_PATIENCE: Patience = {
  attempts: 5,
  headMs: 30_000,
  stallMs: 60_000,
  commitMs: 300_000,
  pause: (milliseconds, signal) => sleep(milliseconds, undefined, signal === undefined ? {} : { signal }),
}

/** Pause before attempt number `attempt` + 1: twice as long each time, and not in step with other clients. */
export function backOffMs(attempt: number): number {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS)
  return most / 2 + Math.random() * (most / 2)
}

/** What `Retry-After` asks for (RFC 9110, 10.2.3: seconds, or a date); null when it says nothing that can be read. */
export function retryAfterMs({ 'retry-after': value }: IncomingHttpHeaders, now: number = Date.now()): number | null {
  if (value === undefined) return null
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}
