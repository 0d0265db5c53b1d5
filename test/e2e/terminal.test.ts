import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/terminal')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX, program('python3'))
const PROMPT = '[#$] '

async function shell(...steps: Parameters<CommandLine['atTerminal']>[1]) {
  await wolffia.busybox()
  return wolffia.atTerminal(['run', '-it', '--rm', 'busybox'], [{ expect: PROMPT }, ...steps])
}

native('run -it is a shell at a terminal: it echoes, it knows its tty and its size, and it restores ours', async () => {
  const { code, stdout } = await shell(
    { send: 'tty; test -t 0 && test -t 1 && test -t 2 && echo all three\n' },
    { expect: '/dev/(pts/0|console)' },
    { expect: 'all three' },
    { send: 'stty size\n' },
    { expect: '24 80' },
    { resize: [40, 100] },
    { send: 'until [ "$(stty size)" = "40 100" ]; do :; done; echo now $(stty size)\n' },
    { expect: 'now 40 100' },
    { send: 'exit 6\n' },
  )
  assert.is(code, 6, stdout)
  assert.match(stdout, /terminal restored/)
})

native('^C, ^D and ^Z at the terminal are keys for the guest', async () => {
  const { code, stdout } = await shell(
    { send: `sh -c 'echo g""o; exec sleep 60'\n` },
    { expect: '\ngo' },
    { send: '\u0003' },
    { expect: PROMPT },
    { send: 'echo $?\n' },
    { expect: '130' },
    { send: `sh -c 'echo g""o; exec cat'\n` },
    { expect: '\ngo' },
    { send: 'typed\n' },
    { expect: 'typed\r\ntyped' },
    { send: '\u0004' },
    { expect: PROMPT },
    { send: '\u0004' },
  )
  assert.is(code, 0, stdout)
})

native('the terminal is restored when the command is asked to end', async () => {
  const { code, stdout } = await shell({ send: 'exec sh -c "echo g\'\'o; exec sleep 60"\n' }, { expect: '\ngo' }, { signal: 15 })
  assert.is(code, 143, stdout)
  assert.match(stdout, /terminal restored/)
})

native('the terminal is as it was after a run that failed', async () => {
  await wolffia.busybox()
  const { code, stdout } = await wolffia.atTerminal(['run', '-it', '--rm', 'busybox', '/bin/orphan'], [])
  assert.is(code, 127, stdout)
  assert.match(stdout, /terminal restored/)
})

native('-t without a terminal on stdin gives the guest one, and with -i is refused', async () => {
  await wolffia.busybox()
  const plain = await wolffia.run(['run', '--rm', '-t', 'busybox', 'sh', '-c', 'test -t 1 && echo a terminal'])
  assert.equal([plain.code, plain.stdout], [0, 'a terminal\r\n'], plain.stderr)
  const refused = await wolffia.run(['run', '--rm', '-it', 'busybox', 'sh'], { input: 'x' })
  assert.equal([refused.code, refused.stdout, /^wolffia: the input device is not a TTY\n/.test(refused.stderr)], [1, '', true])
})

native('without -t ^C at the terminal ends the guest', async () => {
  await wolffia.busybox()
  const { code, stdout } = await wolffia.atTerminal(
    ['run', '--rm', 'busybox', 'sh', '-c', 'echo ready; exec sleep 60'],
    [{ expect: 'ready' }, { send: '\u0003' }],
  )
  assert.is(code, 130, stdout)
})

native('a table at a terminal has the same columns as in a pipe', async () => {
  await wolffia.busybox()
  const { stdout } = await wolffia.atTerminal(['images'], [])
  assert.match(stdout, /REPOSITORY +TAG +IMAGE ID +CREATED +SIZE +PLATFORM/)
})

test('nothing is left', () => wolffia.end())

test.run()
