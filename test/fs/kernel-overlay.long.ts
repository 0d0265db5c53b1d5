/** Random calls on our union and on the kernel's overlay, for as long as they are let. */
import { withNativeWall } from '../support/native-wall.js'
import { CC, NATIVE } from '../support/requirements.js'
import { SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'
import { compareWithKernel, randomSequences } from './overlay-comparison.js'

const test = suite('fs/union-fs, beside the kernel’s overlay')

test.needs(NATIVE, CC)(
  'random calls have the answers and the tree of the kernel’s overlay',
  () => soak((random) => withNativeWall((wall) => compareWithKernel(wall, randomSequences(50, random.below(2 ** 31))))),
  SOAK,
)

test.run()
