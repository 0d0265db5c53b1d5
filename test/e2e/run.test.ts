import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import type { Receipt } from '../../src/runtime/receipt.js'
import { type Circumstances, CommandLine } from '../support/command-line.js'
import { BUSYBOX, ID_RANGE, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/run')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)

/** `run --rm` of the busybox image. */
async function run(words: readonly string[], circumstances: Circumstances = {}) {
  await wolffia.busybox()
  return wolffia.run(['run', '--rm', ...words], circumstances)
}

/** What a shell in the container prints; it must end with 0. */
async function shell(script: string, flags: readonly string[] = [], circumstances: Circumstances = {}): Promise<string> {
  const { code, stdout, stderr } = await run([...flags, 'busybox', 'sh', '-c', script], circumstances)
  assert.equal([code, stderr], [0, ''], `${script}: ${stdout}`)
  return stdout
}

native('run prints what the guest prints and nothing of its own, and ends as the guest ends', async () => {
  assert.equal(await run(['busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7']), { code: 7, stdout: 'out\n', stderr: 'err\n' })
  assert.equal(await run(['busybox', 'true']), { code: 0, stdout: '', stderr: '' })
})

native(
  "docker's codes: 127 for no such program, 126 for one that cannot be executed, 128+n for a signal, 125 for what cannot run",
  async () => {
    const code = async (...words: string[]) => (await run(words)).code
    assert.is(await code('busybox', 'nosuch'), 127)
    assert.is(await code('busybox', '/bin/nosuch'), 127)
    const late = await run(['busybox', '--rm'])
    assert.is(late.code, 127)
    assert.match(late.stderr, /"--rm": no such program .*\nOptions of wolffia stand before the image/)
    assert.is(await code('busybox', '/bin/text'), 126)
    assert.is(await code('busybox', '/etc'), 126)
    assert.is(await code('busybox', 'sh', '-c', 'kill -9 $$'), 137)
    assert.is(await code('busybox', 'sh', '-c', 'kill -TERM $$'), 143)
    assert.is(await code('-u', 'nosuch', 'busybox', 'true'), 125)
    assert.is(await code('--require', 'memory', 'busybox', 'true'), 125)
    assert.is(await code('--platform', 'wasi/wasm', 'busybox', 'true'), 125)
  },
)

native("the image's command runs when none is given, and flags after the image are the command's", async () => {
  assert.is((await run(['-i', 'busybox'], { input: 'echo from the image\n' })).stdout, 'from the image\n'.replace('from', 'from'))
  assert.is((await run(['busybox', 'echo', '--rm', '-x'])).stdout, '--rm -x\n')
  assert.is((await run(['--entrypoint', '/bin/echo', 'busybox', 'a'])).stdout, 'a\n')
})

native('short flags may have their value after "="', async () => {
  const script = 'pwd; id -u; hostname; echo $A'
  assert.is(await shell(script, ['-w=/tmp', '-u=5', '-h=me', '-e=A=1', '-i=false']), '/tmp\n5\nme\n1\n')
})

native('stdin reaches the guest with -i to its end, and without -i is empty', async () => {
  const bytes = Buffer.alloc(300_000, 'abcdefghi\n')
  assert.is((await run(['-i', 'busybox', 'wc', '-c'], { input: bytes })).stdout.trim(), '300000')
  assert.is((await run(['busybox', 'wc', '-c'], { input: 'lost' })).stdout.trim(), '0')
})

native('--platform linux is this machine', async () => {
  assert.is((await run(['--platform', 'linux', '--init', '-q', 'busybox', 'echo', 'ran'])).stdout, 'ran\n')
})

native('a large output arrives whole', async () => {
  const { stdout } = await run(['busybox', 'seq', '200000'])
  assert.equal([stdout.length, stdout.slice(-7)], [1_288_895, '200000\n'])
})

native('a container has a world of its own: processes, host name, no network, a root', async () => {
  assert.match(
    await shell('echo $$; hostname; ls /proc | grep -c "^[0-9]"; cat /proc/net/dev | grep -c :', ['-h', 'inside']),
    /^\d+\ninside\n\d\n1\n$/,
  )
  assert.match(await shell('hostname'), /^[0-9a-f]{12}\n$/)
  assert.is((await shell('cat /etc/hostname', ['-h', 'inside'])).trim(), 'inside')
})

native("a file of variables is the guest's and nobody else's, Node's own variables among them", async () => {
  writeFileSync(join(wolffia.folder, 'spy.cjs'), `require('node:fs').writeFileSync('${wolffia.folder}/spied', '')`)
  writeFileSync(join(wolffia.folder, 'spy'), `NODE_OPTIONS=--require=${wolffia.folder}/spy.cjs\n`)
  assert.match(await shell('env', ['--env-file', 'spy']), /^NODE_OPTIONS=--require=/m)
  assert.match(await shell('env', ['--env-file=spy']), /^NODE_OPTIONS=--require=/m)
  assert.not(existsSync(join(wolffia.folder, 'spied')), 'code of the file ran outside')
  assert.is((await run(['busybox', 'echo', '--env-file', 'nosuch'])).stdout, '--env-file nosuch\n')
})

native('variables: PATH, HOSTNAME, HOME and what -e and --env-file say', async () => {
  writeFileSync(join(wolffia.folder, 'vars'), 'FILE=1\nOUTSIDE\n')
  const env = await shell('env', ['-e', 'A=b c', '-e', 'OUTSIDE2', '--env-file', 'vars', '-h', 'me'], {
    env: { OUTSIDE: 'x', OUTSIDE2: 'y', SECRET: 'z' },
  })
  for (const line of ['A=b c', 'FILE=1', 'OUTSIDE=x', 'OUTSIDE2=y', 'HOSTNAME=me', 'HOME=/root'])
    assert.ok(env.split('\n').includes(line), line)
  assert.match(env, /^PATH=\/usr\/local\/sbin:/m)
  assert.not.match(env, /SECRET|WOLFFIA|LANG/)
})

native('-w is where the guest starts, and is made when it is missing', async () => {
  assert.is(await shell('pwd', ['-w', '/tmp']), '/tmp\n')
  assert.is(await shell('pwd', ['-w', '/made/for/it']), '/made/for/it\n')
  assert.is((await run(['-w', 'relative', 'busybox', 'true'])).code, 125)
})

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('-u is looked up in the image, by name and by number', async () => {
  assert.is(await shell('id -u; id -g; id -G; echo $HOME', ['-u', 'web']), '33\n33\n33 50\n/srv\n')
  assert.is(await shell('id -u; id -g; id -G', ['-u', 'web:staff']), '33\n50\n50\n')
  assert.is(await shell('id -u; id -g', ['-u', '1234']), '1234\n0\n')
  assert.match((await run(['-u', 'nosuch', 'busybox', 'true'])).stderr, /unable to find user nosuch/)
})

native('-v binds a folder, and :ro keeps it from being written', async () => {
  const source = join(wolffia.folder, 'shared')
  mkdirSync(source, { recursive: true })
  writeFileSync(join(source, 'in'), 'from the host')
  assert.is(await shell('cat /data/in; echo made > /data/out', ['-v', `${source}:/data`]), 'from the host')
  assert.is(readFileSync(join(source, 'out'), 'utf8'), 'made\n')
  const refused = await run(['-v', `${source}:/data:ro`, 'busybox', 'touch', '/data/x'])
  assert.equal([refused.code, /Read-only/.test(refused.stderr)], [1, true], refused.stderr)
  assert.is(await shell('cat /one', ['-v', `${join(source, 'in')}:/one:ro`]), 'from the host')
  const missing = await run(['-v', '/no/such/folder:/x', 'busybox', 'true'])
  assert.equal([missing.code, /does not exist: \/no\/such\/folder/.test(missing.stderr)], [125, true])
})

native('a program in a --tmpfs can be executed where that was asked for', async () => {
  const script = 'cp /bin/busybox /scratch/busybox && /scratch/busybox echo executed'
  assert.is(await shell(script, ['--tmpfs', '/scratch:exec']), 'executed\n')
  assert.match(await shell('mount | grep " /scratch "', ['--tmpfs', '/scratch:exec']), /\(rw,nosuid,nodev,relatime,/)
  const refused = await run(['--tmpfs', '/scratch', 'busybox', 'sh', '-c', script])
  assert.equal([refused.code, /[Pp]ermission denied/.test(refused.stderr)], [126, true], refused.stderr)
})

native('--tmpfs mounts one of the size asked for', async () => {
  assert.match(
    await shell('mount | grep " /scratch "', ['--tmpfs', '/scratch:size=64k,mode=0700']),
    /tmpfs .*nosuid,nodev,noexec.*size=64k/,
  )
  const full = await run(['--tmpfs', '/scratch:size=64k', 'busybox', 'dd', 'if=/dev/zero', 'of=/scratch/x', 'bs=1k', 'count=65'])
  assert.equal([full.code, /No space left/.test(full.stderr)], [1, true], full.stderr)
})

native('--read-only leaves the root as it is, and mounts as they are', async () => {
  const { code, stderr } = await run(['--read-only', '--tmpfs', '/tmp', 'busybox', 'sh', '-c', 'touch /tmp/x && touch /x'])
  assert.equal([code, /Read-only file system/.test(stderr)], [1, true], stderr)
})

native('--storage-opt size= bounds what the guest may write', async () => {
  const { code, stderr } = await run(['--storage-opt', 'size=1m', 'busybox', 'dd', 'if=/dev/zero', 'of=/x', 'bs=64k', 'count=32'])
  assert.equal([code, /No space left/.test(stderr)], [1, true], stderr)
})

native('--timeout ends the guest with 137 and says so', async () => {
  const { code, stderr } = await run(['--timeout', '300ms', 'busybox', 'sleep', '60'])
  assert.is(code, 137)
  assert.is(stderr, 'wolffia: killed after its time limit of 300ms\n')
})

native('a path that cannot be mounted or entered, and what is too long, are said in words', async () => {
  writeFileSync(join(wolffia.folder, 'long'), `BIG=${'x'.repeat(200_000)}\n`)
  writeFileSync(join(wolffia.folder, 'a-file'), '')
  const overLike = 'A folder is bound over a folder, and a file over a file.'
  for (const [words, message, hint] of [
    ['-v ./a-file:/tmp', 'cannot bind at /tmp in the container: one is a folder and the other a file', overLike],
    ['-v .:/bin/text', 'cannot bind at /bin/text in the container: it is a file, or lies below one', overLike],
    ['--tmpfs /bin/text', 'cannot mount a tmpfs at /bin/text in the container: it is a file, or lies below one', 'Choose another path.'],
    ['-w /bin/text', 'cannot make the folder /bin/text in the container: it is a file, or lies below one', 'Choose another path.'],
    ['--env-file long', 'the arguments and variables for true are more than the kernel takes', 'One may have 128 KiB'],
  ] as const) {
    const { code, stderr } = await run([...words.split(' '), 'busybox', 'true'])
    assert.is(code, 125)
    assert.ok(stderr.startsWith(`wolffia: ${message}\n${hint}`), stderr)
  }
  const gone = await wolffia.inShell('mkdir gone && cd gone && rmdir ../gone && "$wolffia" run --rm -v .:/x busybox true')
  assert.is(gone.code, 125)
  assert.match(gone.stderr, /^wolffia: -v \.:\/x: the current folder no longer exists$/m)
})

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('a working directory that the user may not enter is named', async () => {
  await run(['busybox', 'true'])
  const root = join(wolffia.folder, 'root')
  mkdirSync(join(root, 'secret'), { mode: 0o700 })
  await promisify(execFile)('tar', ['-C', root, '--owner=0', '--group=0', '-cf', join(wolffia.folder, 'secret.tar'), '.'])
  await wolffia.output('import', 'secret.tar', 'secret')
  const { code, stderr } = await wolffia.run(['run', '--rm', '-u', 'web', '-w', '/secret', 'secret', 'true'])
  assert.equal(
    [code, stderr.split('\n')[0]],
    [125, 'wolffia: cannot enter the working directory /secret in the container: its user may not'],
  )
})

native('--pids-limit stops a fork bomb', async () => {
  const { stdout, stderr } = await run([
    '--pids-limit',
    '12',
    'busybox',
    'sh',
    '-c',
    'for i in $(seq 30); do sleep 2 & done; echo started; kill $(seq 2 40) 2>/dev/null',
  ])
  assert.match(stdout + stderr, /Resource temporarily unavailable|can't fork/)
})

native('--receipt prints the receipt on stderr, or into a file', async () => {
  const { stderr, stdout } = await run(['--receipt', 'busybox', 'echo', 'guest'])
  const receipt: Receipt = JSON.parse(stderr)
  assert.equal(
    [receipt.schema, receipt.wall, receipt.kernel?.seccomp.mode, receipt.kernel?.namespaces.net.isolated],
    ['wolffia.receipt/1', 'native', 2, true],
  )
  assert.ok(Object.values(receipt.crossCheck).every(Boolean))
  assert.is(stdout, 'guest\n')
  const file = join(wolffia.folder, 'receipt.json')
  assert.equal(await run([`--receipt=${file}`, 'busybox', 'true']), { code: 0, stdout: '', stderr: '' })
  assert.is(JSON.parse(readFileSync(file, 'utf8')).wall, 'native')
  const nowhere = await run(['--receipt=/no/such/place', 'busybox', 'echo', 'ran'])
  assert.equal([nowhere.code, nowhere.stdout], [125, ''], 'nothing runs when its receipt cannot be written')
  for (const flag of ['--receipt', '--receipt=-']) {
    const full = await wolffia.inShell(`"$wolffia" run --rm ${flag} busybox echo ran 2>/dev/full`)
    assert.equal([full.code, full.stdout], [125, ''], 'nor when it cannot be written to stderr')
  }
})

native('--require lets run what is so isolated, and nothing else', async () => {
  assert.is((await run(['--require', 'seccomp,netns', '--require', 'no-new-privileges', 'busybox', 'echo', 'ran'])).stdout, 'ran\n')
  const host = await run(['--network', 'host', '--require', 'netns', 'busybox', 'echo', 'ran'])
  assert.equal([host.code, host.stdout], [125, ''])
  assert.match(host.stderr, /netns/)
  const typo = await run(['--require', 'secomp', 'busybox', 'true'])
  assert.equal([typo.code, /seccomp/.test(typo.stderr)], [125, true])
})

native("--network host is the host's own", async () => {
  assert.is(
    await shell('cat /proc/net/dev | wc -l', ['--network', 'host']),
    `${readFileSync('/proc/net/dev', 'utf8').split('\n').length - 1}\n`,
  )
})

native('--runtime wasm on a native program says why not and what to do', async () => {
  const { code, stdout, stderr } = await run(['--runtime', 'wasm', 'busybox', 'sh'])
  assert.equal([code, stdout], [125, ''])
  assert.match(stderr, /native program/)
  assert.match(stderr, /--runtime native/)
})

native('without --rm a container is kept with how it ended, until it is removed', async () => {
  await wolffia.busybox()
  const ended = await wolffia.run(['run', '--name', 'kept', '-l', 'a=b', 'busybox', 'sh', '-c', 'echo x > /written; exit 3'])
  assert.is(ended.code, 3)
  assert.is((await wolffia.output('ps')).split('\n').length, 2, 'ps shows what runs')
  const [headings = '', row = ''] = (await wolffia.output('ps', '-a')).split('\n')
  assert.match(headings, /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/)
  assert.match(
    row,
    /^[0-9a-f]{12} +busybox +"sh -c 'echo x > \/w…"|^[0-9a-f]{12} +busybox +"sh -c echo x > \/wri…" .* Exited \(3\) .* ago +kept$/,
  )
  const [inspected] = JSON.parse(await wolffia.output('inspect', 'kept'))
  assert.equal(
    [inspected.State.Status, inspected.State.ExitCode, inspected.Name, inspected.Config.Labels, inspected.Wolffia.Receipt.wall],
    ['exited', 3, '/kept', { a: 'b' }, 'native'],
  )
  assert.match((await wolffia.run(['exec', 'kept', 'true'])).stderr, /kept is not running\nStart it first: wolffia start kept\n/)
  const taken = await wolffia.run(['run', '--name', 'kept', 'busybox', 'true'])
  assert.equal([taken.code, /already in use/.test(taken.stderr)], [125, true])
  assert.match((await wolffia.run(['rmi', 'busybox'])).stderr, /kept/)
  assert.is(await wolffia.output('rm', 'kept'), 'kept\n')
  assert.equal(wolffia.containers(), [])
})

native('a program that cannot be started leaves its container behind without --rm, and says so in ps', async () => {
  await wolffia.busybox()
  const ended = await wolffia.run(['run', '--name', 'orphan', 'busybox', '/bin/orphan'])
  assert.is(ended.code, 127)
  assert.match(await wolffia.output('ps', '-a'), /Exited \(127\) .*orphan/)
  await wolffia.output('rm', 'orphan')
})

native('writes of one container are not seen by the next', async () => {
  assert.is(await shell('echo x > /made; ls /made'), '/made\n')
  assert.is((await run(['busybox', 'ls', '/made'])).code, 1)
})

native('a container whose record was cut off is dead to ps and inspect, and rm removes it', async () => {
  await wolffia.busybox()
  await wolffia.output('run', '--name', 'cut', 'busybox', 'true')
  const [id = ''] = wolffia.containers()
  truncateSync(join(wolffia.home, 'containers', id, 'container.json'), 20)
  assert.match(await wolffia.output('ps', '-a'), new RegExp(`^${id.slice(0, 12)} .* Dead +cut$`, 'm'))
  const inspected = await wolffia.run(['inspect', 'cut'])
  assert.is(inspected.code, 1)
  assert.match(inspected.stderr, /container cut is dead: its record cannot be read\n.*wolffia rm cut/)
  assert.is(await wolffia.output('rm', 'cut'), 'cut\n')
  assert.equal(wolffia.containers(), [])
})

test('nothing is left', () => wolffia.end())

test.run()
