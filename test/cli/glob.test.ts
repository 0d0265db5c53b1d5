import * as assert from 'uvu/assert'
import { matchesGlob } from '../../src/cli/glob.js'
import { suite } from '../support/suite.js'

const test = suite('cli/glob')

test('patterns match as path.Match does', () => {
  for (const [pattern, text] of [
    ['d*', 'debian'],
    ['*', 'debian:12'],
    ['deb?an:[0-9]*', 'debian:12'],
    ['[^a-c]ebian', 'debian'],
    ['ghcr.io/*/tool', 'ghcr.io/me/tool'],
    ['a\\*b', 'a*b'],
    ['a+(b)', 'a+(b)'],
  ] as const)
    assert.ok(matchesGlob(pattern, text), pattern)
  for (const [pattern, text] of [
    ['d', 'debian'],
    ['*', 'ghcr.io/tool'],
    ['[^a-d]ebian', 'debian'],
    ['a.b', 'axb'],
    ['a\\*b', 'axb'],
  ] as const)
    assert.not(matchesGlob(pattern, text), pattern)
})

test('a pattern that is none is refused', () => {
  for (const pattern of ['[', 'a[', '[]', 'a\\']) assert.throws(() => matchesGlob(pattern, 'a'), /invalid pattern/, pattern)
  assert.throws(() => matchesGlob('[z-a]', 'a'), /invalid pattern/)
})

test.run()
