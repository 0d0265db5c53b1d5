/** Other values for the control groups of a container that runs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path/posix'
import { EngineError, messageOf } from '../errors.js'
import { type ControlGroup, type Controller, wordsOf } from './control-groups.js'
import { controllersOf, type GroupRequest, groupResources, groupValues, MEMORY_MAX } from './group-values.js'
import { LIMIT_NAMES } from './limits.js'
import type { Delegation } from './make-groups.js'
import { RESOURCE_FLAGS } from './resources.js'

const STOP_FIRST = 'Stop the container, update it, and start it again.'

/** Refuses what a running container cannot be given any more. Throws CONFLICT by flag. */
export function assertUpdatable(before: GroupRequest, after: GroupRequest): void {
  if (before.limits.pids !== after.limits.pids)
    throw conflict(LIMIT_NAMES.pids.flag, 'it is a limit of each process (RLIMIT_NPROC), which those that run keep')
  const own = controllersOf(before)
  const limits = (['memoryBytes', 'cpus'] as const).filter((key) => after.limits[key] !== undefined)
  const asked: (readonly [flag: string, controller: Controller])[] = [
    ...groupResources(after).map(([key, controller]) => [RESOURCE_FLAGS[key], controller] as const),
    ...limits.map((key) => [LIMIT_NAMES[key].flag, key === 'cpus' ? 'cpu' : 'memory'] as const),
  ]
  for (const [flag, controller] of asked)
    if (!own.has(controller)) throw conflict(flag, `the container was started without a control group of its own for ${controller}`)
  // Without a limit of memory from the beginning nobody would be told that it was the reason of an end.
  if (before.limits.memoryBytes === undefined && after.limits.memoryBytes !== undefined)
    throw conflict(LIMIT_NAMES.memoryBytes.flag, 'the container was started without one')
}

/** Writes what differs, all or nothing. Throws CONFLICT for what the kernel does not take. */
export function updateGroups(before: GroupRequest, after: GroupRequest, own: Delegation): void {
  const [had, wanted] = [valuesOf(before, own), valuesOf(after, own)]
  const changed = [...wanted].filter(([file, value]) => had.get(file) !== value)
  assertFits(changed)
  const restored = changed.map(([file]) => [file, readFileSync(file, 'latin1').trim()] as const)
  try {
    writeAll(changed)
  } catch (cause) {
    writeAll(restored)
    throw new EngineError('CONFLICT', `the kernel does not take the new limits: ${messageOf(cause)}`, {
      cause,
      hint: 'A container cannot be given less memory than it uses.',
    })
  }
}

/** Version 2 takes any limit and kills what does not fit, where version 1 refuses: what can be dropped is dropped, and then it must fit. */
function assertFits(changed: readonly (readonly [file: string, value: string])[]): void {
  for (const [file, value] of changed) {
    if (basename(file) !== MEMORY_MAX || value === 'max') continue
    const folder = dirname(file)
    const excess = () => Number(wordsOf(join(folder, 'memory.current'))[0]) - Number(value)
    if (excess() > 0) reclaim(folder, excess())
    if (excess() > 0)
      throw new EngineError('CONFLICT', `the container uses more memory than ${value} bytes, and cannot be given less than it uses`, {
        hint: STOP_FIRST,
        data: { limit: Number(value), used: Number(value) + excess() },
      })
  }
}

/** Linux 5.19 can be asked to; that it did less is found afterwards. */
function reclaim(folder: string, bytes: number): void {
  try {
    writeFileSync(join(folder, 'memory.reclaim'), String(bytes))
  } catch {
    // EAGAIN: not all of it could be.
  }
}

/** Of two that bound each other the order depends on the values: what is refused is tried once more when all others stand. */
function writeAll(values: readonly (readonly [file: string, value: string])[]): void {
  const refused = values.filter(([file, value]) => {
    try {
      writeFileSync(file, value)
      return false
    } catch {
      return true
    }
  })
  for (const [file, value] of refused) writeFileSync(file, value)
}

function valuesOf(request: GroupRequest, own: Delegation): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  const wanted = controllersOf(request)
  for (const [controller, group] of own) {
    if (!wanted.has(controller)) continue
    const parent: ControlGroup = { ...group, folder: dirname(group.folder) }
    for (const [name, file, value] of groupValues(controller, parent, group.folder, request))
      if (name === 'cgroup-value') values.set(String(file), String(value))
  }
  return values
}

function conflict(flag: string, why: string): EngineError {
  return new EngineError('CONFLICT', `${flag} of a running container cannot be changed: ${why}`, { hint: STOP_FIRST, data: { flag } })
}
