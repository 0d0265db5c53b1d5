/** A guest that has broken out of V8 says what it likes on its channel. Its owner must believe none of it. */
import { randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { encodeResult, FRAME, NONCE_BYTES, VERB } from '../../src/plugin/call-protocol.js'
import { type ChannelCall, PluginChannel } from '../../src/plugin/channel.js'
import { frame } from '../../src/wasm/sandbox/session-protocol.js'
import { suite } from '../support/suite.js'

const test = suite('plugin/channel.security')

/** A channel whose other end is the test, in step already, with what its owner thinks of it. */
async function openChannel(ask: ChannelCall['ask'] = async () => Buffer.alloc(0)) {
  const sent: Buffer[] = []
  const stream = new Duplex({
    read: () => {},
    write: (chunk, _encoding, done) => {
      sent.push(chunk)
      done()
    },
  })
  const distrusted: string[] = []
  const channel = new PluginChannel(stream, (what) => {
    distrusted.push(what)
    channel.close(new EngineError('SANDBOX_FAILED', what))
  })
  const nonce = randomBytes(NONCE_BYTES)
  const ready = channel.synchronize(nonce)
  stream.push(Buffer.concat([Buffer.from('what an earlier thread has left'), nonce]))
  await ready
  const perform = (verb: number = VERB.bytes) =>
    channel.perform({
      request: { verb, keeps: false, instance: 0, function: 0, inputs: [Buffer.from('input')] },
      outputBytes: 100,
      countsFuel: false,
      hostFunctions: 1,
      ask,
      write: () => {},
    })
  const say = (kind: number, contents: Uint8Array, number = 1) => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(number)
    stream.push(frame(kind, Buffer.concat([head, contents])))
  }
  return { channel, stream, perform, say, distrusted, sent }
}

/** What becomes of a call whose thread speaks so. */
async function forged(speak: (parts: Awaited<ReturnType<typeof openChannel>>) => void, verb?: number): Promise<void> {
  const parts = await openChannel(() => new Promise(() => {}))
  const outcome = parts.perform(verb).then(
    () => 'believed',
    (error: unknown) => (error as EngineError).code,
  )
  speak(parts)
  assert.is(await outcome, 'SANDBOX_FAILED')
  assert.is(parts.distrusted.length, 1)
}

test('an honest answer is believed', async () => {
  const { perform, stream } = await openChannel()
  const outcome = perform()
  stream.push(frame(FRAME.result, encodeResult(1, [Buffer.from('answer')])))
  assert.is(String((await outcome)[0]), 'answer')
})

test('a second answer to one call ends the sandbox', async () => {
  const { perform, stream, distrusted } = await openChannel()
  const outcome = perform()
  const answer = frame(FRAME.result, encodeResult(1, [Buffer.from('answer')]))
  stream.push(Buffer.concat([answer, answer]))
  await outcome
  assert.is(distrusted.length, 1)
})

test('an answer before there is a call ends the sandbox', async () => {
  const { stream, distrusted } = await openChannel()
  stream.push(frame(FRAME.result, encodeResult(1, [])))
  await new Promise((resolve) => stream.once('close', resolve))
  assert.is(distrusted.length, 1)
})

test('an answer to another call is none', () => forged(({ say }) => say(FRAME.result, Buffer.alloc(4), 2)))

test('a frame of a kind that there is not is none', () => forged(({ say }) => say(99, Buffer.alloc(0))))

test('a frame of the owner’s own kinds is none', () => forged(({ say }) => say(FRAME.answer, Buffer.alloc(0))))

test('a frame longer than any answer may be is not waited for', () =>
  forged(({ stream }) => stream.push(Buffer.from([FRAME.result, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]))))

test('results of another number than asked are none', () => forged(({ stream }) => stream.push(frame(FRAME.result, encodeResult(1, [])))))

test('a result that goes beyond its frame is none', () => forged(({ say }) => say(FRAME.result, Buffer.from([0, 0, 1, 0]))))

test('a failure that is no failure is none', async () => {
  for (const text of [
    '',
    '[]',
    '{"code":"NO_SUCH","message":"","data":{}}',
    '{"code":"ABORTED","message":7,"data":{}}',
    '{"code":"toString","message":"","data":{}}',
  ])
    await forged(({ say }) => say(FRAME.failure, Buffer.from(text)))
})

test('two questions at once, or an answer while a question is open, are none', async () => {
  await forged(({ say }) => {
    say(FRAME.ask, Buffer.alloc(2))
    say(FRAME.ask, Buffer.alloc(2))
  })
  await forged(({ say, stream }) => {
    say(FRAME.ask, Buffer.alloc(2))
    stream.push(frame(FRAME.result, encodeResult(1, [Buffer.alloc(0)])))
  })
})

test('output of a call that is no run, and more of a run than there may be, are none', async () => {
  await forged(({ say }) => say(FRAME.stdout, Buffer.from('text')))
  await forged(({ say }) => say(FRAME.stdout, Buffer.alloc(101)), VERB.run)
})

test('a host function’s answer that comes when its call is over is sent to nobody', async () => {
  let answer = (_bytes: Buffer): void => {}
  const { channel, perform, say, sent } = await openChannel(() => new Promise((resolve) => (answer = resolve)))
  const outcome = perform().catch((error: EngineError) => error.code)
  say(FRAME.ask, Buffer.alloc(2))
  await new Promise((resolve) => setImmediate(resolve))
  channel.abandon(new EngineError('DEADLINE_EXCEEDED', 'late'))
  assert.is(await outcome, 'DEADLINE_EXCEEDED')
  answer(Buffer.from('late'))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(
    sent.slice(1).map((bytes) => bytes[0]),
    [FRAME.call, FRAME.over],
  )
})

test('a question for a host function that there is not ends the sandbox', () => forged(({ say }) => say(FRAME.ask, Buffer.from([0, 1, 7]))))

test('a failure that only the owner can tell of is none', async () => {
  for (const code of ['ABORTED', 'DEADLINE_EXCEEDED', 'CONFLICT', 'IMAGE_NOT_FOUND'])
    await forged(({ say }) => say(FRAME.failure, Buffer.from(JSON.stringify({ code, message: 'believe me', data: {} }))))
})

test('random bytes never make an answer', async () => {
  for (let round = 0; round < 200; round++) {
    const { perform, stream, channel } = await openChannel()
    const outcome = perform().then(
      () => 'believed',
      () => 'refused',
    )
    stream.push(randomBytes(64))
    await new Promise((resolve) => setImmediate(resolve))
    channel.close(new EngineError('SANDBOX_FAILED', 'over'))
    assert.is(await outcome, 'refused')
  }
})

test.run()
