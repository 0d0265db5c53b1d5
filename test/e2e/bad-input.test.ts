/** What is wrong with the host or with what was asked for: a sentence each, exit 125, and nothing left; and what only looks wrong works. */
import { chmodSync, copyFileSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/bad-input')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)
const at = (name: string) => join(wolffia.folder, name)

/** Runs `run --rm` with these words, which must end with 125, say one of ours, leave no container, and show no stack. */
async function refusal(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  await wolffia.busybox()
  const { code, stdout, stderr } = await wolffia.run(['run', '--rm', ...words], { env })
  assert.equal([code, stdout], [125, ''], stderr)
  assert.match(stderr, /^wolffia: /)
  assert.not.match(stderr, /fault of wolffia|^\s+at /m)
  assert.equal(wolffia.containers(), [])
  return stderr
}

native('wrong ids and groups', async () => {
  for (const [flags, says] of [
    [['-u', 'nosuch'], 'unable to find user nosuch'],
    [['-u', '0:nosuch'], 'unable to find group nosuch'],
    [['-u', '2147483648'], '2147483647'],
    [['-u', '99999999999999'], '2147483647'],
    [['-u', '-1'], 'unable to find user -1'],
    [['-u', '2000000000'], 'does not exist in a container here'],
    [['--group-add', 'nosuch'], 'unable to find group nosuch'],
    [['--userns', 'keep-id:uid=-5'], 'unknown option specified'],
  ] as const)
    assert.match(await refusal([...flags, 'busybox', 'true']), says)
})

native('wrong sizes', async () => {
  for (const [flags, says] of [
    [['-m', '5x'], 'not a size'],
    [['-m', '-5'], 'not a size'],
    [['--shm-size', '1e9'], 'not a size'],
    [['--storage-opt', 'size=much'], 'not a size'],
    [['--storage-opt', 'inodes=5'], 'only size=BYTES'],
    [['--tmpfs', '/x:size=much'], 'size'],
    [['--pids-limit', '1.5'], 'not a positive whole number'],
    [['--ulimit', 'nofile=5:4'], 'soft limit must be less than or equal to hard limit'],
  ] as const)
    assert.match(await refusal([...flags, 'busybox', 'true']), says)
})

native('wrong profiles: none there, a folder, no JSON, no profile, an argument that no call has', async () => {
  const path = at('profile.json')
  const wrong: readonly (readonly [content: string, says: RegExp])[] = [
    ['{', /profile\.json/],
    ['[]', /profile\.json/],
    ['{"defaultAction":"SCMP_ACT_MAYBE"}', /SCMP_ACT_/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":6}]}]}', /index/],
  ]
  for (const [content, says] of wrong) {
    writeFileSync(path, content)
    assert.match(await refusal(['--security-opt', `seccomp=${path}`, 'busybox', 'true']), says)
  }
  assert.match(await refusal(['--security-opt', `seccomp=${wolffia.folder}`, 'busybox', 'true']), 'EISDIR')
  assert.match(await refusal(['--security-opt', 'seccomp=/nowhere', 'busybox', 'true']), 'ENOENT')
})

native('a mount source that its user may not look at', async () => {
  assert.match(await refusal(['-v', '/root/x:/y', 'busybox', 'true']), 'bind source path cannot be looked at: /root/x: permission denied')
})

native('a mount source that vanishes between create and start, and comes back', async () => {
  await wolffia.busybox()
  mkdirSync(at('vanishes'))
  await wolffia.output('create', '--name', 'vanishing', '-v', `${at('vanishes')}:/there`, 'busybox', 'ls', '/there')
  rmdirSync(at('vanishes'))
  const { code, stderr } = await wolffia.run(['start', '-a', 'vanishing'])
  assert.is(code, 1)
  assert.match(stderr, /^wolffia: .*vanishes/)
  mkdirSync(at('vanishes'))
  writeFileSync(at('vanishes/file'), '')
  assert.is(await wolffia.output('start', '-a', 'vanishing'), 'file\n')
  await wolffia.output('rm', 'vanishing')
  assert.match(await refusal(['-v', `${at('never')}:/there`, 'busybox', 'true']), 'never')
})

native('paths with spaces and newlines are paths like any other', async () => {
  await wolffia.busybox()
  const strange = at('a b\nc')
  mkdirSync(strange)
  writeFileSync(join(strange, 'd e\nf'), 'inside')
  const script = 'pwd; cat "$(printf "d e\\nf")"; echo written > "$(printf "g\\nh")"'
  const flags = ['-v', `${strange}:/x y\nz`, '-w', '/x y\nz']
  assert.is(await wolffia.output('run', '--rm', ...flags, 'busybox', 'sh', '-c', script), '/x y\nz\ninside')
  const again = ['--mount', `type=bind,source=${strange},target=/m,readonly`]
  assert.is(await wolffia.output('run', '--rm', ...again, 'busybox', 'sh', '-c', 'cat "$(printf "/m/g\\nh")"'), 'written\n')
  assert.is(await wolffia.output('run', '--rm', '-w', '/new\nfolder', 'busybox', 'pwd'), '/new\nfolder\n')
})

native('a megabyte of environment reaches the guest in many variables, and in one is more than the kernel takes', async () => {
  await wolffia.busybox()
  writeFileSync(at('many.env'), Array.from({ length: 1024 }, (_, place) => `V${place}=${'x'.repeat(1018)}`).join('\n'))
  const counted = await wolffia.output(
    'run',
    '--rm',
    '--env-file',
    at('many.env'),
    'busybox',
    'sh',
    '-c',
    'env | grep -c ^V || env | busybox grep -c ^V',
  )
  assert.is(counted.trim(), '1024')
  writeFileSync(at('one.env'), `V=${'x'.repeat(1 << 20)}`)
  assert.match(await refusal(['--env-file', at('one.env'), 'busybox', 'true']), 'are more than the kernel takes')
})

native('10,000 arguments reach the guest, and exec', async () => {
  await wolffia.busybox()
  const words = Array.from({ length: 10_000 }, (_, place) => `${place}`)
  const count = ['sh', '-c', 'echo $# $9999', 'sh', ...words]
  assert.match(await wolffia.output('run', '--rm', 'busybox', ...count), /^10000 /)
  await wolffia.output('run', '-d', '--name', 'wide', 'busybox', 'sleep', '1000')
  assert.match(await wolffia.output('exec', 'wide', ...count), /^10000 /)
  await wolffia.output('rm', '-f', 'wide')
})

native('an image without /proc, /dev, /etc or anything but its program runs, also read-only, and without a home', async () => {
  await wolffia.busybox()
  mkdirSync(at('bare'))
  copyFileSync('/bin/busybox', at('bare/busybox'))
  chmodSync(at('bare/busybox'), 0o755)
  const made = await wolffia.inShell('tar -C bare --owner=0 --group=0 -c busybox | "$wolffia" import - bare')
  assert.is(made.code, 0, made.stderr)
  const script = 'test -e /proc/self/stat && test -c /dev/null && test -s /etc/hosts && echo "$HOME" && id -u'
  for (const flags of [[], ['--read-only']])
    assert.match(
      await wolffia.output(
        'run',
        '--rm',
        ...flags,
        'bare',
        '/busybox',
        'sh',
        '-c',
        `alias id="/busybox id"; ${script.replace('id -u', '/busybox id -u')}`,
      ),
      /^\/(root)?\n0\n$/,
    )
  assert.match(await refusal(['-u', 'root', 'bare', '/busybox', 'true']), 'unable to find user root')
})

native('a home in which nothing may be written, one that is a file, and one below a file', async () => {
  await wolffia.busybox()
  await wolffia.output('run', '--rm', 'busybox', 'true')
  const lock = (mode: string) => wolffia.inShell(`find home -type d ! -path "home/trees/*" ! -path "home/holder*" -exec chmod ${mode} {} +`)
  await lock('u-w')
  try {
    for (const flags of [[], ['-d']]) {
      const { code, stderr } = await wolffia.run(['run', ...flags, 'busybox', 'true'])
      assert.is(code, 125)
      assert.match(stderr, /^wolffia: EACCES: .*\/home\/.*\nHave that folder given back to you, or set WOLFFIA_HOME/)
    }
    assert.match(await wolffia.output('images'), 'busybox')
  } finally {
    await lock('u+w')
  }
  assert.equal(wolffia.containers(), [])
  writeFileSync(at('file'), '')
  for (const home of ['file', 'file/below'])
    assert.match(await refusal(['busybox', 'true'], { WOLFFIA_HOME: at(home) }), 'Set WOLFFIA_HOME')
})

test.needs(
  NATIVE,
  BUSYBOX,
  program('unshare'),
)('a TMPDIR that is noexec, a file or nowhere harms no run', async () => {
  await wolffia.busybox()
  mkdirSync(at('noexec'))
  const mounted = 'mount -t tmpfs -o noexec none noexec && TMPDIR=$PWD/noexec WOLFFIA_HOLDER_SECONDS=0'
  const inside = await wolffia.inShell(`unshare -Urm sh -c '${mounted} "$wolffia" run --rm --runtime native busybox echo ran'`)
  assert.equal([inside.code, inside.stdout], [0, 'ran\n'], inside.stderr)
  writeFileSync(at('file'), '')
  for (const TMPDIR of [at('file'), '/nowhere'])
    assert.is((await wolffia.run(['run', '--rm', 'busybox', 'echo', 'ran'], { env: { TMPDIR } })).stdout, 'ran\n')
})

native('/dev/shm has 64 MB and no more, and its being full is the guest’s to see', async () => {
  await wolffia.busybox()
  const script = 'dd if=/dev/zero of=/dev/shm/file bs=1M count=65 2>&1 | grep -c "No space left" ; ls -l /dev/shm/file'
  const { stdout } = await wolffia.run(['run', '--rm', 'busybox', 'sh', '-c', script.replace('| grep', '| busybox grep')])
  assert.match(stdout, /^1\n.* 67108864 /)
})

native('a launcher that is gone, is no program, is another program, or is of another version', async () => {
  writeFileSync(at('text'), 'no program')
  writeFileSync(at('old'), '#!/bin/sh\nexit 0\n')
  writeFileSync(at('words'), '#!/bin/sh\necho hello >&4\n')
  for (const name of ['old', 'words']) chmodSync(at(name), 0o755)
  for (const launcher of [at('nowhere'), at('text'), at('old'), at('words'), '/bin/true', wolffia.folder])
    assert.match(await refusal(['--runtime', 'native', 'busybox', 'true'], { WOLFFIA_LAUNCHER: launcher }), /launcher|native/, launcher)
})

test('nothing is left', () => wolffia.end())

test.run()
