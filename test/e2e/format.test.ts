import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { tarOf } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/format')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)
const lines = async (...words: readonly string[]) => (await wolffia.output(...words)).split('\n').slice(0, -1)

test('images by template, table and JSON', async () => {
  writeFileSync(join(wolffia.folder, 'small.tar'), await tarOf({ file: 'x' }))
  await wolffia.output('import', '-c', 'LABEL tier=front', 'small.tar', 'small:1')
  await wolffia.output('tag', 'small:1', 'example.com/other:2')
  writeFileSync(join(wolffia.folder, 'large.tar'), await tarOf({ file: 'y' }))
  await wolffia.output('import', 'large.tar', 'large')
  assert.equal((await lines('images', '--format', '{{.Repository}}:{{.Tag}}')).sort(), ['example.com/other:2', 'large:latest', 'small:1'])
  assert.match(
    await wolffia.output('images', 'large', '--format', 'table {{.ID}}\\t{{.Size}}'),
    /^IMAGE ID +SIZE\n[0-9a-f]{12} +\d+(\.\d+)?k?B\n$/,
  )
  const [row] = (await lines('images', '--format', 'json', 'large')).map((line) => JSON.parse(line))
  assert.equal([row.Repository, row.Tag, /ago$/.test(row.CreatedSince)], ['large', 'latest', true])
  assert.equal((await lines('images', '-q')).length, 2, 'an id stands for an image')
})

test('images by filter', async () => {
  const named = async (...filters: readonly string[]) =>
    (await lines('images', '--format', '{{.Repository}}', ...filters.flatMap((filter) => ['-f', filter]))).sort()
  assert.equal(await named('reference=small'), ['small'])
  assert.equal(await named('reference=example.com/*', 'reference=l*'), ['example.com/other', 'large'])
  assert.equal(await named('label=tier'), ['example.com/other', 'small'])
  assert.equal(await named('label=tier=front', 'reference=small:1'), ['small'])
  assert.equal(await named('label=tier=back'), [])
  assert.equal(await named('dangling=true'), [])
  assert.equal((await named('dangling=false')).length, 3)
})

test('inspect by template, in its order, with an error for what is not there', async () => {
  assert.match(await wolffia.output('inspect', '-f', '{{.Id}}', 'large'), /^sha256:[0-9a-f]{64}\n$/)
  assert.is(await wolffia.output('inspect', '--format={{index .RepoTags 0}} {{.Os}}', 'large'), 'large:latest linux\n')
  assert.is(await wolffia.output('inspect', '-f', '{{.Config.Labels.tier}} {{index .Config.Labels "nosuch"}}|', 'small:1'), 'front |\n')
  assert.is(await wolffia.output('inspect', '-f', '{{json .Config.Labels}}', 'small:1'), '{"tier":"front"}\n')
  assert.match(await wolffia.output('inspect', '-f', 'json', 'small:1'), /^\[\{"Id":.*\}\]\n$/)
  const { code, stdout, stderr } = await wolffia.run(['inspect', '-f', '{{.Os}} {{.State.Status}}', 'small:1'])
  assert.equal([code, stdout], [1, ''])
  assert.match(
    stderr,
    /^wolffia: template parsing error: template: :1:16: executing "" at <\.State\.Status>: map has no entry for key "State"\n/,
  )
  const both = await wolffia.run(['inspect', '-f', '{{.Os}}', 'nosuch', 'large'])
  assert.equal([both.code, both.stdout], [1, 'linux\n'], 'one that is not there keeps none from its turn')
})

test('version by template, as scripts ask for it', async () => {
  const version = await wolffia.output('version', '--format', '{{.Client.Version}}')
  assert.match(version, /^\d+\.\d+\.\d+\n$/)
  assert.is(await wolffia.output('version', '-f', '{{.Server.Version}}'), version)
  assert.is(await wolffia.output('version', '-f', '{{.Client.Os}}'), 'linux\n')
  assert.is(JSON.parse(await wolffia.output('version', '--format', 'json')).Client.Version, version.trim())
})

native('ps by template and by filter', async () => {
  await wolffia.busybox()
  const run = (name: string, ...words: readonly string[]) => wolffia.run(['run', '--name', name, '-l', `of=${name}`, ...words])
  await run('first', 'busybox', 'true')
  assert.is((await run('second', '-v', `${wolffia.folder}:/mnt`, 'busybox', 'sh', '-c', 'exit 3')).code, 3)
  const running = wolffia.start(['run', '-i', '--name', 'third', '--network', 'host', 'busybox', 'cat'])
  await wolffia.untilRunning('third')
  try {
    const names = async (...words: readonly string[]) => (await lines('ps', '--format', '{{.Names}}', ...words)).join(' ')
    assert.is(await names(), 'third')
    assert.is(await names('-a'), 'third second first')
    assert.is(await names('-l'), 'third')
    assert.is(await names('-n', '2'), 'third second')
    for (const [filter, expected] of [
      ['name=first', 'first'],
      ['name=^/first$', 'first'],
      ['name=^ir', ''],
      ['name=ir', 'third first'],
      ['label=of', 'second first'],
      ['label=of=second', 'second'],
      ['exited=3', 'second'],
      ['exited=0', 'first'],
      ['status=exited', 'second first'],
      ['status=running', 'third'],
      ['before=second', 'first'],
      ['since=first', 'third second'],
      ['ancestor=busybox', 'third second first'],
      ['ancestor=large', ''],
      ['network=host', 'third'],
      ['volume=/mnt', 'second'],
      [`volume=${wolffia.folder}`, 'second'],
    ] as const)
      assert.is(await names('-a', '--filter', filter), expected, filter)
    assert.is(await names('--filter', 'status=exited'), 'second first', 'a status asks for those that have ended')
    assert.is(await names('-a', '-f', 'name=first', '-f', 'name=second', '-f', 'exited=0'), 'first')
    const [id] = await lines('ps', '-q', '--no-trunc')
    assert.is(await names('-f', `id=${id?.slice(0, 20)}`), 'third')
    assert.is(
      await wolffia
        .output(
          'ps',
          '-a',
          '-f',
          'name=second',
          '--format',
          '{{.Status}}|{{.State}}|{{.Label "of"}}|{{.Networks}}|{{.Mounts}}',
          '--no-trunc',
        )
        .then((text) => text.replace(/\d+ seconds?|Less than a second/, 'SOME')),
      `Exited (3) SOME ago|exited|second|none|${wolffia.folder}\n`,
    )
    assert.match(await wolffia.output('ps', '--format', 'table {{.Names}}\t{{.Image}}'), /^NAMES +IMAGE\nthird +busybox\n$/)
    const [row] = (await lines('ps', '--format', 'json')).map((line) => JSON.parse(line))
    assert.equal([row.Names, row.Image, row.Networks, row.State], ['third', 'busybox', 'host', 'running'])
    assert.is(
      await wolffia.output('inspect', '-f', '{{.Name}} {{.State.Running}} {{.HostConfig.NetworkMode}}', 'third'),
      '/third true host\n',
    )
    assert.is(
      await wolffia.output('inspect', '-f', '{{range .Mounts}}{{.Source}}:{{.Destination}}{{end}}', 'second'),
      `${wolffia.folder}:/mnt\n`,
    )
  } finally {
    running.stdin.end()
  }
})

test('nothing is left', () => wolffia.end())

test.run()
