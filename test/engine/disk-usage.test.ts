/** What takes how much of the disk. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { hexOf } from '../../src/oci/digest.js'
import { contextOf, withBuilder } from '../support/build-cases.js'
import { suite } from '../support/suite.js'

const test = suite('engine/disk-usage')

test('a layer that is unpacked for the kernel counts, once for each map of ids, and once for all images that have it', () =>
  withBuilder(async (engine, folder) => {
    const context = await contextOf(folder, { file: 'x' })
    await engine.images.build({ context, dockerfileText: 'FROM base\nCOPY file /file', tags: ['derived'], created: new Date(0) })
    const before = (await engine.diskUsage()).images
    const [base = ''] = (await engine.images.inspect('base')).diffIds.map(hexOf)
    for (const map of ['single-7', 'range-7']) {
      const tree = join(folder, 'home/trees', map, base, 'tree')
      mkdirSync(join(tree, 'usr'), { recursive: true, mode: 0o700 })
      writeFileSync(join(tree, 'usr/file'), 'x'.repeat(1000))
    }
    // What is still being written, or of no image's, is nobody's.
    mkdirSync(join(folder, 'home/trees/range-7/stack-0/tree'), { recursive: true })
    const { images } = await engine.diskUsage()
    assert.is(images.bytes, before.bytes + 2000)
    assert.is(images.reclaimableBytes, before.reclaimableBytes + 2000)
    assert.equal(
      images.items.map(({ bytes, sharedBytes }, at) => [
        bytes - (before.items[at]?.bytes ?? 0),
        sharedBytes - (before.items[at]?.sharedBytes ?? 0),
      ]),
      images.items.map(() => [2000, 2000]),
    )
  }))

test.run()
