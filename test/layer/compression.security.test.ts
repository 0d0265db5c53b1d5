import { execFileSync, spawnSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { EngineError, type ErrorCode } from '../../src/errors.js'
import { DecompressionMeter, decompress } from '../../src/layer/compression.js'
import { indexTar } from '../../src/layer/index.js'
import type { DecompressionLimits } from '../../src/layer/limits.js'
import { bytesSource } from '../../src/layer/source.js'
import { ZstdFrames } from '../../src/layer/zstd-frames.js'
import { type Requirement, suite } from '../support/suite.js'

const test = suite('layer/compressed layers that attack')

const zstdTool: Requirement = {
  name: 'zstd',
  missing: async () => (spawnSync('zstd', ['--version']).error ? 'the zstd command is not installed' : null),
}
const zstd = (bytes: Uint8Array) => execFileSync('zstd', ['-q', '-c'], { input: bytes, maxBuffer: 2 ** 26 })

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function refuses(code: ErrorCode, bytes: Uint8Array, limits: Partial<DecompressionLimits> = {}): Promise<number> {
  let count = 0
  try {
    for await (const chunk of decompress(whole(bytes), limits)) count += (chunk as Uint8Array).length
  } catch (error) {
    assert.instance(error, EngineError)
    assert.is((error as EngineError).code, code, String(error))
    return count
  }
  throw new Error(`${count} bytes came through`)
}

const zeros = new Uint8Array(20 << 20)

test('a gzip bomb is stopped at the ratio, soon after it shows', async () => {
  const limits = { freeBytes: 2 ** 20, maximumRatio: 100 }
  assert.ok((await refuses('LIMIT_EXCEEDED', gzipSync(zeros), limits)) < 3 << 20)
})

test.needs(zstdTool)('a zstd bomb is stopped at the ratio, soon after it shows', async () => {
  const limits = { freeBytes: 2 ** 20, maximumRatio: 100 }
  assert.ok((await refuses('LIMIT_EXCEEDED', zstd(zeros), limits)) < 3 << 20)
})

test('a gzip bomb of many members is judged as one', async () => {
  const member = gzipSync(zeros.subarray(0, 2 ** 20))
  const bomb = Buffer.concat(Array.from({ length: 20 }, () => member))
  assert.ok((await refuses('LIMIT_EXCEEDED', bomb, { freeBytes: 4 * 2 ** 20, maximumRatio: 100 })) <= 5 * 2 ** 20)
  await refuses('LIMIT_EXCEEDED', bomb, { maximumBytes: 10 * 2 ** 20 })
})

test.needs(zstdTool)('a zstd bomb of many frames is judged as one, and frames of no bytes are no way around', async () => {
  const frame = zstd(zeros.subarray(0, 2 ** 20))
  const empty = zstd(new Uint8Array())
  const bomb = Buffer.concat(Array.from({ length: 20 }, () => [empty, frame]).flat())
  assert.ok((await refuses('LIMIT_EXCEEDED', bomb, { freeBytes: 4 * 2 ** 20, maximumRatio: 100 })) <= 5 * 2 ** 20)
})

test('a bomb in a bomb is opened once: what comes out is no tar', async () => {
  const chunks: Uint8Array[] = []
  for await (const chunk of decompress(whole(gzipSync(gzipSync(zeros))))) chunks.push(chunk as Uint8Array)
  const inner = Buffer.concat(chunks)
  assert.ok(inner.length < 2 ** 16)
  assert.throws(
    () => indexTar(bytesSource(inner)),
    (error: EngineError) => error.code === 'INVALID_ARCHIVE',
  )
})

test('a bomb spread over many layers is stopped by the meter they share', async () => {
  const layer = gzipSync(zeros.subarray(0, 2 ** 20))
  const meter = new DecompressionMeter({ freeBytes: 3 * 2 ** 20, maximumRatio: 100 })
  const unpack = async () => {
    for await (const _ of decompress(whole(layer), meter));
  }
  for (let count = 0; count < 3; count++) await unpack()
  const error = await unpack().catch((thrown: unknown) => thrown)
  assert.is((error as EngineError).code, 'LIMIT_EXCEEDED')
  assert.match((error as EngineError).hint ?? '', /WOLFFIA_ARCHIVE_RATIO/)
})

test('more bytes than the total are stopped, packed or not', async () => {
  await refuses('LIMIT_EXCEEDED', gzipSync(zeros), { maximumBytes: 1000 })
  await refuses('LIMIT_EXCEEDED', new Uint8Array(2000), { maximumBytes: 1000 })
})

test('gzip that is cut short or changed is refused', async () => {
  const good = gzipSync(Buffer.from('some text '.repeat(1000)))
  await refuses('INVALID_ARCHIVE', good.subarray(0, good.length - 9))
  const changed = Buffer.from(good)
  changed[good.length - 6] = (changed[good.length - 6] ?? 0) ^ 1
  await refuses('INVALID_ARCHIVE', changed)
})

test.needs(zstdTool)('zstd that is cut short, changed or followed by something else is refused', async () => {
  const good = zstd(Buffer.from(Array.from({ length: 5000 }, (_, line) => `line ${line}\n`).join('')))
  for (const length of [4, 5, 12, 100, good.length - 5, good.length - 1]) await refuses('INVALID_ARCHIVE', good.subarray(0, length))
  for (const more of ['smuggled', 'x']) await refuses('INVALID_ARCHIVE', Buffer.concat([good, Buffer.from(more)]))
})

test('a zstd frame that asks for an immense window is refused before a decoder sees it', async () => {
  const magic = [0x28, 0xb5, 0x2f, 0xfd]
  const window2Gib = [...magic, 0x00, 21 << 3, 0, 0, 0]
  const segment1Gib = [...magic, 0xa0, 0, 0, 0, 0x40, 0, 0, 0]
  const segmentExbibytes = [...magic, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0]
  for (const header of [window2Gib, segment1Gib, segmentExbibytes]) {
    assert.throws(
      () => new ZstdFrames().inspect(Uint8Array.from(header)),
      (error: EngineError) => error.code === 'LIMIT_EXCEEDED',
    )
    // Also when it hides behind an honest frame: an empty last block.
    const honest = [...magic, 0x20, 0, 1, 0, 0]
    assert.throws(
      () => new ZstdFrames().inspect(Uint8Array.from([...honest, ...header])),
      (error: EngineError) => error.code === 'LIMIT_EXCEEDED',
    )
  }
  if (!('createZstdDecompress' in (await import('node:zlib')))) await refuses('LIMIT_EXCEEDED', Uint8Array.from(window2Gib))
})

test.run()
