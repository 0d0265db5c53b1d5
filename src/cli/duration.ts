import { invalidFlag } from './invalid-flag.js'

const MILLISECONDS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
/** Of one of Node's timers, which the Wasm wall has: some 24 days. */
const MAXIMUM_MS = 596 * 3_600_000

/** Milliseconds of `10s`, `1h30m`, `1.5m`, as Go writes durations; a bare number is seconds. Throws INVALID_ARGUMENT. */
export function durationOf(text: string, flag: string): number {
  const invalid = (why: string, hint = 'Write numbers with units: 500ms, 10s, 5m, 1h30m.') => invalidFlag(text, flag, why, hint)
  if (!/^(\d+(\.\d+)?|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+)$/.test(text)) throw invalid('not a duration')
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)?/g)]
  const milliseconds = Math.round(parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (MILLISECONDS[unit] ?? 0), 0))
  if (milliseconds < 1) throw invalid('too short')
  if (milliseconds > MAXIMUM_MS) throw invalid('too long: the longest is 596h', 'Leave it out for no limit.')
  return milliseconds
}
