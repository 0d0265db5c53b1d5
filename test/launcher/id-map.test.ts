import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { chooseIdMap, idMapOperations, isMapped, singleIdMap, subordinateRange } from '../../src/launcher/id-map.js'
import { ID_RANGE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/id-map')

test('the largest range of a user counts, by name or by number', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-subuid-'))
  try {
    const path = join(folder, 'subuid')
    writeFileSync(path, 'root:1:1\nada:100000:1000\n1001:200000:65536\n# a comment\nada:x:5\nada:7\nada:5:0\nbob:300000:99\n')
    assert.equal(subordinateRange(path, 'ada', 1001), { start: 200000, count: 65536 })
    assert.equal(subordinateRange(path, 'ada', 1), { start: 100000, count: 1000 })
    assert.equal(subordinateRange(path, 'bob', 2), { start: 300000, count: 99 })
    assert.is(subordinateRange(path, 'eve', 3), null)
    assert.is(subordinateRange(join(folder, 'none'), 'ada', 1001), null)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a single id is the user as root and nobody else', () => {
  const map = singleIdMap()
  assert.equal(map.uids, [{ inside: 0, outside: process.getuid?.() ?? 0, count: 1 }])
  assert.is(isMapped(map.uids, 0), true)
  assert.is(isMapped(map.uids, 1), false)
  assert.equal(
    idMapOperations(map).map(([name]) => name),
    ['namespace', 'uid-map', 'gid-map'],
  )
})

test.needs(ID_RANGE)('a range starts with the user’s own id and goes through the helpers', () => {
  const { map, reason } = chooseIdMap()
  assert.is(reason, null)
  assert.is(map.kind, 'range')
  assert.is(map.uids[0]?.count, 1)
  assert.is(isMapped(map.uids, 1000), true)
  assert.is(isMapped(map.uids, 4_000_000_000), false)
  assert.is(idMapOperations(map).at(-1)?.[0], 'id-map-helper')
  assert.is.not(map.key, singleIdMap().key)
})

test.run()
