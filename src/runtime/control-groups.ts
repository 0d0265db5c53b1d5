/** The control groups (cgroups(7)) that a process is in, of both versions, as folders of this host. */
import { readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path/posix'
import { type MountLine, parseMountinfo } from './process-files.js'

/** What bounds memory, processor time, which processors, and disks (blkio of version 1), and what stops a group (of version 1; any of 2 can be stopped). */
export type Controller = 'memory' | 'cpu' | 'cpuset' | 'io' | 'freezer'

/** A group, as far as it is mounted here. */
export interface ControlGroup {
  readonly version: 1 | 2
  /** Its folder. */
  readonly folder: string
  /** Where its hierarchy is mounted: that folder or one above it. */
  readonly mountPoint: string
}

/** What the groups of a process allow; null without a limit. */
export interface GroupLimits {
  readonly memoryBytes: number | null
  readonly cpus: number | null
}

/** Version 1 writes no limit as the largest whole number of pages. */
const NO_LIMIT_V1 = 2 ** 62

/** Which groups a process is in, and where their hierarchies are mounted here: read once, it tells of every controller. */
export interface GroupView {
  /** Lines of /proc/PID/cgroup. */
  readonly lines: readonly string[]
  readonly mounts: readonly MountLine[]
}

/** Reads it. Of a process that is gone there are no lines. */
export function groupView(pid: number | 'self'): GroupView {
  const mounts = parseMountinfo(textOf('/proc/self/mountinfo')).filter(({ fileSystem }) => fileSystem.startsWith('cgroup'))
  return { lines: textOf(`/proc/${pid}/cgroup`).split('\n'), mounts }
}

/** The group that bounds a process, by its pid or what was read of it, by `controller`; null where none is mounted or it cannot be read. */
export function groupWith(controller: Controller, process: number | 'self' | GroupView): ControlGroup | null {
  const { lines, mounts } = typeof process === 'object' ? process : groupView(process)
  const first = controller === 'io' ? 'blkio' : controller
  // The hierarchy of version 2 has the controllers that none of version 1 has taken.
  for (const line of lines) {
    const [, number, controllers = '', path = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    if (number === undefined || !(number === '0' || controllers.split(',').includes(first))) continue
    const found = mounts.find(({ fileSystem, superOptions }) =>
      number === '0' ? fileSystem === 'cgroup2' : fileSystem === 'cgroup' && superOptions.split(',').includes(first),
    )
    if (found === undefined) continue
    const below = relative(found.root, path)
    if (below === '..' || below.startsWith('../')) continue
    const group: ControlGroup = { version: number === '0' ? 2 : 1, folder: join(found.mountPoint, below), mountPoint: found.mountPoint }
    const bounding = group.version === 1 ? group : nearestWith(controller, group)
    if (bounding !== null) return bounding
  }
  return null
}

/** All controllers of the hierarchy of version 1 that this one is in, as the kernel lists them; itself where there is none. */
export function hierarchyOf(controller: Controller): string {
  const first = controller === 'io' ? 'blkio' : controller
  const lists = textOf('/proc/self/cgroup')
    .split('\n')
    .map((line) => line.split(':')[1] ?? '')
  return lists.find((list) => list.split(',').includes(first)) ?? first
}

/** Of version 2 a group has the controllers that the one above it gives to its children; without, that one's bounds are its own. */
function nearestWith(controller: Controller, { mountPoint, ...group }: ControlGroup): ControlGroup | null {
  for (let folder = group.folder; ; folder = dirname(folder)) {
    if (wordsOf(join(folder, 'cgroup.controllers')).includes(controller)) return { ...group, folder, mountPoint }
    if (folder === mountPoint || folder === '/') return null
  }
}

/** What the groups of a process allow, read from their own files. */
export function groupLimits(pid: number): GroupLimits {
  const view = groupView(pid)
  return { memoryBytes: memoryOf(groupWith('memory', view)), cpus: cpusOf(groupWith('cpu', view)) }
}

function memoryOf(group: ControlGroup | null): number | null {
  if (group === null) return null
  const bytes = numberIn(group, group.version === 2 ? 'memory.max' : 'memory.limit_in_bytes')
  return bytes === null || bytes >= NO_LIMIT_V1 ? null : bytes
}

function cpusOf(group: ControlGroup | null): number | null {
  if (group === null) return null
  const [quota, period] =
    group.version === 2
      ? wordsOf(join(group.folder, 'cpu.max')).map(Number)
      : [numberIn(group, 'cpu.cfs_quota_us'), numberIn(group, 'cpu.cfs_period_us')]
  return quota && period && quota > 0 && period > 0 ? quota / period : null
}

/** What the name of a container's own group begins with. */
export const OWN_GROUP = 'wolffia-'

/** What a container's own group allows of memory, in bytes; null without such a group or limit. */
export function ownGroupLimit(pid: number): number | null {
  const group = groupWith('memory', pid)
  return group !== null && isOwnGroup(group) ? memoryOf(group) : null
}

const isOwnGroup = ({ folder }: ControlGroup) => basename(folder).startsWith(OWN_GROUP)

/** What the memory of a container's own group holds, in bytes, without what of files could be dropped at once; null without such a group. */
export function ownGroupMemory(pid: number): number | null {
  const group = groupWith('memory', pid)
  if (group === null || !isOwnGroup(group)) return null
  const used = numberIn(group, group.version === 2 ? 'memory.current' : 'memory.usage_in_bytes')
  const words = wordsOf(join(group.folder, 'memory.stat'))
  const droppable = Number(words[words.indexOf(group.version === 2 ? 'inactive_file' : 'total_inactive_file') + 1])
  return used === null || Number.isNaN(droppable) ? used : Math.max(0, used - droppable)
}

function numberIn({ folder }: ControlGroup, file: string): number | null {
  const [word] = wordsOf(join(folder, file))
  return word === undefined || !/^-?\d+$/.test(word) ? null : Number(word)
}

/** The words of a group's file; none when it cannot be read. */
export function wordsOf(path: string): string[] {
  return textOf(path).split(/\s+/).filter(Boolean)
}

/** A file of the kernel's; empty when it cannot be read. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
