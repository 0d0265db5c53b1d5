import { node } from '../modes/node.js'
import { nodeWasi } from '../modes/node-wasi.js'
import { sandbox } from '../modes/sandbox.js'
import { wasmerMemfs } from '../modes/wasmer-memfs.js'
import { openModes, type Workload } from '../workload.js'

/** Ways to run a WASI module. */
export const startWasm: Workload = {
  name: 'start-wasm',
  summary: 'hello.wasm, start to exit',
  unit: 'ms',
  rounds: 40,
  quickRounds: 4,
  open: (workbench) => openModes(workbench, [node, nodeWasi, sandbox, wasmerMemfs], ['hello']),
}
