import * as assert from 'uvu/assert'
import { imageSteps } from '../../src/image/history.js'
import type { Digest } from '../../src/oci/digest.js'
import type { History, ImageConfig, Manifest } from '../../src/oci/image-spec.js'
import { suite } from '../support/suite.js'

const test = suite('image/history')
const ID: Digest = `sha256:${'1'.repeat(64)}`

function steps(layerSizes: readonly number[], history?: readonly History[]) {
  const layers = layerSizes.map((size) => ({ size }))
  return imageSteps(ID, { layers } as unknown as Manifest, { ...(history === undefined ? {} : { history }) } as ImageConfig)
}

test('steps come newest first, those of the config alone without a size, and the last has the id', () => {
  const created = '2026-01-02T03:04:05Z'
  const history = [
    { created_by: 'ADD a', created },
    { created_by: 'ENV b', empty_layer: true },
    { created_by: 'RUN c', comment: 'said' },
  ]
  assert.equal(steps([10, 20], history), [
    { id: ID, createdAt: null, createdBy: 'RUN c', comment: 'said', sizeBytes: 20 },
    { id: null, createdAt: null, createdBy: 'ENV b', comment: '', sizeBytes: 0 },
    { id: null, createdAt: new Date(created), createdBy: 'ADD a', comment: '', sizeBytes: 10 },
  ])
})

test('a layer that the history does not tell of is a step, and a step that has no layer left has no size', () => {
  assert.equal(
    steps([10, 20], [{ created_by: 'ADD a' }]).map(({ createdBy, sizeBytes }) => [createdBy, sizeBytes]),
    [
      ['', 20],
      ['ADD a', 10],
    ],
  )
  assert.equal(
    steps([10]).map(({ id, sizeBytes }) => [id, sizeBytes]),
    [[ID, 10]],
  )
  assert.equal(
    steps([], [{ created_by: 'ADD a' }]).map(({ sizeBytes }) => sizeBytes),
    [0],
  )
  assert.equal(steps([]), [])
})

test.run()
