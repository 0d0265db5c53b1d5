import { checkRandomModule } from '../support/random-module/check.js'
import { checkMutant, mutantOf } from '../support/random-module/mutant.js'
import { SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'
import { guestBytes } from '../support/wasm-wall.js'

const test = suite('wasm/instrument, long')

test(
  'random modules do with fuel what they do without, and spend what they count by themselves',
  () => soak((random) => checkRandomModule(random.below(2 ** 31))),
  SOAK,
)

test(
  'real modules with some bits turned over are refused, or do with fuel what they do without',
  () => soak((random) => checkMutant(mutantOf(guestBytes(random.pick(['hello', 'probe', 'slug', 'thief'])), random))),
  SOAK,
)

test.run()
