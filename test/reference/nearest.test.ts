import * as assert from 'uvu/assert'
import { didYouMean, nearest } from '../../src/reference/nearest.js'
import { suite } from '../support/suite.js'

const test = suite('reference/nearest')

test('a slip of the finger finds its word: a letter more, less, other, or swapped', () => {
  for (const slip of ['imagse', 'image', 'imagess', 'omages', 'IMAGES'])
    assert.is(nearest(slip, ['run', 'images', 'inspect'])[0], 'images', slip)
})

test('the beginning of a longer word finds it', () => {
  assert.equal(nearest('deb', ['debian', 'alpine']), ['debian'])
})

test('what is far is not offered', () => {
  assert.equal(nearest('zzz', ['run', 'images']), [])
  assert.equal(nearest('', ['run']), [])
  assert.is(didYouMean('zzz', ['run']), undefined)
  assert.equal(nearest('bash', ['hash', 'base', 'mast']), ['base', 'hash'], 'two letters of four are another word')
})

test('up to three are offered, the nearest first, each once', () => {
  assert.equal(nearest('ab', ['abc', 'aba', 'ab', 'ab', 'abd']), ['ab', 'aba', 'abc'])
  assert.is(didYouMean('rn', ['run', 'rm']), 'Did you mean "rm" or "run"?')
})

test.run()
