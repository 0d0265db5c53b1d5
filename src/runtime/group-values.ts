/** What is written into a container's control groups for what was asked of them: memory.rst, sched-bwc.rst, cpusets.rst and cgroup-v2.rst. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path/posix'
import { EngineError, messageOf } from '../errors.js'
import type { Operation } from '../launcher/operations.js'
import { type ControlGroup, type Controller, wordsOf } from './control-groups.js'
import type { Limits } from './limits.js'
import { type DeviceRate, type DeviceWeight, RESOURCE_FLAGS, type ResourceSpec } from './resources.js'
import type { ContainerSpec } from './spec.js'

/** The parts of a spec that groups hold. */
export type GroupRequest = Pick<ContainerSpec, 'limits' | 'resources'>

/** Microseconds in which a container has its share of the processors once, as docker has it. */
const PERIOD_US = 100_000

/** What holds each limit, and each resource: null for what is none of a group's. */
const CONTROLLER_OF_LIMIT = { memoryBytes: 'memory', cpus: 'cpu' } as const satisfies Partial<Record<keyof Limits, Controller>>
const CONTROLLER_OF: Readonly<Record<keyof ResourceSpec, Controller | null>> = {
  ulimits: null,
  sharedMemoryBytes: null,
  oomScoreAdjust: null,
  memorySwapBytes: 'memory',
  memoryReservationBytes: 'memory',
  memorySwappiness: 'memory',
  oomKillDisable: 'memory',
  cpuShares: 'cpu',
  cpuPeriodUs: 'cpu',
  cpuQuotaUs: 'cpu',
  cpusetCpus: 'cpuset',
  cpusetMems: 'cpuset',
  blockWeight: 'io',
  deviceWeights: 'io',
  deviceReadBytes: 'io',
  deviceWriteBytes: 'io',
  deviceReadOperations: 'io',
  deviceWriteOperations: 'io',
}

/** What each asks for that a group would hold, with the controller that it takes. */
export function groupResources({ resources = {} }: GroupRequest): (readonly [key: keyof ResourceSpec, controller: Controller])[] {
  return (Object.keys(resources) as (keyof ResourceSpec)[]).flatMap((key) => {
    const controller = CONTROLLER_OF[key]
    return controller === null ? [] : [[key, controller] as const]
  })
}

/** The controllers that hold what is asked for. */
export function controllersOf(request: GroupRequest): ReadonlySet<Controller> {
  const limits = (['memoryBytes', 'cpus'] as const).filter((key) => request.limits[key] !== undefined)
  return new Set([...limits.map((key) => CONTROLLER_OF_LIMIT[key]), ...groupResources(request).map(([, controller]) => controller)])
}

/** Files of the group in `folder`, below `parent`, and what goes into them. Throws INVALID_ARGUMENT and UNSUPPORTED_BY_HOST by name. */
export function groupValues(controller: Controller, parent: ControlGroup, folder: string, request: GroupRequest): Operation[] {
  const { limits, resources = {} } = request
  switch (controller) {
    case 'memory':
      return memoryValues(parent, folder, limits, resources)
    case 'cpu':
      return cpuValues(parent, folder, limits, resources)
    case 'cpuset':
      return cpusetValues(parent, folder, resources)
    case 'io':
      return ioValues(parent, folder, resources)
    case 'freezer':
      return []
  }
}

/** As docker, as much again of swap as of memory, where the kernel counts it. */
function memoryValues({ version, folder: parent }: ControlGroup, folder: string, { memoryBytes }: Limits, resources: ResourceSpec) {
  const { memorySwapBytes, memoryReservationBytes, memorySwappiness, oomKillDisable } = resources
  const names = version === 2 ? MEMORY_V2 : MEMORY_V1
  const value = (file: string, written: number | string): Operation => ['cgroup-value', join(folder, file), written]
  const operations: Operation[] = []
  if (memoryBytes !== undefined) {
    operations.push(value(names.limit, memoryBytes))
    const swaps = existsSync(join(parent, names.swap))
    if (memorySwapBytes !== undefined && !swaps)
      throw unsupported('memorySwapBytes', 'this kernel counts no swap', 'Boot it with swapaccount=1, or leave it out.')
    const both = memorySwapBytes ?? 2 * memoryBytes
    if (swaps) operations.push(value(names.swap, both === -1 ? names.unlimited : version === 2 ? both - memoryBytes : both))
  }
  if (memoryReservationBytes !== undefined) operations.push(value(names.reservation, memoryReservationBytes))
  if (memorySwappiness !== undefined) {
    if (version === 2) throw onlyVersion1('memorySwappiness')
    operations.push(value('memory.swappiness', memorySwappiness))
  }
  if (oomKillDisable === true) {
    if (version === 2) throw onlyVersion1('oomKillDisable')
    operations.push(value('memory.oom_control', 1))
  }
  if (memoryBytes !== undefined) operations.push(['cgroup-kills', join(folder, names.kills)])
  return operations
}

const MEMORY_V1 = {
  limit: 'memory.limit_in_bytes',
  swap: 'memory.memsw.limit_in_bytes',
  reservation: 'memory.soft_limit_in_bytes',
  kills: 'memory.oom_control',
  unlimited: -1,
} as const
/** What bounds memory in version 2. */
export const MEMORY_MAX = 'memory.max'
const MEMORY_V2 = {
  limit: MEMORY_MAX,
  swap: 'memory.swap.max',
  reservation: 'memory.low',
  kills: 'memory.events',
  unlimited: 'max',
} as const

function cpuValues({ version }: ControlGroup, folder: string, { cpus }: Limits, resources: ResourceSpec): Operation[] {
  const { cpuShares, cpuPeriodUs, cpuQuotaUs } = resources
  const period = cpuPeriodUs ?? PERIOD_US
  const quota = cpuQuotaUs ?? (cpus === undefined ? undefined : Math.floor(cpus * period))
  const isBounded = quota !== undefined || cpuPeriodUs !== undefined
  const value = (file: string, written: number | string): Operation => ['cgroup-value', join(folder, file), written]
  if (version === 2)
    return [
      ...(cpuShares === undefined ? [] : [value('cpu.weight', weightOf(cpuShares, 2, 262_144))]),
      ...(isBounded ? [value('cpu.max', `${quota ?? 'max'} ${period}`)] : []),
    ]
  return [
    ...(cpuShares === undefined ? [] : [value('cpu.shares', cpuShares)]),
    ...(isBounded ? [value('cpu.cfs_period_us', period)] : []),
    ...(quota === undefined ? [] : [value('cpu.cfs_quota_us', quota)]),
  ]
}

/** A group of version 1 takes nobody in before it has both, and has neither of itself. */
function cpusetValues({ version, folder: parent }: ControlGroup, folder: string, { cpusetCpus, cpusetMems }: ResourceSpec): Operation[] {
  const available = (what: 'cpus' | 'mems') => wordsOf(join(parent, version === 2 ? `cpuset.${what}.effective` : `cpuset.${what}`))[0] ?? ''
  const value = (what: 'cpus' | 'mems', wanted: string | undefined): Operation[] => {
    if (wanted !== undefined) assertAvailable(what, wanted, available(what))
    const written = wanted ?? (version === 1 ? available(what) : undefined)
    return written === undefined ? [] : [['cgroup-value', join(folder, `cpuset.${what}`), written]]
  }
  return [...value('cpus', cpusetCpus), ...value('mems', cpusetMems)]
}

function assertAvailable(what: 'cpus' | 'mems', wanted: string, available: string) {
  const there = new Set(numbersOf(available))
  if (numbersOf(wanted).every((number) => there.has(number))) return
  const [key, name] = what === 'cpus' ? (['cpusetCpus', 'CPUs'] as const) : (['cpusetMems', 'memory nodes'] as const)
  throw new EngineError(
    'INVALID_ARGUMENT',
    `${RESOURCE_FLAGS[key]}: requested ${name} are not available - requested ${wanted}, available: ${available}`,
    {
      data: { requested: wanted, available },
    },
  )
}

/** Numbers of a list as cpuset(7) has them: `0-2,4`. */
function numbersOf(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number)
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
  })
}

const RATES = {
  deviceReadBytes: ['blkio.throttle.read_bps_device', 'rbps'],
  deviceWriteBytes: ['blkio.throttle.write_bps_device', 'wbps'],
  deviceReadOperations: ['blkio.throttle.read_iops_device', 'riops'],
  deviceWriteOperations: ['blkio.throttle.write_iops_device', 'wiops'],
} as const

function ioValues({ version, folder: parent }: ControlGroup, folder: string, resources: ResourceSpec): Operation[] {
  const { blockWeight, deviceWeights = [] } = resources
  const operations: Operation[] = blockWeight === undefined ? [] : [blockWeightValue(version, parent, folder, blockWeight)]
  for (const device of deviceWeights) operations.push(deviceWeightValue(version, parent, folder, device))
  for (const key of Object.keys(RATES) as (keyof typeof RATES)[]) {
    const [file, name] = RATES[key]
    for (const device of resources[key] ?? []) {
      const number = deviceNumber(device, key)
      operations.push(
        version === 2
          ? ['cgroup-value', join(folder, 'io.max'), `${number} ${name}=${device.rate}`]
          : ['cgroup-value', join(folder, file), `${number} ${device.rate}`],
      )
    }
  }
  return operations
}

/** The scheduler of the disk holds it, so that there are as many files for it as there have been schedulers. */
function blockWeightValue(version: 1 | 2, parent: string, folder: string, weight: number): Operation {
  const [file, written] = weightFile('blockWeight', parent, weight, version === 2 ? WEIGHTS_V2 : WEIGHTS_V1)
  return ['cgroup-value', join(folder, file), written]
}

/** Of version 2 the same files take it, with a disk's number before it. */
function deviceWeightValue(version: 1 | 2, parent: string, folder: string, { path, weight }: DeviceWeight): Operation {
  const number = deviceNumber({ path }, 'deviceWeights')
  const [file, written] = weightFile('deviceWeights', parent, weight, version === 2 ? WEIGHTS_V2 : DEVICE_WEIGHTS_V1)
  return ['cgroup-value', join(folder, file), `${number} ${written}`]
}

/** Files of weights, and what docker's is in them. */
type WeightFiles = readonly (readonly [file: string, written: (weight: number) => number])[]

const asItIs = (weight: number) => weight
const WEIGHTS_V1: WeightFiles = [
  ['blkio.weight', asItIs],
  ['blkio.bfq.weight', asItIs],
]
const DEVICE_WEIGHTS_V1: WeightFiles = [
  ['blkio.weight_device', asItIs],
  ['blkio.bfq.weight_device', asItIs],
]
const WEIGHTS_V2: WeightFiles = [
  ['io.bfq.weight', asItIs],
  ['io.weight', (weight) => weightOf(weight, 10, 1000)],
]

function weightFile(key: 'blockWeight' | 'deviceWeights', parent: string, weight: number, files: WeightFiles): readonly [string, number] {
  const found = files.find(([name]) => existsSync(join(parent, name)))
  if (found === undefined)
    throw unsupported(key, 'no scheduler of disks that knows weights is in this kernel', 'It takes bfq: modprobe bfq.')
  return [found[0], found[1](weight)]
}

/** `major:minor` of a disk. */
function deviceNumber({ path }: Pick<DeviceRate, 'path'>, key: keyof typeof RATES | 'deviceWeights'): string {
  const flag = RESOURCE_FLAGS[key]
  let found: ReturnType<typeof statSync>
  try {
    found = statSync(path)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `${flag} ${path}: ${messageOf(cause)}`, { cause, data: { path } })
  }
  if (!found.isBlockDevice())
    throw new EngineError('INVALID_ARGUMENT', `${flag} ${path}: it is no disk`, {
      data: { path },
      hint: 'Name a whole disk: lsblk lists them.',
    })
  // As makedev(3) has them.
  return `${(found.rdev >>> 8) & 0xfff}:${(found.rdev & 0xff) | ((found.rdev >>> 12) & 0xfff00)}`
}

/** A weight of version 1 on the scale of version 2, which ends at 10000, as the OCI runtimes convert them. */
function weightOf(weight: number, least: number, most: number): number {
  return 1 + Math.floor(((weight - least) * 9999) / (most - least))
}

function onlyVersion1(key: keyof ResourceSpec): EngineError {
  return unsupported(key, 'control groups of version 2 know no such thing', 'Leave it out.')
}

function unsupported(key: keyof ResourceSpec, reason: string, hint: string): EngineError {
  const flag = RESOURCE_FLAGS[key]
  return new EngineError('UNSUPPORTED_BY_HOST', `${flag} cannot be held on this host: ${reason}`, { hint, data: { flag } })
}
