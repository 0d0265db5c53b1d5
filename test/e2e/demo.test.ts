import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { CC, NATIVE, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/demo')
const wolffia = new CommandLine()

test.needs(
  CC,
  NATIVE,
  WASM,
)('npm start shows three columns, two receipts and what to type next, plainly into a pipe; its images are made once', async () => {
  const { code, stdout, stderr } = await wolffia.run(['demo'])
  assert.equal([code, stderr], [0, ''])
  assert.match(stdout, /^ +no wall +native +wasm$/m)
  assert.match(stdout, /^your keys +GOT 3 of 3 files +not there +not there$/m)
  assert.match(stdout, /^seen outside +\.bashrc, a call +no trace +no trace$/m)
  assert.match(stdout, /^ +receipt: native +receipt: wasm$/m)
  assert.match(stdout, /^seccomp +filters: 1 +filters: 1$/m)
  assert.match(stdout, /^ {2}wolffia doctor$/m)
  assert.not.match(stdout, /\u001b|NaN|undefined/)
  const wide = stdout.split('\n').filter((line) => line.length > 80 && !line.includes('json'))
  assert.equal(wide, [])
  for (const wall of ['native', 'wasm']) {
    const path = join(wolffia.home, `demo/receipt-${wall}.json`)
    assert.ok(existsSync(path) && stdout.includes(path))
    assert.is(JSON.parse(readFileSync(path, 'utf8')).wall, wall)
  }
  const second = await wolffia.run(['demo'])
  assert.is(second.code, 0, second.stderr)
  assert.match(stdout, /^Made the images thief and python in /m)
  assert.not.match(second.stdout, /Made the images/)
})

test('nothing is left behind', () => wolffia.end())

test.run()
