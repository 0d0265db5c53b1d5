/** People's words, for the faces: sizes and signals as docker reads them, what somebody most likely meant, and where everything is kept. */
export { parseBytes } from '../container/mounts.js'
export { parseSignal } from '../container/settings.js'
export { didYouMean, nearest } from '../reference/nearest.js'
export { defaultHome } from '../store/home.js'
