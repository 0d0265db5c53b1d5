import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { delegation } from '../../src/runtime/make-groups.js'
import { CommandLine } from '../support/command-line.js'
import { run, tarOf } from '../support/image-fixtures.js'
import { BUSYBOX, ID_RANGE, NATIVE, SKOPEO, UMOCI } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/build')
const wolffia = new CommandLine()
const withRun = test.needs(NATIVE, BUSYBOX)

function context(name: string, dockerfile: string, files: Readonly<Record<string, string>> = {}): string {
  const folder = join(wolffia.folder, name)
  mkdirSync(folder, { recursive: true })
  for (const [file, text] of Object.entries({ Dockerfile: dockerfile, ...files })) writeFileSync(join(folder, file), text)
  return name
}

/** What stays of an output when its ids are gone. */
const withoutIds = (text: string) => text.replace(/[0-9a-f]{12}/g, 'ID')

test('build prints what the classic builder prints, names the image, and -q only its id', async () => {
  context('plain', 'FROM scratch\nCOPY file /file\nLABEL a=b\n', { file: 'x' })
  assert.is(
    withoutIds(await wolffia.output('build', '-t', 'plain', '-t', 'example.com/plain:2', 'plain')),
    `Step 1/3 : FROM scratch
Step 2/3 : COPY file /file
 ---> ID
Step 3/3 : LABEL a=b
 ---> ID
Successfully built ID
Successfully tagged plain:latest
Successfully tagged example.com/plain:2
`,
  )
  const id = (await wolffia.output('build', '-q', '--iidfile', 'id', 'plain')).trim()
  assert.match(id, /^sha256:[0-9a-f]{64}$/)
  assert.is(readFileSync(join(wolffia.folder, 'id'), 'utf8'), id)
  const [image] = JSON.parse(await wolffia.output('inspect', 'plain:latest'))
  assert.equal([image.RepoTags, image.Config.Labels], [['plain:latest', 'example.com/plain:2'], { a: 'b' }])
})

test('the Dockerfile comes by -f, by stdin, or in a tar; a tar is a context, a text a Dockerfile', async () => {
  context('other', 'nonsense', { 'Other.txt': 'FROM scratch\nCOPY file /other\n', file: 'x' })
  await wolffia.output('build', '-t', 'by-f', '-f', 'other/Other.txt', 'other')
  const dockerfile = 'FROM scratch\nLABEL from=stdin\n'
  for (const words of [['-f', '-', 'other'], ['-']])
    assert.match((await wolffia.run(['build', ...words], { input: dockerfile })).stdout, /LABEL from=stdin\n ---> .*\nSuccessfully built/)
  const tar = tarOf({ 'sub/D': 'FROM scratch\nCOPY file /x\n', file: 'x', Dockerfile: 'FROM scratch\nCOPY . /\n' })
  assert.is((await wolffia.run(['build', '-q', '-'], { input: tar })).code, 0)
  assert.match((await wolffia.run(['build', '-f', 'sub/D', '-'], { input: tar })).stdout, /COPY file \/x\n/)
})

test('several platforms are built one after the other, under one name', async () => {
  context('platforms', 'FROM scratch AS linux\nCOPY l /l\nFROM scratch AS wasi\nCOPY w /w\nFROM $TARGETOS\nLABEL for=$TARGETOS\n', {
    l: '1',
    w: '2',
  })
  const output = await wolffia.output('build', '-t', 'two', '--platform', 'linux/amd64,wasi/wasm', 'platforms')
  assert.match(
    output,
    /^Platform linux\/amd64\nStep 1\/4 : FROM scratch AS linux\n[\s\S]*^Platform wasi\/wasm\nStep 1\/4 : FROM scratch AS wasi\n/m,
  )
  assert.match(await wolffia.output('images', 'two'), / linux\/amd64, wasi\/wasm\n$/)
})

/** Words, exit code, and what stderr must say. */
const MISTAKES: readonly (readonly [words: string, code: number, ...says: readonly RegExp[]])[] = [
  ['build', 1, /'wolffia build' requires 1 argument/],
  ['build nosuch', 1, /unable to prepare context: path "nosuch" not found/],
  ['build empty', 1, /failed to read dockerfile: there is no empty\/Dockerfile/, /-f/],
  ['build -f nosuch empty', 1, /there is no nosuch/],
  ['build https://example.com/x.git', 1, /building from a URL is not built yet/, /git clone/],
  ['build git@example.com:x.git', 1, /building from a URL is not built yet/],
  ['build github.com/a/b', 1, /building from a URL is not built yet/],
  ['build -f - -', 1, /can't use stdin for both build context and dockerfile/],
  ['build -t UPPER plain', 1, /must be lowercase/],
  ['build --squash plain', 1, /--squash is not built yet/, /COPY --from/],
  ['build --cache-from x plain', 1, /--cache-from is not built yet/],
  ['build --progress tty plain', 1, /--progress tty is not built yet/],
  ['build --network bridge plain', 1, /--network bridge is not built yet/, /none/],
  ['build --platform nonsense plain', 1, /"nonsense" is not a platform/],
  ['build --bulid-arg a=b plain', 125, /unknown flag: --bulid-arg/, /"--build-arg"/],
  ['build --build-arg =b plain', 1, /invalid argument "=b" for --build-arg/],
  [
    'build missing',
    1,
    /^missing\/Dockerfile:3$|^Dockerfile:3$/m,
    /^ {3}3 \| >>> COPY nosuch \/x$/m,
    /^wolffia: Dockerfile:3: "nosuch" is not in the build context$/m,
  ],
  ['build from-nowhere', 1, /there is no image "nosuch:1" here/, /HTTPS_PROXY/],
  ['buildx build .', 1, /`buildx` is not built yet/, /wolffia build/],
]

test('mistakes end with docker’s exit codes and say what to do', async () => {
  mkdirSync(join(wolffia.folder, 'empty'))
  context('missing', 'FROM scratch\n\nCOPY nosuch /x\nLABEL a=b\n')
  context('from-nowhere', 'FROM nosuch:1\n')
  for (const [words, code, ...says] of MISTAKES) {
    const ended = await wolffia.run(words.split(' '))
    assert.is(ended.code, code, `${words}: ${ended.stderr}`)
    for (const text of says) assert.match(ended.stderr, text, words)
    assert.not.match(ended.stderr, /fault of wolffia|^ {4}at /m, words)
  }
})

test('a build that fails leaves nothing: no name, no image, no file', async () => {
  const before = await wolffia.output('images', '-q')
  context('late', 'FROM scratch\nCOPY file /file\nCOPY nosuch /x\n', { file: 'late' })
  assert.is((await wolffia.run(['build', '-t', 'plain', 'late'])).code, 1)
  assert.is(await wolffia.output('images', '-q'), before)
})

test.needs(
  NATIVE,
  BUSYBOX,
  ID_RANGE,
)('RUN writes to the output, runs as the image says, and what it made is in the image', async () => {
  await wolffia.busybox()
  context(
    'run',
    `FROM busybox
ARG WHO
ENV GREETING=hello
WORKDIR /work
COPY script script
RUN echo "$GREETING $WHO" && echo problem >&2 && pwd > where && ./script && busybox chmod 1777 /tmp
USER web
RUN id > /tmp/id
CMD ["cat", "where", "/tmp/id"]
`,
    { script: '#!/bin/sh\necho from-script > made\n' },
  )
  chmodSync(join(wolffia.folder, 'run/script'), 0o755)
  const { code, stdout, stderr } = await wolffia.run(['build', '-t', 'ran', '--build-arg', 'WHO', 'run'], { env: { WHO: 'caller' } })
  assert.equal([code, stderr], [0, 'problem\n'])
  assert.match(
    withoutIds(stdout),
    /Step 6\/9 : RUN .*\n ---> Running in ID\nhello caller\n ---> Removed intermediate container ID\n ---> ID\nStep 7\/9 : USER web\n/,
  )
  assert.is(await wolffia.output('run', '--rm', 'ran'), '/work\nuid=33(web) gid=33(web) groups=50(staff)\n')
  assert.is(await wolffia.output('run', '--rm', 'ran', 'cat', 'made'), 'from-script\n')
  assert.equal(wolffia.containers(), [], 'no container is left')
})

withRun('a RUN is held to the limits of its build, and what nothing here can hold is refused by its flag', async () => {
  context('bounded', 'FROM busybox\nRUN ulimit -n; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2\n')
  const bounded = await wolffia.run(['build', '--ulimit', 'nofile=30:40', '--shm-size', '1m', 'bounded'])
  assert.is(bounded.code, 0, bounded.stderr)
  assert.match(bounded.stdout, /\n30\n1024\n/)
  const refused = await wolffia.run(['build', '--ulimit', 'nosuch=1', 'bounded'])
  assert.is(refused.code, 1)
  assert.match(refused.stderr, /invalid ulimit type: nosuch/)
  const memory = await wolffia.run(['build', '-m', '64m', '--cpu-quota', '50000', 'bounded'])
  const isHeld = delegation().has('memory') && delegation().has('cpu')
  assert.is(memory.code, isHeld ? 0 : 1, memory.stderr)
  if (!isHeld) assert.match(memory.stderr, /--memory cannot be held by the native wall(.|\n)*Delegate=yes/)
})

withRun("a RUN that fails ends the build with its own exit code and docker's words", async () => {
  context('fails', 'FROM busybox\nRUN echo before && exit 7\nRUN echo after\n')
  const { code, stdout, stderr } = await wolffia.run(['build', 'fails'])
  assert.is(code, 7)
  assert.match(stdout, /before\n ---> Removed/)
  assert.not.match(stdout, /after/)
  assert.match(stderr, /^Dockerfile:2\n-+\n {3}1 \| {5}FROM busybox\n {3}2 \| >>> RUN echo before && exit 7\n/)
  assert.match(stderr, /^wolffia: The command '\/bin\/sh -c echo before && exit 7' returned a non-zero code: 7$/m)
  const quiet = await wolffia.run(['build', '-q', 'fails'])
  assert.equal([quiet.code, quiet.stdout], [7, ''])
  assert.match(quiet.stderr, /before/)
  context('no-program', 'FROM busybox\nRUN ["/nosuch"]\n')
  const missing = await wolffia.run(['build', 'no-program'])
  assert.is(missing.code, 1)
  assert.match(missing.stderr, /Dockerfile:2: .*nosuch/)
  assert.equal(wolffia.containers(), [], 'no container is left')
})

withRun('^C ends a RUN and the build, and leaves nothing', async () => {
  context('slow', 'FROM busybox\nRUN echo begun && sleep 60\n')
  const child = wolffia.start(['build', '-t', 'slow', 'slow'])
  let output = ''
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (text) => {
      output += text
      if (output.includes('begun\n')) resolve()
    })
  })
  child.kill('SIGINT')
  assert.is(await new Promise((resolve) => child.on('close', resolve)), 130)
  assert.equal(wolffia.containers(), [], 'no container is left')
  assert.is((await wolffia.run(['inspect', 'slow'])).code, 1)
})

test.needs(UMOCI, SKOPEO)('umoci and skopeo read a built image, and umoci unpacks what was built', async () => {
  const layout = `${wolffia.home}:docker.io/library/plain:latest`
  const config = JSON.parse(await run('skopeo', '--insecure-policy', 'inspect', '--config', `oci:${layout}`))
  assert.equal(config.config.Labels, { a: 'b' })
  assert.equal(
    config.history.map((step: { created_by: string }) => step.created_by),
    ['COPY file /file', 'LABEL a=b'],
  )
  const bundle = join(wolffia.folder, 'bundle')
  await run('umoci', 'unpack', '--rootless', '--image', layout, bundle)
  assert.is(readFileSync(join(bundle, 'rootfs/file'), 'utf8'), 'x')
})

test('nothing is left behind', () => wolffia.end())

test.run()
