import { nodeMode, wasmerMemoryProgram, wasmerProgram } from '../wasi-programs.js'

/** @wasmer/wasi over a folder of the host's. */
export const wasmer = nodeMode('wasmer', '@wasmer/wasi in a fresh Node, over a folder of the host', () => wasmerProgram())

/** The same over a memfs Volume. */
export const wasmerInMemory = nodeMode('wasmer-in-memory', '@wasmer/wasi in a fresh Node, over memfs', wasmerMemoryProgram)
