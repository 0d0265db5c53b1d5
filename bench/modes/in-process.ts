import { join } from 'node:path'
import { moduleMode } from '../wasi-programs.js'
import { packageRoot } from '../workbench.js'

/** Our own preview1 without a sandbox around it: what the wall of the Wasm row costs, and what it holds that this does not. */
export const inProcess = moduleMode('in-process', "wolffia's preview1 in the process of a fresh Node, no sandbox around it", () => [
  '--',
  join(packageRoot, 'dist/in-process.cjs'),
])
