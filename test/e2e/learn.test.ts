/** `run --why` and `learn`, as their user meets them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/learn')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)
const at = (name: string) => join(wolffia.folder, name)

async function run(...words: readonly string[]) {
  await wolffia.busybox()
  return wolffia.run(words)
}

native('--why lists what was refused, with paths and how often, and changes neither output nor exit code', async () => {
  const script = 'for i in 1 2 3; do mount -t tmpfs none /mnt/here; done 2>/dev/null; echo out; exit 3'
  const { code, stdout, stderr } = await run('run', '--rm', '--why', 'busybox', 'sh', '-c', script)
  assert.is(code, 3)
  assert.is(stdout, 'out\n')
  assert.match(stderr, /^3 +mount\("none", "\/mnt\/here", .*\) +EPERM +seccomp$/m)
  assert.match(stderr, 'read-only mounts, masked paths) is not listed')
})

native('--why=FILE is JSON, and says so when nothing was refused', async () => {
  const path = at('why.json')
  assert.is((await run('run', '--rm', `--why=${path}`, 'busybox', 'true')).code, 0)
  const { calls, more, complete } = JSON.parse(readFileSync(path, 'utf8'))
  assert.equal([calls, more, complete], [[], 0, true])
})

native('a path that would write to a terminal is shown as text', async () => {
  const script = 'mount -t tmpfs none "$(printf "/\\033[31mred\\n")"'
  const { stderr } = await run('run', '--rm', '--why', 'busybox', 'sh', '-c', script)
  assert.match(stderr, 'mount("none", "/\\u001b[31mred')
  assert.not.match(stderr.slice(stderr.indexOf('refused:')), '\u001b')
})

native('where nothing can be told --why says why', async () => {
  const cases = [
    [['--security-opt', 'seccomp=unconfined'], 'without a system call filter there is nothing to watch'],
    [['-d'], 'only the process that runs a container in the foreground'],
    [['--why=/nowhere/at/all'], 'cannot write what was refused to /nowhere/at/all'],
  ] as const
  for (const [flags, sentence] of cases) {
    const { code, stderr } = await run('run', '--rm', '--why', ...flags, 'busybox', 'true')
    assert.is(code, 125, stderr)
    assert.match(stderr, sentence)
  }
})

native('a learned profile lets its program do the same again, and nothing else', async () => {
  const [path, flags] = [at('sh.json'), at('sh.flags')]
  const program = ['busybox', 'sh', '-c', 'echo x >/tmp/file; cat /proc/self/comm; ls / | busybox wc -l']
  const learned = await run('learn', '-o', path, '--flags', flags, ...program)
  assert.is(learned.code, 0, learned.stderr)
  assert.match(learned.stderr, /^wolffia: \d\d system calls in .*sh\.json, of \d{3} without it$/m)
  const again = await run('run', '--rm', ...readFileSync(flags, 'utf8').trim().split('\n'), ...program)
  assert.is(again.code, 0, again.stderr)
  assert.is(again.stdout, learned.stdout)
  const other = await run('run', '--rm', '--security-opt', `seccomp=${path}`, 'busybox', 'sh', '-c', 'ln -s a /tmp/b')
  assert.is.not(other.code, 0)
  assert.match(other.stderr, 'Operation not permitted')
})

native('a file that is gone at the end has its directory stay writable all the same', async () => {
  const flags = at('gone.flags')
  const program = ['busybox', 'sh', '-c', 'echo 1 >/tmp/pid; rm /tmp/pid; cat /etc/hostname >/dev/null']
  // What has a mount already needs none.
  await run(
    'learn',
    '-v',
    `${wolffia.folder}:/etc/mine`,
    '-o',
    at('mounted.json'),
    '--flags',
    flags,
    'busybox',
    'sh',
    '-c',
    'echo 1 >/etc/mine/x',
  )
  assert.equal(readFileSync(flags, 'utf8').trim().split('\n').slice(1), ['--read-only'])
  await run('learn', '-o', at('gone.json'), '--flags', flags, ...program)
  const learned = readFileSync(flags, 'utf8').trim().split('\n')
  assert.equal(learned.slice(1), ['--read-only', '--tmpfs=/tmp'])
  const { code, stderr } = await run('run', '--rm', ...learned, ...program)
  assert.is(code, 0, stderr)
})

native('runs add up in one profile, whose conditions stay', async () => {
  const path = at('sum.json')
  await run('learn', '-o', path, 'busybox', 'sh', '-c', 'ln -s a /tmp/b')
  await run('learn', '-o', path, 'busybox', 'sh', '-c', 'mkdir /tmp/c; sleep 0')
  const script = 'ln -s a /tmp/b && mkdir /tmp/c && exit 7'
  const { code, stderr } = await run('run', '--rm', '--security-opt', `seccomp=${path}`, 'busybox', 'sh', '-c', script)
  assert.is(code, 7, stderr)
  const { syscalls } = JSON.parse(readFileSync(path, 'utf8'))
  const clone = syscalls.filter((rule: { names: string[] }) => rule.names.includes('clone'))
  assert.equal(
    clone.map((rule: { args: object[] }) => rule.args.length),
    clone.map(() => 1),
  )
})

native('a profile that learn has not written is left as it is', async () => {
  const path = at('own.json')
  writeFileSync(path, '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}')
  const { code, stderr } = await run('learn', '-o', path, 'busybox', 'true')
  assert.is(code, 125)
  assert.match(stderr, 'was not written by wolffia learn')
  assert.is(readFileSync(path, 'utf8'), '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}')
})

test('nothing is left', () => wolffia.end())

test.run()
