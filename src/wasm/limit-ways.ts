import type { LimitWays } from '../runtime/limits.js'

/**
 * What holds each limit behind the Wasm wall: the engine (memory, tables), preview1 (descriptors, disk, output) and the task,
 * outside the sandbox (time); `sandbox-groups` adds what control groups hold. The limit on processes is one on a program's threads, of which there are 64 at most in any case.
 */
export const WASM_LIMIT_WAYS: LimitWays = {
  memoryBytes: 'wasm',
  cpus: {
    code: 'NOT_BUILT',
    reason: 'it needs a control group, which this sandbox has none of',
    hint: 'Leave it out: a thread takes one processor at most, and a time limit bounds how long.',
  },
  pids: 'wasm',
  openFiles: 'wasm',
  diskBytes: 'wasm',
  outputBytes: 'wasm',
  timeoutMs: 'wasm',
  tableElements: 'wasm',
  fuel: 'wasm',
}
