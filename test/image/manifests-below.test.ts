import * as assert from 'uvu/assert'
import { manifestsBelow } from '../../src/image/manifests-below.js'
import type { Descriptor } from '../../src/oci/descriptor.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { MAXIMUM_DOCUMENTS, MAXIMUM_INDEX_DEPTH } from '../../src/store/reachable.js'
import { rejection } from '../support/rejection.js'
import { suite } from '../support/suite.js'

const test = suite('image/manifests-below')

const described = (mediaType: string, name: string): Descriptor => ({ mediaType, digest: `sha256:${name.padStart(64, '0')}`, size: 1 })
const index = (name: string) => described(MEDIA_TYPE.ociIndex, name)
const manifest = (name: string) => described(MEDIA_TYPE.ociManifest, name)

test('manifests below indexes come in order, each once, and what is neither is passed over', async () => {
  const lists = new Map<string, readonly Descriptor[]>([
    [index('a').digest, [manifest('1'), index('b'), described('application/x', 'c'), manifest('2')]],
    [index('b').digest, [manifest('3'), manifest('1')]],
  ])
  const found = await manifestsBelow(index('a'), async ({ digest }) => lists.get(digest) ?? [])
  assert.equal(found, [manifest('1'), manifest('3'), manifest('2')])
  assert.equal(await manifestsBelow(manifest('1'), async () => []), [manifest('1')])
})

test('an index that lists itself, and one of too many documents, end', async () => {
  let asked = 0
  const itself = manifestsBelow(index('a'), async (top) => {
    asked++
    return [top]
  })
  assert.match((await rejection(itself, 'INVALID_IMAGE')).message, /within indexes/)
  assert.is(asked, MAXIMUM_INDEX_DEPTH + 1)
  const many = Array.from({ length: MAXIMUM_DOCUMENTS }, (_, at) => manifest(String(at)))
  const tooMany = manifestsBelow(index('a'), async () => many)
  assert.match((await rejection(tooMany, 'INVALID_IMAGE')).message, /more than \d+ documents/)
})

test.run()
