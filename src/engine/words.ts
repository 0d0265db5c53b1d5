/** People's words, for the faces: sizes as docker reads them, and what somebody most likely meant. */
export { parseBytes } from '../container/mounts.js'
export { didYouMean, nearest } from '../reference/nearest.js'
