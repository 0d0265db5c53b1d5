import * as assert from 'uvu/assert'
import { parseTime } from '../../src/cli/time-flag.js'
import { suite } from '../support/suite.js'

const test = suite('cli/time-flag')
const NOW = Date.UTC(2026, 0, 2, 15, 4, 5)
const at = (text: string) => parseTime(text, NOW).toISOString()

test('a time is RFC 3339 or the beginning of it, in the zone it names', () => {
  assert.is(at('2026-01-02T03:04:05Z'), '2026-01-02T03:04:05.000Z')
  assert.is(at('2026-01-02T03:04:05.123456789Z'), '2026-01-02T03:04:05.123Z')
  assert.is(at('2026-01-02T03:04:05.5+02:00'), '2026-01-02T01:04:05.500Z')
  assert.is(at('2026-01-02T03:04-01:00'), '2026-01-02T04:04:00.000Z')
  assert.is(at('2026-01-02T03Z'), '2026-01-02T03:00:00.000Z')
  assert.is(at('2026-01-02Z'), '2026-01-02T00:00:00.000Z')
})

test('a time without a zone is one of this machine', () => {
  assert.is(at('2026-01-02'), new Date(2026, 0, 2).toISOString())
  assert.is(at('2026-07-02T03:04'), new Date(2026, 6, 2, 3, 4).toISOString())
})

test('a number is Unix seconds, a duration so long ago', () => {
  assert.is(at('1136073845'), '2006-01-01T00:04:05.000Z')
  assert.is(at('1136073845.25'), '2006-01-01T00:04:05.250Z')
  assert.is(at('0'), '1970-01-01T00:00:00.000Z')
  assert.is(at('10m'), '2026-01-02T14:54:05.000Z')
  assert.is(at('1h30m1.5s'), '2026-01-02T13:34:03.500Z')
  assert.is(at('-1h'), '2026-01-02T16:04:05.000Z')
  assert.is(at('1000h'), new Date(NOW - 1000 * 3_600_000).toISOString())
})

test('what is no time is named', () => {
  for (const text of ['', 'yesterday', '10x', '2026-02-31', '2026-13-01', '2026-01-02T25:00', '2026-1-2', '5m 3s'])
    assert.throws(() => at(text), /failed to parse value as time or duration/)
})

test.run()
