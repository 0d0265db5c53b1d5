import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { GuestMemory } from '../../src/wasm/preview1/guest-memory.js'
import { GuestExit } from '../../src/wasm/preview1/host.js'
import { decodeHeader, decodeRecord, encodeHeader, encodeRecord, type RecordingHeader } from '../../src/wasm/recording/format.js'
import { Divergence, Player } from '../../src/wasm/recording/player.js'
import { FUNCTIONS, Recorder, RecordingFull } from '../../src/wasm/recording/recorder.js'
import { fc } from '../support/properties.js'
import { outputsTo, recordsReader } from '../support/recorded-records.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/recording.security')

const HEADER: RecordingHeader = {
  image: `sha256:${'a'.repeat(64)}`,
  module: `sha256:${'b'.repeat(64)}`,
  args: ['/guest.wasm', 'word'],
  env: ['NAME=value'],
  cwd: '/',
  user: { uid: 0, gid: 0 },
  limits: { memoryBytes: 65_536, tableElements: null, fuel: null },
  deterministic: null,
}

function memory(): GuestMemory {
  return new GuestMemory(new WebAssembly.Memory({ initial: 1, maximum: 1 }))
}

const playerOf = (records: Buffer, written: Uint8Array[] = []) => new Player(recordsReader(records), outputsTo(written))

/** A recording of three calls: one that fills memory, one that writes, one that ends. */
function recorded(): Buffer {
  const pieces: Uint8Array[] = []
  const recorder = new Recorder((bytes) => pieces.push(Uint8Array.from(bytes)), 0)
  const guest = memory()
  const stdout = recorder.watched(1, { write: () => {} })
  recorder.around('random_get', [0, 1000], guest, () => {
    guest.bytes(0, 1000).fill(7)
    return 0
  })
  guest.setU32(2000, 0)
  guest.setU32(2004, 5)
  recorder.around('fd_write', [1, 2000, 1, 3000], guest, () => {
    for (const buffer of guest.buffers(2000, 1)) stdout.write(buffer)
    guest.setU32(3000, 5)
    return 0
  })
  try {
    recorder.around('proc_exit', [3], guest, () => {
      throw new GuestExit(3)
    })
  } catch (error) {
    if (!(error instanceof GuestExit)) throw error
  }
  recorder.end(3, null, false)
  return Buffer.concat(pieces)
}

/** Plays a recording for the guest that made it. */
function play(records: Buffer): { readonly written: string; readonly memory: GuestMemory; readonly exitCode: number } {
  const written: Uint8Array[] = []
  const player = playerOf(records, written)
  const guest = memory()
  player.around('random_get', [0, 1000], guest)
  guest.setU32(2000, 0)
  guest.setU32(2004, 5)
  player.around('fd_write', [1, 2000, 1, 3000], guest)
  let exitCode = -1
  try {
    player.around('proc_exit', [3], guest)
  } catch (error) {
    if (!(error instanceof GuestExit)) throw error
    exitCode = error.exitCode
  }
  player.end(exitCode, null, false)
  return { written: Buffer.concat(written).toString('latin1'), memory: guest, exitCode }
}

/** Nothing but these comes of a hostile file. */
function assertRefused(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (error instanceof Divergence || error instanceof GuestExit) return
    if (error instanceof EngineError && error.code === 'INVALID_ARCHIVE') return
    throw error
  }
}

test('a recording gives what was recorded', () => {
  const { written, memory: guest, exitCode } = play(recorded())
  assert.equal([written, exitCode], ['\x07\x07\x07\x07\x07', 3])
  assert.equal([guest.u8(999), guest.u8(1000), guest.u32(3000)], [7, 0, 5])
})

test('a recording with any of its bytes changed, cut off or repeated is refused or diverges, and never does more', () => {
  const whole = recorded()
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.constantFrom('change', 'cut', 'repeat'), (at, byte, how) => {
      const bytes = Buffer.from(whole)
      bytes[at] = byte
      const hostile =
        how === 'change' ? bytes : how === 'cut' ? whole.subarray(0, at) : Buffer.concat([bytes.subarray(0, at), bytes.subarray(at >> 1)])
      assertRefused(() => play(hostile))
    }),
    { numRuns: 2000 },
  )
})

test('random bytes are no record, and no header', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(0, 1, 2), (bytes, first) => {
      assertRefused(() => decodeRecord(Buffer.from([first, ...bytes])))
      assertRefused(() => decodeHeader(Buffer.from([...bytes, 10])))
    }),
    { numRuns: 2000 },
  )
})

test('a header is read as what it must be', () => {
  assert.equal(decodeHeader(encodeHeader(HEADER)).header, HEADER)
  const changed: readonly Readonly<Record<string, unknown>>[] = [
    { args: [] },
    { args: 'word' },
    { image: '../etc' },
    { module: 'sha256:short' },
    { env: [1] },
    { cwd: '/a\0b' },
    { user: { uid: -1, gid: 0 } },
    { limits: { memoryBytes: 1.5, tableElements: null, fuel: null } },
    { limits: null },
    { deterministic: 5 },
    { version: 2 },
    { format: 'else' },
  ]
  for (const change of changed) {
    const line = Buffer.from(`${JSON.stringify({ ...JSON.parse(encodeHeader(HEADER).toString()), ...change })}\n`)
    assert.throws(
      () => decodeHeader(line),
      (error: unknown) => error instanceof EngineError && error.code === 'INVALID_ARCHIVE',
      JSON.stringify(change),
    )
  }
})

test('a call cannot write outside of memory, nor what inflates to more than it has', () => {
  const call = {
    kind: 'call',
    function: FUNCTIONS.indexOf('random_get'),
    errno: 0,
    arguments: [0n, 8n],
    exitCode: 0,
    signal: null,
    touched: 8,
    digest: new Uint8Array(8),
    output: [],
  } as const
  const range = Buffer.alloc(16)
  range.writeUInt32LE(65_532)
  range.writeUInt32LE(8, 4)
  const guest = memory()
  const answer = (records: Buffer) => playerOf(records).around('random_get', [0, 8], guest)
  assert.throws(() => answer(encodeRecord({ ...call, isDeflated: false, ranges: range })), /outside of memory/)
  assert.throws(() => answer(encodeRecord({ ...call, isDeflated: true, ranges: range })), /inflated/)
  assert.throws(() => answer(encodeRecord({ ...call, isDeflated: false, ranges: range.subarray(0, 12) })), /longer than its record/)
})

test('a guest that catches what ends its replay, or its recording, is answered no more', () => {
  const player = playerOf(recorded())
  const guest = memory()
  for (let time = 0; time < 2; time++) assert.throws(() => player.around('fd_close', [3], guest), /at call 1: it calls fd_close/)
  assert.throws(() => player.end(0, null, false), /at call 1/)
  const recorder = new Recorder(() => {}, 0, 100)
  const fill = () => recorder.around('random_get', [0, 200], guest, () => guest.bytes(0, 200).length * 0)
  for (let time = 0; time < 2; time++) assert.throws(fill, (error: unknown) => error instanceof RecordingFull)
})

test.run()
