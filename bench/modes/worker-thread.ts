import { nodeMode, WORKER_WASI } from '../wasi-programs.js'

/** The same in a thread of its own, which some take for a sandbox. */
export const workerThread = nodeMode('worker-thread', 'node:wasi in a worker thread of a fresh Node', () => WORKER_WASI)
