import { NODE_WASI, nodeMode } from '../wasi-programs.js'

/** Node's own WASI in a fresh Node, which says of itself that it is no sandbox. */
export const nodeWasi = nodeMode('node-wasi', 'node:wasi in a fresh Node', () => NODE_WASI)
