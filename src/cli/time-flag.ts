import { EngineError } from '../errors.js'

const MILLISECONDS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const DURATION = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/
const DATE = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?)?([zZ]|[+-]\d\d:\d\d)?$/

/**
 * A moment as docker's --since and --until have it: RFC 3339 or the beginning of it, in this machine's zone unless it names one; Unix seconds
 * with a fraction; or a duration, which is that long before `nowMs`. Throws INVALID_ARGUMENT.
 */
export function parseTime(text: string, nowMs: number): Date {
  const moment = durationBefore(text, nowMs) ?? dateOf(text) ?? (/^-?\d+(\.\d*)?$/.test(text) ? new Date(Number(text) * 1000) : null)
  if (moment !== null && !Number.isNaN(moment.getTime())) return moment
  throw new EngineError('INVALID_ARGUMENT', `failed to parse value as time or duration: ${JSON.stringify(text)}`, {
    data: { time: text },
    hint: 'Write 2026-01-02T15:04:05Z, Unix seconds, or how long ago: 10m, 1h30m.',
  })
}

function durationBefore(text: string, nowMs: number): Date | null {
  const [, sign, parts = ''] = DURATION.exec(text) ?? []
  if (sign === undefined) return null
  let milliseconds = 0
  for (const [, count, unit = ''] of parts.matchAll(/([\d.]+)(\D+)/g)) milliseconds += Number(count) * (MILLISECONDS[unit] ?? 0)
  return new Date(sign === '-' ? nowMs + milliseconds : nowMs - milliseconds)
}

function dateOf(text: string): Date | null {
  const [, day, hours = '00', minutes = '00', seconds = '00', fraction = '0', zone = ''] = DATE.exec(text) ?? []
  if (day === undefined) return null
  const date = new Date(`${day}T${hours}:${minutes}:${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${zone.toUpperCase()}`)
  // JavaScript takes 31 February for 3 March.
  return Number(day.slice(8)) > new Date(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)), 0)).getUTCDate() ? null : date
}
