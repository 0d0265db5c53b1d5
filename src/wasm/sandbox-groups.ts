/**
 * Control groups around a sandbox process, the same that native containers get. The engine holds what the guest may take of linear memory;
 * where a group can be made the kernel bounds the whole process, the engine included, which then has room for itself beside the guest.
 */
import { EngineError } from '../errors.js'
import { groupLimits } from '../runtime/control-groups.js'
import { type GroupRequest, groupResources } from '../runtime/group-values.js'
import type { LimitWays } from '../runtime/limits.js'
import { assertGroups, type Delegation, delegation, usesGroups, wayWithout } from '../runtime/make-groups.js'
import { assertBounds, boundCircumstances } from '../runtime/process-bounds.js'
import type { LimitEvidence } from '../runtime/receipt.js'
import type { ResourceSpec } from '../runtime/resources.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { WASM_LIMIT_WAYS } from './limit-ways.js'
import { GUEST_THREADS_MAXIMUM } from './thread-names.js'

/**
 * What a sandbox has beside its guest's linear memory: Node and V8 with their heaps (24 MiB when idle; CPython, a module of 25 MiB, makes it 111,
 * with its own memory), the tree of its files, and room.
 */
export const SANDBOX_BYTES = 256 * 2 ** 20
/** What each further thread of a guest has for itself (9 MiB). */
const THREAD_BYTES = 10 * 2 ** 20

/** Resources that a group holds for a whole process as well as for a guest. */
const HELD: ReadonlySet<keyof ResourceSpec> = new Set([
  'memorySwapBytes',
  'memoryReservationBytes',
  'memorySwappiness',
  'oomKillDisable',
  'cpuShares',
  'cpuPeriodUs',
  'cpuQuotaUs',
  'cpusetCpus',
  'cpusetMems',
  'blockWeight',
  'deviceWeights',
  'deviceReadBytes',
  'deviceWriteBytes',
  'deviceReadOperations',
  'deviceWriteOperations',
])

/** What of a spec only groups hold, and where nothing else does. */
function onlyGroups({ limits: { cpus }, resources = {} }: GroupRequest): GroupRequest {
  const held = groupResources({ limits: {}, resources }).filter(([key]) => HELD.has(key))
  return {
    limits: cpus === undefined ? {} : { cpus },
    resources: Object.fromEntries(held.map(([key]) => [key, resources[key]])) as ResourceSpec,
  }
}

/** What of a spec's resources the kernel does not hold for a sandbox process. */
export function withoutHeld({ oomScoreAdjust: _, ...resources }: ResourceSpec): ResourceSpec {
  return Object.fromEntries(Object.entries(resources).filter(([key]) => !HELD.has(key as keyof ResourceSpec))) as ResourceSpec
}

/** The groups below which those of a sandbox of this spec would be made; none where nothing asks for one. */
export function sandboxDelegation(spec: GroupRequest): Delegation {
  return spec.limits.memoryBytes === undefined && !usesGroups(onlyGroups(spec)) ? new Map() : delegation()
}

/** What is asked of them. Memory is, where it can be: without a group the engine's own bound holds as before. */
export function sandboxGroups(spec: GroupRequest, delegated: Delegation): GroupRequest {
  const { limits, resources = {} } = onlyGroups(spec)
  if (!delegated.has('memory')) return { limits, resources }
  const { memoryBytes, diskBytes = 0, pids = GUEST_THREADS_MAXIMUM } = spec.limits
  const { memorySwapBytes, memoryReservationBytes } = resources
  const room = diskBytes + SANDBOX_BYTES + (Math.min(pids, GUEST_THREADS_MAXIMUM) - 1) * THREAD_BYTES
  const withRoom = (bytes: number | undefined) => (bytes === undefined || bytes === -1 ? bytes : bytes + room)
  return {
    limits: memoryBytes === undefined ? limits : { ...limits, memoryBytes: memoryBytes + room },
    resources: {
      ...resources,
      // Of memory and swap together, so that what is swap stays what was asked for.
      ...(memorySwapBytes === undefined ? {} : { memorySwapBytes: withRoom(memorySwapBytes) }),
      ...(memoryReservationBytes === undefined ? {} : { memoryReservationBytes: withRoom(memoryReservationBytes) }),
    } as ResourceSpec,
  }
}

/** What holds a sandbox's limits where these are delegated. */
export function wasmLimitWays(delegated: Delegation): LimitWays {
  return { ...WASM_LIMIT_WAYS, cpus: delegated.has('cpu') ? 'cgroup' : wayWithout('cpu') }
}

/** Refuses by name what the kernel could not hold here. */
export function assertSandboxGroups(spec: GroupRequest, delegated: Delegation): void {
  assertGroups(onlyGroups(spec), delegated)
  const { oomScoreAdjust } = spec.resources ?? {}
  if (oomScoreAdjust !== undefined) assertBounds({ oomScoreAdjust }, boundCircumstances())
}

/** Refuses what only the launcher sees to, for a sandbox that is started without it. Throws UNSUPPORTED_BY_HOST. */
export function assertNoGroups(spec: ContainerSpec): void {
  if (!usesGroups(onlyGroups(spec)) && spec.resources?.oomScoreAdjust === undefined) return
  throw new EngineError(
    'UNSUPPORTED_BY_HOST',
    'a share of processors, disks or the host’s memory needs the launcher of the native wall, and there is none here',
    {
      hint: 'Leave --cpus, --memory-swap, --oom-score-adj and their kin out, or see wolffia doctor.',
    },
  )
}

/** What the kernel bounds the process to, for the receipt. Throws LAUNCHER_FAILED when that is not what was asked for. */
export function sandboxEvidence({ limits: { memoryBytes } }: GroupRequest, pid: number): readonly LimitEvidence[] {
  if (memoryBytes === undefined) return []
  const shown = groupLimits(pid).memoryBytes
  if (shown === null || shown > memoryBytes)
    throw new EngineError('LAUNCHER_FAILED', `the sandbox is not bounded to ${memoryBytes} bytes: the kernel shows ${shown ?? 'nothing'}`)
  return [{ name: 'sandboxMemory', value: shown, mechanism: 'cgroup' }]
}
