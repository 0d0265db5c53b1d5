import type { LimitWays } from '../runtime/limits.js'
import { type Delegation, delegation, wayWithout } from '../runtime/make-groups.js'

/**
 * What holds each limit behind the native wall.
 *
 * `pids` is RLIMIT_NPROC, which the kernel counts for each user id of the container's user namespace. `disk` is the size of the tmpfs
 * that holds the writable layer, so it needs one: {@link limitWays} refuses it for a writable layer on disk.
 */
const WAYS: LimitWays = {
  memoryBytes: 'cgroup',
  cpus: 'cgroup',
  pids: 'rlimit',
  openFiles: 'rlimit',
  diskBytes: 'tmpfs',
  outputBytes: 'supervisor',
  timeoutMs: 'supervisor',
  tableElements: {
    code: 'UNSUPPORTED_BY_HOST',
    reason: 'a native program has no Wasm table',
    hint: 'Leave it out, or use --runtime wasm with a Wasm image.',
  },
  fuel: {
    code: 'UNSUPPORTED_BY_HOST',
    reason: 'only the instructions of a Wasm module can be counted before they are executed',
    hint: 'Use --timeout, or --runtime wasm with a Wasm image.',
  },
}

const DISK_NEEDS_MEMORY = {
  code: 'UNSUPPORTED_BY_HOST',
  reason: 'the writable layer of this container lies on disk, where nothing bounds it without a quota of its own',
  hint: 'Add --rm: its writable layer is then a tmpfs of that size (Linux 6.6 or later).',
} as const

const NOT_FOR_ROOT = {
  code: 'UNSUPPORTED_BY_HOST',
  reason: 'you are root, whose processes the kernel does not count',
  hint: 'Run wolffia as an ordinary user.',
} as const

/** The ways for a container whose writable layer is in memory, or on disk, where so much of the control groups is this user's. */
export function limitWays(upper: 'memory' | 'disk', delegated: Delegation = delegation()): LimitWays {
  return {
    ...WAYS,
    ...(delegated.has('memory') ? {} : { memoryBytes: wayWithout('memory') }),
    ...(delegated.has('cpu') ? {} : { cpus: wayWithout('cpu') }),
    ...(upper === 'memory' ? {} : { diskBytes: DISK_NEEDS_MEMORY }),
    ...(process.geteuid?.() === 0 ? { pids: NOT_FOR_ROOT } : {}),
  }
}
