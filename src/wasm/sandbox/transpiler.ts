/**
 * A thread that transpiles one component and ends. A component is a stranger's bytes: they are parsed here, by WebAssembly in a bounded memory,
 * in a thread that has nothing else, before any guest runs.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { prepareModule } from '../module.js'
import { failureOf } from './messages.js'
import type { TranspilerMessage } from './transpiling.js'

/** Linear memory of the transpiler: its input and output, each 256 MiB at most, and what it makes of them. */
const LIMITS = { memoryPages: 24_576, tableElements: 100_000 }
const LINKED = { isProgram: false, provided: new Set<string>(), isLinked: true }

const { compile } = WebAssembly
WebAssembly.compile = (bytes) => compile(prepareModule(bytes as Uint8Array, LIMITS, LINKED).bytes)

const tell = (message: TranspilerMessage): void => parentPort?.postMessage(message)

async function begin(): Promise<void> {
  try {
    // Only now: its module is compiled when it is evaluated.
    const { transpile } = await import('../component/transpile.js')
    tell({ type: 'transpiled', ...(await transpile(workerData as Uint8Array)) })
  } catch (error) {
    tell({ type: 'failed', error: failureOf(error) })
  }
}

void begin()
