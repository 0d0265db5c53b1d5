import { EngineError } from '../errors.js'
import { durationOf } from './duration.js'

/** A moment as docker's --since and --until have it: RFC 3339, a date, Unix seconds, or a duration before `nowMs`. Throws INVALID_ARGUMENT. */
export function parseTime(text: string, nowMs: number): Date {
  if (/^-?\d+(\.\d+)?$/.test(text)) return new Date(Number(text) * 1000)
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    const moment = new Date(/T\d\d$/.test(text) ? `${text}:00` : text)
    if (!Number.isNaN(moment.getTime())) return moment
  } else if (/^\d+(\.\d+)?[a-zµ]/.test(text)) return new Date(nowMs - durationOf(text, '--since'))
  throw new EngineError('INVALID_ARGUMENT', `failed to parse time: ${JSON.stringify(text)}`, {
    data: { time: text },
    hint: 'Write 2026-01-02T15:04:05Z, Unix seconds, or how long ago: 10m, 1h30m.',
  })
}
