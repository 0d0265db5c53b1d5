/** People's words, for the faces: sizes and signals as docker reads them, names, what somebody most likely meant, and where everything is kept. */
export { parseBytes } from '../container/mounts.js'
export { parseSignal } from '../container/settings.js'
export { didYouMean, nearest } from '../reference/nearest.js'
export { isReference } from '../reference/normalize.js'
export { ULIMITS } from '../runtime/resources.js'
export { defaultHome } from '../store/home.js'
