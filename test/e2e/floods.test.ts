import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/floods')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)

native('logs waits for a slow reader, and ends with one that has gone, without a word of its own', async () => {
  await wolffia.busybox()
  await wolffia.run(['run', '--name', 'flood', 'busybox', 'sh', '-c', 'yes 0123456789 | head -c 3000000'])
  const slow = await wolffia.inShell('"$wolffia" logs flood | (sleep 1; wc -c)')
  assert.equal([slow.stdout.trim(), slow.stderr], ['3000000', ''])
  const gone = await wolffia.inShell('{ "$wolffia" logs flood; echo "ended with $?" >&2; } | head -1')
  assert.equal([gone.stdout, gone.stderr], ['0123456789\n', 'ended with 0\n'])
})

test('nothing is left of all that', () => wolffia.end())

test.run()
