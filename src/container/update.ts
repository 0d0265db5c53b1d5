import { EngineError } from '../errors.js'
import type { Limits } from '../runtime/limits.js'
import type { ResourceSpec } from '../runtime/resources.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { settleResources } from './resources.js'

/** What can be changed of how a container is held: what is absent stays as it is. */
export interface ResourceUpdate {
  readonly limits?: Pick<Limits, 'memoryBytes' | 'cpus' | 'pids'>
  readonly resources?: Omit<ResourceSpec, 'ulimits' | 'sharedMemoryBytes' | 'oomScoreAdjust' | 'memorySwappiness' | 'oomKillDisable'>
}

/** A spec with these changes, checked by docker's rules. Throws INVALID_ARGUMENT. */
export function updatedSpec(spec: ContainerSpec, update: ResourceUpdate): ContainerSpec {
  const { limits: before, resources: had = {} } = spec
  const { limits: asked = {}, resources: wanted = {} } = update
  const hadQuota = had.cpuQuotaUs !== undefined || had.cpuPeriodUs !== undefined
  if (asked.cpus !== undefined && hadQuota) throw conflict('NanoCPUs', 'CPU Quota')
  if ((wanted.cpuQuotaUs !== undefined || wanted.cpuPeriodUs !== undefined) && before.cpus !== undefined && !hadQuota)
    throw conflict('CPU Quota', 'NanoCPUs')
  if (wanted.memorySwapBytes === undefined && (had.memorySwapBytes ?? -1) !== -1 && (asked.memoryBytes ?? 0) > (had.memorySwapBytes ?? 0))
    throw new EngineError(
      'INVALID_ARGUMENT',
      'memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
      { hint: 'Add --memory-swap.' },
    )
  // What a quota has made of them is made of the new one.
  const { cpus, ...others } = before
  const given = { ...(cpus === undefined || hadQuota ? {} : { cpus }), ...others, ...asked }
  const { limits, resources } = settleResources({ ...had, ...wanted }, { limits: given, ownSharedMemory: true })
  return { ...spec, limits, ...(resources === undefined ? {} : { resources }) }
}

function conflict(wanted: string, had: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `conflicting options: ${wanted} cannot be updated as ${had} has already been set`, {
    hint: 'Both say how much processor time there is: change the one that was set.',
  })
}
