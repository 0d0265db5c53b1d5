import { execFileSync, spawnSync } from 'node:child_process'
import { gunzipSync, gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { compress, decompress, detectCompression } from '../../src/layer/compression.js'
import { type Requirement, suite } from '../support/suite.js'

const test = suite('layer/compression')

const zstdTool: Requirement = {
  name: 'zstd',
  missing: async () => (spawnSync('zstd', ['--version']).error ? 'the zstd command is not installed' : null),
}
const zstd = (bytes: Uint8Array, ...flags: string[]) => execFileSync('zstd', ['-q', '-c', ...flags], { input: bytes })

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length)
}

async function through(bytes: Uint8Array, pieceBytes = 1000): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of decompress(pieces(bytes, pieceBytes))) chunks.push(chunk)
  return Buffer.concat(chunks)
}

// Text that packs well but not absurdly, several blocks of zstd long.
const text = Buffer.from(Array.from({ length: 40_000 }, (_, line) => `line ${(line * 7919) % 10_007}\n`).join(''))

test('bytes that are not packed come through as they are, also none and fewer than a magic number', async () => {
  for (const bytes of [text, Buffer.from(''), Buffer.from('ab')]) assert.equal(await through(bytes), bytes)
})

test('gzip is unpacked, in pieces of any size and with several members', async () => {
  for (const pieceBytes of [1, 3, 100_000])
    assert.equal(await through(gzipSync(text.subarray(0, 5000)), pieceBytes), text.subarray(0, 5000))
  assert.equal(await through(Buffer.concat([gzipSync(text), gzipSync(text)])), Buffer.concat([text, text]))
})

test.needs(zstdTool)('zstd is unpacked, in pieces of any size, with several and skippable frames', async () => {
  for (const pieceBytes of [1, 1000, 100_000]) assert.equal(await through(zstd(text), pieceBytes), text)
  const skippable = Buffer.from([0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
  assert.equal(
    await through(Buffer.concat([skippable, zstd(text), skippable, zstd(text, '--no-check', '-19')])),
    Buffer.concat([text, text]),
  )
})

test('the magic number decides', () => {
  assert.is(detectCompression(Buffer.from([0x1f, 0x8b, 8, 0])), 'gzip')
  assert.is(detectCompression(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])), 'zstd')
  assert.is(detectCompression(Buffer.from([0x50, 0x2a, 0x4d, 0x18])), 'zstd')
  assert.is(detectCompression(Buffer.from('ustar')), 'none')
  assert.is(detectCompression(Buffer.from([])), 'none')
})

test('destroying the output ends the input', async () => {
  let ended = false
  const input = async function* () {
    try {
      for (;;) yield gzipSync(text)
    } finally {
      ended = true
    }
  }
  const output = decompress(input())
  for await (const _ of output) break
  assert.ok(output.destroyed)
  for (let turn = 0; turn < 100 && !ended; turn++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(ended)
})

test("an error of the input is the output's, as it is", async () => {
  const failure = new Error('the disk is gone')
  const input = async function* () {
    yield gzipSync(text).subarray(0, 1000)
    throw failure
  }
  try {
    for await (const _ of decompress(input()));
    assert.unreachable()
  } catch (error) {
    assert.is(error, failure)
  }
})

async function packed(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const packedChunks: Uint8Array[] = []
  for await (const chunk of compress(chunks, 'gzip')) packedChunks.push(chunk)
  return Buffer.concat(packedChunks)
}

// More than two of the pieces that are packed side by side.
const long = Buffer.concat(Array.from({ length: 7 }, () => text))

test('what is packed with gzip does not depend on how the bytes come', async () => {
  const whole = await packed(pieces(long, long.length))
  assert.equal(gunzipSync(whole), long)
  for (const pieceBytes of [1009, 1 << 20, (1 << 20) + 1]) assert.equal(await packed(pieces(long, pieceBytes)), whole)
  assert.ok(whole.length < gzipSync(long).length * 1.02, `${whole.length} bytes against ${gzipSync(long).length}`)
})

test('no bytes at all are packed as a whole gzip file, those of whole pieces as no more than they are', async () => {
  assert.equal(gunzipSync(await packed(pieces(Buffer.alloc(0), 1))), Buffer.alloc(0))
  const even = Buffer.alloc(2 << 20, 7)
  const both = await packed(pieces(even, 10_000))
  assert.equal(gunzipSync(both), even)
  assert.is(both.length, 2 * gzipSync(even.subarray(0, 1 << 20)).length)
})

test('packing with gzip ends with its input and by its error', async () => {
  const ended: string[] = []
  const failure = new Error('the disk is gone')
  const input = async function* (fails: boolean) {
    try {
      for (let turn = 0; !fails || turn < 50; turn++) yield text
      throw failure
    } finally {
      ended.push(fails ? 'failed' : 'left')
    }
  }
  for await (const _ of compress(input(false), 'gzip')) break
  assert.is(await packed(input(true)).catch((error) => error), failure)
  assert.equal(ended, ['left', 'failed'])
})

test.run()
