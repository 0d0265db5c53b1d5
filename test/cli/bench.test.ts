import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { suite } from '../support/suite.js'

const test = suite('cli/bench')
const wolffia = new CommandLine()

test('what cannot be measured is said before anything is', async () => {
  const missing = await wolffia.run(['bench', 'nowhere', 'true'])
  assert.is(missing.code, 1)
  assert.match(missing.stderr, /^wolffia: there is no image "nowhere" here$/m)
  const precision = await wolffia.run(['bench', '--precision', '0'])
  assert.is(precision.code, 1)
  assert.match(precision.stderr, /--precision takes percent/)
  assert.match((await wolffia.run(['bench', '--seed', 'x'])).stderr, /--seed takes a whole number/)
})

test('nothing is left behind', () => wolffia.end())

test.run()
