/** What comes out, when the way out is closed, full, or cut off. */
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { tarOf } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/saving')
const native = test.needs(NATIVE, BUSYBOX)
const wolffia = new CommandLine()
const ingests = () => readdirSync(join(wolffia.home, 'ingest'))
const leftovers = () => readdirSync(wolffia.folder).filter((name) => /out|\.new$/.test(name))

native('an image, a root and a file that come to a full disk are errors, and leave nothing', async () => {
  await wolffia.busybox()
  await wolffia.output('create', '--name', 'one', 'busybox')
  for (const words of [
    ['save', '-o', '/dev/full', 'busybox'],
    ['export', '-o', '/dev/full', 'one'],
  ]) {
    const { code, stderr } = await wolffia.run(words)
    assert.is(code, 1, words.join(' '))
    assert.match(stderr, /ENOSPC|no space left/)
    assert.not.match(stderr, / {4}at /)
  }
  assert.is((await wolffia.inShell('$wolffia save busybox >/dev/full')).code, 1)
  assert.is((await wolffia.inShell('$wolffia cp one:/bin - >/dev/full')).code, 1)
  assert.equal(ingests(), [])
})

native('a reader that goes away ends it in silence', async () => {
  for (const line of [
    '$wolffia save busybox | head -c 100 | wc -c',
    '$wolffia export one | head -c 100 | wc -c',
    '$wolffia cp one:/bin - | head -c 100 | wc -c',
  ]) {
    const { stdout, stderr } = await wolffia.inShell(line)
    assert.equal([stdout.trim(), stderr], ['100', ''], line)
  }
  assert.equal(ingests(), [])
})

native('what is killed while it packs leaves nothing that the next command does not take away', async () => {
  writeFileSync(join(wolffia.folder, 'big.tar'), tarOf({ big: Buffer.alloc(64 << 20, 'some bytes that take their time ') }))
  await wolffia.output('import', 'big.tar', 'big')
  for (const words of [
    ['save', '--compression', 'gzip', '-o', 'out.tar', 'big'],
    ['commit', 'one', 'out'],
    ['cp', 'big.tar', 'one:/'],
  ])
    for (const milliseconds of [100, 250, 500]) {
      const child = wolffia.start(words)
      const ended = once(child, 'close')
      await sleep(milliseconds)
      child.kill('SIGKILL')
      await ended
    }
  // Who was quick enough has written all of it.
  if (existsSync(join(wolffia.folder, 'out.tar'))) await wolffia.output('load', '-i', 'out.tar')
  await wolffia.output('tag', 'busybox', 'again')
  await wolffia.output('import', 'root.tar', 'last')
  assert.equal(ingests(), [])
  // Nobody is kept from using the container by whoever was killed.
  await wolffia.output('start', '-a', 'one')
  const [id = ''] = wolffia.containers()
  assert.equal(
    readdirSync(join(wolffia.home, 'containers', id)).filter((name) => name.startsWith('copy-')),
    [],
  )
  assert.ok(leftovers().every((name) => name.endsWith('.new') || name === 'out.tar'))
})

test('nothing is left', () => wolffia.end())

test.run()
