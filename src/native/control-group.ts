/**
 * Which control groups a container gets. Each is a leaf of its own below the nearest group that this user may make others in, named after
 * the process that makes it, so that what a kill leaves is known to be left and taken away by the next start.
 */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { messageOf } from '../errors.js'
import type { Operation } from '../launcher/operations.js'
import { type ControlGroup, type Controller, groupWith, wordsOf } from '../runtime/control-groups.js'
import type { Limits } from '../runtime/limits.js'
import { IDENTITY_PATTERN, mayBeAlive, ownIdentity } from '../store/process-identity.js'

/** The groups below which this user may make others, by what they bound. */
export type Delegation = ReadonlyMap<Controller, ControlGroup>

/** What gives a user such a group. */
export const LEAST_FIX =
  'With systemd: systemd-run --user --scope -p Delegate=yes wolffia … (`loginctl enable-linger` where there is no session). ' +
  'Elsewhere root makes a group, gives its folder and files to you and moves your shell into it.'

const CONTROLLERS = ['memory', 'cpu'] as const
/** Microseconds in which a container has its share of the processors once, as docker has it. */
const PERIOD_US = 100_000
const NAME = new RegExp(`^wolffia-(${IDENTITY_PATTERN})-`)

/** What is delegated to this process where it is now. */
export function delegation(): Delegation {
  return new Map(
    CONTROLLERS.flatMap((controller) => {
      const parent = parentWith(controller)
      return parent === null ? [] : [[controller, parent] as const]
    }),
  )
}

/** Whether a container with these limits is in groups of its own. */
export function usesGroups({ memoryBytes, cpus }: Limits): boolean {
  return memoryBytes !== undefined || cpus !== undefined
}

/** What makes the groups of the container `id`; nothing for limits that need none. They have been found to be delegated. */
export function groupOperations(
  id: string,
  limits: Limits,
  delegated: Delegation = usesGroups(limits) ? delegation() : new Map(),
): Operation[] {
  const wanted = CONTROLLERS.filter((controller) => limits[controller === 'memory' ? 'memoryBytes' : 'cpus'] !== undefined)
  const values: Operation[] = []
  const folders = new Set<string>()
  for (const controller of wanted) {
    const parent = delegated.get(controller)
    if (parent === undefined) continue
    enable(controller, parent)
    const folder = join(parent.folder, `wolffia-${ownIdentity()}-${id}`)
    folders.add(folder)
    values.push(...(controller === 'memory' ? memoryValues(parent, folder, limits) : cpuValues(parent, folder, limits)))
  }
  return [...[...folders].map((folder): Operation => ['cgroup', folder]), ...values]
}

/** What brings one more program into the groups of a container, whose first process has this pid. */
export function joinGroups(init: number): Operation[] {
  const folders = CONTROLLERS.flatMap((controller) => groupWith(controller, init)?.folder ?? [])
  return [...new Set(folders)]
    .filter((folder) => NAME.test(folder.slice(folder.lastIndexOf('/') + 1)))
    .map((folder) => ['cgroup-join', folder])
}

/** Takes away the groups whose maker and processes are gone. One in use is the kernel's to refuse. */
export function sweepGroups(delegated: Delegation = delegation()): void {
  for (const folder of new Set([...delegated.values()].map(({ folder }) => folder)))
    for (const name of readdirSync(folder)) {
      const maker = NAME.exec(name)?.[1]
      if (maker !== undefined && !mayBeAlive(maker)) removeUnused(join(folder, name))
    }
}

/** Whether a container's limits can be held here, found out by making its groups and bounding them; null, or what is in the way. */
export function groupsMissing(delegated: Delegation = delegation()): string | null {
  const missing = CONTROLLERS.filter((controller) => !delegated.has(controller))
  if (missing.length > 0) return `no group for ${missing.join(' and ')} may be made here`
  const operations = groupOperations('probe', PROBE_LIMITS, delegated)
  const made: string[] = []
  try {
    for (const [name, path, value] of operations)
      if (name === 'cgroup') {
        mkdirSync(String(path))
        made.push(String(path))
      } else if (name === 'cgroup-value') writeFileSync(String(path), String(value))
    return null
  } catch (error) {
    return messageOf(error)
  } finally {
    for (const folder of made) removeUnused(folder)
  }
}

const PROBE_LIMITS: Limits = { memoryBytes: 64 * 2 ** 20, cpus: 0.5 }

function removeUnused(folder: string): void {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** As docker, as much again of swap as of memory, where the kernel counts it. */
function memoryValues({ version, folder: parent }: ControlGroup, folder: string, { memoryBytes = 0 }: Limits): Operation[] {
  const [limit, swap, swapBytes, kills] =
    version === 2
      ? ['memory.max', 'memory.swap.max', memoryBytes, 'memory.events']
      : ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 2 * memoryBytes, 'memory.oom_control']
  return [
    ['cgroup-value', join(folder, limit), memoryBytes],
    ...(existsSync(join(parent, swap)) ? [['cgroup-value', join(folder, swap), swapBytes] as const] : []),
    ['cgroup-kills', join(folder, kills)],
  ]
}

function cpuValues({ version }: ControlGroup, folder: string, { cpus = 0 }: Limits): Operation[] {
  const quota = Math.floor(cpus * PERIOD_US)
  if (version === 2) return [['cgroup-value', join(folder, 'cpu.max'), `${quota} ${PERIOD_US}`]]
  return [
    ['cgroup-value', join(folder, 'cpu.cfs_period_us'), PERIOD_US],
    ['cgroup-value', join(folder, 'cpu.cfs_quota_us'), quota],
  ]
}

/** The nearest group, this process's or one above it, that may have children of this user's with `controller` on. */
function parentWith(controller: Controller): ControlGroup | null {
  const own = groupWith(controller, 'self')
  if (own === null) return null
  for (let folder = own.folder; ; folder = dirname(folder)) {
    if (mayHaveChildren(controller, { ...own, folder })) return { ...own, folder }
    if (folder === own.mountPoint || folder === '/') return null
  }
}

/**
 * Of version 2 only one without processes gives controllers to children, and who moves a process must be able to write to the group above both.
 */
function mayHaveChildren(controller: Controller, { version, folder }: ControlGroup): boolean {
  if (!isWritable(folder) || (version === 2 && !isWritable(join(folder, 'cgroup.procs')))) return false
  if (version === 1 || wordsOf(join(folder, 'cgroup.subtree_control')).includes(controller)) return true
  return (
    isWritable(join(folder, 'cgroup.subtree_control')) &&
    wordsOf(join(folder, 'cgroup.controllers')).includes(controller) &&
    wordsOf(join(folder, 'cgroup.procs')).length === 0
  )
}

function enable(controller: Controller, { version, folder }: ControlGroup): void {
  const file = join(folder, 'cgroup.subtree_control')
  if (version === 2 && !wordsOf(file).includes(controller)) writeFileSync(file, `+${controller}`)
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
