import { PassThrough, Writable } from 'node:stream'
import * as assert from 'uvu/assert'
import { writeAtReadersPace } from '../../src/cli/slow-reader.js'
import { suite } from '../support/suite.js'

const test = suite('cli/slow-reader')

const listeners = (stream: Writable) => ['drain', 'error', 'close'].reduce((sum, event) => sum + stream.listenerCount(event), 0)

test('what is written waits for a reader that is slow', async () => {
  const pipe = new PassThrough({ highWaterMark: 1 })
  const before = listeners(pipe)
  let written = false
  const writing = writeAtReadersPace(pipe, 'abc').then(() => {
    written = true
  })
  await new Promise(setImmediate)
  assert.not.ok(written)
  pipe.resume()
  await writing
  assert.is(listeners(pipe), before)
})

test('a reader that has gone away is waited for no longer, and no listener is left at its stream', async () => {
  const gone = () => Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  const broken = new Writable({ highWaterMark: 1, autoDestroy: false, write: (_chunk, _encoding, done) => setImmediate(done, gone()) })
  broken.on('error', () => {})
  const before = listeners(broken)
  for (let times = 0; times < 12; times++) await writeAtReadersPace(broken, 'abc')
  assert.is(listeners(broken), before)

  const destroyed = new PassThrough().destroy()
  destroyed.on('error', () => {})
  await writeAtReadersPace(destroyed, 'abc')
})

test('nobody waits for a slow reader who has been told to stop', async () => {
  const pipe = new PassThrough({ highWaterMark: 1 })
  const stop = new AbortController()
  const before = listeners(pipe)
  const writing = writeAtReadersPace(pipe, 'abc', stop.signal)
  stop.abort()
  await writing
  await writeAtReadersPace(pipe, 'abc', stop.signal)
  assert.is(listeners(pipe), before)
})

test.run()
