import * as assert from 'uvu/assert'
import { parseChallenges } from '../../src/registry/challenge.js'
import { suite } from '../support/suite.js'

const test = suite('registry/challenge')

/** Header, and the challenges in it. */
const CASES: readonly (readonly [header: string, ...challenges: readonly (readonly [scheme: string, parameters: object])[]])[] = [
  ['Basic realm="x"', ['basic', { realm: 'x' }]],
  [
    'Bearer realm="https://a/t",service="s, t",scope="repository:a:pull,push"',
    ['bearer', { realm: 'https://a/t', service: 's, t', scope: 'repository:a:pull,push' }],
  ],
  ['bearer Realm = "x" , service=y', ['bearer', { realm: 'x', service: 'y' }]],
  ['Basic realm="a", Bearer realm="b",service="c"', ['basic', { realm: 'a' }], ['bearer', { realm: 'b', service: 'c' }]],
  ['Negotiate, Basic realm="say \\"x\\""', ['negotiate', {}], ['basic', { realm: 'say "x"' }]],
  ['Bearer realm="first",realm="second"', ['bearer', { realm: 'first' }]],
  ['Bearer realm="unended', ['bearer', {}]],
  ['realm="x"', ['realm', {}]],
  [''],
  ['"'],
  ['x'.repeat(20_000)],
]

for (const [header, ...challenges] of CASES)
  test(`a header is read: ${JSON.stringify(header.slice(0, 60))}`, () =>
    assert.equal(
      parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
      challenges,
    ))

test.run()
