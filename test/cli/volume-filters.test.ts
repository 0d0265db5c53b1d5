import * as assert from 'uvu/assert'
import { PRUNE_FILTERS, parseFilters, VOLUME_FILTERS, volumeMatches } from '../../src/cli/volume-filters.js'
import { suite } from '../support/suite.js'

const test = suite('cli/volume-filters')
const volume = {
  name: 'my.data',
  driver: 'local',
  mountpoint: '/x',
  labels: { stage: 'test', empty: '' },
  createdAt: null,
  anonymous: false,
  containers: [],
} as const
const matches = (...filters: string[]) => volumeMatches(volume, parseFilters(filters, VOLUME_FILTERS))

test('a volume is shown when it passes every filter, by any value of each, and by all labels', () => {
  assert.ok(matches())
  assert.ok(matches('name=data') && matches('name=^my') && matches('name=none', 'name=my.') && matches('name=[m]y'))
  assert.not(matches('name=none') || matches('name=(') || matches('name=data', 'driver=other'))
  assert.ok(matches('label=stage') && matches('label=stage=test') && matches('label=empty='))
  assert.not(matches('label=other') || matches('label=stage=live') || matches('label=stage', 'label=other') || matches('label=constructor'))
  assert.ok(matches('dangling=true') && matches('dangling=1'))
  assert.not(matches('dangling=false') || matches('dangling=0'))
  assert.not(volumeMatches({ ...volume, containers: ['x'] }, parseFilters(['dangling=true'], VOLUME_FILTERS)))
})

test('prune leaves what has a label out by label!', () => {
  assert.ok(volumeMatches(volume, parseFilters(['label!=other'], PRUNE_FILTERS)))
  assert.not(volumeMatches(volume, parseFilters(['label!=stage=test'], PRUNE_FILTERS)))
})

test('filters that are none are named', () => {
  assert.throws(() => parseFilters(['name'], VOLUME_FILTERS), /it must read NAME=VALUE/)
  assert.throws(() => parseFilters(['nmae=x'], VOLUME_FILTERS), /there is no filter "nmae"/)
  assert.throws(() => parseFilters(['dangling=perhaps'], VOLUME_FILTERS), /true or false/)
})

test.run()
