import * as assert from 'uvu/assert'
import { waitForQuiet } from '../../bench/quiet.js'
import { suite } from '../support/suite.js'

const test = suite('bench/quiet')

/** Counters of a machine whose looks find it so busy, one after the other; the last goes on for ever. */
function machine(...busy: readonly number[]) {
  let [read, spent, idle] = [0, 0, 0]
  const readCounters = async () => {
    // Two readings a look.
    if (read++ % 2 === 1) {
      const part = busy[Math.min((read >> 1) - 1, busy.length - 1)] ?? 0
      spent += 200 * part
      idle += 200 * (1 - part)
    }
    return `cpu  ${spent} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 0 0 0 0\n`
  }
  return { readCounters, sleep: async () => {} }
}

test('a quiet machine is taken at the first look', async () => {
  const { busy, quiet, waitedMs } = await waitForQuiet(machine(0.02))
  assert.ok(quiet && Math.abs(busy - 0.02) < 1e-9)
  assert.is(waitedMs, 1000)
})

test('a busy one is waited for', async () => {
  const { quiet, waitedMs } = await waitForQuiet(machine(0.9, 0.4, 0.01))
  assert.ok(quiet)
  assert.is(waitedMs, 3000)
})

test('one that stays busy is measured all the same, and said to be busy', async () => {
  const { busy, quiet, waitedMs } = await waitForQuiet({ ...machine(0.5), patienceMs: 5000 })
  assert.not(quiet)
  assert.ok(Math.abs(busy - 0.5) < 1e-9)
  assert.is(waitedMs, 5000)
})

test('time that the host of a virtual machine takes away counts as busy', async () => {
  let read = 0
  const readCounters = async () => (read++ === 0 ? 'cpu  0 0 0 0 0 0 0 0 0 0\n' : 'cpu  0 0 0 70 0 0 0 30 0 0\n')
  const { busy } = await waitForQuiet({ readCounters, sleep: async () => {}, patienceMs: 0 })
  assert.ok(Math.abs(busy - 0.3) < 1e-9)
})

test.run()
