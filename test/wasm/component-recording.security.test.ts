/** Recordings of components: what was recorded is told again, and what a hostile recording says is not believed. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { ComponentPlayer } from '../../src/wasm/recording/component-player.js'
import { decodeComponentCall, encodeArguments, encodeComponentCall } from '../../src/wasm/recording/component-record.js'
import { ComponentRecorder } from '../../src/wasm/recording/component-recorder.js'
import { Divergence } from '../../src/wasm/recording/player.js'
import { RecordingFull } from '../../src/wasm/recording/recorder.js'
import { componentOf } from '../support/components.js'
import { fc } from '../support/properties.js'
import { outputsTo, recordsReader } from '../support/recorded-records.js'
import { rejection } from '../support/rejection.js'
import { WASM } from '../support/requirements.js'
import type { SpecChange } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { guestBytes, withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/component-recording.security')
const IMAGE = `sha256:${'a'.repeat(64)}`
const probe = await componentOf(guestBytes('probe'))
const FILES = { '/p.wasm': probe, '/etc/a': 'a' }

function recording(mode: 'record' | 'replay', path: string): SpecChange {
  return { recording: { mode, path, image: IMAGE } }
}

test.needs(WASM)('a recorded run of a component is replayed byte for byte, without its files, its stdin and its time', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    const path = join(folder, 'run.recording')
    const words = 'clock , random 32 , cat /etc/a , cat /missing , echo , write /x made , cat /x , list / , exit 7'
    const args = ['/p.wasm', ...words.split(' ')]
    const first = await run(args, { change: { ...recording('record', path), limits: { fuel: 1e9 } }, stdin: 'some input\n' })
    assert.is(first.status.exitCode, 1)
    assert.match(first.stdout, /a\/missing: ENOENT\nsome input\nmade/)
    assert.equal(first.receipt.wasm?.instrumented, ['fuel', 'canonical-nan'])
    // Nothing could be written, if it asked for that.
    const change = { ...recording('replay', path), limits: { fuel: 1e9 }, readonlyRootfs: true }
    const again = await run(args, { change })
    assert.equal([again.status.exitCode, again.status.reason, again.status.fuelLeft], [1, 'exited', first.status.fuelLeft])
    assert.equal([again.stdout, again.stderr], [first.stdout, first.stderr])
  }),
)

test.needs(WASM)('a replay of a component that comes to differ, or is cut off, says at which call', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    const path = join(folder, 'run.recording')
    const args = ['/p.wasm', 'print', 'one', ',', 'trap']
    const first = await run(args, { change: recording('record', path) })
    assert.is(first.status.reason, 'signaled')
    const replay = (words: readonly string[]) => run(words, { change: recording('replay', path) })
    assert.equal([(await replay(args)).status.reason, (await replay(args)).stdout], ['signaled', 'one\n'])
    await rejection(replay(['/p.wasm', 'print', 'two']), 'INVALID_ARGUMENT')
    const whole = readFileSync(path)
    writeFileSync(path, whole.subarray(0, whole.length - 20))
    const short = await replay(args)
    assert.equal([short.status.reason, short.status.exitCode], ['diverged', 125])
    assert.match(short.status.detail ?? '', /call \d+/)
    // Other arguments than the header says: they are answers too.
    writeFileSync(path, Buffer.from(whole.toString('latin1').replaceAll('"one"', '"two"'), 'latin1'))
    const other = await replay(['/p.wasm', 'print', 'two', ',', 'trap'])
    assert.is(other.status.reason, 'diverged')
    assert.match(other.status.detail ?? '', /at call \d+: it calls wasi:io\/streams OutputStream\.\w+ with other arguments/)
  }),
)

test.needs(WASM)('a recording of a module is none of a component’s', () =>
  withWasmWall(FILES, async ({ run, folder }) => {
    const path = join(folder, 'run.recording')
    await run(['/probe.wasm', 'print', 'x'], { change: recording('record', path) })
    await rejection(run(['/p.wasm', 'print', 'x'], { change: recording('replay', path) }), 'DIGEST_MISMATCH')
  }),
)

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(undefined),
    fc.boolean(),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.uint32Array(),
    fc.array(tie('value')),
    fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
      tie('value'),
      { noNullPrototype: true },
    ),
  ),
})).value

test('whatever a call is answered is read as it was written', () => {
  fc.assert(
    fc.property(value, fc.constantFrom('ok', 'err'), (answer, kind) => {
      const record = { name: 'wasi:random/random x', args: encodeArguments([answer]), answer: { [kind]: answer } as never, output: [] }
      // uvu tells two objects apart by a member called constructor.
      assert.ok(isDeepStrictEqual(decodeComponentCall(encodeComponentCall(record).subarray(4)), record))
    }),
    { numRuns: 300 },
  )
})

const playerOf = (records: Buffer, written: Uint8Array[] = []) => new ComponentPlayer(recordsReader(records), outputsTo(written))

const GIVEN = Buffer.from('given by the guest')

/** Three calls: one that writes what it is given, one that writes something else, one that ends. */
function recorded(): Buffer {
  const pieces: Uint8Array[] = []
  const recorder = new ComponentRecorder((bytes) => pieces.push(Uint8Array.from(bytes)), 0)
  const stdout = recorder.watched(1, { write: () => {} })
  recorder.around('write', [1n, GIVEN], () => {
    stdout.write(GIVEN)
    return { ok: undefined }
  })
  recorder.around('splice', [1n, 2n], () => {
    stdout.write(Buffer.from(' and by the host'))
    return { ok: 16n }
  })
  recorder.around('exit', [{ tag: 'ok' }], () => ({ exit: 0 }))
  recorder.end(0, null, false)
  return Buffer.concat(pieces)
}

function play(records: Buffer): string {
  const written: Uint8Array[] = []
  const player = playerOf(records, written)
  player.around('write', [1n, GIVEN])
  player.around('splice', [1n, 2n])
  player.around('exit', [{ tag: 'ok' }])
  player.end(0, null, false)
  return Buffer.concat(written).toString('latin1')
}

test('what goes out comes from the guest where it has handed that over, and from the recording where it has not', () => {
  assert.is(play(recorded()), 'given by the guest and by the host')
  const other = playerOf(recorded())
  assert.throws(() => other.around('write', [1n, Buffer.from('something else....')]), /call 1: it calls write with other arguments/)
  // Whatever it catches.
  assert.throws(() => other.around('write', [1n, GIVEN]), /call 1/)
  assert.throws(() => other.end(0, null, false), /call 1/)
})

test('a recording that is spoiled, byte by byte or cut off, is refused or differs, and does nothing else', () => {
  const whole = recorded()
  const attempt = (records: Buffer): void => {
    try {
      play(records)
    } catch (error) {
      if (error instanceof Divergence || (error instanceof EngineError && error.code === 'INVALID_ARCHIVE')) return
      throw error
    }
  }
  for (let at = 0; at < whole.length; at++) {
    attempt(whole.subarray(0, at))
    for (const bit of [0, 3, 5, 7]) {
      const spoiled = Buffer.from(whole)
      spoiled[at] = (spoiled[at] ?? 0) ^ (1 << bit)
      attempt(spoiled)
    }
  }
})

test('a record that would inflate to more than any call is answered is refused', () => {
  const bomb = encodeComponentCall({ name: 'x'.repeat(65 * 2 ** 20), args: '[]', answer: { ok: 1 }, output: [] })
  assert.throws(() => decodeComponentCall(bomb.subarray(4)), /the recording cannot be read/)
})

test('a recording has a most, and a guest that catches its end gets no further', () => {
  const recorder = new ComponentRecorder(() => {}, 0, 100)
  const call = () => recorder.around('x', [Buffer.alloc(10)], () => ({ ok: Buffer.alloc(100) }))
  assert.throws(call, (error: unknown) => error instanceof RecordingFull)
  assert.throws(call, (error: unknown) => error instanceof RecordingFull)
  assert.ok(recorder.full !== null)
})

test.run()
