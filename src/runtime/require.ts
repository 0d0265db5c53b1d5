import { EngineError } from '../errors.js'
import { didYouMean } from '../reference/nearest.js'
import { failedChecks } from './cross-check.js'
import type { KernelEvidence, LimitName, NamespaceName, Receipt } from './receipt.js'

/** Something that `--require` can demand: whether a receipt proves it. */
interface Aspect {
  /** What is proven, for `--help` and messages. */
  readonly meaning: string
  readonly holds: (receipt: Receipt) => boolean
}

const EMPTY_SET = '0'.repeat(16)

const kernel = (meaning: string, holds: (evidence: KernelEvidence) => boolean): Aspect => ({
  meaning,
  holds: ({ kernel: evidence }) => evidence !== null && holds(evidence),
})
const namespace = (name: NamespaceName): Aspect =>
  kernel(`a ${name} namespace of its own`, (evidence) => evidence.namespaces[name].isolated)
const limit = (name: LimitName): Aspect => ({
  meaning: `a limit on ${name} in force`,
  holds: (receipt) => receipt.limits.some((evidence) => evidence.name === name),
})

/** Everything that `--require` knows, by name. */
export const ASPECTS = {
  pidns: namespace('pid'),
  utsns: namespace('uts'),
  mountns: namespace('mount'),
  ipcns: namespace('ipc'),
  netns: namespace('net'),
  userns: namespace('user'),
  cgroupns: namespace('cgroup'),
  root: kernel("a root of its own, with the host's nowhere below it", (evidence) => !evidence.root.hostRootVisible),
  'read-only': kernel('a root that cannot be written', (evidence) => evidence.root.readonly),
  'no-network': kernel(
    'no interface but a loopback of its own',
    (evidence) => evidence.namespaces.net.isolated && Object.keys(evidence.interfaces).every((name) => name === 'lo'),
  ),
  seccomp: kernel('a system call filter', (evidence) => evidence.seccomp.mode === 2 && evidence.seccomp.filters >= 1),
  'own-seccomp': {
    meaning: "wolffia's own system call filter, and no other",
    holds: ({ kernel: evidence, seccompProfile }) => seccompProfile === null && evidence?.seccomp.mode === 2,
  },
  'system-paths': kernel('/proc/sys and what the kernel shows of the host closed to it', ({ mounts }) =>
    mounts.some(({ mountPoint, options }) => mountPoint === '/proc/sys' && options.split(',').includes('ro')),
  ),
  'no-capabilities': kernel('no capability held or to be had', ({ capabilities }) =>
    Object.values(capabilities).every((set) => set === EMPTY_SET),
  ),
  'no-new-privileges': kernel('no privilege to be gained by execve', (evidence) => evidence.noNewPrivileges),
  landlock: kernel('a Landlock scope', (evidence) => evidence.landlock !== null && evidence.landlock.scopes.length > 0),
  'id-range': kernel('more than one user id', (evidence) => evidence.idMap.uid.reduce((sum, [, , count]) => sum + count, 0) > 1),
  memory: limit('memory'),
  cpus: limit('cpus'),
  pids: limit('pids'),
  'open-files': limit('openFiles'),
  disk: limit('disk'),
  output: limit('output'),
  time: limit('time'),
  table: limit('table'),
  fuel: limit('fuel'),
  native: { meaning: 'the native wall', holds: (receipt) => receipt.wall === 'native' },
  wasm: { meaning: 'the Wasm wall', holds: (receipt) => receipt.wall === 'wasm' },
  'double-wall': { meaning: 'the Wasm wall within the native one', holds: (receipt) => receipt.doubleWall },
} as const satisfies Readonly<Record<string, Aspect>>

/** A name that `--require` takes. */
export type AspectName = keyof typeof ASPECTS

/** Names of `--require` options, each a list with commas. An unknown one is an INVALID_ARGUMENT whose hint names what is near. */
export function parseRequirements(options: readonly string[]): AspectName[] {
  const names = options.flatMap((option) => option.split(',')).map((name) => name.trim())
  return [...new Set(names)].map((name) => {
    if (Object.hasOwn(ASPECTS, name)) return name as AspectName
    const near = didYouMean(name, Object.keys(ASPECTS))
    throw new EngineError('INVALID_ARGUMENT', `--require ${name === '' ? '""' : name}: there is no such aspect`, {
      hint: `${near === undefined ? '' : `${near} `}It takes: ${Object.keys(ASPECTS).join(', ')}.`,
      data: { name },
    })
  })
}

/**
 * Fails unless the receipt proves every aspect. To be called before the guest's first instruction. A check from outside that did not
 * agree makes every requirement unmet: such a receipt proves nothing.
 */
export function assertRequirements(required: readonly AspectName[], receipt: Receipt): void {
  if (required.length === 0) return
  const disagreeing = failedChecks(receipt.crossCheck)
  const unmet = disagreeing.length > 0 ? [...required] : required.filter((name) => !ASPECTS[name].holds(receipt))
  if (unmet.length === 0) return
  const missing = unmet.map((name) => `${name} (${ASPECTS[name].meaning})`).join(', ')
  throw new EngineError(
    'REQUIREMENT_NOT_MET',
    disagreeing.length > 0
      ? `the receipt proves nothing, ${disagreeing.join(', ')} look different from outside; not proven: ${missing}`
      : `the ${receipt.wall} wall does not give what is required here: ${missing}`,
    {
      hint: 'The guest was not started. `--receipt` shows what is in force, `wolffia doctor` what this host can give.',
      data: { unmet, disagreeing },
    },
  )
}
