import type { LimitWays } from '../runtime/limits.js'

/**
 * What holds each limit behind the Wasm wall: the engine (memory, tables), preview1 (descriptors, disk, output) and the task,
 * outside the sandbox (time). A guest is one thread and cannot make another, so it is within any limit on processes.
 */
export const WASM_LIMIT_WAYS: LimitWays = {
  memoryBytes: 'wasm',
  cpus: {
    code: 'NOT_BUILT',
    reason: 'it needs a delegated cgroup, which is not built yet',
    hint: 'Leave --cpus out: a Wasm guest is one thread and never uses more than one processor. --timeout bounds how long.',
  },
  pids: 'wasm',
  openFiles: 'wasm',
  diskBytes: 'wasm',
  outputBytes: 'wasm',
  timeoutMs: 'wasm',
  tableElements: 'wasm',
  fuel: 'wasm',
}
