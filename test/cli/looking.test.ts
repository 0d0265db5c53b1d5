import * as assert from 'uvu/assert'
import { EVENT_FILTERS, eventMatches } from '../../src/cli/event-filter.js'
import { eventJson, eventLine } from '../../src/cli/event-form.js'
import { parseFilters } from '../../src/cli/filter.js'
import { listText } from '../../src/cli/format.js'
import { binarySize } from '../../src/cli/output.js'
import { processTable } from '../../src/cli/process-table.js'
import { type ListedUsage, statsForm } from '../../src/cli/stats-form.js'
import type { EngineEvent } from '../../src/container/journal.js'
import type { Usage } from '../../src/runtime/guest-processes.js'
import { suite } from '../support/suite.js'

const test = suite('cli/looking')

const ID = '0123456789abcdef'.repeat(4)
const START: EngineEvent = {
  type: 'container',
  action: 'start',
  id: ID,
  attributes: { name: 'web', image: 'debian:12', tier: 'front', rude: '\u001b[2J' },
  time: '2026-01-02T15:04:05.123456789Z',
}
const TAG: EngineEvent = { type: 'image', action: 'tag', id: `sha256:${ID}`, attributes: { name: 'debian:12' }, time: START.time }

test('an event is a line as docker has it, attributes in order, without control characters', () => {
  assert.match(
    eventLine(START),
    new RegExp(
      `T\\d\\d:\\d\\d:05\\.123456789(Z|[+-]\\d\\d:\\d\\d) container start ${ID} \\(image=debian:12, name=web, rude=\\\\x1b\\[2J, tier=front\\)$`,
    ),
  )
  assert.match(eventLine({ ...TAG, attributes: {}, time: '2026-01-02T15:04:05Z' }), /:05\.000000000\S+ image tag sha256:\w+$/)
})

test('an event as JSON has docker’s names, and all nine digits of its second', () => {
  const text = eventJson(START)
  assert.match(text, /"time":1767366245,"timeNano":1767366245123456789\}$/)
  const { status, id, from, Type, Action, Actor, scope } = JSON.parse(text)
  assert.equal([status, id, from, Type, Action, scope], ['start', ID, 'debian:12', 'container', 'start', 'local'])
  assert.equal([Actor.ID, Actor.Attributes.name], [ID, 'web'])
  assert.not('from' in JSON.parse(eventJson(TAG)))
})

test('events pass every filter, by any value of each', () => {
  const matches = (event: EngineEvent, ...words: string[]) => eventMatches(event, parseFilters(words, EVENT_FILTERS))
  assert.ok(matches(START) && matches(START, 'type=container', 'event=start') && matches(START, 'event=die', 'event=start'))
  assert.not(matches(START, 'type=image') || matches(START, 'type=container', 'event=die'))
  assert.ok(matches(START, 'container=web') && matches(START, `container=${ID.slice(0, 6)}`) && matches(START, 'container=/web'))
  assert.not(matches(START, 'container=we') || matches(TAG, 'container=web') || matches(START, 'container='))
  assert.ok(
    matches(START, 'image=debian') && matches(START, 'image=debian:12') && matches(TAG, 'image=debian') && matches(TAG, `image=${ID}`),
  )
  assert.not(matches(START, 'image=deb') || matches(START, 'image=debian:11'))
  assert.ok(matches(START, 'label=tier') && matches(START, 'label=tier=front') && !matches(START, 'label=tier=back'))
  const health = { ...START, action: 'health_status: healthy' }
  assert.ok(matches(health, 'event=health_status') && matches(health, 'event=health_status: healthy'))
})

test('rows of ps are those of the pids, with their threads, and the last cell has what is left', () => {
  const text = 'UID   PID  CMD\nroot    1  init\nme     22  sh -c  a b\nme      -  -\nme    222  other\nme      -  -\n'
  assert.equal(processTable(text, new Set([22])), {
    titles: ['UID', 'PID', 'CMD'],
    rows: [
      ['me', '22', 'sh -c a b'],
      ['me', '-', '-'],
    ],
  })
  assert.throws(() => processTable('COMMAND\nsh\n', new Set([1])), /couldn't find PID field in ps output/)
})

const usage = (change: Partial<Usage>): Usage => ({
  atMs: 1000,
  cpuMs: 0,
  memoryBytes: 0,
  memoryLimitBytes: 0,
  network: { receivedBytes: 0, sentBytes: 0 },
  block: { readBytes: 0, writtenBytes: 0 },
  tasks: 0,
  ...change,
})

test('what a container uses is told as docker tells it', async () => {
  const now = usage({
    atMs: 3000,
    cpuMs: 3500,
    memoryBytes: 1.5 * 1024 ** 2,
    memoryLimitBytes: 1024 ** 3,
    network: { receivedBytes: 1234, sentBytes: 0 },
    block: { readBytes: 0, writtenBytes: 77_800 },
    tasks: 3,
  })
  const item: ListedUsage = { asked: 'web', id: ID, name: 'web', usage: now, before: usage({ cpuMs: 500 }) }
  const shown = (each: ListedUsage, format: string, whole = false) => listText(statsForm({ whole }), [each], { format })
  assert.is(
    await shown(item, '{{.Container}} {{.ID}} {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}'),
    'web 0123456789ab web 150.00% 1.5MiB / 1GiB 0.15% 1.23kB / 0B 0B / 77.8kB 3\n',
  )
  assert.is(await shown(item, '{{.ID}}', true), `${ID}\n`)
  assert.is(await shown({ ...item, usage: null }, '{{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.PIDs}}'), '0.00% 0B / 0B 0.00% 0\n')
  // Its processes have ended and taken their time with them.
  assert.is(await shown({ ...item, usage: usage({ atMs: 3000 }) }, '{{.CPUPerc}}'), '0.00%\n')
  assert.match(
    await listText(statsForm({ whole: false }), [], {}),
    /^CONTAINER ID {3}NAME {6}CPU % {5}MEM USAGE \/ LIMIT {3}MEM % {5}NET I\/O {3}BLOCK I\/O {3}PIDS\n$/,
  )
})

test('memory is told in binary units of four digits', () => {
  assert.equal([0, 1023, 1024, 1_500_000, 25_276_000_000].map(binarySize), ['0B', '1023B', '1KiB', '1.431MiB', '23.54GiB'])
})

test.run()
