import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { helpPage } from '../../src/cli/help.js'
import { EngineError } from '../../src/errors.js'
import { indexTar } from '../../src/layer/index.js'
import {
  DEFAULT_DECOMPRESSION_LIMITS,
  DEFAULT_INDEX_LIMITS,
  decompressionLimits,
  indexLimits,
  LIMIT_VARIABLES,
} from '../../src/layer/limits.js'
import { bytesSource } from '../../src/layer/source.js'
import { suite } from '../support/suite.js'
import { rawTar } from './tar.js'

const test = suite('layer/limits')

function refused(call: () => unknown, pattern: RegExp): void {
  assert.throws(call, (error: unknown) => {
    assert.instance(error, EngineError)
    assert.match((error as EngineError).message, pattern)
    return true
  })
}

test('without a setting the bounds are the documented ones', () => {
  assert.equal(decompressionLimits({}), DEFAULT_DECOMPRESSION_LIMITS)
  assert.equal(indexLimits({ WOLFFIA_LAYER_ENTRIES: '' }), DEFAULT_INDEX_LIMITS)
})

test('each bound is set by its variable, in bytes or with a unit', () => {
  const set = { WOLFFIA_ARCHIVE_BYTES: '3g', WOLFFIA_ARCHIVE_RATIO: '1000', WOLFFIA_ARCHIVE_FREE_BYTES: '5K' }
  assert.equal(decompressionLimits(set), { maximumBytes: 3 * 2 ** 30, maximumRatio: 1000, freeBytes: 5120 })
  assert.is(indexLimits({ WOLFFIA_FILE_BYTES: '1t' }).fileBytes, 2 ** 40)
})

test('more entries bring more of what they are made of, fewer take nothing from the rest', () => {
  const { nodes, segments, nameBytes, xattrBytes } = DEFAULT_INDEX_LIMITS
  const twice = indexLimits({ WOLFFIA_LAYER_ENTRIES: '4000000' })
  assert.equal([twice.nodes, twice.segments, twice.nameBytes, twice.xattrBytes], [2 * nodes, 2 * segments, 2 * nameBytes, 2 * xattrBytes])
  const few = indexLimits({ WOLFFIA_LAYER_ENTRIES: '10' })
  assert.equal([few.entries, few.nodes, few.segments, few.nameBytes], [10, 10, segments, nameBytes])
})

test('what is no number is refused by the name of its variable, and a file larger than any too', () => {
  for (const value of ['x', '-1', '1.5', '1e9', '1 g', '99999999999999999', '999999999999999t'])
    refused(() => decompressionLimits({ WOLFFIA_ARCHIVE_BYTES: value }), /^WOLFFIA_ARCHIVE_BYTES is /)
  refused(() => indexLimits({ WOLFFIA_FILE_BYTES: '2t' }), /^WOLFFIA_FILE_BYTES is /)
})

test('a budget of zero is one: nothing fits into it', () => {
  const limits = indexLimits({ WOLFFIA_LAYER_ENTRIES: '0', WOLFFIA_FILE_BYTES: '0' })
  refused(() => indexTar(bytesSource(rawTar([{ name: 'a' }])), limits), /more than 0 entries/)
  refused(() => indexTar(bytesSource(rawTar([{ name: 'a', body: 'x' }])), { fileBytes: 0 }), /more than 0: a/)
  indexTar(bytesSource(rawTar([])), limits)
})

test('help and README name every variable', () => {
  const readme = readFileSync('README.md', 'utf8')
  for (const name of Object.keys(LIMIT_VARIABLES)) {
    assert.match(readme, name)
    assert.match(helpPage(), name)
  }
})

test.run()
