import { execFileSync, spawnSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { EngineError, type ErrorCode } from '../../src/errors.js'
import { type DecompressionLimits, decompress } from '../../src/layer/compression.js'
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
