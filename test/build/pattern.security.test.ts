/** Patterns and a Dockerfile come with a context: what a hostile one has must cost little, and mean what it says. */
import * as assert from 'uvu/assert'
import { componentMatcher, parseIgnore } from '../../src/build/ignore.js'
import { MAXIMUM_DOCKERFILE_BYTES, parseDockerfile } from '../../src/build/parse.js'
import { parsePattern } from '../../src/build/pattern.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('build/pattern.security')

// An expression that goes back and tries again would be at each of these for longer than there has been time.
test('a pattern of many wildcards is not tried in every way there is', () => {
  const deep = `${'a/'.repeat(1000)}y`
  for (const pattern of ['**/'.repeat(300), '**/a/'.repeat(100), '**/*a'.repeat(100), '*a'.repeat(300), '**a'.repeat(300)])
    assert.not.ok(parseIgnore(`${pattern}!x`, '.dockerignore').ignores(deep), pattern)
  assert.not.ok(componentMatcher(`${'*a'.repeat(100)}b`)('a'.repeat(255)))
  assert.ok(componentMatcher('*a'.repeat(100))('a'.repeat(255)))
})

test('a pattern as long as a .dockerignore may be takes no more of the stack than another', () => {
  const pattern = '*?'.repeat(500_000)
  assert.not.ok(parsePattern(pattern, '.dockerignore:1').matches('a'))
  assert.ok(parsePattern('***'.repeat(300_000), '.dockerignore:1').matches('a/b/'.repeat(3)))
})

// What is asked for each instruction about all that follow would take minutes.
test('a Dockerfile that is as long as may be, and all instructions, is read', () => {
  for (const instruction of ['E a\n', 'RUN a # \\\n b\n']) {
    const count = Math.floor((MAXIMUM_DOCKERFILE_BYTES - 100) / instruction.length)
    const { instructions } = parseDockerfile(`FROM scratch\n${instruction.repeat(count)}`, 'Dockerfile')
    assert.is(instructions.length, count + 1)
  }
})

/** The same as an expression: fast enough for what is short. */
function expressionOf(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/?$|\*\*\/?|\*|\?|\[\^?[a-z]+\]|[a-z/]/g, (token, at: number) => {
    if (token.startsWith('**')) return at + token.length === pattern.length ? '.*' : '(?:.*/)?'
    if (token === '*') return '[^/]*'
    if (token === '?') return '[^/]'
    return token.startsWith('[') ? `(?!/)${token}` : token
  })
  return new RegExp(`^${source}$`, 's')
}

test('a pattern takes what the expression takes that means the same', () => {
  const patterns = fc.array(fc.constantFrom('a', 'b', '/', '*', '**', '**/', '?', '[a]', '[^a]'), { minLength: 1, maxLength: 8 })
  const paths = fc.array(fc.constantFrom('a', 'b', 'c', '/'), { maxLength: 8 })
  fc.assert(
    fc.property(patterns, paths, (tokens, characters) => {
      const pattern = tokens.join('')
      const path = characters.join('')
      const parsed = parsePattern(pattern, 'x')
      const expression = expressionOf(pattern)
      assert.is(parsed.matches(path), expression.test(path))
      const above = path.split('/').map((_, place, parts) => parts.slice(0, place + 1).join('/'))
      assert.is(
        parsed.matchesPart(path),
        above.some((part) => expression.test(part)),
      )
    }),
    { numRuns: 5000 },
  )
})

test.run()
