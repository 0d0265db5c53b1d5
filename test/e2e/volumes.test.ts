/** Volumes as docker's users know them: what outlives a container, what comes from the image, who has what. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, ID_RANGE, NATIVE, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/volumes')
const native = test.needs(NATIVE, BUSYBOX)
const wolffia = new CommandLine()
let made: Promise<void> | undefined

/** The image `keeper`: busybox and the guest `probe`, with a VOLUME /data that has files in it, and /plain without any. */
function keeper(): Promise<void> {
  made ??= importKeeper()
  return made
}

async function importKeeper(): Promise<void> {
  const root = join(wolffia.folder, 'keeper')
  mkdirSync(root)
  const script = `mkdir -p bin data/sub plain many; cp /bin/busybox bin/; for name in sh cat ls stat sleep touch rm true; do ln -s busybox bin/$name; done
    echo first > data/file; echo deep > data/sub/deep; chmod 750 data; chmod 1777 plain; echo other > other; ln -s data link; ln -s / top
    i=0; while [ $i -lt 300 ]; do echo $i > many/$i; i=$((i+1)); done`
  await promisify(execFile)('sh', ['-ec', script], { cwd: root })
  writeFileSync(join(root, 'many/large'), 'x'.repeat(20_000_000))
  copyFileSync(resolve('dist/wasm/probe.wasm'), join(root, 'probe.wasm'))
  await promisify(execFile)('tar', [
    '--owner=33',
    '--group=33',
    '--numeric-owner',
    '-C',
    root,
    '-cf',
    join(wolffia.folder, 'keeper.tar'),
    '.',
  ])
  await wolffia.output('import', '-c', 'VOLUME /data', 'keeper.tar', 'keeper')
}

const volumes = async (...flags: string[]) => (await wolffia.output('volume', 'ls', '-q', ...flags)).split('\n').filter(Boolean)
const anonymous = () => volumes('-f', 'label=com.docker.volume.anonymous')
const run = (...words: string[]) => wolffia.output('run', '--rm', ...words)
async function shell(flags: readonly string[], script: string): Promise<string> {
  await keeper()
  return run(...flags, 'keeper', 'sh', '-c', script)
}

test('volume create, ls, inspect, rm: names in, docker’s words out', async () => {
  assert.is(await wolffia.output('volume', 'create', '--label', 'stage=test', 'mine'), 'mine\n')
  assert.equal(
    await Promise.all(Array.from({ length: 4 }, () => wolffia.output('volume', 'create', '--name', 'mine'))),
    Array.from({ length: 4 }, () => 'mine\n'),
  )
  const nameless = (await wolffia.output('volume', 'create')).trim()
  assert.match(nameless, /^[0-9a-f]{64}$/)
  assert.is(await wolffia.output('volume', 'ls', '-f', 'name=mine'), 'DRIVER    VOLUME NAME\nlocal     mine\n')
  assert.equal((await volumes()).sort(), [nameless, 'mine'].sort())
  assert.equal(await volumes('--filter', 'label=stage=test', '-f', 'dangling=true'), ['mine'])
  assert.equal(await anonymous(), [nameless])
  const [shown, other] = JSON.parse(await wolffia.output('volume', 'inspect', 'mine', nameless))
  const mountpoint = join(wolffia.home, 'volumes/mine/_data')
  assert.match(shown.CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  assert.equal(
    { ...shown, CreatedAt: '' },
    { CreatedAt: '', Driver: 'local', Labels: { stage: 'test' }, Mountpoint: mountpoint, Name: 'mine', Options: null, Scope: 'local' },
  )
  assert.equal(other.Labels, { 'com.docker.volume.anonymous': '' })
  const template = '{{.Name}} {{.Mountpoint}} {{index .Labels "stage"}}'
  assert.is(await wolffia.output('volume', 'inspect', '-f', template, 'mine'), `mine ${mountpoint} test\n`)
  assert.equal(JSON.parse(await wolffia.output('volume', 'inspect', '--format', 'json', 'mine')), [shown])
  for (const words of [
    ['inspect', 'mine'],
    ['inspect', '--type', 'volume', 'mine'],
  ])
    assert.equal(JSON.parse(await wolffia.output(...words)), [shown])
  assert.is(await wolffia.output('volume', 'rm', 'mine', nameless), `mine\n${nameless}\n`)
  assert.equal(await volumes(), [])
  // As docker, which only then is what a script wants: gone, whether it was there or not.
  const forced = await wolffia.run(['volume', 'rm', '-f', 'mine'])
  assert.equal([forced.code, forced.stdout, forced.stderr], [0, 'mine\n', ''])
})

native('a named volume is made when it is first used, and its data outlives the container', async () => {
  await shell(['-v', 'kept:/x'], 'echo hello > /x/said')
  assert.is(await shell(['--mount', 'src=kept,dst=/y'], 'cat /y/said'), 'hello\n')
  assert.equal(await volumes(), ['kept'])
  await wolffia.output('volume', 'rm', 'kept')
})

native('an empty volume gets what the image has at its place, once; nocopy leaves it empty', async () => {
  assert.is(
    await shell(['-v', 'full:/data'], 'cat /data/file /data/sub/deep; stat -c %a /data; echo mine > /data/file'),
    'first\ndeep\n750\n',
  )
  assert.is(await shell(['-v', 'full:/data'], 'cat /data/file'), 'mine\n')
  assert.is(await shell(['-v', 'full:/other-place'], 'cat /other-place/sub/deep'), 'deep\n')
  assert.is(await shell(['-v', 'bare:/data:nocopy'], 'ls /data'), '')
  assert.is(await shell(['--mount', 'src=bare,dst=/data,volume-nocopy'], 'ls /data'), '')
  assert.is(await shell(['-v', 'linked:/link'], 'ls /link/sub; cat /data/file'), 'deep\nfirst\n')
  await wolffia.output('volume', 'rm', 'full', 'bare', 'linked')
})

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('files that come from the image keep their owners', async () => {
  assert.is(await shell(['-v', 'owned:/data'], 'stat -c "%u:%g %a" /data /data/file'), '33:33 750\n33:33 644\n')
  await wolffia.output('volume', 'rm', 'owned')
})

native('a read-only volume is filled and cannot be written', async () => {
  const { code, stdout, stderr } = await wolffia.run([
    'run',
    '--rm',
    '-v',
    'fixed:/data:ro',
    'keeper',
    'sh',
    '-c',
    'cat /data/file; echo x > /data/new',
  ])
  assert.equal([code, stdout, /Read-only file system/.test(stderr)], [1, 'first\n', true], stderr)
  await wolffia.output('volume', 'rm', 'fixed')
})

native('the image’s VOLUME and -v PATH make anonymous volumes, which go with --rm and rm -v and stay with rm', async () => {
  await shell(['-v', '/more'], 'echo x > /more/x; echo x > /data/x')
  assert.equal(await volumes(), [])
  await wolffia.output('run', '--name', 'left', '-v', '/more', 'keeper', 'true')
  const left = await anonymous()
  assert.is(left.length, 2)
  const [{ Mounts }] = JSON.parse(await wolffia.output('inspect', 'left'))
  assert.equal(Mounts.map(({ Type, Name, Destination }: Record<string, string>) => [Type, left.includes(Name ?? ''), Destination]).sort(), [
    ['volume', true, '/data'],
    ['volume', true, '/more'],
  ])
  await wolffia.output('rm', 'left')
  assert.is((await anonymous()).length, 2)
  await wolffia.output('volume', 'rm', ...left)
  await wolffia.output('run', '--name', 'gone', '-v', 'stays:/more', 'keeper', 'true')
  await wolffia.output('rm', '-v', 'gone')
  assert.equal(await volumes(), ['stays'])
  // A mount of the caller's takes the place of the image's.
  await wolffia.output('run', '--name', 'own', '-v', 'stays:/data', 'keeper', 'true')
  assert.equal(await anonymous(), [])
  await wolffia.output('rm', 'own')
  await wolffia.output('volume', 'rm', 'stays')
})

native('inspect says of each mount what docker says', async () => {
  await keeper()
  const words = ['-v', 'told:/v:ro', '-v', `${wolffia.folder}:/b:ro`, '-v', `${wolffia.folder}:/w`, '--mount', 'type=tmpfs,dst=/t']
  await wolffia.output('create', '--name', 'told', ...words, 'keeper', 'true')
  const shown = (format: string) => wolffia.output('inspect', '-f', format, 'told')
  assert.is(
    await shown('{{range .Mounts}}{{.Type}} {{.Destination}} [{{.Mode}}] {{.RW}} [{{.Propagation}}]\n{{end}}'),
    `volume /v [] false []\nbind /b [ro] false [rprivate]\nbind /w [] true [rprivate]\ntmpfs /t [] true []\nvolume /data [] true []\n\n`,
  )
  assert.is(await shown('{{json .HostConfig.Binds}}'), `["told:/v:ro","${wolffia.folder}:/b:ro","${wolffia.folder}:/w"]\n`)
  await wolffia.output('rm', '-v', 'told')
  await wolffia.output('volume', 'rm', 'told')
})

native('a container that cannot be made leaves no anonymous volume', async () => {
  await keeper()
  for (const words of [['/nosuch'], ['/other']]) assert.ok((await wolffia.run(['run', 'keeper', ...words])).code >= 125)
  assert.ok((await wolffia.run(['run', '--require', 'memory', 'keeper', 'true'])).code >= 125)
  assert.equal(await volumes(), [])
})

native('--volumes-from mounts what another container has, also when that one has ended, and :ro to read only', async () => {
  await keeper()
  const shared = join(wolffia.folder, 'shared')
  mkdirSync(shared)
  writeFileSync(join(shared, 'file'), 'of the host\n')
  await wolffia.output(
    'run',
    '--name',
    'source',
    '-v',
    'named:/named',
    '-v',
    './shared:/host:ro',
    'keeper',
    'sh',
    '-c',
    'echo n > /named/n; echo d > /data/d',
  )
  assert.is(await shell(['--volumes-from', 'source'], 'cat /named/n /data/d /host/file'), 'n\nd\nof the host\n')
  const readonly = await wolffia.run([
    'run',
    '--rm',
    '--volumes-from',
    'source:ro',
    'keeper',
    'sh',
    '-c',
    'cat /named/n; echo x > /named/x',
  ])
  assert.equal([readonly.code, readonly.stdout], [1, 'n\n'])
  assert.is((await wolffia.run(['run', '--rm', '--volumes-from', 'source', 'keeper', 'touch', '/host/x'])).code, 1)
  // The borrower's own mount is before the lender's, and what it borrowed is not its to remove.
  assert.is(await shell(['--volumes-from', 'source', '-v', 'another:/named'], 'ls /named'), '')
  await wolffia.output('run', '--name', 'borrower', '--volumes-from', 'source', 'keeper', 'true')
  await wolffia.output('rm', '-v', 'source')
  assert.is((await anonymous()).length, 1)
  await wolffia.output('rm', '-v', 'borrower')
  await wolffia.output('volume', 'rm', 'named', 'another', ...(await anonymous()))
})

native('a volume that a container has is not removed, running or not', async () => {
  await keeper()
  const child = wolffia.start(['run', '--name', 'holder', '-v', 'held:/x', 'keeper', 'sleep', '60'])
  await wolffia.untilRunning('holder')
  const { code, stdout, stderr } = await wolffia.run(['volume', 'rm', 'held'])
  assert.equal([code, stdout, /^wolffia: remove held: volume is in use - \[[0-9a-f]{64}\]\n/.test(stderr)], [1, '', true], stderr)
  assert.equal(await volumes('-f', 'dangling=true'), [])
  assert.equal((await volumes('-f', 'dangling=false')).includes('held'), true)
  assert.is(await wolffia.output('volume', 'prune', '-af'), 'Total reclaimed space: 0B\n')
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.is((await wolffia.run(['volume', 'rm', '-f', 'held'])).code, 1)
  await wolffia.output('rm', '-f', '-v', 'holder')
  assert.is(await wolffia.output('volume', 'rm', 'held'), 'held\n')
})

native('prune asks, takes anonymous volumes, and with -a all', async () => {
  await wolffia.output('volume', 'create', 'named')
  const nameless = (await wolffia.output('volume', 'create')).trim()
  writeFileSync(join(wolffia.home, 'volumes', nameless, '_data/file'), 'x'.repeat(2000))
  for (const input of ['n\n', '', 'yesterday\n']) {
    const asked = await wolffia.run(['volume', 'prune'], { input })
    assert.match(asked.stdout, /^WARNING! This will remove anonymous volumes not used by at least one container\.\nAre you sure/)
    assert.is(asked.code, 1)
  }
  assert.match(
    (await wolffia.run(['volume', 'prune'], { input: 'y\n' })).stdout,
    new RegExp(`Deleted Volumes:\n${nameless}\n\nTotal reclaimed space: 2kB\n$`),
  )
  assert.is(await wolffia.output('volume', 'prune', '-f'), 'Total reclaimed space: 0B\n')
  assert.is(await wolffia.output('volume', 'prune', '-a', '-f', '--filter', 'label=no'), 'Total reclaimed space: 0B\n')
  assert.is(await wolffia.output('volume', 'prune', '-f', '--filter', 'all=false'), 'Total reclaimed space: 0B\n')
  assert.is(await wolffia.output('volume', 'prune', '-f', '--filter', 'all=1'), 'Deleted Volumes:\nnamed\n\nTotal reclaimed space: 0B\n')
})

test.needs(
  NATIVE,
  WASM,
  BUSYBOX,
)('a native and a Wasm container have the same volume at once, each seeing what the other writes', async () => {
  await keeper()
  const mount = ['-v', 'shared-data:/both']
  const waits = (path: string) => `i=0; while [ ! -s ${path} ] && [ $i -lt 1000 ]; do sleep 0.05; i=$((i+1)); done`
  const child = wolffia.run([
    'run',
    '--rm',
    '--name',
    'one',
    ...mount,
    'keeper',
    'sh',
    '-c',
    `echo from native > /both/native; ${waits('/both/wasm')}; cat /both/wasm`,
  ])
  await wolffia.untilRunning('one')
  for (let tries = 0; !existsSync(join(wolffia.home, 'volumes/shared-data/_data/native')) && tries < 1200; tries++) await sleep(25)
  const wasm = await run(...mount, 'keeper', '/probe.wasm', 'cat', '/both/native', ',', 'write', '/both/wasm', 'from-wasm')
  assert.match(wasm, /from native/)
  const { code, stdout, stderr } = await child
  assert.equal([code, stdout.trim()], [0, 'from-wasm'], stderr)
  await wolffia.output('volume', 'rm', 'shared-data')
})

test.needs(
  NATIVE,
  WASM,
  BUSYBOX,
)('a Wasm container’s empty volume is filled from its image too, and reads only with ro', async () => {
  await keeper()
  const walked = await run('-v', 'filled:/plain/data', '-v', 'filled-too:/many', 'keeper', '/probe.wasm', 'cat', '/many/7')
  assert.is(walked.trim(), '7')
  const refused = await wolffia.run(['run', '--rm', '-v', 'filled-too:/many:ro', 'keeper', '/probe.wasm', 'write', '/many/new', 'x'])
  assert.match(refused.stdout + refused.stderr, /ROFS/i)
  await wolffia.output('volume', 'rm', 'filled', 'filled-too')
})

native(
  'a copy cut off by a kill at any moment is whole for the next who comes, and two at once are no trouble',
  async () => {
    await keeper()
    for (const milliseconds of [120, 180, 240, 300, 360]) {
      const child = wolffia.start(['run', '--rm', '-v', 'cut:/many', 'keeper', 'true'])
      const closed = once(child, 'close')
      await sleep(milliseconds)
      child.kill('SIGKILL')
      await closed
      const counted = await Promise.all(
        [1, 2].map(() => shell(['-v', 'cut:/many'], 'ls /many | busybox wc -l; stat -c %s /many/large; cat /many/299')),
      )
      assert.equal(counted, ['301\n20000000\n299\n', '301\n20000000\n299\n'], `${milliseconds} ms`)
      await wolffia.output('volume', 'rm', 'cut')
    }
    assert.equal(readdirSync(join(wolffia.home, 'volumes')), [])
  },
  { timeoutMs: 180_000 },
)

native('a subpath is mounted in place of the whole, and leads nowhere else', async () => {
  assert.is(await shell(['-v', 'parts:/data'], 'ln -s /etc /data/out'), '')
  assert.is(await shell(['--mount', 'src=parts,dst=/s,volume-subpath=sub'], 'cat /s/deep'), 'deep\n')
  for (const [subpath, says] of [
    ['out', /symlink/],
    ['../../x', /".."/],
    ['none', /none|ENOENT/],
  ] as const) {
    const { code, stderr } = await wolffia.run([
      'run',
      '--rm',
      '--mount',
      `src=parts,dst=/s,volume-subpath=${subpath}`,
      'keeper',
      'ls',
      '/s',
    ])
    assert.is(code, 125, stderr)
    assert.match(stderr, says)
  }
  await wolffia.output('volume', 'rm', 'parts')
})

native('a volume whose data became a symlink is not mounted, and its removal leaves what it led to', async () => {
  await keeper()
  const secret = join(wolffia.folder, 'secret')
  mkdirSync(secret)
  writeFileSync(join(secret, 'file'), '')
  await wolffia.output('volume', 'create', 'swapped')
  rmSync(join(wolffia.home, 'volumes/swapped/_data'), { recursive: true })
  symlinkSync(secret, join(wolffia.home, 'volumes/swapped/_data'))
  for (const program of [
    ['ls', '/x'],
    ['/probe.wasm', 'list', '/x'],
  ]) {
    const { code, stdout, stderr } = await wolffia.run(['run', '--rm', '-v', 'swapped:/x', 'keeper', ...program])
    assert.equal([code, stdout, /volume swapped is no folder of wolffia's any more/.test(stderr)], [125, '', true], stderr)
  }
  await wolffia.output('volume', 'rm', 'swapped')
  assert.equal(readdirSync(secret), ['file'])
})

native('CVE-2021-30465: a symlink that a guest left in a shared volume leads a mount over it nowhere out of the container', async () => {
  await keeper()
  await shell(
    ['-v', 'trap:/t'],
    'ln -s /data /t/inside; ln -s ../../../../../../data /t/up; ln -s /proc /t/proc; ln -s /proc/self/root /t/magic',
  )
  await shell(['-v', 'other:/o'], 'echo other > /o/file')
  for (const name of ['inside', 'up']) {
    const flags = ['-v', 'trap:/t', '-v', `other:/t/${name}:nocopy`]
    assert.is(await shell(flags, 'cat /data/file; ls /t'), 'other\ninside\nmagic\nproc\nup\n')
  }
  for (const name of ['proc', 'magic']) {
    const { code, stdout } = await wolffia.run(['run', '--rm', '-v', 'trap:/t', '-v', `other:/t/${name}:nocopy`, 'keeper', 'ls', '/t'])
    assert.equal([code, stdout], [125, ''], name)
  }
  await wolffia.output('volume', 'rm', 'trap', 'other')
})

native('a read-only bind is read-only in what is mounted below it too', async () => {
  await keeper()
  const source = join(wolffia.folder, 'submount')
  mkdirSync(join(source, 'inner'), { recursive: true })
  // In namespaces of one's own anybody may mount.
  const script = `busybox mount -t tmpfs none "$0/inner" && echo below > "$0/inner/file" && shift && exec "$@"`
  const inside = async (...flags: string[]) => {
    const words = [resolve('dist/cli.cjs'), 'run', '--rm', ...flags, 'keeper', 'sh', '-c', 'cat /x/inner/file; touch /x/top /x/inner/new']
    return promisify(execFile)('busybox', ['unshare', '-Urm', 'sh', '-c', script, source, '--', ...words], {
      env: { PATH: process.env.PATH, HOME: wolffia.folder, WOLFFIA_HOME: wolffia.home },
    }).then(
      ({ stdout, stderr }) => ({ stdout, stderr }),
      ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => ({ stdout, stderr }),
    )
  }
  const readonly = await inside('-v', `${source}:/x:ro`)
  assert.equal([readonly.stdout, readonly.stderr.match(/Read-only file system/g)?.length], ['below\n', 2], readonly.stderr)
  const writable = await inside('-v', `${source}:/x`)
  assert.equal([writable.stdout, writable.stderr], ['below\n', ''])
  const shallow = await inside('--mount', `type=bind,src=${source},dst=/x,bind-recursive=disabled`)
  assert.match(shallow.stderr, /bind-recursive=disabled/, 'a user namespace may not look below a mount')
  rmSync(join(source, 'top'))
})

/** Words, exit code (docker's), and what stderr must say. */
const MISTAKES: readonly (readonly [words: string, code: number, ...says: readonly RegExp[]])[] = [
  ['volume sl', 1, /unknown command: volume sl\nDid you mean "ls"/, /wolffia volume --help/],
  ['volume update x', 1, /`volume update` is not built yet/],
  ['volume --bogus', 125, /unknown flag: --bogus/],
  ['volume create a b', 1, /at most 1 argument/],
  ['volume create a/b', 1, /invalid volume name "a\/b".*\[a-zA-Z0-9\]/],
  ['volume create x', 1, /too short/],
  ['volume create --name a1 b1', 1, /conflicting options/],
  ['volume create -d nfs n1', 1, /volume driver "nfs" is not built/],
  ['volume create -o type=nfs n1', 1, /option "type" of volume driver local is not built/, /-v \/mnt/],
  ['volume create --label =x n1', 1, /"=x" for "--label" flag/],
  ['volume create --scope single n1', 1, /--scope is not built/],
  ['volume ls x', 1, /requires no arguments/],
  ['volume ls -f nmae=x', 1, /there is no filter "nmae"\nDid you mean "name"/],
  ['volume ls -f dangling=perhaps', 1, /true or false/],
  ['volume inspect', 1, /requires at least 1 argument/],
  ['volume inspect nosuch', 1, /no such volume: nosuch/],
  ['volume inspect -f {{.Name nosuch', 64, /./],
  ['inspect --type volume keeper', 1, /no such volume: keeper/],
  ['inspect --type network x', 1, /not a valid value for --type\n.*container, image and volume/],
  ['volume rm', 1, /requires at least 1 argument/],
  ['volume rm nosuch', 1, /no such volume: nosuch\n.*wolffia volume ls/],
  ['volume prune --filter name=x -f', 1, /there is no filter "name"/],
  ['volume prune --filter all=perhaps -f', 1, /true or false/],
  ['run -v a/b:/x keeper', 125, /neither a path nor a name/],
  ['run -v x:/x keeper true', 125, /invalid volume name "x".*too short/],
  ['run -v data:x keeper', 125, /must be absolute/],
  ['run -v data:/ keeper', 125, /can't be \//],
  ['run -v data:/x -v other:/x keeper', 125, /duplicate mount point: \/x/],
  ['run -v data:/x:U keeper', 125, /option "U" is not built/],
  ['run -v data:/other keeper true', 125, /the image has a file there/],
  ['run -v data:/top keeper true', 125, /symlink to the root/],
  ['run -v data:/proc/x keeper true', 125, /nothing can be mounted at \/proc\/x/],
  ['run --mount type=bogus,dst=/x keeper', 125, /no mount type "bogus"/],
  ['run --mount src=data,dst=/x,volume-driver=nfs keeper true', 125, /volume driver "nfs" is not built/],
  ['run --volume-driver nfs -v data:/x keeper true', 125, /volume driver "nfs" is not built/],
  ['run --mount src=data,dst=/x,volume-opt=type=nfs keeper true', 125, /option "type"/],
  ['run --mount type=bind,src=/nosuch,dst=/x keeper true', 125, /source path does not exist: \/nosuch/],
  ['run --volumes-from nosuch keeper true', 125, /no such container: nosuch/],
  ['run --volumes-from a:b:c keeper true', 125, /must read CONTAINER\[:ro\]/],
]

for (const [words, code, ...says] of MISTAKES)
  native(`\`wolffia ${words}\` ends with ${code} and says why`, async () => {
    await keeper()
    const ended = await wolffia.run(words.split(' '))
    assert.is(ended.code, code, ended.stderr)
    for (const said of says) assert.match(ended.stderr, said)
    assert.not.match(ended.stderr, /^\s+at /m, 'no stack trace')
  })

native('a mistake leaves no anonymous volume, and no named one but where all was right until the mount', async () => {
  assert.equal([await anonymous(), (await volumes()).filter((name) => name !== 'data')], [[], []])
  await wolffia.output('volume', 'prune', '-af')
})

test('a group prints its commands, and each has a page', async () => {
  for (const words of [['volume'], ['volume', '--help'], ['help', 'volume'], ['volume', '-h']])
    assert.match(
      await wolffia.output(...words),
      /^Usage: wolffia volume COMMAND[\s\S]*create[\s\S]*prune[\s\S]*not built yet:\n {2}update\n/,
    )
  for (const name of ['create', 'inspect', 'ls', 'prune', 'rm'])
    for (const words of [
      ['volume', name, '--help'],
      ['help', 'volume', name],
      ['volume', name, '-h'],
    ])
      assert.match(await wolffia.output(...words), new RegExp(`^Usage: wolffia volume ${name} `))
  assert.is(await wolffia.output('volume', 'list', '-q'), '')
})

test('nothing is left', () => wolffia.end())

test.run()
