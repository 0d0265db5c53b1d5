/** preview1 called with random arguments over random memory, for as long as it is let. */
import { callAtRandom } from '../support/preview1-guest.js'
import { SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/preview1 fuzzer')

test('every call answers with an errno and nothing else', () => soak((random) => callAtRandom(random, 5_000)), SOAK)

test.run()
