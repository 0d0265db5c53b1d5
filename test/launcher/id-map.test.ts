import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import {
  chooseIdMap,
  type IdMap,
  idMapFor,
  idMapOperations,
  isMapped,
  keptIdMap,
  keptIdsOf,
  singleIdMap,
  subordinateRange,
} from '../../src/launcher/id-map.js'
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

/** A range as /etc/subuid and /etc/subgid give it, on no host in particular. */
const RANGE: IdMap = {
  kind: 'range',
  key: 'range-x',
  uids: [
    { inside: 0, outside: 1001, count: 1 },
    { inside: 1, outside: 100_000, count: 65_536 },
  ],
  gids: [
    { inside: 0, outside: 100, count: 1 },
    { inside: 1, outside: 200_000, count: 1000 },
  ],
  helpers: null,
}

test('kept ids are the user’s own inside, and the range fills up the others in their order, as podman has it', () => {
  const map = keptIdMap(RANGE, { uid: 1001, gid: 5000 })
  assert.equal(map.uids, [
    { inside: 0, outside: 100_000, count: 1001, holders: 1 },
    { inside: 1001, outside: 1001, count: 1, holders: 0 },
    { inside: 1002, outside: 101_001, count: 64_535, holders: 1002 },
  ])
  assert.equal(map.gids, [
    { inside: 0, outside: 200_000, count: 1000, holders: 1 },
    { inside: 5000, outside: 100, count: 1, holders: 0 },
  ])
  assert.equal(
    keptIdMap(RANGE, { uid: 0, gid: 0 }).uids,
    RANGE.uids.map((extent) => ({ ...extent, holders: extent.inside })),
  )
  const { uid, gid } = { uid: process.geteuid?.(), gid: process.getegid?.() }
  assert.equal(keptIdMap(singleIdMap(), { uid: 7, gid: 8 }).uids, [{ inside: 7, outside: uid, count: 1, holders: 0 }])
  assert.equal(keptIdMap(singleIdMap(), { uid: 7, gid: 8 }).gids, [{ inside: 8, outside: gid, count: 1, holders: 0 }])
})

test('every id of the host is in both maps, and the key tells which are kept', () => {
  for (const kept of [0, 1, 999, 1001, 65_535, 65_536, 65_537, 2 ** 31 - 1]) {
    const map = keptIdMap(RANGE, { uid: kept, gid: 0 })
    const hosts = (extents: IdMap['uids']) => extents.map(({ outside, count }) => [outside, count])
    const total = (extents: IdMap['uids']) => extents.reduce((sum, { count }) => sum + count, 0)
    assert.is(total(map.uids), total(RANGE.uids), JSON.stringify(hosts(map.uids)))
    assert.is(
      map.uids.every(({ inside }, index) => index === 0 || inside > (map.uids[index - 1]?.inside ?? 0)),
      true,
    )
    assert.equal(keptIdsOf(RANGE, map.key), { uid: kept, gid: 0 })
  }
  assert.is(keptIdsOf(RANGE, RANGE.key), null)
  assert.is(keptIdsOf(singleIdMap(), keptIdMap(RANGE, { uid: 1, gid: 1 }).key), null)
  assert.is(idMapFor(RANGE, undefined), RANGE)
})

test.run()
