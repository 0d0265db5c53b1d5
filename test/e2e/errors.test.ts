import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/errors')
const wolffia = new CommandLine()

/** How a program ended that does not end with 0. */
function failing(program: string, words: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> {
  return promisify(execFile)(program, words).then(
    (ended) => ({ ...ended, code: 0 }),
    (error: { readonly code: number; readonly stderr: string }) => error,
  )
}

/** Words, exit code (docker's), and what stderr must say. */
const MISTAKES: readonly (readonly [words: string, code: number, ...says: readonly RegExp[]])[] = [
  ['rnu', 1, /unknown command: rnu/, /Did you mean "run"/, /wolffia help/],
  ['pod ps', 1, /unknown command: pod\nThere are no pods: .*wolffia run/],
  ['image exists x', 1, /unknown command: image exists\n.*wolffia inspect --type/],
  ['delete x', 1, /unknown command: delete\n.*`wolffia rm`/],
  ['remove x', 1, /`wolffia rm`/],
  ['list', 1, /`wolffia ps`/],
  ['ls', 1, /`wolffia ps`/],
  ['--bogus', 125, /unknown flag: --bogus/],
  ['--bogus=secret ps', 125, /unknown flag: --bogus\n/],
  ['-H tcp://x ps', 125, /--host is not built\nThere is no daemon/],
  ['--context=x ps', 125, /--context is not built\nThere is no daemon/],
  ['--config x ps', 125, /--config is not built\n.*WOLFFIA_HOME/],
  ['-l debug ps', 125, /--log-level is not built\n.*--debug/],
  ['run --host=secret x', 125, /unknown flag: --host\n/],
  ['load image.tar', 1, /requires no arguments/, /wolffia load -i image\.tar/],
  ['pull -q alpine', 1, /cannot reach registry-1\.docker\.io: the proxy 127\.0\.0\.1:9/, /HTTPS_PROXY/],
  ['pull -a alpine:3', 1, /tag can't be used with --all-tags/, /alpine/],
  ['pull UPPER', 1, /must be lowercase/, /Write upper\./],
  ['pull localhost:5000/Team/App:V1', 1, /must be lowercase/, /Write localhost:5000\/team\/app:V1\./],
  ['pull --disable-content-trust alpine', 1, /--disable-content-trust is not built yet/],
  ['push alpine', 1, /there is no image "docker.io\/library\/alpine:latest" here/, /wolffia images/],
  ['login -u me', 1, /non-TTY device/, /--password-stdin/],
  ['login --password-stdin', 1, /requires --username/],
  ['run', 1, /'wolffia run' requires at least 1 argument/, /wolffia run --help/],
  ['tag a', 1, /requires 2 arguments/],
  ['images a b', 1, /at most 1 argument/],
  ['ps x', 1, /requires no arguments|at most 0/],
  ['rm', 1, /requires at least 1 argument/],
  ['run --bogus x', 125, /unknown flag: --bogus/],
  ['run --entrypiont x y', 125, /unknown flag: --entrypiont/, /"--entrypoint"/],
  ['run --name', 125, /flag needs an argument: --name/],
  ['run --env-file nosuch x', 125, /cannot read --env-file nosuch/],
  ['run -p 80:80 x', 125, /--publish is not built yet/, /--network/],
  ['run -d nosuch', 125, /there is no image "nosuch" here, and it cannot be pulled: cannot reach registry-1\.docker\.io/],
  ['run --pull never nosuch', 125, /there is no image "nosuch" here\n/],
  ['run -m 5x x', 125, /invalid argument "5x" for "-m, --memory"/],
  ['run --network bridge x', 125, /--network bridge is not built yet/],
  ['run -v a/b:/c x', 125, /neither a path nor a name/, /-v "\$PWD\/a\/b:\/c"/],
  ['run --rm=maybe x', 125, /invalid argument "maybe" for "--rm"/],
  ['ps --filter name', 125, /invalid argument "name" for "-f, --filter" flag: bad format of filter \(expected name=value\)/],
  ['ps --filter nosuch=x', 1, /invalid filter 'nosuch'/, /There are id, name, label/],
  ['ps --filter health=well', 1, /health/, /starting, healthy, unhealthy, none/],
  ['ps --filter status=bogus', 1, /invalid filter 'status=bogus'/, /running/],
  ['ps --filter exited=x', 1, /invalid filter 'exited=x'/],
  ['ps --filter before=nosuch', 1, /no such container: nosuch/],
  ['ps -n x', 125, /invalid argument "x" for "-n, --last"/],
  ['ps --format {{.ID', 1, /template parsing error: template: :1: unclosed action/, /\{\{json \.\}\}/],
  ['ps --format table{{nosuch}}', 1, /function "nosuch" not defined/],
  ['images --filter dangling=maybe', 1, /invalid filter 'dangling=maybe'/],
  ['images --filter until=1h', 1, /--filter until=… is not built yet/],
  ['rm -l x', 1, /--link is not built yet/, /not linked/],
  ['run --timeout 9999999h x', 125, /invalid argument "9999999h" for "--timeout" flag: too long: the longest is 596h/],
  ['run --pids-limit 99999999999999 x', 125, /too large/],
  ['run -m 1k x', 125, /the least is 64k/, /with a unit: 1m/],
  ['run -m 512 x', 125, /the least is 64k/, /with a unit: 512m/],
  ['run --cpus abc x', 125, /invalid argument "abc" for "--cpus" flag: not a number/, /0\.5, 2/],
  ['run --pids-limit abc x', 125, /not a positive whole number/, /--pids-limit 100/],
  ['kill -9 x', 125, /unknown shorthand flag: '9' in -9\nName the signal with -s: -s 9/],
  ['run -9 x', 125, /unknown shorthand flag: '9' in -9\n/],
  ['run --userns foo x', 125, /It takes: private, keep-id/],
  ['build /root', 1, /unable to prepare context: path "\/root" cannot be read: permission denied/],
  ['build --iidfile /proc/1/x .', 1, /cannot write \/proc\/1\/x: permission denied|no such/],
  ['bench --html /etc/x.html', 1, /cannot write \/etc\/x\.html: permission denied/],
  ['run -v data x', 125, /must be absolute: "data"/, /-v data:\/data/],
  ['run --mount type=tmpfs,target=data x', 125, /must be absolute: "data"/, /target=\/data/],
  ['run -e =x x', 125, /needs a name/, /-e NAME=VALUE/],
  ['run -l =x x', 125, /needs a name/, /-l NAME=VALUE/],
  ['run --annotation =x x', 125, /needs a name/, /--annotation NAME=VALUE/],
  ['run --add-host x x', 125, /invalid IP address/, /--add-host NAME:ADDRESS/],
  ['run --storage-opt 1g x', 125, /only size=BYTES is known/, /--storage-opt size=1g/],
  ['run -u 1:2:3 x', 125, /write USER\[:GROUP\]/],
  ['version -f {{.Nosuch}}', 1, /template parsing error: .* map has no entry for key "Nosuch"/],
  ['run nosuch', 125, /nosuch/, /HTTPS_PROXY/],
  ['run UPPER', 125, /must be lowercase/],
  ['run -it x', 1, /the input device is not a TTY/],
  ['rmi nosuch', 1, /nosuch/],
  ['rm nosuch', 1, /no such container: nosuch/],
  ['rm -f nosuch', 0, /no such container: nosuch/],
  ['inspect nosuch', 1, /no such container, image or volume: nosuch/],
  ['tag nosuch other', 1, /nosuch/],
  ['load -i nosuch.tar', 1, /nosuch\.tar/],
  ['load', 1, /the input is empty/, /pipe one in/],
  ['import nosuch.tar x', 1, /no such file: nosuch\.tar/],
  ['import notatar x', 1, /notatar is a text, not a tar/],
  ['version -f {{', 64, /template parsing error: template: :1: unclosed action/],
  ['inspect -f {{.Id} x', 64, /template parsing error: template: :1: bad character/],
  ['inspect -f {{.Id}} nosuch', 1, /no such container, image or volume: nosuch/],
  ['import http://x.example/a.tar', 1, /URL is not built yet/, /curl/],
]

for (const [words, code, ...says] of MISTAKES)
  test(`\`wolffia ${words}\` ends with ${code} and says why`, async () => {
    writeFileSync(join(wolffia.folder, 'notatar'), 'this is no tar\n'.repeat(100))
    const ended = await wolffia.run(words.split(' '))
    assert.equal([ended.code, words.startsWith('inspect nosuch') ? '' : ended.stdout], [code, ''], ended.stderr)
    assert.match(ended.stderr, /^wolffia: /)
    for (const said of says) assert.match(ended.stderr, said)
    assert.not.match(ended.stderr, /^\s+at /m, 'no stack trace')
  })

test('what follows `npm start --` is read by wolffia and not by Node', async () => {
  const { code, stderr } = await failing('npm', ['start', '--silent', '--', 'run', '--env-file', 'nosuch', 'x'])
  assert.equal([code, /^wolffia: cannot read --env-file nosuch/.test(stderr)], [125, true], stderr)
})

test('a name of thousands of letters is cut where it is told', async () => {
  for (const words of [
    ['rm', 'x'.repeat(5000)],
    ['run', `--${'x'.repeat(5000)}`, 'y'],
  ]) {
    const { stderr } = await wolffia.run(words)
    assert.match(stderr, /x{40}…x{40}/)
    assert.ok(stderr.length < 600, stderr)
  }
})

test('rm -f and rmi -f say what does not exist, and end well', async () => {
  for (const command of ['rm', 'rmi'])
    for (const flag of ['-f', '--force']) {
      const { code, stdout, stderr } = await wolffia.run([command, flag, 'nosuch'])
      assert.equal([code, stdout, /^wolffia: .*nosuch/.test(stderr)], [0, '', true], stderr)
    }
  assert.is((await wolffia.run(['rmi', '-f', 'UPPER'])).code, 1, 'what no image can be called is a mistake')
})

test('a mistake leaves nothing in the store', async () => {
  assert.is((await wolffia.output('images')).split('\n').length, 2)
  assert.is((await wolffia.output('ps', '-a')).split('\n').length, 2)
})

test('--debug shows the causes, before the command and after', async () => {
  for (const words of [
    ['--debug', 'rm', 'nosuch'],
    ['-D', 'run', 'nosuch'],
    ['run', '--debug', 'nosuch'],
  ])
    assert.match((await wolffia.run(words)).stderr, /code (CONTAINER_NOT_FOUND|REGISTRY_FAILED)/, words.join(' '))
})

test('help is a page, for every command and for none', async () => {
  for (const words of [[], ['help'], ['--help'], ['help', 'help']])
    assert.match(await wolffia.output(...words), /A container:[\s\S]*\brun\b[\s\S]*not built yet/)
  for (const name of ['run', 'ps', 'rm', 'images', 'load', 'import', 'tag', 'rmi', 'inspect', 'doctor', 'version', 'demo', 'completion'])
    for (const words of [[name, '--help'], ['help', name], ...(name === 'run' ? [] : [[name, '-h']])])
      assert.match(await wolffia.output(...words), new RegExp(`^Usage: wolffia ${name} `), name)
})

test('version in one line and in full', async () => {
  assert.match(await wolffia.output('--version'), /^wolffia version \d+\.\d+\.\d+\n$/)
  assert.match(await wolffia.output('version'), /Version: +\d+\.\d+\.\d+\n[\s\S]*Node: +v/)
})

test('a home that cannot be is named', async () => {
  writeFileSync(join(wolffia.folder, 'file'), '')
  for (const [home, says] of [
    ['relative', /no absolute path/],
    [join(wolffia.folder, 'file'), /file/],
    ['/proc/nothing', /\/proc\/nothing/],
  ] as const) {
    const ended = await wolffia.run(['images'], { env: { WOLFFIA_HOME: home } })
    assert.is(ended.code, 1)
    assert.match(ended.stderr, says)
  }
})

test('output that a full disk does not take is an error in a sentence', async () => {
  const command = `"${process.execPath}" "${resolve('dist/cli.cjs')}" help > /dev/full`
  const { code, stderr } = await failing('sh', ['-c', command])
  assert.is(code, 1)
  assert.match(stderr, /^wolffia: cannot write the output: ENOSPC[^\n]*\n$/)
})

test('nothing is left', () => wolffia.end())

test.run()
