import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { sampleReport } from '../support/bench-report.js'
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

test('what is asked for and cannot go together is refused by name', async () => {
  const refused = async (words: readonly string[], reason: RegExp) => {
    const { code, stderr } = await wolffia.run(['bench', ...words])
    assert.is(code, 1)
    assert.match(stderr, reason)
  }
  await refused(['--compare', 'old.json'], /--compare takes two runs/)
  await refused(['--compare', '--html', 'page.html', 'old.json', 'new.json'], /neither --html nor --from/)
  await refused(['--from', 'run.json', 'busybox'], /nothing to do with busybox/)
  await refused(['--from', '/no/such/run.json'], /^wolffia: \/no\/such\/run\.json: ENOENT/m)
  const other = resolve('package.json')
  await refused(['--compare', other, other], /package\.json: not a report/)
})

test('a run that was kept is printed, drawn and compared by the packed program', async () => {
  const run = join(wolffia.folder, 'run.json')
  writeFileSync(run, JSON.stringify(sampleReport()))
  assert.match((await wolffia.run(['bench', '--from', run])).stdout, /^wall +2\.00 ?~?$/m)
  const page = join(wolffia.folder, 'page.html')
  const drawn = await wolffia.run(['bench', '--from', run, '--html', page])
  assert.is(drawn.code, 0, drawn.stderr)
  assert.is(drawn.stdout, '')
  assert.match(readFileSync(page, 'utf8'), /<svg[\s\S]*<\/html>/)
  assert.is(JSON.parse((await wolffia.run(['bench', '--from', run, '--json'])).stdout).schema, 'wolffia.bench/3')
  assert.match((await wolffia.run(['bench', '--compare', run, run])).stdout, /no difference shown/)
})

test('nothing is left behind', () => wolffia.end())

test.run()
