/**
 * Which control groups a container gets. Each is a leaf of its own below the nearest group that this user may make others in, named after
 * the process that makes it, so that what a kill leaves is known to be left and taken away by the next start.
 */
import { accessSync, existsSync, constants as fileModes, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path/posix'
import { EngineError, messageOf } from '../errors.js'
import type { Operation } from '../launcher/operations.js'
import { IDENTITY_PATTERN, mayBeAlive, ownIdentity } from '../store/process-identity.js'
import {
  type ControlGroup,
  type Controller,
  type GroupView,
  groupView,
  groupWith,
  hierarchyOf,
  OWN_GROUP,
  textOf,
  wordsOf,
} from './control-groups.js'
import { controllersOf, type GroupRequest, groupResources, groupValues } from './group-values.js'
import type { LimitWay } from './limits.js'
import { RESOURCE_FLAGS } from './resources.js'

/** The groups below which this user may make others, by what they bound. */
export type Delegation = ReadonlyMap<Controller, ControlGroup>

/** What gives a user such a group. */
export const LEAST_FIX =
  'With systemd: systemd-run --user --scope -p Delegate=yes wolffia … (`loginctl enable-linger` where there is no session). ' +
  'Elsewhere root makes a group, gives its folder and files to you and moves your shell into it.'

const CONTROLLERS = ['memory', 'cpu', 'cpuset', 'io', 'freezer'] as const satisfies readonly Controller[]
/** Those that hold a container's limits, which the doctor asks for. */
const OF_LIMITS = ['memory', 'cpu'] as const satisfies readonly Controller[]
const NAME = new RegExp(`^${OWN_GROUP}(${IDENTITY_PATTERN})-`)

/** What is delegated to this process where it is now. */
export function delegation(): Delegation {
  const own = groupView('self')
  return new Map(
    CONTROLLERS.flatMap((controller) => {
      const parent = parentWith(controller, own)
      return parent === null ? [] : [[controller, parent] as const]
    }),
  )
}

/** Whether a container of which this is asked is in groups of its own. */
export function usesGroups(request: GroupRequest): boolean {
  return controllersOf(request).size > 0
}

/** Refuses resources for which no group can be made. Throws UNSUPPORTED_BY_HOST with what would give one. */
export function assertGroups(request: GroupRequest, delegated: Delegation): void {
  for (const [key, controller] of groupResources(request))
    if (!delegated.has(controller))
      throw new EngineError('UNSUPPORTED_BY_HOST', `${RESOURCE_FLAGS[key]} cannot be held on this host: ${notDelegated(controller)}`, {
        hint: LEAST_FIX,
        data: { flag: RESOURCE_FLAGS[key], controller },
      })
}

/** That no group holds what `controller` would. */
export function notDelegated(controller: Controller): string {
  return `no control group in which you may make others has the controller ${controller === 'io' ? 'io (blkio of version 1)' : controller}`
}

/** Why nothing holds a limit where no group with this controller may be made. */
export function wayWithout(controller: Controller): LimitWay {
  return { code: 'UNSUPPORTED_BY_HOST', reason: notDelegated(controller), hint: LEAST_FIX }
}

/** What makes the groups of the container `id`; nothing for what needs none. They have been found to be delegated. */
export function groupOperations(
  id: string,
  request: GroupRequest,
  delegated: Delegation = usesGroups(request) ? delegation() : new Map(),
): Operation[] {
  const values: Operation[] = []
  const folders = new Set<string>()
  for (const [controller, parent] of parentsOf(request, delegated)) {
    const folder = join(parent.folder, `${OWN_GROUP}${ownIdentity()}-${id}`)
    const written = groupValues(controller, parent, folder, request)
    enable(controller, parent)
    values.push(...written, ...(folders.has(folder) ? [] : freezerOperations(controller, parent, folder)))
    folders.add(folder)
  }
  return [...[...folders].map((folder): Operation => ['cgroup', folder]), ...values]
}

function parentsOf(request: GroupRequest, delegated: Delegation): (readonly [controller: Controller, parent: ControlGroup])[] {
  const asked = controllersOf(request)
  // What has a group of its own is paused by it.
  const wanted: ReadonlySet<Controller> = asked.size === 0 ? asked : new Set([...asked, 'freezer'])
  return CONTROLLERS.flatMap((controller) => {
    const parent = delegated.get(controller)
    return parent === undefined || !wanted.has(controller) ? [] : [[controller, parent] as const]
  })
}

const VIEW = '/sys/fs/cgroup'

/**
 * What shows a container its own groups, read-only, where programs look for them (a JVM for its heap, Go for its threads): as systemd
 * mounts them, version 2 alone at the place itself, each hierarchy of version 1 in a folder below it. Nothing for what has no groups.
 */
export function groupViewOperations(request: GroupRequest, delegated: Delegation): Operation[] {
  const parents = parentsOf(request, delegated)
  const hierarchies = new Set(parents.map(([controller, { version }]) => (version === 2 ? 'unified' : hierarchyOf(controller))))
  if (hierarchies.size === 0) return []
  if (parents.every(([, { version }]) => version === 2)) return [['mount-cgroup', VIEW, 'unified']]
  return [
    ['mount-cgroup', VIEW, 'folder'],
    ...[...hierarchies].map((name): Operation => ['mount-cgroup', join(VIEW, name), name]),
    ['read-only', VIEW],
  ]
}

/** Of version 2 each group can be frozen, and there is one for all that is asked for. */
function freezerOperations(controller: Controller, { version }: ControlGroup, folder: string): Operation[] {
  if (version === 1) return controller === 'freezer' ? [['cgroup-freezer', join(folder, 'freezer.state'), 'FROZEN', 'THAWED']] : []
  return [['cgroup-freezer', join(folder, 'cgroup.freeze'), '1', '0']]
}

/** The groups of its own that a container is in, whose first process has this pid. */
export function ownGroups(init: number): Delegation {
  const groups = new Map<Controller, ControlGroup>()
  const view = groupView(init)
  for (const controller of CONTROLLERS) {
    const group = groupWith(controller, view)
    if (group !== null && NAME.test(group.folder.slice(group.folder.lastIndexOf('/') + 1))) groups.set(controller, group)
  }
  return groups
}

/** What brings one more program into those groups. */
export function joinGroups(init: number): Operation[] {
  const folders = [...ownGroups(init).values()].map(({ folder }) => folder)
  return [...new Set(folders)].map((folder) => ['cgroup-join', folder])
}

/** Takes away the groups whose maker and processes are gone. One in use is the kernel's to refuse. */
export function sweepGroups(delegated: Delegation = delegation()): void {
  for (const folder of new Set([...delegated.values()].map(({ folder }) => folder)))
    for (const name of readdirSync(folder)) {
      const maker = NAME.exec(name)?.[1]
      if (maker !== undefined && !mayBeAlive(maker)) {
        // A container that outlives its maker may be paused for good reason.
        if (holdsKilled(join(folder, name))) thaw(join(folder, name))
        removeUnused(join(folder, name))
      }
    }
}

/** Whether a container's limits can be held here, found out by making its groups and bounding them; null, or what is in the way. */
export function groupsMissing(delegated: Delegation = delegation()): string | null {
  const missing = OF_LIMITS.filter((controller) => !delegated.has(controller))
  if (missing.length > 0) return `no group for ${missing.join(' and ')} may be made here`
  const operations = groupOperations('probe', PROBE, delegated)
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

const PROBE: GroupRequest = { limits: { memoryBytes: 64 * 2 ** 20, cpus: 0.5 } }

/**
 * Lets a container of which the first process was killed while it was paused go on, to its end: of version 1, a signal comes to nobody who is
 * frozen. `init` is that process. One that was not killed stays as it is, as does one that is in no group of its own.
 */
export function releaseKilled(init: number): void {
  const folder = ownGroups(init).get('freezer')?.folder
  if (folder !== undefined && isKilled(statusOf(init))) thaw(folder)
}

function thaw(folder: string): void {
  const state = join(folder, 'freezer.state')
  if (existsSync(state)) writeFileSync(state, 'THAWED')
}

/** Whether the first process of a pid namespace is in it and has been killed: its launcher, which would let it go on, is gone. */
function holdsKilled(folder: string): boolean {
  return wordsOf(join(folder, 'cgroup.procs')).some((pid) => {
    const status = statusOf(Number(pid))
    return isKilled(status) && /^NSpid:.*\t1$/m.test(status)
  })
}

const SIGKILL_BIT = 1n << BigInt(constants.signals.SIGKILL - 1)

const statusOf = (pid: number) => textOf(`/proc/${pid}/status`)

/** Whether SIGKILL waits for the process with this status (proc_pid_status(5)). */
function isKilled(status: string): boolean {
  const pending = /^ShdPnd:\s+([0-9a-f]+)$/m.exec(status)?.[1]
  return pending !== undefined && (BigInt(`0x${pending}`) & SIGKILL_BIT) !== 0n
}

function removeUnused(folder: string): void {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** The nearest group, this process's or one above it, that may have children of this user's with `controller` on. */
function parentWith(controller: Controller, view: GroupView): ControlGroup | null {
  const own = groupWith(controller, view)
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
  if (version === 1 || wordsOf(file).includes(controller)) return
  try {
    writeFileSync(file, `+${controller}`)
  } catch (cause) {
    // As for cpuset while a process of root's is below: `sudo` in the same session is one.
    throw new EngineError('UNSUPPORTED_BY_HOST', `the controller ${controller} cannot be turned on in ${folder}: ${messageOf(cause)}`, {
      cause,
      hint: LEAST_FIX,
      data: { controller, folder },
    })
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, fileModes.W_OK)
    return true
  } catch {
    return false
  }
}
