import { execFile } from 'node:child_process'
import { createReadStream, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { LayoutBuilder, tarOf, writeFiles } from '../support/image-fixtures.js'
import { SKOPEO } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/images')

/** The columns that a second more does not change: CREATED does. */
const LASTING = '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}'
const wolffia = new CommandLine()
const rows = (table: string) => table.split('\n').slice(1).filter(Boolean)

test('import prints the id, and images shows a row as docker does, with the platform behind it', async () => {
  writeFileSync(join(wolffia.folder, 'small.tar'), await tarOf({ 'a/file': 'x' }))
  const id = (await wolffia.output('import', 'small.tar', 'small')).trim()
  assert.match(id, /^sha256:[0-9a-f]{64}$/)
  const table = await wolffia.output('images')
  assert.match(table, /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE +PLATFORM\n/)
  assert.match(rows(table)[0] ?? '', new RegExp(`^small +latest +${id.slice(7, 19)} +.* ago +[0-9.]+k?B +linux/`))
  assert.is((await wolffia.output('images', '-q', '--no-trunc')).trim(), id)
  assert.equal(rows(await wolffia.output('images', 'other')), [])
  for (const pattern of ['small', 's*', 'sma??', 'small:latest', 's*:l*'])
    assert.equal(rows(await wolffia.output('images', pattern)).length, 1, pattern)
  for (const pattern of ['s', 'small:1', '*/small']) assert.equal(rows(await wolffia.output('images', pattern)), [], pattern)
  assert.match((await wolffia.run(['images', '['])).stderr, /^wolffia: invalid pattern: \[\n/)
})

test('import takes a stream, a compressed tar, --change, --message and --platform', async () => {
  const child = wolffia.start(['import', '-c', 'ENV A=1', '-c', 'CMD ["x"]', '-m', 'why', '--platform', 'linux/arm64', '-', 'piped:1'])
  createReadStream(join(wolffia.folder, 'small.tar')).pipe(child.stdin)
  assert.is(await new Promise((ended) => child.on('close', ended)), 0)
  const [image] = JSON.parse(await wolffia.output('inspect', 'piped:1'))
  assert.equal([image.Architecture, image.Config.Env, image.Config.Cmd, image.RepoTags], ['arm64', ['A=1'], ['x'], ['piped:1']])
})

test('tag and rmi: a name goes, and with the last one the image', async () => {
  await wolffia.output('tag', 'small', 'other:2')
  assert.equal(rows(await wolffia.output('images', 'other:2')).length, 1)
  assert.is(await wolffia.output('rmi', 'other:2'), 'Untagged: other:2\n')
  const removed = await wolffia.output('rmi', 'small')
  assert.match(removed, /^Untagged: small:latest\nDeleted: sha256:[0-9a-f]{64}\n$/)
  const both = await wolffia.run(['rmi', 'nosuch', 'piped:1'])
  assert.equal(
    [both.code, /^Untagged: piped:1\n/.test(both.stdout), /nosuch/.test(both.stderr)],
    [1, true, true],
    'one that fails keeps none from its turn',
  )
  assert.equal(rows(await wolffia.output('images')), [])
})

test('load takes an OCI layout, as a folder and as an archive, by flag and by stdin', async () => {
  const layout = new LayoutBuilder()
  const linux = layout.image([await tarOf({ file: 'linux' })])
  const wasi = layout.image([await tarOf({ 'tool.wasm': '\0asm' })], { os: 'wasi', architecture: 'wasm' })
  const index = layout.index([
    { ...linux, platform: { os: 'linux', architecture: 'amd64' } },
    { ...wasi, platform: { os: 'wasi', architecture: 'wasm' } },
  ])
  layout.name(index, 'example.com/two:1')
  await writeFiles(join(wolffia.folder, 'layout'), layout.files)
  writeFileSync(join(wolffia.folder, 'archive.tar'), await tarOf(layout.files))
  assert.is(await wolffia.output('load', '-i', 'layout'), 'Loaded image: example.com/two:1\n')
  assert.is(await wolffia.output('load', '-q', '-i', 'archive.tar'), '')
  const { code, stdout } = await wolffia.run(['load'], { input: await tarOf(layout.files) })
  assert.equal([code, stdout], [0, 'Loaded image: example.com/two:1\n'])
  assert.match(rows(await wolffia.output('images'))[0] ?? '', /^example\.com\/two +1 .* linux\/amd64, wasi\/wasm$/)
  const [wasm] = JSON.parse(await wolffia.output('inspect', '--platform', 'wasi/wasm', 'example.com/two:1'))
  assert.equal([wasm.Os, wasm.Architecture], ['wasi', 'wasm'])
  const missing = await wolffia.run(['inspect', '--platform', 'linux/s390x', 'example.com/two:1'])
  assert.equal([missing.code, /linux\/amd64, wasi\/wasm/.test(missing.stderr)], [1, true])
})

test('an archive that is cut off, and one that is no archive, leave nothing', async () => {
  const before = await wolffia.output('images', '--format', LASTING)
  const layout = new LayoutBuilder()
  layout.name(layout.image([await tarOf({ file: 'x'.repeat(5000) })]), 'cut:1')
  const whole = await tarOf(layout.files)
  for (const input of [whole.subarray(0, whole.length / 2), Buffer.from('no archive at all'), Buffer.alloc(0)]) {
    const { code, stdout, stderr } = await wolffia.run(['load'], { input })
    assert.equal([code, stdout], [1, ''], stderr)
    assert.match(stderr, /^wolffia: /)
  }
  assert.is(await wolffia.output('images', '--format', LASTING), before)
})

test('nothing is no image: the name stays with the image that had it', async () => {
  const id = (await wolffia.output('import', 'small.tar', 'kept')).trim()
  writeFileSync(join(wolffia.folder, 'empty.tar'), '')
  for (const [words, says] of [
    ['import - kept', /^wolffia: the input is empty\n/],
    ['import empty.tar kept', /^wolffia: empty\.tar is empty\n/],
    ['load', /^wolffia: the input is empty\n/],
    ['load -i empty.tar', /^wolffia: empty\.tar is empty\n/],
  ] as const) {
    const { code, stderr } = await wolffia.run(words.split(' '))
    assert.is(code, 1, words)
    assert.match(stderr, says)
  }
  assert.is((await wolffia.output('images', '-q', '--no-trunc', 'kept')).trim(), id)
  await wolffia.output('rmi', 'kept')
})

test('what is no tar is named by what it looks like, with what makes a tar of it', async () => {
  const file = join(wolffia.folder, 'thing')
  for (const [bytes, says, hint] of [
    ['\xfd7zXZ\0\0', /^wolffia: thing is compressed with xz, which is not built in\n/, 'xz -dc thing | wolffia'],
    ['BZh91AY', /thing is compressed with bzip2/, 'bzip2 -dc thing | wolffia'],
    ['PK\x03\x04', /thing is a zip archive/, ''],
    ['\x7fELF\x02', /thing is an ELF program/, ''],
    ['a: text\n', /thing is a text, not a tar/, ''],
  ] as const)
    for (const words of [
      ['import', 'thing', 'x'],
      ['load', '-i', 'thing'],
    ]) {
      writeFileSync(file, bytes, 'latin1')
      const { code, stderr } = await wolffia.run(words)
      assert.is(code, 1)
      assert.match(stderr, says)
      assert.ok(stderr.includes(hint), stderr)
    }
  assert.match((await wolffia.run(['import', '-', 'x'], { input: 'text' })).stderr, /the input is a text, not a tar/)
})

test('inspect finds images and containers, by name and id, and says which it did not find', async () => {
  await wolffia.output('import', resolve('dist/wasm/hello.wasm'), 'hello')
  await wolffia.output('run', '--name', 'ran', 'hello')
  const ended = await wolffia.run(['inspect', 'hello', 'ran', 'nosuch'])
  assert.is(ended.code, 1)
  assert.match(ended.stderr, /nosuch/)
  const [image, container] = JSON.parse(ended.stdout)
  assert.equal([image.RepoTags, container.Name, container.Image], [['hello:latest'], '/ran', image.Id])
  assert.is(JSON.parse(await wolffia.output('inspect', container.Id.slice(0, 12)))[0].Id, container.Id)
  assert.is((await wolffia.run(['inspect', '--type', 'image', 'ran'])).code, 1)
  assert.equal([container.Config.Entrypoint, container.Config.Cmd], [image.Config.Entrypoint, null])
  assert.ok(container.Config.Entrypoint.length > 0)
})

test('ps shows the id of an image whose name is gone or has gone to another', async () => {
  const column = async () => (rows(await wolffia.output('ps', '-a'))[0] ?? '').split(/ {2,}/)[1]
  const id = (await wolffia.output('images', '-q', 'hello')).trim()
  assert.is(await column(), 'hello')
  await wolffia.output('tag', 'hello', 'spare')
  await wolffia.output('rmi', 'hello')
  assert.is(await column(), id)
  await wolffia.output('import', 'small.tar', 'hello')
  assert.is(await column(), id)
  await wolffia.output('tag', 'spare', 'hello')
  assert.is(await column(), 'hello')
})

test('flags that change nothing are taken: images -a, rm -v', async () => {
  const all = await wolffia.output('images', '-a', '--format', LASTING)
  assert.is(all, await wolffia.output('images', '--format', LASTING))
  await wolffia.output('run', '--name', 'old', 'hello')
  assert.is(await wolffia.output('rm', '-fv', 'old'), 'old\n')
})

test('an image for another machine says where one for this is', async () => {
  await wolffia.output('import', '--platform', 'linux/s390x', 'small.tar', 'foreign')
  const { code, stderr } = await wolffia.run(['run', '--rm', 'foreign', 'true'])
  assert.is(code, 125)
  assert.match(stderr, /it is for linux\/s390x\nBring in its variant for linux\/\w+: wolffia pull --platform linux\//)
})

test.needs(SKOPEO)('the store is an OCI layout, which skopeo copies from', async () => {
  const words = `oci:${wolffia.home}:docker.io/library/hello:latest docker-archive:hello.tar:hello:latest`.split(' ')
  await promisify(execFile)('skopeo', ['--insecure-policy', 'copy', ...words], { cwd: wolffia.folder })
  assert.is(await wolffia.output('load', '-i', 'hello.tar'), 'Loaded image: hello:latest\n')
})

test('doctor says which walls stand, for people and as JSON', async () => {
  const { code, stdout } = await wolffia.run(['doctor', '--json'])
  const { findings, runtimes } = JSON.parse(stdout)
  assert.equal([code, runtimes.wasm, Array.isArray(findings)], [0, null, true])
  assert.match(await wolffia.output('doctor'), /^ok +store [\s\S]*wasm wall/)
})

test('doctor works without a store, and finds just that', async () => {
  for (const home of ['relative', '/proc/nothing', join(wolffia.folder, 'small.tar')]) {
    const { code, stdout, stderr } = await wolffia.run(['doctor', '--json'], { env: { WOLFFIA_HOME: home } })
    assert.equal([code, stderr], [1, ''])
    const { findings, runtimes } = JSON.parse(stdout)
    assert.equal([findings[0].name, findings[0].ok, runtimes.wasm], ['store', false, null])
    assert.ok(findings.length > 1)
    assert.match(
      (await wolffia.run(['doctor'], { env: { WOLFFIA_HOME: home } })).stdout,
      /^FAIL store [^\n]*\n +to mend it: .*WOLFFIA_HOME/,
    )
  }
})

test('nothing is left', () => wolffia.end())

test.run()
