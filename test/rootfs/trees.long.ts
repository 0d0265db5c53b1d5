/** Random stacks of layers as the kernel shows them and as our union does, for as long as they are let. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chooseIdMap } from '../../src/launcher/id-map.js'
import { removeTrees } from '../../src/rootfs/remove-tree.js'
import { ID_RANGE, NATIVE } from '../support/requirements.js'
import { SOAK, soak } from '../support/soak.js'
import { storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'
import { randomStack } from './random-stack.js'
import { assertSameTree } from './same-tree.js'

const test = suite('rootfs/trees')

test.needs(NATIVE, ID_RANGE)(
  'random stacks of layers look the same to the kernel as in our union',
  () =>
    soak(async (random) => {
      const folder = mkdtempSync(join(tmpdir(), 'wolffia-trees-'))
      const { map } = chooseIdMap()
      try {
        const layers = randomStack(random.below(2 ** 31)).map((entries) => storeLayer(folder, entries))
        await assertSameTree(map, layers, folder)
      } finally {
        await removeTrees(map, [join(folder, 'trees')])
        rmSync(folder, { recursive: true, force: true })
      }
    }),
  SOAK,
)

test.run()
