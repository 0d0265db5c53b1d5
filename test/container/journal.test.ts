import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Journal } from '../../src/container/journal.js'
import { suite } from '../support/suite.js'

const test = suite('container/journal')
const TIME = '2026-01-02T03:04:05.678901234Z'

const ours = (action: string, id: string, name: string) =>
  JSON.stringify({ type: 'container', action, id, attributes: { image: 'i', name }, time: TIME })
const launchers = (id: string, name: string, exit: object) =>
  `${JSON.stringify({ type: 'container', id, attributes: { image: 'i', name } })} ${JSON.stringify({ event: 'exited', time: TIME, ...exit })}`

test('an end is told with the name that the container has by then, whatever its launcher was started with', async () => {
  const home = mkdtempSync(join(tmpdir(), 'wolffia-journal-'))
  const lines = [
    ...[ours('create', 'a', 'one'), ours('create', 'b', 'two'), launchers('a', '', { code: 3 }), ours('rename', 'b', 'three')],
    ...[launchers('b', 'two', { signal: 9 }), launchers('c', 'kept', { code: 0 }), '{"type":"cut o'],
  ]
  writeFileSync(join(home, 'events.log'), `${lines.join('\n')}\n`)
  const ends: unknown[] = []
  for await (const { action, id, attributes } of new Journal(home).events())
    if (action === 'die') ends.push([id, attributes.name, attributes.exitCode])
  assert.equal(ends, [
    ['a', 'one', '3'],
    ['b', 'three', '137'],
    ['c', 'kept', '0'],
  ])
  rmSync(home, { recursive: true })
})

test.run()
