/** fast-check, begun from the seed of the run. */
import fc from 'fast-check'
import { SEED } from './seed.js'

fc.configureGlobal({ seed: SEED })

export { fc }
