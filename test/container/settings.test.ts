import * as assert from 'uvu/assert'
import type { CreateOptions } from '../../src/container/options.js'
import { containerSettings } from '../../src/container/settings.js'
import { suite } from '../support/suite.js'

const test = suite('container/settings')
const SECOND = 1_000_000_000
const IMAGE = {
  Healthcheck: { Test: ['CMD', 'check', 'it'], Interval: 2 * SECOND, Timeout: 3 * SECOND, StartPeriod: 4 * SECOND, Retries: 5 },
}

const health = (given: CreateOptions['health'], image = IMAGE as object) =>
  containerSettings({ image: 'x', ...(given === undefined ? {} : { health: given }) }, image).health

test("a health check is the image's, and each part that is given stands in its place", () => {
  const whole = { test: ['check', 'it'], intervalMs: 2000, timeoutMs: 3000, startPeriodMs: 4000, retries: 5 }
  assert.equal(health(undefined), whole)
  assert.equal(health({ intervalMs: 7 }), { ...whole, intervalMs: 7 })
  assert.equal(health({ retries: 1, startPeriodMs: 0 }), { ...whole, retries: 1, startPeriodMs: 0 })
  assert.equal(health({ test: ['other'] }), { ...whole, test: ['other'] })
  assert.is(health(null), null)
})

test('what neither says is as with docker, and without a program there is no check', () => {
  const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, retries: 3 }
  assert.equal(health({ test: ['own'] }, {}), { ...defaults, test: ['own'] })
  assert.equal(health(undefined, { Healthcheck: { Test: ['CMD-SHELL', 'a b'], Interval: 0 } }), {
    ...defaults,
    test: ['/bin/sh', '-c', 'a b'],
  })
  assert.is(health({ intervalMs: 7 }, {}), null)
  assert.is(health({ intervalMs: 7 }, { Healthcheck: { Test: ['NONE'] } }), null)
  assert.equal(health({ test: ['own'] }, { Healthcheck: { Test: ['NONE'] } }), { ...defaults, test: ['own'] })
  assert.is(health(undefined, { Healthcheck: { Test: ['CMD', 'x'], Interval: 1e18 } })?.intervalMs, 2 ** 31 - 1)
  for (const broken of ['x', [1], ['CMD']]) assert.is(health(undefined, { Healthcheck: { Test: broken } }), null)
})

test.run()
