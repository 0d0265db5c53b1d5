import * as assert from 'uvu/assert'
import { parseWords } from '../../bench/words.js'
import { suite } from '../support/suite.js'

const test = suite('bench/words')

test('workloads, settings and files are read', () => {
  const words = parseWords(['start-to-exit', 'kill', '--quick', '--precision', '2%', '--seed', '7', '--html', 'run.html'])
  assert.equal(words.what, ['start-to-exit', 'kill'])
  assert.ok(words.quick)
  assert.is(words.precision, 0.02)
  assert.is(words.seed, 7)
  assert.is(words.html, 'run.html')
  assert.equal(parseWords(['--compare', 'a.json', 'b.json']).compare, ['a.json', 'b.json'])
  assert.equal(parseWords(['--compare', 'a.json', 'b.json']).what, [])
  assert.equal(parseWords(['--quick']).what, ['matrix'])
  assert.equal(parseWords(['planted', '--quick']).what, ['planted'])
  assert.is(parseWords(['--from', 'run.json', '--plots', 'pictures']).plots, 'pictures')
})

test('each mistake says what is wrong', () => {
  const refused = (args: readonly string[], reason: RegExp) => assert.throws(() => parseWords(args), reason)
  refused(['--compare', 'a.json'], /takes two reports/)
  refused(['--compare', 'a', 'b', 'c'], /takes two reports/)
  refused(['--precision', '0'], /takes percent/)
  refused(['--precision', 'much'], /takes percent/)
  refused(['--seed', 'x'], /whole number/)
  refused(['kill', '--only', 'x'], /targets --only/)
  refused(['targets', 'kill'], /alone, without kill/)
  refused(['planted', 'kill'], /alone, without kill/)
  refused(['matrix', 'kill'], /alone, without kill/)
  refused(['--fast'], /'--fast'/)
})

test.run()
