import { EngineError } from '../errors.js'
import { DEFAULT_LIMITS, type Limits } from '../runtime/limits.js'
import { RESOURCE_FLAGS, type ResourceSpec, type Ulimit } from '../runtime/resources.js'

/** What {@link settleResources} depends on besides. */
export interface ResourceCircumstances {
  /** What the caller has asked for, before there are defaults. */
  readonly limits: Limits
  /** Whether the container has a /dev/shm of its own. */
  readonly ownSharedMemory: boolean
}

/** A container's resources, checked by docker's rules, and its limits with what follows from them. */
export interface SettledResources {
  readonly limits: Limits
  /** Undefined when nothing was asked for. */
  readonly resources: ResourceSpec | undefined
}

const DEFAULT_PERIOD_US = 100_000

/** Checks how resources go together, and makes limits of those that are. Throws INVALID_ARGUMENT in docker's words. */
export function settleResources(resources: ResourceSpec, { limits, ownSharedMemory }: ResourceCircumstances): SettledResources {
  if (Object.keys(resources).length === 0) return { limits, resources: undefined }
  assertRanges(resources)
  assertMemory(resources, limits)
  if (resources.sharedMemoryBytes !== undefined && !ownSharedMemory)
    throw invalid('sharedMemoryBytes', 'conflicting options: there is no /dev/shm of its own that could have that size', 'Leave one out.')
  const { cpuQuotaUs, cpuPeriodUs = DEFAULT_PERIOD_US, ulimits: { nofile, nproc } = {} } = resources
  for (const [key, name] of [['cpuPeriodUs', 'Period'] as const, ['cpuQuotaUs', 'Quota'] as const])
    if (limits.cpus !== undefined && resources[key] !== undefined)
      throw invalid(key, `conflicting options: Nano CPUs and CPU ${name} cannot both be set`, 'Leave --cpus or the other out.')
  return {
    resources,
    limits: {
      ...limits,
      ...(cpuQuotaUs === undefined ? {} : { cpus: cpuQuotaUs / cpuPeriodUs }),
      ...(nofile === undefined ? {} : { openFiles: boundOf('nofile', nofile, limits.openFiles) }),
      ...(nproc === undefined ? {} : { pids: boundOf('nproc', nproc, limits.pids) }),
    },
  }
}

/** The hard limit is what holds: a program may raise its soft one up to it. */
function boundOf(name: 'nofile' | 'nproc', { hard }: Ulimit, limit = Number.POSITIVE_INFINITY): number {
  if (hard > 0) return Math.min(hard, limit)
  throw new EngineError('NOT_BUILT', `--ulimit ${name}=${hard} is not built: there is always a limit, and none of nothing`, {
    hint: `Name a number that is high enough; ${name === 'nofile' ? DEFAULT_LIMITS.openFiles : DEFAULT_LIMITS.pids} is usual.`,
    data: { ulimit: name, hard },
  })
}

function assertRanges({
  deviceWeights = [],
  oomScoreAdjust,
  memorySwappiness,
  blockWeight,
  cpuShares,
  cpuPeriodUs,
  cpuQuotaUs,
  ulimits = {},
}: ResourceSpec) {
  if (oomScoreAdjust !== undefined && !isWithin(oomScoreAdjust, -1000, 1000))
    throw invalid('oomScoreAdjust', `invalid value ${oomScoreAdjust}, range for oom score adj is [-1000, 1000]`)
  if (memorySwappiness !== undefined && !isWithin(memorySwappiness, 0, 100))
    throw invalid('memorySwappiness', `invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`)
  if (blockWeight !== undefined && !isWithin(blockWeight, 10, 1000))
    throw invalid('blockWeight', 'range of blkio weight is from 10 to 1000')
  for (const { path, weight } of deviceWeights)
    if (!isWithin(weight, 10, 1000))
      throw invalid('deviceWeights', `invalid weight for device: ${path}:${weight}; the range is from 10 to 1000`)
  if (cpuShares !== undefined && !isWithin(cpuShares, 2, 262_144))
    throw invalid('cpuShares', `invalid CPU shares (${cpuShares}): the range is from 2 to 262144`)
  if (cpuPeriodUs !== undefined && !isWithin(cpuPeriodUs, 1000, 1_000_000))
    throw invalid('cpuPeriodUs', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)')
  if (cpuQuotaUs !== undefined && !isWithin(cpuQuotaUs, 1000, Number.MAX_SAFE_INTEGER))
    throw invalid('cpuQuotaUs', 'CPU cfs quota can not be less than 1ms (i.e. 1000)')
  for (const [name, { soft, hard }] of Object.entries(ulimits)) {
    if (![soft, hard].every((value) => isWithin(value, -1, Number.MAX_SAFE_INTEGER)))
      throw invalid('ulimits', `invalid ulimit argument: ${name}=${soft}:${hard}`)
    if (hard !== -1 && (soft === -1 || soft > hard))
      throw invalid('ulimits', `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`)
  }
}

function assertMemory({ memorySwapBytes, memoryReservationBytes }: ResourceSpec, { memoryBytes }: Limits) {
  if (memorySwapBytes !== undefined && memoryBytes === undefined)
    throw invalid('memorySwapBytes', 'you should always set the memory limit when using the memoryswap limit', 'Add --memory.')
  if (memorySwapBytes !== undefined && memorySwapBytes !== -1 && memorySwapBytes < (memoryBytes ?? 0))
    throw invalid('memorySwapBytes', 'minimum memoryswap limit should be larger than the memory limit', 'It is both together.')
  if (memoryReservationBytes !== undefined && memoryReservationBytes > (memoryBytes ?? Number.POSITIVE_INFINITY))
    throw invalid('memoryReservationBytes', 'minimum memory limit can not be less than the memory reservation limit')
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most
}

function invalid(key: keyof ResourceSpec, why: string, hint?: string): EngineError {
  const flag = RESOURCE_FLAGS[key]
  return new EngineError('INVALID_ARGUMENT', `${flag}: ${why}`, { data: { flag }, ...(hint === undefined ? {} : { hint }) })
}
