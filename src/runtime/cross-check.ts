import { readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs'
import { groupLimits, groupWith } from './control-groups.js'
import { capabilityEvidence, hostIdentity, mountEvidence, NAMESPACE_FILES, namespaceInode, userEvidence } from './kernel-evidence.js'
import type { IdExtent } from './process-files.js'
import { parseHardLimits, parseIdMap, parseLimits, parseMountinfo, parseStat, parseStatus } from './process-files.js'
import type { KernelEvidence, LimitEvidence, NamespaceName } from './receipt.js'

/** What a receipt claims about a guest that has not yet run. */
export interface Claim {
  /** The guest's pid as this process sees it. */
  readonly pid: number
  readonly evidence: KernelEvidence
  readonly limits: readonly LimitEvidence[]
  /** It runs, though not for anybody yet: what it has opened by itself is its own. */
  readonly isExecuted?: boolean
}

/** O_CLOEXEC as fdinfo prints flags; the same number on every architecture wolffia runs on. */
const CLOSE_ON_EXEC = 0o2000000

/**
 * Compares what was collected inside with what the kernel shows outside, file by file of /proc/PID. A file that can't be read
 * is a check that failed: nothing here is taken on trust.
 *
 * Not compared, because nothing outside shows it: the hostname (its namespace is), Landlock, the size of the terminal, kernel
 * parameters of its namespaces, and whether an interface is up (the list of interfaces is).
 */
export function crossCheck({ pid, evidence, limits, isExecuted = false }: Claim): Record<string, boolean> {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8')
  const checks: Record<string, () => boolean> = {
    namespaces: () =>
      Object.entries(NAMESPACE_FILES).every(([name, file]) => {
        const claimed = evidence.namespaces[name as NamespaceName]
        const seen = namespaceInode(readlinkSync(`/proc/${pid}/ns/${file}`))
        const isolated = seen !== hostIdentity().namespaces[name as NamespaceName]
        return seen !== 0 && seen === claimed.inode && isolated === claimed.isolated
      }),
    idMap: () => same(parseIdMap(read('uid_map')), evidence.idMap.uid) && same(parseIdMap(read('gid_map')), evidence.idMap.gid),
    mounts: () => same(parseMountinfo(read('mountinfo')).map(mountEvidence), evidence.mounts),
    root: () => {
      const { bsize, blocks, files } = statfsSync(`/proc/${pid}/root`)
      return blocks * bsize === evidence.root.bytes && files === evidence.root.inodes
    },
    rlimits: () => {
      const text = read('limits')
      return same(parseLimits(text), evidence.rlimits) && same(parseHardLimits(text), evidence.hardRlimits)
    },
    interfaces: () => same(interfaceNames(read('net/dev')), Object.keys(evidence.interfaces).sort()),
    ...(isExecuted ? {} : { descriptors: () => same(inheritedDescriptors(pid), [...evidence.descriptors].sort(ascending)) }),
    process: () =>
      Number(read('oom_score_adj')) === evidence.process.oomScoreAdjust &&
      readlinkSync(`/proc/${pid}/cwd`) === evidence.process.workingDirectory &&
      (parseStat(read('stat')).session !== parseStat(readFileSync('/proc/self/stat', 'utf8')).session) === evidence.process.session,
    limits: () => limits.filter(({ mechanism }) => mechanism === 'cgroup').every((limit) => holdsInGroup(pid, limit)),
  }
  const status = once(() => parseStatus(read('status')))
  Object.assign(checks, {
    seccomp: () =>
      Number(status().get('Seccomp')) === evidence.seccomp.mode &&
      filtersOf(status()) === evidence.seccomp.filters &&
      (evidence.seccomp.instructions === 0 || evidence.seccomp.mode === 2),
    capabilities: () => same(capabilityEvidence(status()), evidence.capabilities),
    noNewPrivileges: () => status().has('NoNewPrivs') && (status().get('NoNewPrivs') === '1') === evidence.noNewPrivileges,
    user: () => sameUser(userEvidence(status()), evidence),
    umask: () => Number.parseInt(status().get('Umask') ?? '', 8) === evidence.process.umask,
  } satisfies Record<string, () => boolean>)
  return Object.fromEntries(Object.entries(checks).map(([name, check]) => [name, holds(check)]))
}

/** A control group that the caller is in too bounds more than the container. */
function holdsInGroup(pid: number, { name, value }: LimitEvidence): boolean {
  const { memoryBytes, cpus } = groupLimits(pid)
  const controller = name === 'cpus' ? 'cpu' : 'memory'
  const isOwn = groupWith(controller, pid)?.folder !== groupWith(controller, 'self')?.folder
  return isOwn && (name === 'cpus' ? cpus : memoryBytes) === value
}

/** Names of the checks that did not agree. */
export function failedChecks(checks: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(checks).filter((name) => !checks[name])
}

function holds(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}

function filtersOf(status: ReadonlyMap<string, string>): number {
  return Number(status.get('Seccomp_filters') ?? -1)
}

/**
 * Ids are printed in the reader's numbers: those inside are carried through the map before they are compared. Supplementary groups
 * that have no number inside (the caller's own, which a single-id map can't drop) read as the overflow id there, so only their count is.
 */
function sameUser(outside: KernelEvidence['user'], evidence: KernelEvidence): boolean {
  const { uid, gid, groups } = evidence.user
  if (outsideId(evidence.idMap.uid, uid) !== outside.uid || outsideId(evidence.idMap.gid, gid) !== outside.gid) return false
  const mapped = groups.map((group) => outsideId(evidence.idMap.gid, group)).filter((group) => group !== undefined)
  return groups.length === outside.groups.length && mapped.every((group) => outside.groups.includes(group))
}

function outsideId(map: readonly IdExtent[], id: number): number | undefined {
  const extent = map.find(([inside, , count]) => id >= inside && id < inside + count)
  return extent === undefined ? undefined : extent[1] + (id - extent[0])
}

/** Descriptors that survive execve. One that is gone between listing and looking was closed by the launcher, which still tidies up. */
function inheritedDescriptors(pid: number): number[] {
  return readdirSync(`/proc/${pid}/fdinfo`)
    .map(Number)
    .filter((descriptor) => survivesExecve(pid, descriptor))
    .sort(ascending)
}

function survivesExecve(pid: number, descriptor: number): boolean {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1]
  return flags === undefined || (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0
}

function interfaceNames(netDev: string): string[] {
  return [...netDev.matchAll(/^\s*([^\s:|]+):/gm)].map((match) => match[1] ?? '').sort()
}

function ascending(left: number, right: number): number {
  return left - right
}

/** Deep equality of plain values, whatever the order of an object's keys. */
function same(left: unknown, right: unknown): boolean {
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return left === right
  const keys = Object.keys(left)
  const other = right as Record<string, unknown>
  return keys.length === Object.keys(right).length && keys.every((key) => same((left as Record<string, unknown>)[key], other[key]))
}

function once<Value>(make: () => Value): () => Value {
  let value: { readonly made: Value } | undefined
  return () => (value ??= { made: make() }).made
}
