import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { keepLeftUpper, keptLayers, newUpper } from '../../src/wasm/uppers.js'
import { tarOf, withFolder } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/uppers')

const note = (text: string) => tarOf({ note: text })

test('what a run has left whole counts once, whoever hears of its end', () =>
  withFolder(async (folder) => {
    const first = newUpper(folder)
    writeFileSync(first.path, note('first'))
    keepLeftUpper(folder)
    first.keep()
    assert.equal(
      keptLayers(folder).map(({ tarPath }) => tarPath),
      [join(folder, 'upper-1.tar')],
    )
  }))

test("whoever hears late of a run's end does not take the next run's files for its own", () =>
  withFolder(async (folder) => {
    const first = newUpper(folder)
    writeFileSync(first.path, note('first'))
    keepLeftUpper(folder)
    const second = newUpper(folder)
    writeFileSync(second.path, note('second'))
    first.keep()
    first.discard()
    assert.ok(existsSync(second.path))
    second.keep()
    const kept = keptLayers(folder).map(({ tarPath }) => readFileSync(tarPath).includes('second'))
    assert.equal(kept, [false, true])
  }))

test.run()
