import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openRunningTask, readGuest, recordGuest } from '../../src/runtime/running-task.js'
import { readEnd } from '../../src/runtime/supervision.js'
import { withFolder } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/records')

/** Every way a host that crashed may give a file back: cut off, empty, zeros, another's. */
function* spoilt(whole: Record<string, unknown>): Generator<string> {
  const text = JSON.stringify(whole)
  for (let length = 0; length < text.length; length++) yield text.slice(0, length)
  yield* ['\0'.repeat(text.length), 'null', '[]', '7', '"x"', '{}']
  for (const key of Object.keys(whole)) for (const other of [undefined, [], {}, true]) yield JSON.stringify({ ...whole, [key]: other })
}

test('who the guest is, is known from a whole record or not at all', () =>
  withFolder(async (folder) => {
    recordGuest(folder, { guest: process.pid, init: process.pid, supervisor: process.pid })
    const whole = readGuest(folder)
    assert.ok(whole)
    for (const text of spoilt({ ...whole })) {
      writeFileSync(join(folder, 'guest.json'), text)
      const found = openRunningTask(folder)
      // Without a supervisor there is nobody to ask, which a record may say.
      if (found !== null) assert.is(JSON.parse(text).supervisor, undefined, text)
    }
  }))

test('how it ended is known from a whole record or not at all', () =>
  withFolder(async (folder) => {
    const whole = { event: 'exited', code: 3, signal: null, reason: 'exited', duration_ns: 5, time: '2026-01-01T00:00:00.000000000Z' }
    writeFileSync(join(folder, 'end.json'), JSON.stringify(whole))
    assert.equal(readEnd(folder), whole)
    for (const text of spoilt(whole)) {
      writeFileSync(join(folder, 'end.json'), text)
      const end = readEnd(folder)
      if (end === null) continue
      assert.ok(Number.isFinite(end.code ?? end.signal) && !Number.isNaN(Date.parse(end.time)), text)
    }
  }))

test.run()
